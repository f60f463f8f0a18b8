"""The ring of the trends: the rows of the last day, for viewers that are opened later; one for all that an engine reads."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from rtbci.monitor.shared_memory import SharedRing
from rtbci.pipeline.trends import N_COLUMNS
from rtbci.types import Chunk, TrendRows

KEPT_S = 24 * 3600.0
ROW_S = 10.0
_NAME = "trends"


def create_trend_ring(folder: Path) -> SharedRing:
    """Raises OSError where there is no room for it (4.5 MB)."""
    return SharedRing(folder / _NAME, round(KEPT_S / ROW_S), N_COLUMNS)


def open_trend_ring(folder: Path) -> SharedRing | None:
    """None where the engine has none, or one of another version."""
    with suppress(OSError, ValueError):
        ring = SharedRing(folder / _NAME)
        return ring if ring.n_channels == N_COLUMNS else None
    return None


def append_trends(ring: SharedRing, rows: TrendRows) -> None:
    """With their seconds of the recording in place of stamps: they go on where another stream begins."""
    ring.append(Chunk(rows.chunk.data, rows.at_s, rows.chunk.valid))
