"""What the annotations came to, for the reports of `evaluate` and `train`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict

from rtbci.recordings.labelling import AnnotationCounts, Labelled
from rtbci.results import Result, Text

_SHOWN = 6  # other labels in a line for a person


class Annotations(Result):
    """What the annotations came to; each is one of the first five."""

    used: int
    """Scored, or trained on, as a class."""
    background: int
    """Said that there is no seizure."""
    other_label: int
    """Meant something else."""
    open_ended: int
    """Had no end, or no onset: that time is neither an event nor background."""
    outside: int
    """Lay outside the recording."""
    merged: int
    """Of the used: overlapped another one or marked it again, and count once with it."""
    cut: int
    """Of the used: reached beyond the recording."""
    other_labels: dict[Text, int]
    """The other labels, and how often each was found."""

    @classmethod
    def of(cls, labelled: Iterable[Labelled]) -> Annotations:
        """The sum over recordings."""
        rows = list(labelled)
        others: Counter[str] = Counter()
        for row in rows:
            others.update(row.others)
        return cls(
            **asdict(AnnotationCounts.total(row.counts for row in rows)), other_labels=dict(others.most_common())
        )

    def line(self) -> str:
        """One line for a person."""
        n = self.used + self.background + self.other_label + self.open_ended + self.outside
        parts = [f"{self.used} used", f"{self.background} background", f"{self.other_label} of other labels"]
        parts += [f"{self.open_ended} without an end", f"{self.outside} outside the recording", f"{self.merged} merged"]
        shown = [f"{label[:40]!r} × {count}" for label, count in list(self.other_labels.items())[:_SHOWN]]
        shown += ["…"] if len(self.other_labels) > _SHOWN else []
        return f"{n} annotations: {', '.join(parts)}" + (f"; other labels: {', '.join(shown)}" if shown else "")
