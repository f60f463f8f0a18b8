"""Watching an engine from the command line: a live view, lines of text without a terminal, or lines of JSON."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

from rich.live import Live

from rtbci.cli.dashboard_process import DashboardProcess
from rtbci.cli.heartbeat import Heartbeat
from rtbci.cli.journal import Journal
from rtbci.cli.output import outputs
from rtbci.cli.signals import StopAsked, stopped_by_signal
from rtbci.cli.terminal import Terminal
from rtbci.cli.terminal_keys import pressed
from rtbci.cli.terminal_view import TerminalView
from rtbci.engine.process import ENDED_BY_SIGNAL, USER_ERROR, EngineProcess
from rtbci.engine.sinks import Sinks, Troubles
from rtbci.errors import EngineFailed, RtbciError, error_text
from rtbci.monitor.alerts import Acknowledge, AlertLine, PauseSound, next_pause_s, operator
from rtbci.monitor.describe import describe
from rtbci.monitor.messages import (
    AlarmLine,
    EngineState,
    ErrorLine,
    LogLine,
    RecordingState,
    RefusedLine,
    ReportAlarm,
    ReportRecording,
    WarningLine,
)
from rtbci.results import about, print_line
from rtbci.text import one_line

if TYPE_CHECKING:
    from rtbci.engine.recording import LiveRecording


MOST_WARNINGS = 100  # in a line of JSON; the log has all of them
STOP_S = 1.1  # for the engine, where a signal asks; a recorder and the rest have what is left of 2 s
PATIENT_STOP_S = 10.0
_SAME_SIGNAL_S = 0.3  # a signal to the whole process group reaches one process before the other


class Watch:
    """Follows an engine, shows its state, and keeps its log.

    Whatever becomes of log, output, recording or dashboard, the engine is followed; what is wrong is an alarm.

    Parameters
    ----------
    engine
        The engine to follow; `follow` stops it at the end.
    title
        Of the view.
    show
        "dashboard", "view" (a live panel; lines of text without a terminal), "json" (a line per second, and one whenever
        `state` or an alarm changes), or "none".
    recording
        The recording beside the engine.
    journal
        The log file.
    dashboard
        The window that shows the engine; it may ask for another session, which ends this one.
    """

    def __init__(
        self,
        engine: EngineProcess,
        title: str,
        *,
        show: str = "view",
        recording: LiveRecording | None = None,
        journal: Journal | None = None,
        dashboard: DashboardProcess | None = None,
    ) -> None:
        self._engine = engine
        self._recording = recording
        self._sinks = Sinks([journal] if journal is not None else [])
        self._output = Troubles(outputs())
        self._title = title
        self._view = TerminalView(title)
        self._show = show
        self._console = Terminal(stderr=show in ("json", "none"))
        self._heartbeat = Heartbeat()
        self._json_due = 0.0
        self._shown_word: tuple[object, ...] | None = None  # `state` and alarms in the last line of JSON
        self._report_due = 0.0
        self._reported: str | None = None  # the alarm that the engine was last told of
        self._recording_error = ""
        self._error: str | None = None  # why the engine ended
        self._about = about() if show == "json" else None
        self._dashboard = dashboard
        self.log: deque[LogLine] = deque(maxlen=4096)
        self.warnings: deque[str] = deque(maxlen=MOST_WARNINGS)  # without repetition
        self.state = EngineState()  # empty until the engine has written one

    def follow(
        self, until: Callable[[EngineState], bool] = lambda _: False, stop_asked: StopAsked | None = None
    ) -> None:
        """Follow the engine until it ends, `until` returns True, or the user stops it, here or in the window.

        Parameters
        ----------
        until
            Given the state, whether it is enough.
        stop_asked
            Of a caller that handles signals itself.

        Raises
        ------
        RtbciError
            A user's mistake, in the engine's own words.
        EngineFailed
            If the engine ended for any other reason.
        """
        with nullcontext(stop_asked) if stop_asked is not None else stopped_by_signal() as asked:
            with self._display() as draw:
                while not asked():
                    alive = self._engine.alive  # before the log is read, so that its last line is not missed
                    self._update()
                    draw()
                    if not alive or until(self.state) or self._is_over_in_window:
                        break
                    time.sleep(0.05)
                self._end(asked)
                draw()
            self._raise_for_failure()

    @property
    def _is_over_in_window(self) -> bool:
        return self._dashboard is not None and (self._dashboard.stops_engine or self._dashboard.has_request)

    # -- one turn -------------------------------------------------------------------------------------------------

    def _update(self) -> None:
        self.state = self._heartbeat.read(self._engine.reader.status()) or self.state
        new = self._engine.reader.new_log()
        if self._engine.alive:
            new += self._heartbeat.news()
        if self._recording is not None:
            new += self._follow_recording(self._recording)
        new += [AlarmLine(text=text) for text in self._sinks.tend()]
        # Beside a dashboard, nobody needs the output.
        kind = WarningLine if self._show == "dashboard" else AlarmLine
        new += [kind(text=text) for text in self._output.news()]
        self._report_alarm()
        for line in new:
            self._take(line)
        self._sinks.send(self.state)
        self._print_state()
        if self._dashboard is not None:
            self._tend(self._dashboard)

    def _follow_recording(self, recording: LiveRecording) -> list[LogLine]:
        alarms: list[str] = []
        before, self._recording_error = self._recording_error, ""
        try:
            alarms = recording.follow(self.state)
            state = recording.state()
        except (OSError, RtbciError) as error:
            self._recording_error = f"the recording: {error_text(error)}"
            alarms += [self._recording_error] if self._recording_error != before else []
            state = RecordingState(alarm=self._recording_error)
        self.state |= EngineState(recording=state)
        if time.monotonic() >= self._report_due:
            # Through the engine, so that the dashboard shows it too.
            self._report_due = time.monotonic() + 1
            self._engine.command(ReportRecording(state=state))
        return [AlarmLine(text=text) for text in alarms]

    def _report_alarm(self) -> None:
        """What is wrong here, in the state: through the engine, so that the dashboard shows it too."""
        own = "; ".join(filter(None, (self._sinks.trouble, "" if self._show == "dashboard" else self._output.text)))
        if own != (self._reported or ""):
            self._reported = own
            self._engine.command(ReportAlarm(text=own))
        if own and own not in self.state.alarm:
            self.state |= EngineState(alarm="; ".join(filter(None, (self.state.alarm, own))))

    def _take(self, line: LogLine) -> None:
        """Keep and show one line of the log."""
        self._sinks.send(line)
        self.log.append(line)
        self._view.note(line)
        warning = line.text if isinstance(line, WarningLine) else ""
        if isinstance(line, RefusedLine):
            warning = describe(line)
        if warning and warning not in self.warnings:
            self.warnings.append(warning)
        if isinstance(line, AlertLine) and line.presence == "on" and self._rings:
            sys.stderr.write("\a")
        if isinstance(line, AlarmLine):
            sys.stderr.write(f"\aALARM: {one_line(line.text)}\n")
        if warning:
            sys.stderr.write(f"warning: {one_line(warning)}\n")
        elif self._prints_lines and (text := describe(line)):
            self._console.print(text, soft_wrap=True)

    def _print_state(self) -> None:
        """Print a line per second, and one whenever `state` or an alarm changes; none before the engine wrote a state."""
        if self._about is None or not self.state.model_fields_set:
            return
        alerts = ((one.condition, one.label, one.presence, one.priority) for one in self.state.alerts)
        word = self.state.state, *alerts
        if word != self._shown_word or time.monotonic() >= self._json_due:
            self._json_due, self._shown_word = time.monotonic() + 1, word
            print_line(self.state, self._about, self.warnings)

    @property
    def _prints_lines(self) -> bool:
        return self._show == "dashboard" or (self._show == "view" and not self._console.is_terminal)

    @property
    def _rings(self) -> bool:
        """Whether an alarm of the signal rings the terminal's bell: the dashboard has a sound of its own."""
        return self._show == "view" and self._console.is_terminal and not self.state.sound_paused_s

    def _tend(self, dashboard: DashboardProcess) -> None:
        end = dashboard.take_end()
        if end is not None and not dashboard.stops_engine:
            self._console.print(
                f"{end.text}; the engine goes on, Ctrl-C here ends it; `rtbci dashboard` opens another", soft_wrap=True
            )

    @contextmanager
    def _display(self) -> Iterator[Callable[[], None]]:
        if self._show != "view" or not self._console.is_terminal:
            yield lambda: None
            return
        with (
            pressed({"g": self._acknowledge, "u": self._pause_sound}),
            Live(self._view.render(self.state), console=self._console, auto_refresh=False) as live,
        ):
            yield lambda: live.update(self._view.render(self.state), refresh=True)

    def _acknowledge(self) -> None:
        self._engine.command(Acknowledge(by=operator()))

    def _pause_sound(self) -> None:
        self._engine.command(PauseSound(seconds=next_pause_s(self.state.sound_paused_s), by=operator()))

    # -- the end --------------------------------------------------------------------------------------------------

    def _end(self, asked: StopAsked) -> None:
        """Stop everything, and say how it ended: within 2 s, whatever hangs, where a signal asks; at once, where two do."""
        if asked() and self._dashboard is not None:
            self._dashboard.ask_to_close()
        if self._engine.process.exitcode == ENDED_BY_SIGNAL and not asked():
            time.sleep(_SAME_SIGNAL_S)
        if asked():
            self._engine.stop(STOP_S, hurry=asked.again)
        else:
            self._engine.stop(PATIENT_STOP_S, hurry=asked)
        self._stop_recording()
        self._update()
        self._error = self._engine.error(list(self.log), was_asked=asked())
        if self._error is not None:
            if not any(isinstance(line, ErrorLine) for line in self.log):
                self._take(ErrorLine(text=self._error))
            if self.state.model_fields_set:
                self.state |= EngineState(state="stopped", alarm=one_line(self._error))
                self._shown_word = None
                self._print_state()
        self._sinks.close()

    def _stop_recording(self) -> None:
        if self._recording is None:
            return
        try:
            self._recording.stop()
        except (OSError, RtbciError) as error:
            self._take(AlarmLine(text=f"the recording: {error_text(error)}"))

    def _raise_for_failure(self) -> None:
        if self._error is None:
            return
        if self._engine.process.exitcode == USER_ERROR:
            raise RtbciError(self._error)
        raise EngineFailed(self._error)
