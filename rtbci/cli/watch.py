"""Watching an engine from the terminal: a live view, plain lines where there is no terminal, or JSON lines."""

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


MOST_WARNINGS = 100  # in a line of JSON; the log has all


class _Pulse:
    """Whether the engine still speaks: one that lives renews its state ten times a second."""

    SILENT_S = 1.0

    def __init__(self) -> None:
        self._said: EngineState | None = None
        self._said_at = time.monotonic()
        self.stopped = False

    def read(self, said: EngineState | None) -> EngineState | None:
        """What the engine said last; where that was too long ago, what is true of it now. None before the first word."""
        now = time.monotonic()
        if said is not None and said != self._said:
            self._said, self._said_at = said, now
        silent_s = now - self._said_at
        if self._said is None:
            return None
        self.stopped = self._said.state != "stopped" and silent_s > self.SILENT_S
        if not self.stopped:
            return self._said
        age_s = self._said.staleness_s + silent_s
        return self._said | EngineState(state="stale", staleness_s=round(age_s, 4), engine_silent_s=round(silent_s, 1))


class Watch:
    """Follows an engine until it ends, `until` says so, or the user does; keeps its log."""

    def __init__(
        self,
        engine: EngineProcess,
        title: str,
        *,
        show: str = "view",
        recording: LiveRecording | None = None,
        journal: Journal | None = None,
    ) -> None:
        """show: "dashboard", "view" (a live panel; lines where there is no terminal), "json", "none".

        json: a line a second, and one whenever the state's word changes.
        """
        self._engine = engine
        self._recording = recording
        self._sinks = Sinks([journal] if journal is not None else [])
        self._title = title
        self._view = TerminalView(title)
        self._show = show
        self._console = Terminal(stderr=show in ("json", "none"))
        self._pulse = _Pulse()
        self._json_due = 0.0
        self._word: str | None = None  # of the last line
        self._tell_due = 0.0
        self._about = about() if show == "json" else None
        self._dashboard = DashboardProcess(engine.folder, title) if show == "dashboard" else None
        self.log: deque[LogLine] = deque(maxlen=4096)
        self.warnings: deque[str] = deque(maxlen=MOST_WARNINGS)  # each once
        self.state = EngineState()  # nothing said yet

    def follow(self, until: Callable[[EngineState], bool] = lambda _: False) -> None:
        """Raises RtbciError with the engine's own words for a user's mistake, EngineFailed for anything else."""
        with stopped_by_signal() as asked, self._display() as draw:
            while not asked():
                alive = self._engine.alive  # before the log is read, so that no last word is missed
                self._look()
                draw()
                if not alive or until(self.state):
                    break
                time.sleep(0.05)
            self._engine.stop()
            if self._recording is not None:
                self._recording.stop()
            self._look()
            draw()
            self._sinks.close()
        self._raise_for_failure()

    def linger(self) -> None:
        """Where a dashboard is open: leave it so until the user has seen enough."""
        if self._dashboard is None:
            return
        if self._dashboard.alive:
            self._console.print("the engine has ended; close the window, or press Ctrl-C here")
        with stopped_by_signal() as asked:
            while self._dashboard.alive and not asked():
                time.sleep(0.1)
        self.close()

    def close(self) -> None:
        """Take the dashboard away, if there is one."""
        if self._dashboard is not None:
            self._dashboard.close()
            self._dashboard = None

    def _look(self) -> None:
        silent = self._pulse.stopped
        self.state = self._pulse.read(self._engine.reader.status()) or self.state
        new = self._engine.reader.new_log()
        if self._pulse.stopped and not silent and self._engine.alive:
            new.append(WarningLine(text="the engine does not answer"))
        if self._recording is not None:
            alarms = self._recording.follow(self.state)
            new += [AlarmLine(text=text) for text in alarms]
            told = self._recording.state()
            self.state |= EngineState(recording=told)
            if time.monotonic() >= self._tell_due:
                # By way of the engine, so that the dashboard sees it too.
                self._tell_due = time.monotonic() + 1
                self._engine.command(ReportRecording(state=told))
        new += [AlarmLine(text=text) for text in self._sinks.tend()]
        for line in new:
            self._sinks.send(line)
            self._note(line)
        self._sinks.send(self.state)
        self._print_state()
        if self._dashboard is not None:
            self._tend(self._dashboard)

    def _note(self, line: LogLine) -> None:
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
        """A line a second, and one whenever the state's word changes; nothing before the engine has said a word."""
        if self._about is None or not self.state.model_fields_set:
            return
        word = self.state.state
        if word != self._word or time.monotonic() >= self._json_due:
            self._json_due, self._word = time.monotonic() + 1, word
            print_line(self.state, self._about, self.warnings)

    @property
    def _prints_lines(self) -> bool:
        return self._show == "dashboard" or (self._show == "view" and not self._console.is_terminal)

    def _tend(self, dashboard: DashboardProcess) -> None:
        if dashboard.alive:
            return
        why = "could not be opened; `rtbci doctor` says why" if dashboard.failed else "was closed"
        self._console.print(f"the dashboard {why}; the engine goes on, Ctrl-C ends it")
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
