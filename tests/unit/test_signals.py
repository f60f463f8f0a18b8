"""Signals that end a command: which, and what a second one means."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable

import pytest

from rtbci.cli import signals
from rtbci.cli.signals import StopAsked, stopped_by_signal

Wait = Callable[..., None]
CODE = """
import os, signal
from rtbci.cli.signals import stopped_by_signal
with stopped_by_signal() as asked:
    os.kill(os.getpid(), signal.SIGHUP)
    print(asked())
"""


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"])
def test_a_signal_sets_the_flag_and_calls_what_is_asked_for(name: str, wait_until: Wait) -> None:
    called: list[bool] = []
    before = signal.getsignal(getattr(signal, name))
    with stopped_by_signal(lambda: called.append(True)) as asked:
        assert not asked()
        os.kill(os.getpid(), getattr(signal, name))
        assert asked()
        wait_until(lambda: called == [True])
    assert signal.getsignal(getattr(signal, name)) == before


def test_signals_that_come_together_are_one_and_a_later_one_is_the_second(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(signals.time, "monotonic", lambda: now)
    asked = StopAsked()
    for _ in range(2):  # as SIGTERM and SIGHUP of a service manager
        asked.ask()
    assert (asked(), asked.again()) == (True, False)
    now += 0.5
    asked.ask()
    assert asked.again()


@pytest.mark.parametrize(("prefix", "said"), [("", "True"), ("nohup", "False")])
def test_a_hangup_that_is_ignored_stays_so(prefix: str, said: str) -> None:
    command = [*prefix.split(), sys.executable, "-c", CODE]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL)
    assert done.stdout.strip() == said
