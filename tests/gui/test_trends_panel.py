"""The trends in the window: hidden they cost nothing; a click leads to the page, a pointer is shown on both."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gui_kit import Visit
from PyQt6.QtCore import QPoint, QPointF, Qt

from rtbci.bench.synthetic_monitor import SyntheticMonitor
from rtbci.dashboard.model.feed import Feed
from rtbci.dashboard.model.state_text import tool_tip
from rtbci.dashboard.plots.trend_axis import TrendTimeAxis
from rtbci.dashboard.plots.trends_panel import WAITS, about_text
from rtbci.monitor.layout import TrendLayout


@pytest.fixture
def here(qtbot: Any, tmp_path: Path) -> Iterator[Visit]:
    visit = Visit(qtbot, tmp_path)
    yield visit
    visit.close()


def test_trends_come_with_a_key_follow_the_rows_and_are_remembered(here: Visit) -> None:
    panel = here.window.trends
    here.play(1)
    assert not panel.isVisible() and panel._view is None  # nothing was computed
    here.press(Qt.Key.Key_T)
    here.play(1)
    assert panel.isVisible() and panel.about.toolTip() == tool_tip(WAITS)
    here.fake.trend(np.arange(10.0, 3601.0, 10.0))
    here.look()
    assert panel._view is not None and np.isfinite(panel._view.values[:, 0]).all()
    assert panel.stack.images[0].image.shape == (360, 60)
    assert "aEEG C3-P3 (band) and C4-P4 (lines)" in panel.about.toolTip()
    assert "spectra of 8 left and 8 right channels, against the average" in panel.about.toolTip()
    here.fake.trend(np.array([3610.0]))
    here.look()
    assert panel._view.edges[-1] == 3610.0
    panel.spans.button(4).click()
    here.look()
    assert panel._view.step == 60.0
    here.window.keep()
    again = here.open()
    assert again.trends.isVisible() and again.trends.hours == 24.0


def test_a_click_on_the_trends_leads_there_and_the_pointer_is_shown_on_both(here: Visit, qtbot: Any) -> None:
    here.window.resize(1280, 900)
    here.press(Qt.Key.Key_T)
    here.fake.trend(np.arange(10.0, 601.0, 10.0))
    here.play(12)
    stack, timeline = here.window.trends.stack, here.window.model.timeline
    place = stack.mapFromScene(stack.plots[0].getViewBox().mapViewToScene(QPointF(3.0, 15.0)))
    qtbot.mouseClick(stack.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(place))
    assert timeline.frozen and timeline.end == pytest.approx(12.0, abs=2.0)
    here.window.plots.traces.hovered.emit(5.0, 10)
    assert stack.cursors[0].isVisible() and stack.cursors[0].value() == 5.0
    assert "aEEG L" in here.window.trends.about.toolTip()
    here.window.plots.traces.hovered.emit(None, -1)
    assert not stack.cursors[0].isVisible()


def test_the_trends_of_another_engine_begin_empty(here: Visit, tmp_path_factory: pytest.TempPathFactory) -> None:
    here.press(Qt.Key.Key_T)
    here.fake.trend(np.arange(10.0, 601.0, 10.0))
    here.play(1)
    panel = here.window.trends
    assert panel._view is not None and np.isfinite(panel._view.values[:60, 0]).all()
    folder = tmp_path_factory.mktemp("other")
    other = SyntheticMonitor(folder, 8)
    other.advance(1.0)
    here.window.open_feed(Feed(folder), here.port)
    for _ in range(60):
        here.window.tick()
    assert np.isnan(panel._view.values).all() and panel.about.toolTip() == WAITS
    other.close()


def test_the_time_below_is_that_of_the_plots(here: Visit) -> None:
    here.press(Qt.Key.Key_T)
    here.fake.trend(np.arange(10.0, 3601.0, 10.0))
    here.play(1)
    stack = here.window.trends.stack
    for x in (0.0, 1800.0, 3600.0):
        drawn = [plot.getViewBox().mapViewToScene(QPointF(x, 0)).x() for plot in (*stack.plots, stack.foot)]
        np.testing.assert_allclose(drawn, drawn[0], atol=0.5)
    edge = stack.axis.mapRectToScene(stack.axis.boundingRect())
    assert edge.left() <= drawn[0] <= edge.right()


def test_ticks_are_whole_hours_of_the_wall_or_of_the_recording(qtbot: Any) -> None:
    axis = TrendTimeAxis()
    axis.set_clock(100.0, is_wall=False)
    ((step, ticks),) = axis.tickValues(0, 4 * 3600, 800)
    assert step == 1800 and ticks[0] == 1700
    assert axis.tickStrings(ticks[:2], 1, step) == ["0:30:00", "1:00:00"]


@pytest.mark.parametrize(
    ("about", "wanted"),
    [
        (None, "This engine gives no trends."),
        (TrendLayout(row_s=10.0), "No channel of this stream has a side of the head by its name: no spectra, no aEEG."),
        (
            TrendLayout(left=("F7-T7",), row_s=10.0),
            "no pair for an aEEG  ·  spectra of 1 left and 0 right channels, as recorded",
        ),
    ],
)
def test_what_there_is_not_is_said(about: TrendLayout | None, wanted: str) -> None:
    assert about_text(about) == wanted
