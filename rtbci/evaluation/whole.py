"""All of an answer in one file: the scores as `tag` writes them, and beside them what a table of events does not hold."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydantic import TypeAdapter, ValidationError

from rtbci.evaluation.tagging import Tagged
from rtbci.stages.cues import CueAnswer
from rtbci.types import Chunk, Detection, Event

_KEY = "rest"  # UTF-8 of JSON, whose numbers are read back to the last bit


@dataclass(frozen=True)
class _Rest:
    """Of an answer, what is no score."""

    events: tuple[Event, ...]
    decisions: tuple[Detection, ...]
    answers: tuple[CueAnswer, ...]
    warnings: tuple[str, ...]


def whole_of(result: Tagged) -> Mapping[str, npt.NDArray[np.generic]]:
    """What to keep beside the scores of an answer."""
    rest = asdict(_Rest(result.events, result.decisions, result.answers, result.warnings))
    text = json.dumps(rest, default=lambda value: value.item())  # of numpy
    return {_KEY: np.frombuffer(text.encode("utf-8", "surrogatepass"), np.uint8)}


def read_whole(scores: Path) -> Tagged | None:
    """The answer as it was; None where the file does not hold all of one."""
    try:
        with np.load(scores, allow_pickle=False) as held:
            chunk = Chunk(held["probabilities"], held["times"], held["valid"])
            classes = tuple(held["classes"].tolist())
            text = held[_KEY].tobytes().decode("utf-8", "surrogatepass")
        rest = TypeAdapter(_Rest).validate_python(json.loads(text))
    except (OSError, KeyError, ValueError, zipfile.BadZipFile, ValidationError):
        return None
    return Tagged(chunk, rest.events, rest.decisions, classes, rest.answers, rest.warnings)
