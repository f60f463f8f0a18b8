"""LSL on the loopback, a session and ports of its own for each process that runs tests; no screen; tests in parallel."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

N_PORTS = 128  # of which the first is held for as long as this process lives
BLOCKS = range(20000, 32640, N_PORTS)  # below the ports that systems give away by themselves


def hold_ports() -> socket.socket:
    """A block of ports that no other run of tests has, nor another worker of this one."""
    first = os.getpid() % len(BLOCKS)
    for port in (*BLOCKS[first:], *BLOCKS[:first]):
        held = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            held.bind(("127.0.0.1", port))
            held.listen()
        except OSError:
            held.close()
            continue
        return held
    raise RuntimeError(
        f"all ports from {BLOCKS[0]} to {BLOCKS[-1] + N_PORTS - 1} are taken: end other runs of these tests"
    )


# Before pylsl is imported anywhere; child processes inherit it through the environment. liblsl does not find outlets
# beyond its range of ports, which all programs of a machine share by default.
_held = hold_ports()
_folder = Path(tempfile.mkdtemp(prefix="rtbci-lsl-"))
(_folder / "lsl_api.cfg").write_text(
    f"""[ports]
IPv6 = disable
BasePort = {_held.getsockname()[1] + 1}
PortRange = {N_PORTS - 1}
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
os.environ["XDG_STATE_HOME"] = str(_folder / "state")  # where rtbci keeps what is this user's own
os.environ["LSLAPICFG"] = str(_folder / "lsl_api.cfg")
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("OMP_NUM_THREADS", "1")

settings.register_profile("beside others", deadline=None)  # how long one example takes depends on what else runs
settings.load_profile("beside others")


def pytest_unconfigure() -> None:
    _held.close()
    shutil.rmtree(_folder, ignore_errors=True)


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Folders are run in parallel, files that are named in this very process; `-n` and `--pdb` have the last word.

    Not in addopts: there, `-p no:xdist` would be a mistake.
    """
    option = config.option
    is_free = getattr(option, "numprocesses", 0) is None and option.dist == "no" and not option.usepdb
    if is_free and not hasattr(config, "workerinput") and all(Path(name).is_dir() for name in config.args):
        option.numprocesses = n_workers()


def n_workers() -> int:
    """Two a core, for a live test mostly waits; from eight on, one a core."""
    n_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(n_cores, min(2 * n_cores, 8))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Deals out single tests, and whole files where a fixture is made once for the module."""
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return file if has_module_fixture(config.rootpath / file) else nodeid

    return Scheduling(config, log) if config.option.dist == "load" else None


@cache
def has_module_fixture(path: Path) -> bool:
    return 'scope="module"' in path.read_text()


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
    """wait_until(condition): returns once it holds, fails the test if it never does; a busy machine is waited for."""

    def wait(condition: Callable[[], object], timeout_s: float = 60.0) -> None:
        deadline = time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() > deadline:
                pytest.fail(f"not within {timeout_s:g} s: {getattr(condition, '__name__', condition)}")
            time.sleep(0.005)

    return wait
