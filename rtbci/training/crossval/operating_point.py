"""Threshold and minimum duration, chosen by a stated rule on scores of recordings that the fit never saw."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from rtbci.evaluation.decisions import decide
from rtbci.evaluation.responses import Scored, detection_delays
from rtbci.evaluation.scoring import known_s, score
from rtbci.pipeline.config import PipelineConfig
from rtbci.stages.decision import DecisionConfig
from rtbci.training.crossval.config import OperatingPointConfig
from rtbci.training.crossval.results import OperatingPoint as OperatingPoint
from rtbci.training.held_out import scored_classes, unknown_stretches
from rtbci.training.source import Source
from rtbci.training.splits import matches
from rtbci.types import Chunk, Event


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
    seconds = sum(_known_s(one.source) for one in answered)
    points = [point.model_copy(update={"known_s": seconds}) for point in points]
    if (rule := wanted.rule()) is not None:
        points = [point.model_copy(update={"keeps_bound": rule.is_kept(point.curve_point())}) for point in points]
    return sorted(points, key=lambda point: point.rank(wanted))


def _known_s(source: Source) -> float:
    unknown = tuple(Event(s.start, s.stop - s.start, s.label) for s in unknown_stretches(source))
    return known_s(Scored((), (), (), source.recording.duration_s, unknown))


def _grid(base: DecisionConfig, wanted: OperatingPointConfig) -> Iterator[DecisionConfig]:
    for min_duration_s in dict.fromkeys(wanted.min_duration_s or (base.min_duration_s,)):
        for threshold in dict.fromkeys(wanted.thresholds):
            yield base.with_threshold(threshold).model_copy(update={"min_duration_s": min_duration_s})


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


def with_point(config: PipelineConfig, point: OperatingPoint) -> PipelineConfig:
    """A pipeline's config with an operating point."""
    return config.model_copy(update={"decision": point.decision(config.decision)})
