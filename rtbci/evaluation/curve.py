"""Operating points: what each threshold comes to, and the one that a stated rule chooses."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from rtbci.errors import ConfigError
from rtbci.evaluation.curve_area import log_area, low_area
from rtbci.evaluation.decisions import decide
from rtbci.evaluation.responses import Scored, detection_delays, percentiles
from rtbci.evaluation.scoring import Counts, figures_of, score
from rtbci.pipeline.config import PipelineConfig
from rtbci.results import Result
from rtbci.stages.decision import DecisionConfig
from rtbci.types import Chunk

N_STEPS = 40  # of the probability, between 0 and 1


class CurvePoint(Result):
    """A threshold, and what the recordings come to with it; by event, pooled over recordings."""

    threshold: float
    """Probability at which an event begins; `release` keeps its distance below, as in the pipeline."""
    seizures: int
    """Annotated events, as SzCORE counts them."""
    found: int
    """Of these."""
    false_alarms: int
    """Detected, and not annotated."""
    sensitivity: float | None
    """Found to annotated."""
    precision: float | None
    """Found to detected."""
    f1: float | None
    """Harmonic mean of both."""
    fa_per_h: float | None
    """False alarms an hour of known time."""
    delay_s: float | None
    """Median detection delay."""


class Curve(Result):
    """Event sensitivity against false alarms an hour, over the threshold; the rest of the decision is the pipeline's."""

    points: tuple[CurvePoint, ...]
    """By threshold."""
    area: float | None
    """Mean sensitivity over the logarithm of the false alarms an hour, from 0.1 to 100 as far as thresholds reach, as NeuroAtlas
    has it (K. Kontras et al., 2026). null where they reach too little of that, or no event is annotated."""
    area_fa_per_h: tuple[float, float] | None
    """The rates that it is over; areas over others are not comparable."""
    low_area: float | None
    """Mean sensitivity over the false alarms an hour from 0 to 1, each rate answered by the best threshold that keeps within
    it. null where no event is annotated."""


@dataclass(slots=True)
class _Sum:
    true: int = 0
    hit: int = 0
    false: int = 0
    seconds: float = 0.0
    delays: list[float] = field(default_factory=list)


class CurveSum:
    """Adds up recordings, one after another; their scores need not be kept.

    Parameters
    ----------
    config
        Of the pipeline.
    hop_s
        Seconds from one score to the next.
    labels
        The classes that are scored.
    """

    def __init__(self, config: PipelineConfig, hop_s: float, labels: Sequence[str]) -> None:
        self._config, self._hop_s, self._labels = config, hop_s, labels
        own = config.decision.threshold
        thresholds = sorted({*(step / N_STEPS for step in range(1, N_STEPS)), own})
        self._decisions = [config.decision.with_threshold(value) for value in thresholds]
        self._sums = [_Sum() for _ in self._decisions]

    def add(self, scores: Chunk, by_class: dict[str, Scored], known_s: float) -> None:
        """Add a recording.

        Parameters
        ----------
        scores
            Probabilities (n_hops, n_classes).
        by_class
            What the expert says of each class; the detections are not used.
        known_s
            Seconds of it in which it is known what holds.
        """
        for decision, total in zip(self._decisions, self._sums, strict=True):
            total.seconds += known_s
            for one in self._decided(scores, by_class, decision):
                if not one.found and not one.truth:
                    continue
                counts = score([one]).event.counts
                total.true += counts.true
                total.hit += counts.hit
                total.false += counts.false
                total.delays += detection_delays(one)

    def curve(self) -> Curve:
        """Of what has been added."""
        points = tuple(_point(d.threshold, s) for d, s in zip(self._decisions, self._sums, strict=True))
        reached = [(p.fa_per_h, p.sensitivity) for p in points if p.fa_per_h is not None and p.sensitivity is not None]
        area, rates = log_area(reached) or (None, None)
        return Curve(points=points, area=area, area_fa_per_h=rates, low_area=low_area(reached))

    def _decided(self, scores: Chunk, by_class: dict[str, Scored], decision: DecisionConfig) -> list[Scored]:
        config = self._config.model_copy(update={"decision": decision})
        result = decide(scores, config, self._hop_s)
        answered = ((label, *result.of_class(label)) for label in self._labels)
        return [replace(by_class[label], found=found, decided=decided) for label, found, decided in answered]


def _point(threshold: float, total: _Sum) -> CurvePoint:
    counts = Counts(true=total.true, hit=total.hit, false=total.false, seconds=total.seconds)
    return curve_point(threshold, counts, percentiles(total.delays).p50)


def curve_point(threshold: float, counts: Counts, delay_s: float | None) -> CurvePoint:
    """A threshold with the ratios of counts by event, and the median delay."""
    figures = figures_of(counts)
    return CurvePoint(
        threshold=threshold,
        seizures=counts.true,
        found=counts.hit,
        false_alarms=counts.false,
        sensitivity=figures.sensitivity,
        precision=figures.precision,
        f1=figures.f1,
        fa_per_h=None if figures.false_alarms_per_24h is None else figures.false_alarms_per_24h / 24,
        delay_s=delay_s,
    )


_RULE = re.compile(r"\s*([a-z0-9_]+)\s*(<=|>=)\s*([0-9.eE+-]+)\s*")
_METRICS = ("sensitivity", "precision", "f1", "fa_per_h", "fa_per_24h", "delay_s")
_FEWEST_ALARMS = ("sensitivity", "f1")  # a bound on these leaves the false alarms to be made few


@dataclass(frozen=True)
class Rule:
    """Which operating point is wanted: the best of those that keep a bound.

    Where the bound is on false alarms, precision or delay, the best finds most events; where it is on sensitivity or F1, it
    has the fewest false alarms. Of equals: fewer false alarms, more found, then the highest threshold.

    Attributes
    ----------
    metric
        `sensitivity`, `precision`, `f1`, `fa_per_h`, `fa_per_24h` or `delay_s`.
    at_most
        Whether the bound is an upper one.
    bound
        The bound; None: the highest F1.
    """

    metric: str
    at_most: bool
    bound: float | None

    @classmethod
    def parse(cls, text: str, where: str = "--at") -> Rule:
        """From `fa_per_h<=0.5`, `sensitivity>=0.9` or `f1`; `where` it was given. Raises ConfigError."""
        if text.strip() == "f1":
            return cls("f1", False, None)
        found = _RULE.fullmatch(text)
        try:
            bound = float(found[3]) if found else math.nan
        except ValueError:
            bound = math.nan
        if found is None or not math.isfinite(bound) or found[1] not in _METRICS:
            raise ConfigError(
                f"{where} {text!r}: wanted a bound, as fa_per_h<=0.5 or sensitivity>=0.9 (of {', '.join(_METRICS)}), or f1 for "
                "the highest F1"
            )
        return cls(found[1], found[2] == "<=", bound)

    def __str__(self) -> str:
        if self.bound is None:
            return "the highest F1"
        return f"{self.metric} {'<=' if self.at_most else '>='} {self.bound:g}"

    def choose(self, curve: Curve) -> CurvePoint:
        """The point that is wanted. Raises ConfigError where no threshold keeps the bound."""
        best = min(curve.points, key=self.order, default=None)
        if best is None or not self.is_kept(best):
            values = [value for p in curve.points if (value := self._of(p)) is not None]
            raise ConfigError(f"no threshold has {self}: {self._reached(values)}")
        return best

    def is_kept(self, point: CurvePoint) -> bool:
        """Whether a point keeps the bound."""
        return self._beyond(point) <= 0

    def order(self, point: CurvePoint) -> tuple[float, ...]:
        """The lowest is wanted: of the points that keep the bound the best, then those nearest to it."""
        alarms, found = point.false_alarms, -point.found
        first = (alarms, found) if self.metric in _FEWEST_ALARMS else (found, alarms)
        return (self._beyond(point), *first, -point.threshold)

    def _beyond(self, point: CurvePoint) -> float:
        """How far a point is beyond the bound, 0 where it keeps it; without a bound, minus its F1."""
        value = self._of(point)
        if value is None:
            return math.inf
        if self.bound is None:
            return -value
        return max(0.0, value - self.bound if self.at_most else self.bound - value)

    def _of(self, point: CurvePoint) -> float | None:
        if self.metric == "fa_per_24h":
            return None if point.fa_per_h is None else 24 * point.fa_per_h
        value: float | None = getattr(point, self.metric)
        return value

    def _reached(self, values: Sequence[float]) -> str:
        if not values:
            return "these recordings have nothing to measure it on"
        best = min(values) if self.at_most else max(values)
        return f"these recordings reach {best:.4g}"
