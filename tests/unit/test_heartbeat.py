"""What is said of an engine that says nothing."""

from types import SimpleNamespace

import pytest

from rtbci.cli import heartbeat
from rtbci.cli.heartbeat import Heartbeat
from rtbci.monitor.messages import EngineState


def test_a_state_that_is_not_renewed_is_called_stale_whatever_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(heartbeat, "time", SimpleNamespace(monotonic=lambda: now))
    beat = Heartbeat()
    running = EngineState(state="running", staleness_s=0.02, silent_s=0.01)
    assert beat.read(None) is None
    now += 60  # an engine that loads is not one that hangs
    assert beat.read(None) is None
    assert beat.read(running) == running
    now += 0.9
    assert beat.read(running) == running
    now += 2.1
    assert beat.stopped is False
    assert beat.read(running) == EngineState(state="stale", staleness_s=3.02, silent_s=0.01, engine_silent_s=3.0)
    assert beat.stopped
    assert [line.text for line in beat.news()] == ["the engine does not answer"]
    assert beat.news() == []
    again = running | EngineState(silent_s=0.03)
    assert beat.read(again) == again
    assert [line.text for line in beat.news()] == ["the engine answers again, after 3 s"]
    ended = running | EngineState(state="stopped")
    beat.read(ended)
    now += 60
    assert beat.read(ended) == ended
