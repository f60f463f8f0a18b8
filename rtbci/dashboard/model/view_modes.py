"""Every mode that hides or alters something on the page, in words, each with the action that undoes it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rtbci.dashboard.model.display_filter import DisplayFilter
from rtbci.dashboard.model.montages import BY_REGION
from rtbci.dashboard.model.sensitivity import Sensitivity
from rtbci.dashboard.model.timeline import Timeline
from rtbci.dashboard.model.trace_rows import TraceRows
from rtbci.text import one_line


@dataclass(frozen=True, slots=True)
class ViewMode:
    """text: as it is shown. undo: the action that ends it, "" where there is nothing to undo; tip: what that does."""

    text: str
    undo: str = ""
    tip: str = ""


def sensitivity_modes(sensitivity: Sensitivity, rows: TraceRows) -> Iterator[ViewMode]:
    """One part a kind of channel: "EEG 10 µV/mm auto"."""
    kinds = rows.kinds
    for kind in kinds:
        named = f"{kind} " if len(kinds) > 1 else ""
        text = f"{named}{sensitivity.per_mm[kind]:g} {sensitivity.unit}/mm"
        if kind in sensitivity.by_hand:
            yield ViewMode(
                text, "auto_sensitivity", "chosen by hand; click: auto, after what the stream usually swings"
            )
        else:
            yield ViewMode(f"{text} auto", "", "auto: the median swing of the last ten minutes, events left out")
    names = set(rows.shown.names) if rows.shown is not None else set()
    if own := sum(abs(factor - 1) > 0.01 for name, factor in rows.factors.items() if name in names):
        yield ViewMode(f"{own} with own sensitivity", "reset_row_sensitivity", "click: as the others of their kind")


def montage_modes(rows: TraceRows) -> Iterator[ViewMode]:
    """The montage, and what of it is not shown."""
    if rows.fixed:
        yield ViewMode("as the model sees it", "toggle_source", "click: as recorded")
    elif rows.refused:
        yield ViewMode(f"as recorded: {rows.montage} {rows.refused}", "usual_montage", "click: the usual montage")
    else:
        undo = "usual_montage" if rows.montage != BY_REGION else ""
        yield ViewMode(one_line(rows.montage), undo, f"click: {BY_REGION.lower()}" if undo else "")
        missing = rows.all_rows.missing if rows.all_rows is not None else ()
        if missing:
            yield ViewMode(f"without {_some(missing)}", "", "their electrodes are not in the stream")
    if rows.solo is not None:
        yield ViewMode(f"{one_line(rows.solo)} alone", "toggle_solo", "click: all channels")
    elif rows.n_hidden:
        yield ViewMode(f"{rows.n_hidden} hidden", "show_all_rows", "click: show all channels")
    if text := rows.page_text():
        yield ViewMode(f"channels {text}", "all_on_page", "click: all channels on one page")


def time_modes(timeline: Timeline) -> Iterator[ViewMode]:
    """The time base, and how far back a frozen page is."""
    yield ViewMode(f"{timeline.page_s:.3g} s, {timeline.columns_per_s / timeline.pixels_per_mm:.3g} mm/s")
    if timeline.end is not None:
        yield ViewMode(f"frozen, {timeline.head - timeline.end:.0f} s back", "go_live", "click: live")


def filter_modes(wanted: DisplayFilter, sfreq: float) -> Iterator[ViewMode]:
    """The display's filter, and what of it the rate does not allow."""
    if not wanted.is_on:
        return
    yield ViewMode(f"{wanted}, causal, for the eye only", "filters_off", "click: off; the model has its own")
    beyond = [hz for hz in (wanted.low_hz, wanted.high_hz, wanted.notch_hz) if hz >= 0.49 * sfreq]
    if beyond:
        yield ViewMode(f"without {beyond[0]:g} Hz: the stream has {sfreq:g} Hz")


def clipped_modes(n_clipped: int) -> Iterator[ViewMode]:
    """Rows that are cut at the edge of their lanes."""
    if n_clipped:
        yield ViewMode(f"{n_clipped} clipped", "fit", "cut where the bars are; click: fit this page to the lanes")


def _some(names: tuple[str, ...]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
