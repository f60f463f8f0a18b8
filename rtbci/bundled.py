"""The recording and the pipeline that come with rtbci."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

RECORDING = Path(str(files("rtbci") / "data" / "chb01_03_demo.edf"))


PIPELINE = Path(str(files("rtbci") / "data" / "seizure_demo.rtbci"))


def bundled(path: str) -> str:
    """Resolve `demo` to the bundled pipeline, unless a file has that name."""
    return str(PIPELINE) if path == "demo" and not Path(path).exists() else path
