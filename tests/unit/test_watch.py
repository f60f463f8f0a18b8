"""What the terminal and `--json` say of an engine that says nothing."""

from types import SimpleNamespace

import pytest

from rtbci.cli import watch
from rtbci.monitor.messages import EngineState


def test_a_state_that_is_not_renewed_is_called_stale_whatever_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(watch, "time", SimpleNamespace(monotonic=lambda: now))
    pulse = watch._Pulse()
    running = EngineState(state="running", staleness_s=0.02, silent_s=0.01)
    assert pulse.read(None) is None
    now += 60  # an engine that loads is not one that hangs
    assert pulse.read(None) is None
    assert pulse.read(running) == running
    now += 0.9
    assert pulse.read(running) == running
    now += 2.1
    assert pulse.stopped is False
    assert pulse.read(running) == EngineState(state="stale", staleness_s=3.02, silent_s=0.01, engine_silent_s=3.0)
    assert pulse.stopped
    again = running | EngineState(silent_s=0.03)
    assert pulse.read(again) == again
    ended = running | EngineState(state="stopped")
    pulse.read(ended)
    now += 60
    assert pulse.read(ended) == ended
