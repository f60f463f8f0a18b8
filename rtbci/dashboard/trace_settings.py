"""What of the traces comes back at the next start: sensitivity by kind, montage, montages of one's own, channels a page."""

from __future__ import annotations

import json
from collections.abc import Mapping

from rtbci.dashboard.model.channel_kinds import EEG, KINDS
from rtbci.dashboard.model.display_filter import HIGH_HZ, LOW_HZ, NOTCH_HZ, DisplayFilter
from rtbci.dashboard.model.montages import AS_RECORDED, BY_REGION, MONTAGES
from rtbci.dashboard.model.sensitivity import LADDER
from rtbci.dashboard.model.trace_rows import AS_FIT, PER_PAGE
from rtbci.dashboard.plots.traces import TracePlot
from rtbci.dashboard.settings import Settings

_MOST_LETTERS = 100_000  # of all montages of one's own


def restore_traces(settings: Settings, traces: TracePlot) -> None:
    """What is missing or makes no sense stays as it is by default."""
    for kind in KINDS:
        per_mm = settings.get(_key(kind), 0.0)
        if LADDER[0] <= per_mm <= LADDER[-1]:
            traces.microvolts.choose(kind, per_mm)
    traces.rows.own = _montages(settings.get("own_montages", ""))
    # "As recorded" was by region before the two were told apart, under the key "montage".
    before = settings.get("montage", BY_REGION)
    traces.rows.montage = settings.get("display_montage", BY_REGION if before == AS_RECORDED else before)
    edges = [settings.get(f"filter_{part}_hz", 0.0) for part in ("low", "high", "notch")]
    if edges[0] in LOW_HZ and edges[1] in HIGH_HZ and edges[2] in NOTCH_HZ:
        traces.filter = DisplayFilter(*edges)
    per_page = settings.get("rows_per_page", AS_FIT)
    traces.rows.per_page = per_page if per_page in PER_PAGE else AS_FIT


def keep_traces(settings: Settings, traces: TracePlot) -> None:
    """A sensitivity that is auto is none."""
    chosen = traces.microvolts
    for kind in KINDS:
        settings.set(_key(kind), chosen.per_mm[kind] if kind in chosen.by_hand else 0.0)
    for part, hz in (("low", traces.filter.low_hz), ("high", traces.filter.high_hz), ("notch", traces.filter.notch_hz)):
        settings.set(f"filter_{part}_hz", hz)
    settings.set("own_montages", json.dumps(traces.rows.own))
    settings.set("display_montage", traces.rows.montage)
    settings.set("rows_per_page", traces.rows.per_page)


def _key(kind: str) -> str:
    return "per_mm" if kind == EEG else f"per_mm_{kind}"


def _montages(text: str) -> dict[str, tuple[str, ...]]:
    """From JSON; whatever is no montage is left out."""
    try:
        read = json.loads(text[:_MOST_LETTERS]) if text else {}
    except ValueError:
        return {}
    if not isinstance(read, Mapping):
        return {}
    return {
        name: tuple(rows)
        for name, rows in read.items()
        if name not in MONTAGES and isinstance(rows, list) and rows and all(isinstance(row, str) for row in rows)
    }
