"""Seizure burden of the last hour: how much of it the decision called a seizure; behind the decision.

References
----------
L. J. Hirsch et al., American Clinical Neurophysiology Society's Standardized Critical Care EEG Terminology: 2021 version,
J. Clin. Neurophysiol. 38(1), 2021: classes of prevalence; electrographic status epilepticus.
"""

from __future__ import annotations

from dataclasses import dataclass

HOUR_S = 3600.0
# From the largest share of the hour to the smallest; below the last, and above none, is "rare".
LEVELS = {"continuous": 0.9, "abundant": 0.5, "frequent": 0.1, "occasional": 0.01}


def level_of(share: float) -> str:
    """The class of a share of the hour, in the terms of ACNS 2021; "" for none."""
    return next((name for name, least in LEVELS.items() if share >= least), "rare" if share else "")


@dataclass(slots=True)
class _Span:
    """A seizure. stop: None while it is on."""

    start: float
    stop: float | None = None
    is_rejected: bool = False


class SeizureBurden:
    """The seizures of one class and how much of the last hour they take.

    All times are seconds of the recording, and none lies before one that was given earlier. A seizure that is on counts up
    to now; its end then says how long it was. Time without answers counts as time without a seizure.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self._spans: dict[float, _Span] = {}  # by onset

    def begin(self, onset: float) -> None:
        """A seizure was confirmed."""
        self._spans.setdefault(onset, _Span(onset))

    def end(self, onset: float, duration: float) -> None:
        """It is over."""
        self._spans.setdefault(onset, _Span(onset)).stop = onset + duration

    def reject(self, onset: float, *, is_rejected: bool) -> None:
        """A person says that it was none, or takes that back."""
        if onset in self._spans:
            self._spans[onset].is_rejected = is_rejected

    def forget(self, now: float) -> None:
        """What was over an hour before."""
        since = now - HOUR_S
        self._spans = {onset: span for onset, span in self._spans.items() if span.stop is None or span.stop >= since}

    def share(self, now: float) -> float:
        """Of the 60 min before `now`, 0 to 1."""
        since = now - HOUR_S
        kept = [span for span in self._spans.values() if not span.is_rejected]
        return min(1.0, sum(max(0.0, _stop(span, now) - max(since, span.start)) for span in kept) / HOUR_S)

    def stretch_s(self, now: float) -> float:
        """How long the seizure that is on has lasted; 0 for none."""
        kept = (span for span in self._spans.values() if span.stop is None and not span.is_rejected)
        return max((now - span.start for span in kept), default=0.0)

    def __bool__(self) -> bool:
        """Whether there was any seizure that is not forgotten."""
        return bool(self._spans)


def _stop(span: _Span, now: float) -> float:
    return now if span.stop is None else span.stop
