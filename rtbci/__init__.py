"""Real-time streaming BCI classifier: train on your recordings, go live on your amplifier, get the same answer."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rtbci.errors import RtbciError as RtbciError
    from rtbci.evaluation.tagging import Tagged as Tagged
    from rtbci.evaluation.tagging import tag as tag
    from rtbci.pipeline.pipeline import LivePipeline as LivePipeline
    from rtbci.pipeline.pipeline import Pipeline as Pipeline
    from rtbci.recordings.open import open_recording as open_recording
    from rtbci.recordings.recording import Recording as Recording
    from rtbci.types import Chunk as Chunk
    from rtbci.types import Event as Event
    from rtbci.types import Gap as Gap
    from rtbci.types import StreamInfo as StreamInfo

# Loaded when first used: `import rtbci` needs neither torch nor Qt nor MNE.
_HOME = {
    "Chunk": "rtbci.types",
    "Event": "rtbci.types",
    "Gap": "rtbci.types",
    "StreamInfo": "rtbci.types",
    "RtbciError": "rtbci.errors",
    "Pipeline": "rtbci.pipeline.pipeline",
    "LivePipeline": "rtbci.pipeline.pipeline",
    "Recording": "rtbci.recordings.recording",
    "open_recording": "rtbci.recordings.open",
    "tag": "rtbci.evaluation.tagging",
    "Tagged": "rtbci.evaluation.tagging",
}

__all__ = [*_HOME, "models"]


def __getattr__(name: str) -> Any:
    if name == "models":
        return import_module("rtbci.models")
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'rtbci' has no attribute {name!r}")
