"""LSL on the loopback, one session a test run; no screen; the real recordings, where they are there."""

import atexit
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

# Before pylsl is imported anywhere; child processes inherit it through the environment. Ports of its own: outlets beyond
# the range, which all programs of a machine share by default, are not found.
_folder = Path(tempfile.mkdtemp(prefix="rtbci-lsl-"))
atexit.register(shutil.rmtree, _folder, ignore_errors=True)
(_folder / "lsl_api.cfg").write_text(
    f"""[ports]
IPv6 = disable
BasePort = {20000 + 128 * (os.getpid() % 64)}
PortRange = 128
[multicast]
ResolveScope = machine
AddressesOverride = {{}}
[lab]
KnownPeers = {{127.0.0.1}}
SessionID = rtbci-test-{os.getpid()}
[log]
level = -3
"""
)
os.environ["LSLAPICFG"] = str(_folder / "lsl_api.cfg")
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real recordings beside the repository; the tests that need them are skipped where they are not."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"needs the real recordings in {folder}")
    return folder


@pytest.fixture(scope="session", autouse=True)
def _one_torch_thread() -> None:
    import torch

    torch.set_num_threads(1)


@pytest.fixture
def small_disk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A disk of 1 MB, or of the parameter."""
    folder = tmp_path / "small"
    folder.mkdir()
    size = f"size={getattr(request, 'param', '1m')}"
    if subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", folder], capture_output=True).returncode:
        pytest.skip("may not mount a small disk")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


@pytest.fixture
def wait_until() -> Callable[..., None]:
    """wait_until(condition, timeout_s): returns once it holds, fails the test if it never does."""

    def wait(condition: Callable[[], object], timeout_s: float = 10.0) -> None:
        deadline = time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() > deadline:
                pytest.fail(f"not within {timeout_s:g} s: {getattr(condition, '__name__', condition)}")
            time.sleep(0.005)

    return wait
