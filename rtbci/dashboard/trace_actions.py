"""What keys and buttons do to the traces: sensitivity, montage, channels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from rtbci.dashboard.model.dashboard_model import DashboardModel
from rtbci.dashboard.model.display_filter import HIGH_HZ, LOW_HZ, NOTCH_HZ, DisplayFilter
from rtbci.dashboard.model.montages import BY_REGION, REFERENCE
from rtbci.dashboard.model.timeline import LONGEST_S, SHORTEST_S, Timeline
from rtbci.dashboard.model.trace_rows import ALL
from rtbci.dashboard.plots.channel_labels import ChannelLabels
from rtbci.dashboard.plots.traces import TracePlot
from rtbci.recordings.channel_names import derivation


class TraceDialogs(Protocol):
    """Questions of the traces to the user, and what is written then."""

    def choose_rows(self) -> None: ...

    def edit_montage(self) -> None: ...

    def write_page(self) -> None: ...

    def print_page(self) -> None: ...

    def write_stretch(self) -> None: ...


class TraceWindow(Protocol):
    """What the traces' actions need of the window."""

    @property
    def trace_controls(self) -> TraceDialogs: ...

    def ask_choice(self, title: str, question: str, choices: Sequence[str]) -> str | None: ...


class TraceActions:
    """The part of the actions that acts on the traces and their labels."""

    _model: DashboardModel
    _timeline: Timeline
    _traces: TracePlot
    _labels: ChannelLabels
    _window: TraceWindow
    annotation_labels: Sequence[str] = ()

    # -- traces -----------------------------------------------------------------------------------------------

    def larger(self) -> None:
        self._traces.step_sensitivity(1)

    def smaller(self) -> None:
        self._traces.step_sensitivity(-1)

    def row_larger(self) -> None:
        self._step_row_sensitivity(1)

    def row_smaller(self) -> None:
        self._step_row_sensitivity(-1)

    def _step_row_sensitivity(self, by: int) -> None:
        if (row := self._labels.selection) is not None:
            self._traces.step_sensitivity(by, row)
            self._labels.update()

    def fit(self) -> None:
        self._traces.fit()

    def kind_larger(self) -> None:
        self._step_kind(1)

    def kind_smaller(self) -> None:
        self._step_kind(-1)

    def _step_kind(self, by: int) -> None:
        """All rows of the chosen row's kind."""
        self._traces.step_kind(by, self._traces.kind_of_row(self._labels.selection))

    def auto_sensitivity(self) -> None:
        self._traces.set_auto()

    def reset_row_sensitivity(self) -> None:
        self._traces.reset_factors()
        self._labels.update()

    def next_montage(self) -> None:
        names, now = self._traces.montages(), self._traces.montage
        self._traces.set_montage(names[(names.index(now) + 1) % len(names)] if now in names else BY_REGION)

    def usual_montage(self) -> None:
        self._traces.set_montage(BY_REGION)

    def edit_montage(self) -> None:
        self._window.trace_controls.edit_montage()

    def use_as_reference(self) -> None:
        """The chosen channel is taken away from all other electrodes."""
        rows, row = self._traces.rows, self._labels.selection
        if rows.all_rows is not None and row in rows.all_rows.names:
            channel = rows.all_rows.plus[rows.all_rows.names.index(row)]
            self._traces.set_montage(f"{REFERENCE}{rows.channels.meant[channel].electrode}")

    def toggle_source(self) -> None:
        self._traces.set_solo(None)
        self._model.set_as_model(not self._model.as_model)

    def toggle_butterfly(self) -> None:
        self._traces.set_butterfly(not self._traces.butterfly)

    # -- filters for the eye ----------------------------------------------------------------------------------

    def next_low_cut(self) -> None:
        now = self._traces.filter
        self._traces.set_filter(replace(now, low_hz=_after(now.low_hz, LOW_HZ)))

    def next_high_cut(self) -> None:
        now = self._traces.filter
        self._traces.set_filter(replace(now, high_hz=_after(now.high_hz, HIGH_HZ)))

    def next_notch(self) -> None:
        now = self._traces.filter
        self._traces.set_filter(replace(now, notch_hz=_after(now.notch_hz, NOTCH_HZ)))

    def filters_off(self) -> None:
        self._traces.set_filter(DisplayFilter())

    # -- cursors and a stretch --------------------------------------------------------------------------------

    def put_cursor_1(self) -> None:
        self._put_cursor(1)

    def put_cursor_2(self) -> None:
        self._put_cursor(2)

    def _put_cursor(self, number: int) -> None:
        """Under the hand; where the hand is elsewhere, a third, or two thirds, into the page."""
        x = self._traces.cursor_x
        if x is None:
            x = self._timeline.x_at(round(self._timeline.width * number / 3))
        if x is not None and self._traces.history is not None:
            self._traces.cursors.put(number, x)

    def cursor_left(self) -> None:
        self._move_cursor(-self._timeline.page_s / 100)

    def cursor_right(self) -> None:
        self._move_cursor(self._timeline.page_s / 100)

    def cursor_sample_left(self) -> None:
        self._move_cursor(-self._sample_s)

    def cursor_sample_right(self) -> None:
        self._move_cursor(self._sample_s)

    @property
    def _sample_s(self) -> float:
        return 1 / self._traces.history.sfreq if self._traces.history is not None else 0.0

    def _move_cursor(self, by_s: float) -> None:
        cursors = self._traces.cursors
        if cursors.latest in cursors.at:
            cursors.put(cursors.latest, cursors.at[cursors.latest] + by_s)

    def choose_between(self) -> None:
        self._traces.cursors.choose_between()

    def clear_cursors(self) -> None:
        self._traces.cursors.clear()

    def show_stretch(self) -> None:
        """The stretch fills the page."""
        if (stretch := self._traces.cursors.stretch) is not None:
            self._timeline.set_page(min(max(stretch[1] - stretch[0], SHORTEST_S), LONGEST_S))
            self._timeline.freeze(stretch[1])

    def annotate_stretch(self) -> None:
        if (stretch := self._traces.cursors.stretch) is not None:
            self.annotate_at(stretch[0], round(stretch[1] - stretch[0], 3))

    def export_stretch(self) -> None:
        self._window.trace_controls.write_stretch()

    def export_page(self) -> None:
        self._window.trace_controls.write_page()

    def print_page(self) -> None:
        self._window.trace_controls.print_page()

    def annotate_at(self, x: float, duration_s: float = 0.0) -> None:
        """x: on the display's axis."""
        if self._model.feed is None:
            return
        label = self._window.ask_choice("Annotate", "What is it?", self.annotation_labels)
        if label is not None and label.strip():
            self._model.annotate(label.strip(), x, duration_s)

    # -- channels ---------------------------------------------------------------------------------------------

    def next_row(self) -> None:
        self._labels.step(1)

    def previous_row(self) -> None:
        self._labels.step(-1)

    def toggle_solo(self) -> None:
        self._traces.set_solo(None if self._traces.solo is not None else self._labels.selection)

    def hide_row(self) -> None:
        if (row := self._labels.selection) is not None:
            self._labels.step(1)
            self._traces.hide_row(row)

    def show_all_rows(self) -> None:
        self._traces.show_all()

    def choose_rows(self) -> None:
        self._window.trace_controls.choose_rows()

    def rows_down(self) -> None:
        self._traces.page_rows(1)

    def rows_up(self) -> None:
        self._traces.page_rows(-1)

    def more_rows(self) -> None:
        self._traces.step_per_page(1)

    def fewer_rows(self) -> None:
        self._traces.step_per_page(-1)

    def all_on_page(self) -> None:
        self._traces.set_per_page(ALL)

    def solo_electrode(self, electrode: str) -> None:
        """Show alone the first row that this electrode is a part of; again: all rows."""
        traces = self._traces
        if traces.solo is not None and electrode in _electrodes(traces.solo):
            traces.set_solo(None)
        elif traces.all_rows is not None:
            found = [name for name in traces.all_rows.names if electrode in _electrodes(name)]
            if found:
                traces.set_solo(found[0])


def _after(now: float, steps: Sequence[float]) -> float:
    """The next step; after the last one the first."""
    return steps[(steps.index(now) + 1) % len(steps)] if now in steps else steps[0]


def _electrodes(row: str) -> tuple[str, str]:
    """Those that a row is made of."""
    meant = derivation(row)
    return meant.electrode, meant.reference
