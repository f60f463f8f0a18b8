"""What keys and buttons do to the traces: sensitivity, montage, channels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtbci.dashboard.model.dashboard_model import DashboardModel
from rtbci.dashboard.model.montages import BY_REGION, REFERENCE
from rtbci.dashboard.model.timeline import Timeline
from rtbci.dashboard.model.trace_rows import ALL
from rtbci.dashboard.plots.channel_labels import ChannelLabels
from rtbci.dashboard.plots.traces import TracePlot
from rtbci.recordings.channel_names import derivation

if TYPE_CHECKING:
    from rtbci.dashboard.actions import WindowControl


class TraceActions:
    """The part of the actions that acts on the traces and their labels."""

    _model: DashboardModel
    _timeline: Timeline
    _traces: TracePlot
    _labels: ChannelLabels
    _window: WindowControl

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
        self._window.edit_montage()

    def use_as_reference(self) -> None:
        """The chosen channel is taken away from all other electrodes."""
        if (row := self._labels.selection) is not None:
            self._traces.set_montage(f"{REFERENCE}{derivation(row).electrode}")

    def toggle_source(self) -> None:
        self._traces.set_solo(None)
        self._model.set_as_model(not self._model.as_model)

    def toggle_butterfly(self) -> None:
        self._traces.set_butterfly(not self._traces.butterfly)

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
        self._window.choose_rows()

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


def _electrodes(row: str) -> tuple[str, str]:
    """Those that a row is made of."""
    meant = derivation(row)
    return meant.electrode, meant.reference
