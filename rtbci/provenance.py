"""What a measured figure must carry: the machine, the versions and the commit."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

from rtbci.text import json_text

PACKAGES = ("rtbci", "torch", "numpy", "scipy", "pylsl", "mne", "PyQt6", "pyqtgraph")


def about() -> dict[str, Any]:
    """The keys that every `--json` answer ends with."""
    return {"machine": machine(), "versions": versions(), "commit": commit()}


def machine() -> str:
    """Processor, cores, memory and system in one line."""
    import psutil

    gib = psutil.virtual_memory().total / 2**30
    return f"{_processor()}, {os.cpu_count()} cores, {gib:.0f} GiB, {platform.system()} {platform.release()}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def versions() -> dict[str, str]:
    """Of Python and of what the figures depend on."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def commit() -> str | None:
    """The source's git commit, with "+" where the tree differs from it; None away from a checkout."""
    folder = _source()
    try:
        head = _git(folder, "rev-parse", "HEAD")
        return head + ("+" if _git(folder, "status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=5, check=True)
    return done.stdout.strip()


def _source() -> Path:
    """The checkout that rtbci lies in, else the folder that it was installed from (PEP 610)."""
    here = Path(__file__).parents[1]
    if (here / ".git").exists():
        return here
    try:
        origin = json.loads(distribution("rtbci").read_text("direct_url.json") or "{}").get("url", "")
    except PackageNotFoundError:
        origin = ""
    if origin.startswith("file://"):
        return Path(unquote(urlparse(origin).path))
    return here


def print_json(value: dict[str, Any]) -> None:
    """The one JSON object of a command, with the machine, versions and commit."""
    print(json_text(value | about(), indent=1))
