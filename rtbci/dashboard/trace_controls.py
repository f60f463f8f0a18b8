"""Joins the traces to what controls them: toolbar, mode line, mouse, menus, dialogs, the panel of a stretch."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

from PyQt6.QtCore import QPoint, Qt
from PyQt6.QtWidgets import QMessageBox, QWidget

from rtbci.dashboard.actions import Actions
from rtbci.dashboard.model.dashboard_model import DashboardModel
from rtbci.dashboard.model.event_log import EventEntry
from rtbci.dashboard.model.montages import BY_REGION
from rtbci.dashboard.model.stretch_file import stretch_file
from rtbci.dashboard.model.view_modes import (
    ViewMode,
    clipped_modes,
    filter_modes,
    montage_modes,
    sensitivity_modes,
    time_modes,
)
from rtbci.dashboard.page_export import KINDS as PAGE_KINDS
from rtbci.dashboard.page_export import print_page, write_page
from rtbci.dashboard.page_picture import PagePicture, PageText
from rtbci.dashboard.panels.events import EventTable
from rtbci.dashboard.panels.mode_line import ModeLine
from rtbci.dashboard.panels.montage_dialog import MontageDialog
from rtbci.dashboard.panels.row_picker import RowPicker
from rtbci.dashboard.panels.toolbar import Toolbar
from rtbci.dashboard.panels.trace_menu import TraceMenu, fill_trace_menu
from rtbci.dashboard.plots.plot_area import PlotArea
from rtbci.dashboard.stretch_view import StretchView
from rtbci.errors import RtbciError, StreamMismatch
from rtbci.files import atomic_write


class TraceControls:
    """Once a window."""

    def __init__(
        self,
        model: DashboardModel,
        plots: PlotArea,
        toolbar: Toolbar,
        mode_line: ModeLine,
        events: EventTable,
        actions: Actions,
        window: QWidget,
        ask_path: Callable[[str, str, str], Path | None],
        tell: Callable[[str], None],
    ) -> None:
        """ask_path: asks where to write, by title, name and kinds of file; tell: shows a line for a while."""
        self._model, self._plots, self._traces = model, plots, plots.traces
        self._toolbar, self._mode_line, self._events = toolbar, mode_line, events
        self._actions, self._window = actions, window
        self._ask_path, self._tell = ask_path, tell
        self.stretch = StretchView(plots, window, lambda name: actions.named(name)())
        self._connect()

    def _connect(self) -> None:
        self._model.began.subscribe(self._traces.cursors.clear)
        traces, labels, toolbar = self._traces, self._plots.labels, self._toolbar
        toolbar.speed_chosen.connect(self._model.timeline.set_speed)
        toolbar.montage_chosen.connect(traces.set_montage)
        toolbar.per_page_chosen.connect(traces.set_per_page)
        toolbar.filter.chosen.connect(traces.set_filter)
        self._mode_line.undone.connect(lambda name: self._actions.named(name)())
        self._plots.mouse.clicked.connect(labels.toggle)
        self._plots.mouse.stretched.connect(labels.select)
        self._plots.mouse.soloed.connect(traces.set_solo)
        self._plots.mouse.menu_asked.connect(self.open_menu)
        labels.soloed.connect(traces.set_solo)
        labels.menu_asked.connect(lambda row, at: self.open_menu(row, None, at))
        self._events.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self._events.customContextMenuRequested.connect(self._event_menu)

    # -- what holds -------------------------------------------------------------------------------------------

    def show(self) -> None:
        """Bring the traces' part of the toolbar, and the mode line, up to date."""
        traces, toolbar, timeline = self._traces, self._toolbar, self._model.timeline
        toolbar.show_page(timeline.page_s, timeline.mm_per_s)
        toolbar.show_sensitivity(traces.per_mm, traces.per_division, traces.unit)
        toolbar.show_montages(traces.montage_choices(), traces.montage, fixed=traces.rows.fixed)
        toolbar.show_rows(traces.rows.per_page, traces.rows.page_text())
        toolbar.filter.show_filter(traces.filter)
        self.show_modes()

    def show_modes(self) -> None:
        """Called often."""
        time, clipped = time_modes(self._model.timeline), clipped_modes(self._traces.n_clipped)
        self._mode_line.show_modes([*time, *self._drawn_modes(), *clipped])

    def _drawn_modes(self) -> list[ViewMode]:
        """What holds for the traces wherever they are drawn."""
        traces = self._traces
        sfreq = traces.history.sfreq if traces.history is not None else math.inf
        sensitivity = sensitivity_modes(traces.sensitivity, traces.rows)
        return [*sensitivity, *montage_modes(traces.rows), *filter_modes(traces.filter, sfreq)]

    # -- what is written --------------------------------------------------------------------------------------

    def _picture(self) -> PagePicture:
        stream = self._model.state.stream
        names = [stream.name if stream is not None else "", self._model.state.pipeline or ""]
        modes = "  ·  ".join(mode.text for mode in self._drawn_modes())
        text = PageText("  ·  ".join(filter(None, names)), modes)
        return PagePicture(self._traces, self._plots.clock_at(self._model.timeline.page[0]), text)

    def write_page(self) -> None:
        """Ask for a path and write the page there, in the format of its ending."""
        if (path := self._ask_path("Save the page", "page.pdf", PAGE_KINDS)) is not None:
            self._try(f"{path} was not written", lambda: self._write_page(path))

    def print_page(self) -> None:
        """Ask for a printer."""
        self._try("not printed", lambda: print_page(self._picture(), self._window))

    def write_stretch(self) -> None:
        """Ask for a path and write the chosen stretch there, or the page, as EDF+."""
        if (path := self._ask_path("Export as EDF+", "stretch.edf", "EDF+ (*.edf)")) is not None:
            self._try(f"{path} was not written", lambda: self._write_stretch(path))

    def _try(self, failure: str, write: Callable[[], str]) -> None:
        """Say where it went, or why it did not."""
        try:
            if told := write():
                self._tell(told)
        except (OSError, RtbciError) as error:
            QMessageBox.warning(self._window, "rtbci", f"{failure}: {error}")

    def _write_page(self, path: Path) -> str:
        write_page(path, self._picture())
        return f"written: {path}"

    def _write_stretch(self, path: Path) -> str:
        feed, picture = self._model.feed, self._picture()
        span = self._traces.cursors.stretch or (picture.start, picture.stop)
        clock = self._plots.clock_at(span[0])
        if feed is None or feed.signals is None or feed.layout is None or clock is None:
            raise StreamMismatch("there is no stream yet")
        marks = list(self._model.marks.between(*span))
        made = stretch_file(feed.signals, feed.layout.channels, clock, marks, span)
        atomic_write(path, made.content)
        held = f", {made.missing_s:.2f} s of it without data (last value held)" if made.missing_s else ""
        return f"written: {path}, {made.seconds:.3g} s of {len(feed.layout.channels)} channels as recorded{held}"

    # -- dialogs and menus ------------------------------------------------------------------------------------

    def choose_rows(self) -> None:
        """Ask which channels are shown."""
        rows = self._traces.rows
        if rows.all_rows is None:
            return
        faults = rows.faults(self._model.state.quality)
        made = rows.all_rows
        notes = [f"{kind} {faults.get(name, '')}" for name, kind in zip(made.names, made.kinds, strict=True)]
        picker = RowPicker(made.names, notes, rows.hidden, self._window)
        if picker.exec():
            self._traces.set_hidden(picker.hidden())

    def edit_montage(self) -> None:
        """Ask for a montage of the user's own."""
        rows = self._traces.rows
        if rows.fixed or rows.all_rows is None:
            return
        dialog = MontageDialog(rows.own, rows.montage, rows.all_rows.names, rows.channels, self._window)
        if dialog.exec():
            rows.own = dialog.own
            self._traces.set_montage(dialog.montage or BY_REGION)

    def open_menu(self, row: str, x: float | None, at: QPoint) -> None:
        """row: "" for none; x: the moment, if there is one; at: on the screen."""
        if row:
            self._plots.labels.select(row)
        entry = self._entry_at(x) if x is not None else None
        if entry is not None:
            self._events.choose(entry)
        menu = TraceMenu(self._window)
        fill_trace_menu(
            menu, lambda name: self._call_at(name, x), row, self._traces.kind_of_row(row), x is not None, entry
        )
        menu.popup(at)

    def _call_at(self, name: str, x: float | None) -> None:
        """An action at the moment that the menu was asked for."""
        if x is not None and name == "annotate":
            self._actions.annotate_at(x)
            return
        if x is not None:
            self._traces.set_cursor(x)
        self._actions.named(name)()

    def _entry_at(self, x: float) -> EventEntry | None:
        """The newest event or annotation that is shown there; an annotation without length takes a little more room."""
        near = 0.01 * self._model.timeline.page_s
        for entry in reversed(self._model.event_log.entries):
            if entry.mark.start - near <= x <= entry.mark.stop + near:
                return entry
        return None

    def _event_menu(self, at: QPoint) -> None:
        if (entry := self._events.entry_at(at)) is not None:
            menu = TraceMenu(self._window)
            fill_trace_menu(menu, lambda name: self._actions.named(name)(), "", "", False, entry)
            viewport = self._events.viewport()
            menu.popup((viewport or self._events).mapToGlobal(at))
