"""Sensitivity by the length of what is annotated: short seizures are missed first."""

from __future__ import annotations

from collections.abc import Iterable

from rtbci.results import Result

LENGTHS_S = (0.0, 10.0, 30.0, 60.0, 120.0)


class LengthRow(Result):
    """Annotated events of a length."""

    from_s: float
    """Seconds."""
    to_s: float | None
    """Below so many; null: without limit."""
    seizures: int
    """Number of them."""
    found: int
    """Of these, with SzCORE's tolerance."""


def length_rows(events: Iterable[tuple[float, bool]]) -> tuple[LengthRow, ...]:
    """Sensitivity by length, from (duration, found) of each annotated event; lengths that none has are left out."""
    known = list(events)
    rows = []
    for low, high in zip(LENGTHS_S, (*LENGTHS_S[1:], float("inf")), strict=True):
        here = [found for duration_s, found in known if low <= duration_s < high]
        if here:
            rows.append(
                LengthRow(from_s=low, to_s=None if high == float("inf") else high, seizures=len(here), found=sum(here))
            )
    return tuple(rows)
