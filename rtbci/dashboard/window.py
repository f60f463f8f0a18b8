"""The window: shows its model sixty times a second, and lets keys and buttons call the actions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from PyQt6.QtCore import Qt, QTimer, pyqtSignal
from PyQt6.QtGui import QAction, QCloseEvent, QKeySequence, QResizeEvent
from PyQt6.QtWidgets import QFileDialog, QHBoxLayout, QInputDialog, QMainWindow, QMessageBox, QVBoxLayout, QWidget

from rtbci.dashboard import theme
from rtbci.dashboard.actions import Actions
from rtbci.dashboard.alarm import Alarm
from rtbci.dashboard.model.alarm_view import Sound
from rtbci.dashboard.model.commands import CommandPort
from rtbci.dashboard.model.dashboard_model import DashboardModel
from rtbci.dashboard.model.feed import Feed
from rtbci.dashboard.model.identity import Identity
from rtbci.dashboard.model.notice import NoticeBoard, written_folder
from rtbci.dashboard.model.session_menu import Session
from rtbci.dashboard.model.state_text import Fact, state_sentence, tool_tip
from rtbci.dashboard.panels.alarm_display import AlarmDisplay
from rtbci.dashboard.panels.header import Header
from rtbci.dashboard.panels.identity import IdentityBand
from rtbci.dashboard.panels.mode_line import ModeLine
from rtbci.dashboard.panels.notice import NoticePanel
from rtbci.dashboard.panels.replay_bar import ReplayBar
from rtbci.dashboard.panels.scrolled import Scrolled
from rtbci.dashboard.panels.shortcuts_dialog import ShortcutsDialog
from rtbci.dashboard.panels.sidebar import Sidebar
from rtbci.dashboard.panels.toolbar import Toolbar
from rtbci.dashboard.plots.overview import Overview
from rtbci.dashboard.plots.plot_area import PlotArea
from rtbci.dashboard.plots.trends_panel import TrendsPanel
from rtbci.dashboard.settings import Settings
from rtbci.dashboard.shortcuts import SHORTCUTS
from rtbci.dashboard.trace_controls import TraceControls
from rtbci.dashboard.trace_settings import keep_traces, restore_traces
from rtbci.monitor.alerts import AlertLine
from rtbci.monitor.describe import describe
from rtbci.monitor.messages import DetectionLine, EngineState, LogLine
from rtbci.text import one_line

FRAME_MS = 16
SLOW_EVERY = 6  # frames between two looks at the state


class Window(QMainWindow):
    """One engine's dashboard."""

    step_wanted = pyqtSignal(str)  # a step of the session's: rtbci/dashboard/session_control.py takes it
    menu_wanted = pyqtSignal()  # the session's menu

    def __init__(self, settings: Settings, title: str = "rtbci") -> None:
        super().__init__()
        self.setWindowTitle(title)
        self.setMinimumSize(640, 480)
        self.settings = settings
        self.theme = theme.THEMES.get(settings.get("theme", "dark"), theme.DARK)
        self.zoom: float = settings.get("zoom", 1.0)
        self._points = 0.0
        self.notices, self.session = NoticeBoard(), Session()
        self.may_close: Callable[[], bool] = lambda: True
        self.model, self.alarm = DashboardModel(), Alarm()
        self.model.as_model = settings.get("as_model", False)
        self._build()
        self.user_actions = Actions(self.model, self.plots, self.sidebar, self.replay_bar, self.alarm, self)
        self.trace_controls = TraceControls(
            self.model, self.plots, self.toolbar, self.mode_line, self.sidebar.events, self.user_actions, self,
            ask_path=lambda *question: self.ask_save_path(*question), tell=self.header.show_news,
        )  # fmt: skip
        self._alarms = AlarmDisplay(self.model, self.header, self.alarm)
        self._connect()
        self._bind_shortcuts()
        self._restore()
        self._frame = 0
        self._shown: EngineState | None = None  # the newest state in the top line
        self._timer = QTimer(self)
        self._timer.setInterval(FRAME_MS)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self.tick)

    def _build(self) -> None:
        self.header = Header(self.theme)
        self.toolbar = Toolbar()
        self.plots = PlotArea(self.model.timeline, self.model.marks, self.theme)
        self.mode_line = ModeLine(self.theme)
        self.sidebar = Sidebar(self.model.event_log, self.theme)
        self.replay_bar = ReplayBar(self.theme)
        whole = QWidget()
        column = QVBoxLayout(whole)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        self.identity, self.notice = IdentityBand(self.theme), NoticePanel(self.theme)
        top = QHBoxLayout()
        top.setSpacing(0)
        top.addWidget(self.identity)
        top.addWidget(self.header, 1)
        column.addLayout(top)
        body = QVBoxLayout()
        body.setContentsMargins(8, 6, 8, 8)
        body.setSpacing(6)
        body.addWidget(self.notice)
        body.addWidget(self.toolbar)
        body.addWidget(self.mode_line)
        row = QHBoxLayout()
        row.setSpacing(8)
        middle = QVBoxLayout()
        middle.setSpacing(6)
        middle.addWidget(self.plots, 5)
        self.trends = TrendsPanel(self.model, self.theme)
        middle.addWidget(self.trends, 4)
        row.addLayout(middle, 1)
        self.side = Scrolled(self.sidebar)
        row.addWidget(self.side)
        body.addLayout(row, 1)
        self.overview = Overview(self.model, self.theme)
        body.addWidget(self.overview)
        body.addWidget(self.replay_bar)
        column.addLayout(body, 1)
        self.setCentralWidget(whole)

    def _connect(self) -> None:
        model, plots, sidebar, actions = self.model, self.plots, self.sidebar, self.user_actions
        model.view_changed.subscribe(self._show_view)
        model.logged.subscribe(self._show_line)
        model.logged.subscribe(self.notices.take)
        self.notice.chosen.connect(self.step_wanted.emit)
        self.identity.clicked.connect(self.menu_wanted.emit)
        model.timeline.changed.subscribe(self.show_controls)
        self.toolbar.triggered.connect(lambda action: actions.named(action)())
        self.toolbar.page_chosen.connect(model.timeline.set_page)
        plots.traces.rescaled.connect(self.show_controls)
        plots.traces.rearranged.connect(self.show_controls)
        plots.probability.threshold_asked.connect(actions.set_threshold)
        plots.undo.clicked.connect(lambda _checked=False: actions.undo_threshold())
        plots.back_to_live.clicked.connect(lambda _checked=False: actions.go_live())
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
        self.header.acknowledge.clicked.connect(lambda _checked=False: actions.acknowledge())

    def _bind_shortcuts(self) -> None:
        for shortcut in SHORTCUTS:
            action = QAction(shortcut.text, self)
            action.setShortcuts([QKeySequence(key) for key in shortcut.keys])
            action.setAutoRepeat(shortcut.repeats)
            call = self.user_actions.named(shortcut.action)
            action.triggered.connect(lambda _checked=False, call=call: call())
            self.addAction(action)

    # -- the engine -------------------------------------------------------------------------------------------

    def open_feed(self, feed: Feed, port: CommandPort | None, session: Session | None = None) -> None:
        """Watch an engine. port: takes the commands to it. session: whose it is, for its name and its settings."""
        self.notices.clear()
        self.session = session or Session(is_running=True)
        if session is not None:
            self._use_settings(Identity(session.name, session.pipeline))
        self.model.watch(feed, port)
        self.show_session()

    def _use_settings(self, identity: Identity) -> None:
        """A window that has had no place of its own is a little aside of the one before."""
        if self.model.feed is not None:
            self.keep()
        is_known = self.settings.use_session(identity.digest)
        self._restore()
        if not is_known and identity.digest and not (self.isMaximized() or self.isFullScreen()):
            aside = self.fontMetrics().height() * (1 + int(identity.digest[0], 16) % 6)
            self.move(self.pos().x() + aside, self.pos().y() + aside)

    def show_session(self) -> None:
        """Whose window this is, and what has to be said of the session."""
        state, session = self.model.state, self.session
        if state.stream is not None and not session.name and session.pipeline:
            session = replace(session, name=state.stream.name)  # the query did not say
            self._use_settings(Identity(session.name, session.pipeline))
        self.session = replace(session, folder=written_folder(state) or session.folder)
        self.notice.show_notice(self.notices.notice(state))
        identity = Identity(session.name, session.pipeline)
        if identity != self.identity.identity:
            self.identity.show_identity(identity)
            self.setWindowTitle(identity.title)
            self.setWindowIcon(self.identity.icon_of_window)

    def start(self) -> None:
        self._timer.start()

    def tick(self) -> None:
        """One frame: read what is new, paint what is new."""
        self._frame += 1
        self.model.advance()
        if self.model.feed is not None:
            self.plots.advance()
            if self.model.feed.state is not self._shown:  # an alarm does not wait for its turn
                self._shown = self.model.feed.state
                self._show_header(self.model.feed)
            self.overview.advance()
            self.trends.advance()
            self._show_slowly(self.model.feed)
        elif self._frame % SLOW_EVERY == 0:
            self.header.show_fact(Fact("No stream chosen. Press Ctrl+O to choose one."))
            self.header.refresh()
            self.show_session()

    def _show_view(self) -> None:
        if self.model.feed is not None:
            self.plots.begin(self.model.feed, as_model=self.model.as_model)
            self.show_controls()

    def _show_line(self, line: LogLine) -> None:
        if text := describe(line):
            self.sidebar.log_line(line, text)
            if not isinstance(line, DetectionLine | AlertLine):  # the top line has them as they run, once
                self.header.show_news(text)

    def _show_slowly(self, feed: Feed) -> None:
        """What need not follow every frame, spread over several."""
        turn, state = self._frame % SLOW_EVERY, feed.state
        plots = self.plots
        if turn == 0:
            plots.axis.advance()
            threshold = state.threshold if state.stream is not None else None
            plots.probability.set_threshold(threshold, state.release, state.trained_threshold)
            plots.legend.show_values(state.probability, plots.probability.threshold)
        elif turn == 1:
            self.sidebar.state.show_state(state)
            self.replay_bar.show_state(state.replay)
            self.show_session()
        elif turn == 2:
            self._show_header(feed)
        elif turn == 3:
            self._show_quality(state.quality)
            text = "\n".join(filter(None, (plots.readout or self.model.frozen_text, plots.between_text)))
            plots.show_chip(text, frozen=self.model.timeline.frozen)
            plots.show_undo(self.model.threshold_change.text)
        elif turn == 4 and self._frame % 60 < SLOW_EVERY:
            self.sidebar.state.add_latency(state)
            self.toolbar.show_mute(self.alarm.muted_s)

    def _show_header(self, feed: Feed) -> None:
        ended = self.notices.ended
        fact = Fact("The session has ended", ended.is_failure) if ended else state_sentence(feed.state, feed.dead_s)
        self.header.show_fact(fact)
        stream = feed.state.stream
        where = one_line(f"{stream.name} on {stream.hostname}") if stream is not None else ""
        self.header.place = "  ·  ".join(p for p in (where, feed.state.pipeline) if p)
        self._alarms.show(alive=not (ended or feed.dead_s or feed.state.state == "stopped"))
        self.header.refresh()

    def _show_quality(self, quality: dict[str, str]) -> None:
        self.plots.labels.set_quality(self.plots.traces.rows.faults(quality))
        self.trace_controls.show_modes()
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

    def show_menu(self) -> None:
        self.toolbar.show_menu()

    def choose_stream(self) -> None:
        self.step_wanted.emit("stream")

    def show_session_menu(self) -> None:
        self.menu_wanted.emit()

    def end(self) -> None:
        self.close()

    def ask_choice(self, title: str, question: str, choices: Sequence[str]) -> str | None:
        answer, accepted = QInputDialog.getItem(self, title, question, choices, 0, True)
        return answer if accepted else None

    def ask_text(self, title: str, question: str, text: str) -> str | None:
        answer, accepted = QInputDialog.getText(self, title, question, text=text)
        return answer if accepted else None

    def tell(self, title: str, text: str) -> None:
        QMessageBox.warning(self, title, tool_tip(text))

    def show_news(self, text: str) -> None:
        self.header.show_news(text)

    def ask_save_path(self, title: str, name: str, kinds: str) -> Path | None:
        path, _ = QFileDialog.getSaveFileName(self, title, name, kinds)
        return Path(path) if path else None

    # -- how it looks -----------------------------------------------------------------------------------------

    def show_controls(self) -> None:
        """Bring the toolbar up to date."""
        traces, toolbar, timeline = self.plots.traces, self.toolbar, self.model.timeline
        self.trace_controls.show()
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
        self.identity.set_theme(self.theme)
        self.notice.set_theme(self.theme)
        self.plots.set_theme(self.theme)
        self.mode_line.set_theme(self.theme)
        self.trace_controls.stretch.set_theme(self.theme)
        self.overview.set_theme(self.theme)
        self.trends.set_theme(self.theme)
        self.show_controls()
        self.header.refresh()

    def _wanted_points(self) -> float:
        return self.zoom * min(20.0, max(9.0, self.height() / 108))

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        super().resizeEvent(event)
        self.side.fit()
        if abs(self._wanted_points() - self._points) > 0.4:
            self.dress()

    def _restore(self) -> None:
        get, timeline, traces = self.settings.get, self.model.timeline, self.plots.traces
        self.resize(1280, 720)
        if geometry := self.settings.geometry():
            self.restoreGeometry(geometry)
        timeline.page_s = get("page_s", 10.0)
        timeline.sweep = get("sweep", True)
        restore_traces(self.settings, traces)
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
            ("page_s", timeline.page_s), ("alarm", self.alarm.enabled),
            ("sidebar", not self.sidebar.isHidden()),
            ("trends", not self.trends.isHidden()), ("trends_h", self.trends.hours),
        ):  # fmt: skip
            self.settings.set(key, value)
        keep_traces(self.settings, traces)
        self.settings.set("geometry", self.saveGeometry())
        self.settings.save()

    def closeEvent(self, event: QCloseEvent | None) -> None:
        if event is not None and not self.may_close():
            event.ignore()
            return
        self._timer.stop()
        self.alarm.set_sound(Sound.NONE)
        self.keep()
        self.model.close()
        super().closeEvent(event)
