"""Shows the panel of the stretch that is chosen on the traces, and measures it."""

from __future__ import annotations

from collections.abc import Callable

from PyQt6.QtWidgets import QWidget

from rtbci.dashboard.model.stretch import StretchMeasures, measure
from rtbci.dashboard.panels.stretch_panel import StretchPanel
from rtbci.dashboard.plots.plot_area import PlotArea
from rtbci.dashboard.theme import Theme
from rtbci.text import clock_text

MOST_VALUES = 20_000_000  # that are measured at once; of a longer stretch the channel under the hand alone


class StretchView:
    """Opens the panel when a stretch is chosen, and closes it when it is let go."""

    def __init__(self, plots: PlotArea, parent: QWidget, call: Callable[[str], None]) -> None:
        """call: carries out an action by its name."""
        self._plots, self._traces, self._parent, self._call = plots, plots.traces, parent, call
        self.panel: StretchPanel | None = None
        self._traces.cursors.chosen.subscribe(self.show)
        self._traces.rearranged.connect(self._measure_again)

    def show(self) -> None:
        """The stretch that is chosen now."""
        stretch, history = self._traces.cursors.stretch, self._traces.history
        if stretch is None or history is None or self._traces.shown is None:
            if self.panel is not None:
                self.panel.hide()
            return
        if self.panel is None:
            self.panel = self._make(self._traces.theme)
        self._fill(self.panel, stretch)
        if self.panel.isHidden():
            self.panel.show()
            self._place(self.panel)

    def set_theme(self, theme: Theme) -> None:
        if self.panel is not None:
            self.panel.set_theme(theme)

    def _make(self, theme: Theme) -> StretchPanel:
        panel = StretchPanel(theme, self._parent)
        panel.closed.connect(self._traces.cursors.drop_stretch)
        panel.wanted.connect(self._call)
        em = self._parent.fontMetrics().height()
        panel.resize(min(28 * em, self._parent.width() - 20), min(32 * em, round(0.8 * self._parent.height())))
        return panel

    def _place(self, panel: StretchPanel) -> None:
        """Over the panels at the side, as far as they go."""
        corner = self._parent.mapToGlobal(self._parent.rect().bottomRight())
        panel.move(corner.x() - panel.width() - 10, corner.y() - panel.height() - 10)

    def _measure_again(self) -> None:
        if self.panel is not None and self.panel.isVisible():
            self.show()

    def _fill(self, panel: StretchPanel, stretch: tuple[float, float]) -> None:
        when = " to ".join(clock_text(x) for x in stretch)
        row = self._plots.labels.selection
        panel.show_measures(self._measure(stretch, row), when, self._traces.unit, row, str(self._traces.filter))

    def _measure(self, stretch: tuple[float, float], row: str | None) -> StretchMeasures:
        history, shown = self._traces.history, self._traces.shown
        assert history is not None and shown is not None
        rows = range(len(shown))
        if (stretch[1] - stretch[0]) * history.sfreq * len(shown) > MOST_VALUES:
            at = shown.names.index(row) if row in shown.names else 0
            rows = range(at, at + 1)
        samples = self._traces.span(*stretch, rows)
        return measure(stretch, samples, history.sfreq, tuple(shown.names[k] for k in rows))
