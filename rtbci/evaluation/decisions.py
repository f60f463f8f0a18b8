"""From the scores of a whole recording to events, as the live path decides, under any decision."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from rtbci.evaluation.tagging import Tagged, events_of
from rtbci.pipeline.config import PipelineConfig
from rtbci.stages.decision import Decision, exponential_average, share_kept, watched_labels
from rtbci.types import Chunk, Detection


def decide(scores: Chunk, config: PipelineConfig, hop_s: float) -> Tagged:
    """The events of the scores of a whole recording, as the live path decides on them; it begins anew after a gap."""
    decision = Decision(config.decision, config.classes, hop_s)
    found: list[Detection] = []
    for part in _unbroken(scores, hop_s):
        found += [*decision.process(part), *decision.flush()]
    return Tagged(scores, *events_of(found), config.classes)


def above_threshold(
    scores: Chunk, config: PipelineConfig, hop_s: float, labels: Iterable[str] | None = None
) -> npt.NDArray[np.bool_]:
    """Whether one of some classes is at the threshold or above after each hop, smoothed; (n_hops,). By default: of those that
    become events."""
    watched = watched_labels(config.decision, config.classes) if labels is None else labels
    above = np.zeros(len(scores), np.bool_)
    for label in watched:
        above |= smoothed(scores, config, hop_s, label) >= config.decision.threshold
    return above


def smoothed(scores: Chunk, config: PipelineConfig, hop_s: float, label: str) -> npt.NDArray[np.float64]:
    """The probability of a class that the decision compares with its threshold; (n_hops,), NaN where a score is not valid."""
    column, keep = config.classes.index(label), share_kept(config.decision.smoothing_s, hop_s)
    parts = [np.zeros(0)]
    for part in _unbroken(scores, hop_s):
        here = np.full(len(part), np.nan)
        here[part.valid] = exponential_average(part.data[part.valid, column].astype(np.float64), keep)
        parts.append(here)
    return np.concatenate(parts)


def _unbroken(scores: Chunk, hop_s: float) -> Iterator[Chunk]:
    """The parts between gaps that were not filled."""
    ends = [*(np.flatnonzero(np.diff(scores.times) > 1.5 * hop_s) + 1), len(scores)]
    for first, last in zip([0, *ends[:-1]], ends, strict=True):
        yield scores[first:last]
