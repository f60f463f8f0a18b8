"""The window: reads the feed sixty times a second, hands what is new to its panels, and does what keys say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pylsl import local_clock
from PyQt6.QtCore import Qt, QTimer
from PyQt6.QtGui import QCloseEvent, QResizeEvent
from PyQt6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from rtbci.dashboard import shortcuts, theme
from rtbci.dashboard.actions import Hands
from rtbci.dashboard.alarm import Alarm
from rtbci.dashboard.model.commands import Commands
from rtbci.dashboard.model.display_montage import AS_RECORDED
from rtbci.dashboard.model.event_log import Book, Entry
from rtbci.dashboard.model.feed import Feed
from rtbci.dashboard.model.state_text import Fact, is_old, sentence
from rtbci.dashboard.model.time_marks import Marks
from rtbci.dashboard.model.timeline import Timeline
from rtbci.dashboard.panels.header import Header
from rtbci.dashboard.panels.replay_bar import ReplayBar
from rtbci.dashboard.panels.sidebar import Sidebar
from rtbci.dashboard.panels.toolbar import Controls
from rtbci.dashboard.plots.plot_area import Monitor
from rtbci.dashboard.settings import Settings
from rtbci.monitor import messages
from rtbci.monitor.describe import describe
from rtbci.monitor.messages import LogLine
from rtbci.stages.montage import canonical

FRAME_MS = 16
SLOW_EVERY = 6  # frames between two looks at the state
COAST_S = 1.0  # a stream that is silent for longer: the page moves on without it


class Window(Hands):
    """`Hands` holds what the keys do."""

    def __init__(self, settings: Settings, title: str = "rtbci") -> None:
        super().__init__()
        self.setWindowTitle(title)
        self.setMinimumSize(960, 600)
        self.settings = settings
        self.theme = theme.THEMES[self._known_theme(settings.get("theme", "dark"))]
        self.zoom = settings.get("zoom", 1.0)
        self._points = 0.0
        self.as_model = settings.get("as_model", False)
        self.feed: Feed | None = None
        self.commands = Commands(None)
        self.ended: Callable[[], str | None] = lambda: None
        self.errors: list[LogLine] = []
        self.timeline, self.marks, self.alarm = Timeline(), Marks(), Alarm()
        self.book = Book(self.marks)
        self._build()
        self._connect()
        self._restore()
        self._frame = 0
        self._timer = QTimer(self)
        self._timer.setInterval(FRAME_MS)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self.tick)

    def _known_theme(self, name: str) -> str:
        return name if name in theme.THEMES else "dark"

    def _build(self) -> None:
        self.header = Header(self.theme)
        self.controls = Controls(lambda does: getattr(self, does))
        self.monitor = Monitor(self.timeline, self.marks, self.theme)
        self.sidebar = Sidebar(self.book, self.theme)
        whole = QWidget()
        column = QVBoxLayout(whole)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.header)
        body = QVBoxLayout()
        body.setContentsMargins(8, 6, 8, 8)
        body.setSpacing(6)
        body.addWidget(self.controls)
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(self.monitor, 1)
        row.addWidget(self.sidebar)
        body.addLayout(row, 1)
        self.replay_bar = ReplayBar(self.theme)
        body.addWidget(self.replay_bar)
        column.addLayout(body, 1)
        self.setCentralWidget(whole)

    def _connect(self) -> None:
        self.actions_by_name = shortcuts.install(self)
        monitor, sidebar = self.monitor, self.sidebar
        self.controls.page_chosen.connect(self.timeline.set_page)
        self.controls.montage_chosen.connect(self.set_montage)
        self.timeline.changed.connect(self.show_controls)
        monitor.signals.rescaled.connect(self.show_controls)
        monitor.signals.rearranged.connect(self.show_controls)
        monitor.strip.threshold_asked.connect(lambda value: self.commands.threshold(value))
        monitor.labels.soloed.connect(monitor.signals.set_solo)
        monitor.trend.chosen.connect(self.timeline.jump)
        sidebar.head.clicked.connect(self.solo_electrode)
        sidebar.events.chosen.connect(self.jump_to)
        sidebar.confirm.clicked.connect(self.confirm_event)
        sidebar.reject.clicked.connect(self.reject_event)
        sidebar.note.clicked.connect(self.note_event)
        sidebar.export.clicked.connect(self.export_events)
        self.replay_bar.said.connect(lambda line: self.commands.replay(line))
        self.alarm.changed.connect(lambda: self.controls.show_mute(self.alarm.muted_s))

    # -- the engine -------------------------------------------------------------------------------------------

    def open_feed(self, feed: Feed, send: Callable[[dict[str, Any]], None] | None) -> None:
        """Watch an engine. send: hands it a command."""
        self.feed, self.commands = feed, Commands(send)
        self.errors.clear()
        self.book.clear()
        self.marks.clear()
        self.begin()

    def start(self) -> None:
        self._timer.start()

    def begin(self) -> None:
        """Another life of the stream, or another way to see it."""
        if self.feed is None:
            return
        self.monitor.begin(self.feed, as_model=self.as_model)
        self.show_controls()

    def tick(self) -> None:
        """One frame: read what is new, paint what is new."""
        feed = self.feed
        self._frame += 1
        if feed is None:
            if self._frame % SLOW_EVERY == 0:
                self.header.show_fact(Fact("No stream chosen. Press Ctrl+O to choose one."))
                self.header.refresh()
            return
        began, _ = feed.poll()
        if began:
            self._new_life(feed)
        for line in feed.log:
            self._happened(line)
        self._move_on(feed)
        self.monitor.advance()
        self._slowly(feed)

    def _new_life(self, feed: Feed) -> None:
        # Marks of a former stream have no place on this one's axis.
        self.marks.clear()
        self.timeline.end = None
        self.timeline.head = 0.0
        log = feed.log
        feed.poll()
        feed.log = log + feed.log
        self.monitor.trend.begin(feed.clock, len(feed.layout.classes) if feed.layout else 0)
        self.begin()

    def _move_on(self, feed: Feed) -> None:
        """The newest moment on the axis: that of the data, or of the clock where the data stay away."""
        if feed.signals is None or feed.clock is None:
            return
        head = feed.signals.newest_x
        if feed.state.get("state") in ("lost", "stale") and feed.layout and feed.layout.speed:
            head = max(head, feed.clock.x(local_clock() - COAST_S))
        self.timeline.head = max(head, self.timeline.head)

    def _slowly(self, feed: Feed) -> None:
        """What need not follow every frame, spread over several."""
        turn = self._frame % SLOW_EVERY
        state = feed.state
        if turn == 0:
            self.monitor.axis.advance()
            self.monitor.strip.set_threshold(state.get("threshold"))
            self.monitor.legend.show_values(state.get("probability", {}), self.monitor.strip.threshold)
        elif turn == 1:
            self.sidebar.state.show_state(state)
            self.replay_bar.show_state(state.get("replay"))
        elif turn == 2:
            self._show_header(feed)
        elif turn == 3:
            self._show_quality(state.get("quality", {}))
            self.monitor.show_chip(self.monitor.readout or self._behind())
        elif turn == 4 and self._frame % 60 < SLOW_EVERY:
            self.sidebar.state.add_latency(state)
            self.controls.show_mute(self.alarm.muted_s)
        elif turn == 5 and self._frame % 120 < SLOW_EVERY and feed.scores is not None:
            self.monitor.trend.advance(feed.scores)

    def _show_header(self, feed: Feed) -> None:
        died = self.ended()
        self.header.show_fact(Fact(died, True) if died else sentence(feed.state, feed.dead_s))
        stream = feed.state.get("stream")
        where = f"{stream['name']} on {stream['hostname']}" if stream else ""
        self.header.place = "  ·  ".join(p for p in (where, str(feed.state.get("pipeline", ""))) if p)
        self._show_alarm(alive=not (died or feed.dead_s))
        self.header.refresh()

    def _show_quality(self, quality: dict[str, str]) -> None:
        self.monitor.labels.set_quality({canonical(name): word for name, word in quality.items()})
        self.sidebar.show_layout(self.feed.layout if self.feed else None, quality)

    def _behind(self) -> str:
        """How far a frozen page is from now."""
        if self.timeline.end is None:
            return ""
        return f"Frozen, {self.timeline.head - self.timeline.end:.0f} s behind live (End goes there)"

    def _happened(self, line: dict[str, Any]) -> None:
        assert self.feed is not None
        self.book.take(line, self.feed.clock)
        if line["kind"] == "error":
            self.errors.append(messages.line(**line))
        if text := describe(messages.line(**line)):
            self.sidebar.tell(line, text)
            self.header.tell(text)

    def _show_alarm(self, *, alive: bool) -> None:
        on = self.book.open if alive else []
        old = alive and self.feed is not None and is_old(self.feed.state)
        disk = self._disk_words() if alive else ""
        self.alarm.set_ringing(bool(on) or old or bool(disk))
        self.header.alarm = "   ".join(words for words in (self._alarm_words(on), disk) if words)

    def _alarm_words(self, on: list[Entry]) -> str:
        now = self.feed.state.get("recording_s", 0.0) if self.feed is not None else 0.0
        return "   ".join(f"{e.label.upper()} for {max(0.0, now - e.onset):.0f} s" for e in on)

    def _disk_words(self) -> str:
        """What is not written at present, of the event table or of the recording."""
        state = self.feed.state if self.feed is not None else {}
        words = (state.get("alarm"), (state.get("recording") or {}).get("alarm"))
        return "   ".join(str(each) for each in words if each)

    # -- how it looks -----------------------------------------------------------------------------------------

    def show_controls(self) -> None:
        """What holds, onto the buttons."""
        signals, controls, timeline = self.monitor.signals, self.controls, self.timeline
        controls.show_page(timeline.page_s)
        controls.show_sensitivity(signals.per_mm, signals.per_division, signals.unit)
        controls.show_montages([AS_RECORDED] if self.as_model else signals.montages(), signals.montage)
        for does, on in (
            ("toggle_source", self.as_model),
            ("toggle_butterfly", signals.butterfly),
            ("toggle_sweep", timeline.sweep),
            ("toggle_freeze", timeline.frozen),
        ):
            controls.check(does, on)

    def dress(self) -> None:
        """Theme and size of text, after the window's size: a wall is read from afar."""
        points = self.zoom * min(20.0, max(9.0, self.height() / 108))
        self._points = points
        theme.apply(self.theme, points)
        self.header.theme = self.theme
        self.header.setFixedHeight(round(2.1 * self.fontMetrics().height()))
        self.sidebar.set_theme(self.theme)
        self.replay_bar.set_theme(self.theme)
        self.monitor.set_theme(self.theme)
        self.show_controls()
        self.header.refresh()

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        super().resizeEvent(event)
        if abs(self.zoom * min(20.0, max(9.0, self.height() / 108)) - self._points) > 0.4:
            self.dress()

    def _restore(self) -> None:
        get = self.settings.get
        self.resize(1280, 720)
        if geometry := self.settings.geometry():
            self.restoreGeometry(geometry)
        self.timeline.page_s = get("page_s", 10.0)
        self.timeline.sweep = get("sweep", True)
        if chosen := get("per_mm", 0.0):
            self.monitor.signals.per_mm, self.monitor.signals.auto = chosen, False
        self.monitor.signals.montage = get("montage", AS_RECORDED)
        self.alarm.enabled = get("alarm", True)
        self.sidebar.setVisible(get("sidebar", True))
        self.monitor.signals.setFocus()
        self.dress()

    def keep(self) -> None:
        """Remember it all for the next start."""
        signals = self.monitor.signals
        for key, value in (
            ("theme", self.theme.name), ("zoom", self.zoom), ("as_model", self.as_model), ("sweep", self.timeline.sweep),
            ("page_s", self.timeline.page_s), ("montage", signals.montage), ("alarm", self.alarm.enabled),
            ("sidebar", not self.sidebar.isHidden()),
        ):  # fmt: skip
            self.settings.set(key, value)
        if signals.unit == "µV" and not signals.auto:
            self.settings.set("per_mm", signals.per_mm)
        self.settings.set("geometry", self.saveGeometry())
        self.settings.save()

    def closeEvent(self, event: QCloseEvent | None) -> None:
        self._timer.stop()
        self.alarm.set_ringing(False)
        self.keep()
        super().closeEvent(event)
