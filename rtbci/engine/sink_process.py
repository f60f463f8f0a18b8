"""A user's own sink in a process of its own, so that it cannot delay or stop the live loop."""

from __future__ import annotations

import json
import multiprocessing
import os
import pickle
import queue
import signal
import threading
import time
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from typing import Any

import psutil

from rtbci.engine.threads import one_thread_each
from rtbci.errors import PluginError
from rtbci.plugins import SINKS, error_text, load, plugin
from rtbci.types import SessionInfo

START_TIMEOUT_S = 30.0  # imports and construction
MOST_WAITING = 4096  # messages in the queue; more are lost to this sink, which is reported
BLOCKED_S = 5.0  # without taking a waiting message
MOST_ERRORS = 3  # in a row
MOST_BYTES = 512 << 20  # of memory, beyond what it used at its start
CLOSE_TIMEOUT_S = 0.6  # for what waits and `close`, of all sinks together: a session ends within 2 s
ORPHAN_S = 2.0  # for a sink whose engine was killed
TEND_S = 0.1
_TOO_SLOW = "is too slow"
_METHODS = ("begin", "on", "tend", "close")


class SinkProcess:
    """Passes messages to a sink in a process of its own, and supervises it.

    A sink that raises is reported; one that raises MOST_ERRORS times in a row, takes no message for BLOCKED_S while some
    are waiting, uses more than MOST_BYTES of memory, or ends by itself is dropped: its process is killed, `trouble` says why, and
    the session continues without it.

    Parameters
    ----------
    name
        ``module:Class``, ``path/to/file.py:Class``, or the name of an entry point of the group ``rtbci.sinks``.

    Raises
    ------
    PluginError
        If it cannot be imported or constructed, or lacks a method.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.trouble = ""
        self.recovered = f"sink {name} works again"
        self.is_dropped = False
        context = multiprocessing.get_context("spawn")
        theirs, self._messages = context.Pipe(duplex=False)
        self._reports, reports = context.Pipe(duplex=False)
        self._taken: Any = context.Value("Q", 0, lock=False)  # messages that the sink has processed
        self._process = context.Process(
            target=sink_main, args=(name, theirs, reports, self._taken), name=f"sink {name}"
        )
        with one_thread_each():
            self._process.start()
        theirs.close()
        reports.close()
        self._n_given = self._n_lost = self._n_errors = 0
        self._seen_taken, self._moved_at = 0, time.monotonic()
        self._close_by: float | None = None
        self._waiting: queue.Queue[bytes | None] = queue.Queue(MOST_WAITING)
        self._await_start()
        self._started_with = self._rss()
        self._check_memory_at = time.monotonic() + 1.0
        threading.Thread(target=self._feed, name=f"feeds {name}", daemon=True).start()

    def begin(self, session: SessionInfo) -> None:
        self._give("begin", session)

    def on(self, message: object) -> None:
        self._give("on", message)

    def tend(self) -> None:
        """Read its reports, and drop it where it has failed, hangs or uses too much memory."""
        if self.is_dropped:
            return
        self._read_reports()
        now, taken = time.monotonic(), int(self._taken.value)
        if taken != self._seen_taken or taken >= self._n_given:
            self._seen_taken, self._moved_at = taken, now
        if not self._process.is_alive():
            self._drop(f"ended by itself (exit code {self._process.exitcode})")
        elif self._n_errors >= MOST_ERRORS:
            self._drop(f"raised {self._n_errors} times in a row, at last {self.trouble.partition(' raised ')[2]}")
        elif now - self._moved_at > BLOCKED_S:
            self._drop(f"took no message for {BLOCKED_S:g} s")
        elif now > self._check_memory_at:
            self._check_memory_at = now + 1.0
            if (grown := self._rss() - self._started_with) > MOST_BYTES:
                self._drop(f"took {grown >> 20} MB of memory, more than {MOST_BYTES >> 20} MB")
        if self._n_lost and self._waiting.empty() and not self.is_dropped:
            # It has caught up; what it lost was reported.
            self._n_lost = 0
            self.trouble = "" if _TOO_SLOW in self.trouble else self.trouble

    def ask_to_close(self) -> None:
        """Let it finish what waits, and close, without waiting for it."""
        if self._close_by is None and not self.is_dropped:
            self._close_by = time.monotonic() + CLOSE_TIMEOUT_S
            self._give("close", None)
            self._put(None)

    def close(self) -> None:
        """Let it finish, for at most CLOSE_TIMEOUT_S after it was asked to."""
        self.ask_to_close()
        if self._close_by is not None and not self.is_dropped:
            self._process.join(max(0.0, self._close_by - time.monotonic()))
        self._end()

    # -- the engine's side --------------------------------------------------------------------------------------------

    def _await_start(self) -> None:
        report = (
            self._read_report()
            if self._reports.poll(START_TIMEOUT_S)
            else {"error": f"does not start within {START_TIMEOUT_S:g} s"}
        )
        if "error" in report or not report:
            self._end()
            raise PluginError(f"--sink {self.name}: {report.get('error', 'ended while it was constructed')}")

    def _give(self, what: str, value: object) -> None:
        # Pickled at once: the arrays of a message may be overwritten after this returns.
        if not self.is_dropped and self._put(pickle.dumps((what, value), pickle.HIGHEST_PROTOCOL)):
            self._n_given += 1

    def _put(self, packed: bytes | None) -> bool:
        try:
            self._waiting.put_nowait(packed)
        except queue.Full:
            self._n_lost += 1
            self.trouble = f"sink {self.name} {_TOO_SLOW}: {self._n_lost} messages were not delivered to it"
            return False
        return True

    def _feed(self) -> None:
        try:
            while (packed := self._waiting.get()) is not None:
                self._messages.send_bytes(packed)
        except OSError:
            pass  # it has ended, which `tend` reports
        self._messages.close()

    def _read_reports(self) -> None:
        while self._reports.poll():
            report = self._read_report()
            if not report:
                return
            self._n_errors = self._n_errors + 1 if "error" in report else 0
            self.trouble = f"sink {self.name} raised {report['error']}" if "error" in report else ""

    def _read_report(self) -> dict[str, str]:
        try:
            report = json.loads(self._reports.recv_bytes(1 << 16))
        except (EOFError, OSError, ValueError):
            return {}
        return report if isinstance(report, dict) else {}

    def _drop(self, why: str) -> None:
        self.is_dropped = True
        self.trouble = f"sink {self.name} was dropped: it {why}; the session continues without it"
        self._process.kill()  # without waiting for it: this is the live thread

    def _end(self) -> None:
        self._process.kill()
        self._process.join(1.0)

    def _rss(self) -> int:
        try:
            return int(psutil.Process(self._process.pid).memory_info().rss)
        except psutil.Error:
            return 0


# -- the sink's side --------------------------------------------------------------------------------------------


def sink_main(name: str, messages: Connection, reports: Connection, taken: Any) -> None:
    """Run a sink until the messages end."""
    _leave_signals_to_the_engine()
    threading.Thread(target=_end_with_the_engine, daemon=True).start()
    try:
        sink = load(SINKS, plugin(name) if ":" in name else name)()
    except PluginError as error:
        _report(reports, str(error))
        return
    except Exception as error:
        _report(reports, f"cannot be constructed: {error_text(error)}")
        return
    if missing := [method for method in _METHODS if not callable(getattr(sink, method, None))]:
        _report(reports, f"lacks {', '.join(missing)}; a sink has {', '.join(_METHODS)}")
        return
    _report(reports, None)
    _serve(sink, messages, reports, taken)


def _leave_signals_to_the_engine() -> None:
    """They reach the whole process group. What a sink starts itself inherits those that are ignored, and no others."""
    for name, handler in (
        ("SIGINT", signal.SIG_IGN), ("SIGTSTP", signal.SIG_IGN),
        ("SIGTERM", _nothing), ("SIGHUP", _nothing), ("SIGQUIT", _nothing),
    ):  # fmt: skip
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), handler)


def _nothing(*_: object) -> None:
    pass


def _end_with_the_engine() -> None:
    """End a sink that hangs when its engine was killed, which would have killed it."""
    engine = multiprocessing.parent_process()
    if engine is not None:
        wait([engine.sentinel])
        time.sleep(ORPHAN_S)
        os._exit(1)


def _serve(sink: Any, messages: Connection, reports: Connection, taken: Any) -> None:
    was_well = True
    while True:
        try:
            waits = messages.poll(TEND_S)
            # Safe to unpickle: only our own engine can write to this pipe.
            what, value = pickle.loads(messages.recv_bytes()) if waits else ("tend", None)
        except (EOFError, OSError):
            what, value, waits = "close", None, False  # the engine was killed
        try:
            getattr(sink, what)(*(() if what in ("tend", "close") else (value,)))
        except Exception as error:
            was_well = False
            _report(reports, error_text(error))
        else:
            if not was_well and what == "on":
                was_well = True
                _report(reports, None)
        taken.value += waits
        if what == "close":
            return


def _report(reports: Connection, error: str | None) -> None:
    with suppress(OSError):  # the engine was killed
        reports.send_bytes(json.dumps({"well": "again"} if error is None else {"error": error}).encode())
