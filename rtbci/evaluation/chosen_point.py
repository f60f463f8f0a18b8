"""An operating point that was chosen on recordings: a pipeline with it, and whether a pipeline's scores are still its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rtbci.evaluation.curve import CurvePoint, Rule
from rtbci.pipeline.pipeline import Pipeline
from rtbci.results import Result, Text, Texts


class ChosenPoint(Result):
    """A threshold that a rule chose on the recordings of this evaluation: its figures there are too good for new ones."""

    rule: Text
    """As given with `--at`."""
    point: CurvePoint
    chosen_on: Texts
    """The recordings."""
    file: Text | None
    """The pipeline that was written with it; null: none."""


def with_point(pipeline: Pipeline, rule: Rule, point: CurvePoint, chosen_on: Sequence[str]) -> Pipeline:
    """The pipeline with the threshold of a point; its notes say what chose it. The scores in them become stale."""
    changed = pipeline.with_threshold(point.threshold)
    changed.notes["operating_point"] = {
        "rule": str(rule),
        "point": point.plain(),
        "chosen_on": list(chosen_on),
        "threshold_before": pipeline.config.decision.threshold,
    }
    return changed


def stale_scores(pipeline: Pipeline) -> str:
    """One line where the scores in a pipeline's notes are of another decision than it has now; else empty."""
    then = pipeline.notes.get("scores_of")
    now = pipeline.config.decision.model_dump(mode="json")
    if not isinstance(then, dict) or then == now:
        return ""
    changed = [f"{key} {_text(then.get(key))}, now {_text(now[key])}" for key in now if then.get(key) != now[key]]
    return f"the scores in this file are stale: they were made with {'; '.join(changed)}"


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
