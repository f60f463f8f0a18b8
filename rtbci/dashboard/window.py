"""The window: shows its model sixty times a second, and lets keys and buttons call the actions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from PyQt6.QtCore import Qt, QTimer, pyqtSignal
from PyQt6.QtGui import QAction, QCloseEvent, QKeySequence, QResizeEvent
from PyQt6.QtWidgets import QFileDialog, QHBoxLayout, QInputDialog, QMainWindow, QVBoxLayout, QWidget

from rtbci.dashboard import theme
from rtbci.dashboard.actions import Actions
from rtbci.dashboard.alarm import Alarm
from rtbci.dashboard.model.commands import CommandPort
from rtbci.dashboard.model.dashboard_model import DashboardModel
from rtbci.dashboard.model.display_montage import AS_RECORDED
from rtbci.dashboard.model.feed import Feed
from rtbci.dashboard.model.state_text import Fact, state_sentence
from rtbci.dashboard.panels.header import Header
from rtbci.dashboard.panels.replay_bar import ReplayBar
from rtbci.dashboard.panels.shortcuts_dialog import ShortcutsDialog
from rtbci.dashboard.panels.sidebar import Sidebar
from rtbci.dashboard.panels.toolbar import Toolbar
from rtbci.dashboard.plots.plot_area import PlotArea
from rtbci.dashboard.plots.trends_panel import TrendsPanel
from rtbci.dashboard.settings import Settings
from rtbci.dashboard.shortcuts import SHORTCUTS
from rtbci.monitor.describe import describe
from rtbci.monitor.messages import LogLine
from rtbci.recordings.channel_names import canonical
from rtbci.text import one_line

FRAME_MS = 16
SLOW_EVERY = 6  # frames between two looks at the state


class Window(QMainWindow):
    """One engine's dashboard."""

    stream_wanted = pyqtSignal()  # the user wants to choose a stream
    closed = pyqtSignal()

    def __init__(self, settings: Settings, title: str = "rtbci") -> None:
        super().__init__()
        self.setWindowTitle(title)
        self.setMinimumSize(960, 600)
        self.settings = settings
        self.theme = theme.THEMES.get(settings.get("theme", "dark"), theme.DARK)
        self.zoom: float = settings.get("zoom", 1.0)
        self._points = 0.0
        self.ended: Callable[[], str | None] = lambda: None
        self.model, self.alarm = DashboardModel(), Alarm()
        self.model.as_model = settings.get("as_model", False)
        self._build()
        self.user_actions = Actions(self.model, self.plots, self.sidebar, self.replay_bar, self.alarm, self)
        self._connect()
        self._bind_shortcuts()
        self._restore()
        self._frame = 0
        self._timer = QTimer(self)
        self._timer.setInterval(FRAME_MS)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self.tick)

    def _build(self) -> None:
        self.header = Header(self.theme)
        self.toolbar = Toolbar()
        self.plots = PlotArea(self.model.timeline, self.model.marks, self.theme)
        self.sidebar = Sidebar(self.model.event_log, self.theme)
        self.replay_bar = ReplayBar(self.theme)
        whole = QWidget()
        column = QVBoxLayout(whole)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.header)
        body = QVBoxLayout()
        body.setContentsMargins(8, 6, 8, 8)
        body.setSpacing(6)
        body.addWidget(self.toolbar)
        row = QHBoxLayout()
        row.setSpacing(8)
        middle = QVBoxLayout()
        middle.setSpacing(6)
        middle.addWidget(self.plots, 5)
        self.trends = TrendsPanel(self.model, self.theme)
        middle.addWidget(self.trends, 4)
        row.addLayout(middle, 1)
        row.addWidget(self.sidebar)
        body.addLayout(row, 1)
        body.addWidget(self.replay_bar)
        column.addLayout(body, 1)
        self.setCentralWidget(whole)

    def _connect(self) -> None:
        model, plots, sidebar, actions = self.model, self.plots, self.sidebar, self.user_actions
        model.began.subscribe(self._begin_trend)
        model.view_changed.subscribe(self._show_view)
        model.logged.subscribe(self._show_line)
        model.timeline.changed.subscribe(self.show_controls)
        self.toolbar.triggered.connect(lambda action: actions.named(action)())
        self.toolbar.page_chosen.connect(model.timeline.set_page)
        self.toolbar.montage_chosen.connect(plots.traces.set_montage)
        plots.traces.rescaled.connect(self.show_controls)
        plots.traces.rearranged.connect(self.show_controls)
        plots.probability.threshold_asked.connect(lambda value: model.commands.set_threshold(value))
        plots.labels.soloed.connect(plots.traces.set_solo)
        plots.trend.chosen.connect(model.timeline.jump)
        self.trends.chosen.connect(model.timeline.jump)
        plots.traces.hovered.connect(lambda x, _y: self.trends.show_cursor(x))
        sidebar.head.clicked.connect(actions.solo_electrode)
        sidebar.events.chosen.connect(actions.jump_to)
        sidebar.confirm.clicked.connect(lambda _checked=False: actions.confirm_event())
        sidebar.reject.clicked.connect(lambda _checked=False: actions.reject_event())
        sidebar.note.clicked.connect(lambda _checked=False: actions.note_event())
        sidebar.export.clicked.connect(lambda _checked=False: actions.export_events())
        self.replay_bar.command.connect(lambda line: model.commands.replay(line))
        self.alarm.changed.connect(lambda: self.toolbar.show_mute(self.alarm.muted_s))

    def _bind_shortcuts(self) -> None:
        for shortcut in SHORTCUTS:
            action = QAction(shortcut.text, self)
            action.setShortcuts([QKeySequence(key) for key in shortcut.keys])
            action.setAutoRepeat(shortcut.repeats)
            call = self.user_actions.named(shortcut.action)
            action.triggered.connect(lambda _checked=False, call=call: call())
            self.addAction(action)

    # -- the engine -------------------------------------------------------------------------------------------

    def open_feed(self, feed: Feed, port: CommandPort | None) -> None:
        """Watch an engine. port: takes the commands to it."""
        self.model.watch(feed, port)

    def start(self) -> None:
        self._timer.start()

    def tick(self) -> None:
        """One frame: read what is new, paint what is new."""
        self._frame += 1
        self.model.advance()
        if self.model.feed is not None:
            self.plots.advance()
            self.trends.advance()
            self._show_slowly(self.model.feed)
        elif self._frame % SLOW_EVERY == 0:
            self.header.show_fact(Fact("No stream chosen. Press Ctrl+O to choose one."))
            self.header.refresh()

    def _begin_trend(self) -> None:
        if (feed := self.model.feed) is not None:
            self.plots.trend.begin(feed.clock, len(feed.layout.classes) if feed.layout else 0)

    def _show_view(self) -> None:
        if self.model.feed is not None:
            self.plots.begin(self.model.feed, as_model=self.model.as_model)
            self.trends.forget()
            self.show_controls()

    def _show_line(self, line: LogLine) -> None:
        if text := describe(line):
            self.sidebar.log_line(line, text)
            self.header.show_news(text)

    def _show_slowly(self, feed: Feed) -> None:
        """What need not follow every frame, spread over several."""
        turn, state = self._frame % SLOW_EVERY, feed.state
        plots = self.plots
        if turn == 0:
            plots.axis.advance()
            plots.probability.set_threshold(state.threshold if state.stream is not None else None)
            plots.legend.show_values(state.probability, plots.probability.threshold)
        elif turn == 1:
            self.sidebar.state.show_state(state)
            self.replay_bar.show_state(state.replay)
        elif turn == 2:
            self._show_header(feed)
        elif turn == 3:
            self._show_quality(state.quality)
            plots.show_chip(plots.readout or self.model.frozen_text)
        elif turn == 4 and self._frame % 60 < SLOW_EVERY:
            self.sidebar.state.add_latency(state)
            self.toolbar.show_mute(self.alarm.muted_s)
        elif turn == 5 and self._frame % 120 < SLOW_EVERY and feed.scores is not None:
            plots.trend.advance(feed.scores)

    def _show_header(self, feed: Feed) -> None:
        died = self.ended()
        self.header.show_fact(Fact(died, True) if died else state_sentence(feed.state, feed.dead_s))
        stream = feed.state.stream
        where = one_line(f"{stream.name} on {stream.hostname}") if stream is not None else ""
        self.header.place = "  ·  ".join(p for p in (where, feed.state.pipeline) if p)
        self._show_alarm(alive=not (died or feed.dead_s))
        self.header.refresh()

    def _show_alarm(self, *, alive: bool) -> None:
        texts = [text for text in (self.model.alarm_text, self.model.unwritten_text) if text] if alive else []
        self.alarm.set_ringing(bool(texts) or (alive and self.model.is_old))
        self.header.alarm = "   ".join(texts)

    def _show_quality(self, quality: dict[str, str]) -> None:
        self.plots.labels.set_quality({canonical(name): word for name, word in quality.items()})
        self.sidebar.show_layout(self.model.feed.layout if self.model.feed else None, quality)

    # -- what the actions need --------------------------------------------------------------------------------

    def toggle_full_screen(self) -> None:
        if self.isFullScreen():
            self.showNormal()
        else:
            self.showFullScreen()

    def toggle_trends(self) -> None:
        self.trends.setVisible(self.trends.isHidden())
        self.show_controls()

    def show_shortcuts(self) -> None:
        ShortcutsDialog(self).show()

    def choose_stream(self) -> None:
        """Only a dashboard that starts engines of its own has a choice; it listens."""
        self.stream_wanted.emit()

    def end(self) -> None:
        self.close()

    def ask_choice(self, title: str, question: str, choices: Sequence[str]) -> str | None:
        answer, accepted = QInputDialog.getItem(self, title, question, choices, 0, True)
        return answer if accepted else None

    def ask_text(self, title: str, question: str, text: str) -> str | None:
        answer, accepted = QInputDialog.getText(self, title, question, text=text)
        return answer if accepted else None

    def ask_save_path(self, title: str, name: str, kinds: str) -> Path | None:
        path, _ = QFileDialog.getSaveFileName(self, title, name, kinds)
        return Path(path) if path else None

    # -- how it looks -----------------------------------------------------------------------------------------

    def show_controls(self) -> None:
        """Bring the toolbar up to date."""
        traces, toolbar, timeline = self.plots.traces, self.toolbar, self.model.timeline
        toolbar.show_page(timeline.page_s)
        toolbar.show_sensitivity(traces.per_mm, traces.per_division, traces.unit)
        toolbar.show_montages([AS_RECORDED] if self.model.as_model else traces.montages(), traces.montage)
        for action, on in (
            ("toggle_source", self.model.as_model),
            ("toggle_butterfly", traces.butterfly),
            ("toggle_sweep", timeline.sweep),
            ("toggle_freeze", timeline.frozen),
            ("toggle_trends", not self.trends.isHidden()),
        ):
            toolbar.check(action, on)

    def dress(self) -> None:
        """Theme and size of text, after the window's size: a screen on a wall is read from afar."""
        self._points = self._wanted_points()
        theme.apply(self.theme, self._points)
        self.header.theme = self.theme
        self.header.setFixedHeight(round(2.1 * self.fontMetrics().height()))
        self.sidebar.set_theme(self.theme)
        self.replay_bar.set_theme(self.theme)
        self.plots.set_theme(self.theme)
        self.trends.set_theme(self.theme)
        self.show_controls()
        self.header.refresh()

    def _wanted_points(self) -> float:
        return self.zoom * min(20.0, max(9.0, self.height() / 108))

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        super().resizeEvent(event)
        if abs(self._wanted_points() - self._points) > 0.4:
            self.dress()

    def _restore(self) -> None:
        get, timeline, traces = self.settings.get, self.model.timeline, self.plots.traces
        self.resize(1280, 720)
        if geometry := self.settings.geometry():
            self.restoreGeometry(geometry)
        timeline.page_s = get("page_s", 10.0)
        timeline.sweep = get("sweep", True)
        if chosen := get("per_mm", 0.0):
            traces.per_mm, traces.auto = chosen, False
        traces.montage = get("montage", AS_RECORDED)
        self.alarm.enabled = get("alarm", True)
        self.sidebar.setVisible(get("sidebar", True))
        self.trends.setVisible(get("trends", False))
        self.trends.set_hours(get("trends_h", 1.0))
        traces.setFocus()
        self.dress()

    def keep(self) -> None:
        """Remember it all for the next start."""
        timeline, traces = self.model.timeline, self.plots.traces
        for key, value in (
            ("theme", self.theme.name), ("zoom", self.zoom), ("as_model", self.model.as_model), ("sweep", timeline.sweep),
            ("page_s", timeline.page_s), ("montage", traces.montage), ("alarm", self.alarm.enabled),
            ("sidebar", not self.sidebar.isHidden()), ("trends", not self.trends.isHidden()),
            ("trends_h", self.trends.hours),
        ):  # fmt: skip
            self.settings.set(key, value)
        if traces.unit == "µV" and not traces.auto:
            self.settings.set("per_mm", traces.per_mm)
        self.settings.set("geometry", self.saveGeometry())
        self.settings.save()

    def closeEvent(self, event: QCloseEvent | None) -> None:
        self._timer.stop()
        self.alarm.set_ringing(False)
        self.keep()
        self.model.commands.close()
        super().closeEvent(event)
        self.closed.emit()
