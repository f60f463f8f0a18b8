"""Watching an engine from the command line: a live view, lines of text without a terminal, or lines of JSON."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.live import Live

from rtbci.cli.dashboard_process import DashboardProcess
from rtbci.cli.journal import Journal
from rtbci.cli.signals import stopped_by_signal
from rtbci.cli.terminal import Terminal
from rtbci.cli.terminal_view import TerminalView
from rtbci.engine.process import USER_ERROR, EngineProcess
from rtbci.engine.sinks import Sinks
from rtbci.errors import EngineFailed, RtbciError
from rtbci.monitor.describe import describe
from rtbci.monitor.messages import AlarmLine, EngineState, LogLine, ReportRecording, WarningLine
from rtbci.results import about, print_line
from rtbci.text import one_line

if TYPE_CHECKING:
    from rtbci.engine.recording import LiveRecording


MOST_WARNINGS = 100  # in a line of JSON; the log has all of them


class _Heartbeat:
    """Whether the engine still renews its state, which it does ten times a second."""

    TIMEOUT_S = 1.0

    def __init__(self) -> None:
        self._last: EngineState | None = None
        self._last_at = time.monotonic()
        self.stopped = False

    def read(self, state: EngineState | None) -> EngineState | None:
        """The newest state; marked stale if the engine has not renewed it for too long. None before the first one."""
        now = time.monotonic()
        if state is not None and state != self._last:
            self._last, self._last_at = state, now
        silent_s = now - self._last_at
        if self._last is None:
            return None
        self.stopped = self._last.state != "stopped" and silent_s > self.TIMEOUT_S
        if not self.stopped:
            return self._last
        age_s = self._last.staleness_s + silent_s
        return self._last | EngineState(state="stale", staleness_s=round(age_s, 4), engine_silent_s=round(silent_s, 1))


class Watch:
    """Follows an engine, shows its state, and keeps its log.

    Parameters
    ----------
    engine
        The engine to follow; `follow` stops it at the end.
    title
        Of the view.
    show
        "dashboard", "view" (a live panel; lines of text without a terminal), "json" (a line per second, and one whenever
        `state` changes), or "none".
    recording
        The recording beside the engine.
    journal
        The log file.
    """

    def __init__(
        self,
        engine: EngineProcess,
        title: str,
        *,
        show: str = "view",
        recording: LiveRecording | None = None,
        journal: Journal | None = None,
    ) -> None:
        self._engine = engine
        self._recording = recording
        self._sinks = Sinks([journal] if journal is not None else [])
        self._title = title
        self._view = TerminalView(title)
        self._show = show
        self._console = Terminal(stderr=show in ("json", "none"))
        self._heartbeat = _Heartbeat()
        self._json_due = 0.0
        self._shown_word: str | None = None  # `state` in the last line of JSON
        self._report_due = 0.0
        self._about = about() if show == "json" else None
        self._dashboard = DashboardProcess(engine.folder, title) if show == "dashboard" else None
        self.log: deque[LogLine] = deque(maxlen=4096)
        self.warnings: deque[str] = deque(maxlen=MOST_WARNINGS)  # without repetition
        self.state = EngineState()  # empty until the engine has written one

    def follow(self, until: Callable[[EngineState], bool] = lambda _: False) -> None:
        """Follow the engine until it ends, `until` returns True, or the user stops it.

        Raises
        ------
        RtbciError
            A user's mistake, in the engine's own words.
        EngineFailed
            If the engine ended for any other reason.
        """
        with stopped_by_signal() as stop_asked, self._display() as draw:
            while not stop_asked():
                alive = self._engine.alive  # before the log is read, so that its last line is not missed
                self._update()
                draw()
                if not alive or until(self.state):
                    break
                time.sleep(0.05)
            self._engine.stop()
            if self._recording is not None:
                self._recording.stop()
            self._update()
            draw()
            self._sinks.close()
        self._raise_for_failure()

    def linger(self) -> None:
        """Wait until the user closes the dashboard, if there is one."""
        if self._dashboard is None:
            return
        if self._dashboard.alive:
            self._console.print("the engine has ended; close the window, or press Ctrl-C here")
        with stopped_by_signal() as stop_asked:
            while self._dashboard.alive and not stop_asked():
                time.sleep(0.1)
        self.close()

    def close(self) -> None:
        """Close the dashboard, if there is one."""
        if self._dashboard is not None:
            self._dashboard.close()
            self._dashboard = None

    def _update(self) -> None:
        silent = self._heartbeat.stopped
        self.state = self._heartbeat.read(self._engine.reader.status()) or self.state
        new = self._engine.reader.new_log()
        if self._heartbeat.stopped and not silent and self._engine.alive:
            new.append(WarningLine(text="the engine does not answer"))
        if self._recording is not None:
            alarms = self._recording.follow(self.state)
            new += [AlarmLine(text=text) for text in alarms]
            recording = self._recording.state()
            self.state |= EngineState(recording=recording)
            if time.monotonic() >= self._report_due:
                # Through the engine, so that the dashboard shows it too.
                self._report_due = time.monotonic() + 1
                self._engine.command(ReportRecording(state=recording))
        new += [AlarmLine(text=text) for text in self._sinks.tend()]
        for line in new:
            self._sinks.send(line)
            self._show_line(line)
        self._sinks.send(self.state)
        self._print_state()
        if self._dashboard is not None:
            self._tend(self._dashboard)

    def _show_line(self, line: LogLine) -> None:
        """Keep and show one line of the log."""
        self.log.append(line)
        self._view.note(line)
        if isinstance(line, WarningLine) and line.text not in self.warnings:
            self.warnings.append(line.text)
        if isinstance(line, AlarmLine):
            sys.stderr.write(f"\aALARM: {one_line(line.text)}\n")
        if isinstance(line, WarningLine):
            sys.stderr.write(f"warning: {one_line(line.text)}\n")
        elif self._prints_lines and (text := describe(line)):
            self._console.print(text, soft_wrap=True)

    def _print_state(self) -> None:
        """Print a line per second, and one whenever `state` changes; none before the engine has written a state."""
        if self._about is None or not self.state.model_fields_set:
            return
        word = self.state.state
        if word != self._shown_word or time.monotonic() >= self._json_due:
            self._json_due, self._shown_word = time.monotonic() + 1, word
            print_line(self.state, self._about, self.warnings)

    @property
    def _prints_lines(self) -> bool:
        return self._show == "dashboard" or (self._show == "view" and not self._console.is_terminal)

    def _tend(self, dashboard: DashboardProcess) -> None:
        if dashboard.alive:
            return
        why = "could not be opened; `rtbci doctor` checks why" if dashboard.failed else "was closed"
        self._console.print(f"the dashboard {why}; the engine continues, Ctrl-C ends it")
        self.close()

    @contextmanager
    def _display(self) -> Iterator[Callable[[], None]]:
        if self._show != "view" or not self._console.is_terminal:
            yield lambda: None
            return
        with Live(self._view.render(self.state), console=self._console, auto_refresh=False) as live:
            yield lambda: live.update(self._view.render(self.state), refresh=True)

    def _raise_for_failure(self) -> None:
        error = self._engine.error(list(self.log))
        if error is None:
            return
        self.close()
        if self._engine.process.exitcode == USER_ERROR:
            raise RtbciError(error)
        raise EngineFailed(error)
