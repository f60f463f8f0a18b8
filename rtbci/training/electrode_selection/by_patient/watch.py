"""What a selection by patient tells of itself while it runs."""

from __future__ import annotations

from collections.abc import Sequence

from rtbci.training.crossval.watch import Watch
from rtbci.training.electrode_selection.by_patient.results import SetResult


class ElectrodesWatch(Watch):
    """Told what happens; this one keeps silent."""

    def fold_finished(self, fold: str, sets: Sequence[SetResult], seconds: float) -> None:
        """All sets of a fold are finished, and their files are there."""
