"""All that the window shows and the user changes, without a window: the feed, the time axis, the events, the view."""

from __future__ import annotations

from pylsl import local_clock

from rtbci.dashboard.model.alarm_view import AlarmView
from rtbci.dashboard.model.changes import Changes
from rtbci.dashboard.model.commands import CommandPort, CommandSender
from rtbci.dashboard.model.event_log import DisplayEventLog
from rtbci.dashboard.model.feed import Feed
from rtbci.dashboard.model.line_clock import LineClock, on_session_clock
from rtbci.dashboard.model.overview_bins import OverviewFeed
from rtbci.dashboard.model.state_text import is_old
from rtbci.dashboard.model.stream_annotations import StreamAnnotations
from rtbci.dashboard.model.threshold_change import ThresholdChange
from rtbci.dashboard.model.time_marks import TimeMarks
from rtbci.dashboard.model.timeline import Timeline
from rtbci.monitor.alerts import operator
from rtbci.monitor.messages import EngineState, ErrorLine, LogLine

OVERVIEW_EVERY = 12  # frames
COAST_S = 1.0  # a stream that is silent for longer: the page moves on without it


class DashboardModel:
    """Reads one engine's feed frame by frame.

    `began`: another part of the session, as after a seek of a replay. `view_changed`: the plots show other data from now on.
    `logged`: a line of the engine's log, on the session's clock.
    """

    def __init__(self) -> None:
        self.feed: Feed | None = None
        self.commands = CommandSender(None)
        self.timeline, self.marks = Timeline(), TimeMarks()
        self.event_log = DisplayEventLog(self.marks)
        self.overview = OverviewFeed()
        self.annotations = StreamAnnotations(self.marks)
        self.event_log.lost.subscribe(self._lost)
        self._frame = 0
        self.threshold_change = ThresholdChange()
        self._line_clock = LineClock()
        self.errors: list[LogLine] = []
        self.operator = operator()  # who acknowledges alarms in this window
        self.as_model = False  # show what the model sees, not what was recorded
        self.began: Changes[[]] = Changes()
        self.view_changed: Changes[[]] = Changes()
        self.logged: Changes[[LogLine]] = Changes()

    @property
    def state(self) -> EngineState:
        """The engine's; that of one that starts where none is watched."""
        return self.feed.state if self.feed is not None else EngineState()

    def watch(self, feed: Feed, port: CommandPort | None) -> None:
        """Watch an engine in place of what was. port: takes the commands to it."""
        self.commands.close()
        self.feed, self.commands = feed, CommandSender(port)
        self.errors.clear()
        self._line_clock = LineClock()
        self.event_log.clear()
        self.marks.clear()
        self.timeline.clear()
        self.overview.clear()
        self.annotations.close()
        self.view_changed.notify()

    def set_as_model(self, as_model: bool) -> None:
        self.as_model = as_model
        self.view_changed.notify()

    def advance(self) -> None:
        """One frame: read what is new."""
        self.commands.flush()
        feed = self.feed
        if feed is None:
            return
        began, _ = feed.poll()
        if began:
            self._begin(feed)
        begun = feed.clock.offset_s if began and feed.clock is not None else None
        for line, offset_s in zip(feed.log, self._line_clock.offsets(feed.log, begun), strict=True):
            self._take(line, feed, offset_s)
        self.event_log.follow(feed.state.running)
        self._move_on(feed)
        self._frame += 1
        if self._frame % OVERVIEW_EVERY == 0 and feed.signals is not None:
            self.overview.advance(feed.signals)
            self.annotations.watch(feed.state.stream)
            self.annotations.advance(feed.clocks)

    def _begin(self, feed: Feed) -> None:
        """Another part of the session: marks, table and histories stay, on the same clock."""
        assert feed.clock is not None and feed.scores is not None
        if feed.layout is not None:
            self.event_log.name_classes(feed.layout.classes, feed.layout.alarms)
        self.timeline.begin_at(feed.clock.x_at_origin)
        replay = feed.state.replay
        start_x, length_s = 0.0, feed.clock.x_at_origin
        if replay is not None:
            start_x, length_s = replay.start_s, replay.end_s - replay.start_s
        self.timeline.start = start_x
        self.overview.begin_run(feed.scores, start_x, length_s)
        self.began.notify()
        self.view_changed.notify()

    def _take(self, line: LogLine, feed: Feed, offset_s: float) -> None:
        self.event_log.take(line, feed.clocks, offset_s)
        if isinstance(line, ErrorLine):
            self.errors.append(line)
        self.logged.notify(on_session_clock(line, offset_s))

    def _move_on(self, feed: Feed) -> None:
        """The newest moment on the axis: that of the data, or of the clock while no data come."""
        if feed.signals is None or feed.clock is None:
            return
        head = feed.signals.newest_x
        if feed.state.state in ("lost", "stale") and feed.layout and feed.layout.speed:
            head = max(head, feed.clock.x(local_clock() - COAST_S))
        self.timeline.head = max(head, self.timeline.head)

    def _lost(self, from_x: float, to_x: float) -> None:
        if self.overview.bins is not None:
            self.overview.bins.lose(from_x, to_x)

    # -- what the user asks -----------------------------------------------------------------------------------

    def scroll(self, pages: float) -> None:
        oldest = self.feed.signals.oldest_x if self.feed is not None and self.feed.signals is not None else 0.0
        self.timeline.scroll(pages * self.timeline.page_s, oldest)

    def annotate(self, label: str, x: float, duration_s: float = 0.0) -> None:
        """x: the moment, on the session's clock; duration_s: of a stretch from there."""
        if self.feed is not None and (clock := self.feed.clocks.at(x)) is not None:
            self.commands.annotate(label, round(clock.engine_s(x), 3), clock.stamp(x), duration_s)

    def acknowledge(self, by: str = "") -> None:
        """All alarms. by: who, from now on; "": who did before."""
        self.operator = by or self.operator
        self.commands.acknowledge(self.operator)

    def close(self) -> None:
        """Ask nothing and read nothing more."""
        self.commands.close()
        self.annotations.close()

    @property
    def length_s(self) -> float:
        """Of the session, on its clock: that of the recording where a replay says it."""
        replay = self.state.replay
        return max(self.timeline.latest, replay.end_s if replay is not None else 0.0)

    # -- what has to be seen ----------------------------------------------------------------------------------

    @property
    def alarms(self) -> AlarmView:
        """As the engine has them."""
        return AlarmView(self.state)

    @property
    def unwritten_text(self) -> str:
        """What is not written at present, of the event table or of the recording."""
        recording = self.state.recording
        texts = (self.state.alarm, recording.alarm if recording is not None else "")
        return "   ".join(text for text in texts if text)

    @property
    def is_old(self) -> bool:
        """What is shown of a stream in real time is out of date."""
        return is_old(self.state)

    @property
    def frozen_text(self) -> str:
        """How far a frozen page is from now; "" while live."""
        if self.timeline.end is None:
            return ""
        away_s = self.timeline.head - self.timeline.end
        return f"Frozen, {abs(away_s):.0f} s {'behind live' if away_s >= 0 else 'ahead of the replay'}"

    @property
    def shown_moment(self) -> float:
        """What an annotation without a pointer on the page is of: now, or the middle of a frozen page."""
        start, end = self.timeline.page
        return 0.5 * (start + end) if self.timeline.frozen else self.timeline.head
