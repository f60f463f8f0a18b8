"""Threshold and minimum duration, chosen by a stated rule on scores of recordings that the fit never saw."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rtbci.evaluation.scoring import detection_delays, score
from rtbci.evaluation.tagging import Tagged, events_of
from rtbci.pipeline.config import PipelineConfig
from rtbci.stages.decision import Decision, DecisionConfig, exponential_average, share_kept, watched_labels
from rtbci.training.crossval.config import OperatingPointConfig
from rtbci.training.crossval.results import OperatingPoint as OperatingPoint
from rtbci.training.held_out import scored_classes
from rtbci.training.source import Source
from rtbci.training.splits import matches
from rtbci.types import Chunk, Detection


@dataclass(frozen=True)
class Answered:
    """The scores of a recording by a fit that never saw it."""

    source: Source
    scores: Chunk


def operating_points(
    answered: Sequence[Answered], config: PipelineConfig, wanted: OperatingPointConfig, hop_s: float
) -> list[OperatingPoint]:
    """What every threshold and minimum duration come to, best first.

    Parameters
    ----------
    answered
        Recordings, each with the scores of a fit that never saw it.
    config
        Of the pipeline.
    wanted
        What to choose from, and the groups in which no alarm is wanted.
    hop_s
        Seconds from one score to the next.

    Returns
    -------
    list of OperatingPoint
        Ordered by the rule; the first is chosen.
    """
    points = [_point(answered, config, decision, wanted, hop_s) for decision in _grid(config.decision, wanted)]
    return sorted(points, key=lambda point: point.rank(wanted))


def _grid(base: DecisionConfig, wanted: OperatingPointConfig) -> Iterator[DecisionConfig]:
    below = None if base.release is None else base.threshold - base.release
    for min_duration_s in dict.fromkeys(wanted.min_duration_s or (base.min_duration_s,)):
        for threshold in dict.fromkeys(wanted.thresholds):
            release = None if below is None else round(max(0.0, threshold - below), 9)
            update = {"threshold": threshold, "release": release, "min_duration_s": min_duration_s}
            yield base.model_copy(update=update)


def _point(
    answered: Sequence[Answered],
    config: PipelineConfig,
    decision: DecisionConfig,
    wanted: OperatingPointConfig,
    hop_s: float,
) -> OperatingPoint:
    config = config.model_copy(update={"decision": decision})
    seizures = found = unwanted = elsewhere = 0
    delays: list[float] = []
    for one in answered:
        tagged = decide(one.scores, config, hop_s)
        for scored in scored_classes(config, one.source, tagged).values():
            if not scored.found and not scored.truth:
                continue
            counts = score([scored]).event.counts
            seizures, found = seizures + counts.true, found + counts.hit
            delays += detection_delays(scored)
            if matches(one.source.category, wanted.no_alarm_in):
                unwanted += counts.false
            else:
                elsewhere += counts.false
    return OperatingPoint(
        threshold=decision.threshold,
        release=decision.release,
        min_duration_s=decision.min_duration_s,
        seizures=seizures,
        found=found,
        median_delay_s=round(float(np.median(delays)), 3) if delays else None,
        alarms_where_none_is_wanted=unwanted,
        alarms_elsewhere=elsewhere,
    )


def decide(scores: Chunk, config: PipelineConfig, hop_s: float) -> Tagged:
    """The events of the scores of a whole recording, as the live path decides on them; it begins anew after a gap."""
    decision = Decision(config.decision, config.classes, hop_s)
    found: list[Detection] = []
    for part in _unbroken(scores, hop_s):
        found += [*decision.process(part), *decision.flush()]
    return Tagged(scores, *events_of(found), config.classes)


def above_threshold(scores: Chunk, config: PipelineConfig, hop_s: float) -> npt.NDArray[np.bool_]:
    """Whether a class that becomes events is at the threshold or above after each hop, smoothed; (n_hops,)."""
    columns = [config.classes.index(label) for label in watched_labels(config.decision, config.classes)]
    keep = share_kept(config.decision.smoothing_s, hop_s)
    above = [np.zeros(0, np.bool_)]
    for part in _unbroken(scores, hop_s):
        here = np.zeros(len(part), np.bool_)
        for column in columns:
            smooth = exponential_average(part.data[part.valid, column].astype(np.float64), keep)
            here[part.valid] |= smooth >= config.decision.threshold
        above.append(here)
    return np.concatenate(above)


def _unbroken(scores: Chunk, hop_s: float) -> Iterator[Chunk]:
    """The parts between gaps that were not filled."""
    ends = [*(np.flatnonzero(np.diff(scores.times) > 1.5 * hop_s) + 1), len(scores)]
    for first, last in zip([0, *ends[:-1]], ends, strict=True):
        yield scores[first:last]


def with_point(config: PipelineConfig, point: OperatingPoint) -> PipelineConfig:
    """A pipeline's config with an operating point."""
    return config.model_copy(update={"decision": point.decision(config.decision)})
