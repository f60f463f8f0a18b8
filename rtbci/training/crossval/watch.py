"""What a cross-validation tells of itself while it runs."""

from __future__ import annotations

from collections.abc import Sequence

from rtbci.training.crossval.results import FoldChoice
from rtbci.training.learning_curve import EpochFigures


class Watch:
    """Told what happens; this one keeps silent."""

    def warned(self, line: str) -> None:
        """What a person should know."""

    def planned(self, folds: Sequence[str], finished: Sequence[str]) -> None:
        """All folds, and those that were finished before."""

    def reading(self, done: int, total: int) -> None:
        """How many recordings are preprocessed, for all folds at once."""

    def progress(self, fold: str, what: str, done: float, total: float, row: EpochFigures | None) -> None:
        """What a fold does, how much of it is done, of how much, and the newest row of a learning curve."""

    def finished(self, result: FoldChoice, seconds: float) -> None:
        """A fold is finished, and its files are there."""
