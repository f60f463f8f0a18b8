"""Answers at cues: for each marker, the network classifies the window after it, once that is complete."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field

from rtbci.config import Names, Strict
from rtbci.recordings.spreadsheet import text_cell
from rtbci.stages.cue_labels import CueLabels
from rtbci.stages.network import WindowClassifier
from rtbci.text import one_line
from rtbci.types import Chunk


@dataclass(frozen=True, slots=True)
class Cue:
    """A marker: its time, on the clock of the samples, and its text."""

    time: float
    text: str


@dataclass(frozen=True, slots=True)
class CueAnswer:
    """Answer of the network to a cue.

    Attributes
    ----------
    cue
        The marker.
    time
        Time of the window's last sample; NaN where there is no answer.
    probabilities
        One for each class. Empty where samples of the window are missing (it began before the stream or in a gap, or
        the cue came too late), or where the answer is not finite.
    valid
        Whether no sample of the window was interpolated or untrustworthy.
    """

    cue: Cue
    time: float
    probabilities: tuple[float, ...]
    valid: bool


class CueTagger:
    """Answers cues, which may come in any order and at any time, once the window after each is complete.

    The answer does not depend on how the samples are cut into chunks, nor, up to `keep_s`, on how late the cue comes.

    Parameters
    ----------
    config
        Which markers are cues, and where their windows begin.
    classify
        The network, on windows.
    window
        Samples of a window.
    sfreq
        Rate of the samples in Hz.
    """

    def __init__(self, config: CueConfig, classify: WindowClassifier, window: int, sfreq: float) -> None:
        self._config = config
        self._labels = CueLabels(config.labels)
        self._classify = classify
        self._window, self._sfreq = window, sfreq
        self._keep = window + math.ceil(config.keep_s * sfreq)
        self._open: list[Cue] = []
        self.reset()

    def reset(self) -> None:
        """Forget the samples: a cue whose window had begun is answered as missed, a later one is kept."""
        self._held: deque[Chunk] = deque()
        self._n_held = 0

    @property
    def n_waiting(self) -> int:
        """Cues whose answer is not due yet."""
        return len(self._open)

    def tell(self, cue: Cue) -> str:
        """Add a marker. Returns the cue that it is, as it is answered; "" where it is none."""
        label = self._labels.match(cue.text)
        if label:
            self._open.append(Cue(cue.time, label))
        return label

    def process(self, chunk: Chunk) -> list[CueAnswer]:
        """Take scaled samples; return the answers that are due, in the order of their cues."""
        if len(chunk):
            self._held.append(Chunk(chunk.data.copy(), chunk.times.copy(), chunk.valid.copy()))
            self._n_held += len(chunk)
        answers, waiting = [], []
        for cue in self._open:
            answer = self._answer(cue)
            if answer is None:
                waiting.append(cue)
            else:
                answers.append(answer)
        self._open = waiting
        # To the sample, so that a cue that comes too late is missed however the samples were cut.
        while (excess := self._n_held - self._keep) > 0:
            first = self._held.popleft()
            if excess < len(first):
                self._held.appendleft(first[excess:])
            self._n_held -= min(excess, len(first))
        return sorted(answers, key=lambda answer: answer.cue.time)

    def flush(self) -> list[CueAnswer]:
        """End of the stream: cues whose window is incomplete are answered as missed."""
        waiting, self._open = self._open, []
        return [missed(cue) for cue in sorted(waiting, key=lambda cue: cue.time)]

    def _answer(self, cue: Cue) -> CueAnswer | None:
        """The answer, or None while the window is incomplete."""
        start = cue.time + self._config.offset_s
        # The window cannot be complete yet, even with two periods of jitter.
        if not self._held or self._held[-1].times[-1] < start + (self._window - 3) / self._sfreq:
            return None
        held = Chunk.join(list(self._held))
        first = int(np.searchsorted(held.times, start - 1e-9))
        # A window's first sample is less than a period after its start; half a period more for jitter.
        if first < len(held) and held.times[first] > start + 1.5 / self._sfreq:
            return missed(cue)
        if first + self._window > len(held):
            return None
        window = held[first : first + self._window]
        scores = self._classify(window.data[None])[0]
        if not np.isfinite(scores).all():
            return missed(cue)
        return CueAnswer(cue, float(window.times[-1]), tuple(map(float, scores)), bool(window.valid.all()))


def missed(cue: Cue) -> CueAnswer:
    """The answer to a cue with missing samples in its window: none."""
    return CueAnswer(cue, math.nan, (), False)


def table(answers: list[CueAnswer] | tuple[CueAnswer, ...], classes: tuple[str, ...]) -> str:
    """TSV, one row for each cue: time, text, whether all samples are valid, most probable class, probabilities."""
    rows = ["\t".join(("onset", "cue", "valid", "answer", *map(text_cell, classes)))]
    for answer in answers:
        p = answer.probabilities
        likeliest = text_cell(classes[int(np.argmax(p))]) if len(p) > 1 else ""
        text = text_cell(one_line(answer.cue.text))
        shown = [f"{value:.6f}" for value in p] or ["n/a"] * len(classes)
        rows.append("\t".join((f"{answer.cue.time:.4f}", text, str(answer.valid).lower(), likeliest or "n/a", *shown)))
    return "\n".join(rows) + "\n"


class CueConfig(Strict):
    """Answers at cues, in addition to those of the sliding window.

    Attributes
    ----------
    labels
        Texts of the markers that are cues (how they are compared: CueLabels); empty: all markers.
    offset_s
        From a marker to the first sample of its window, in seconds.
    keep_s
        How late a marker may come, in seconds.
    """

    labels: Names = ()
    offset_s: Annotated[float, Field(ge=-60, le=60)] = 0.0
    keep_s: Annotated[float, Field(ge=0, le=60)] = 5.0
