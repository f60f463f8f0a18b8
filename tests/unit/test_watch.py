"""What the terminal and `--json` say of an engine that says nothing."""

from types import SimpleNamespace

import pytest

from rtbci.cli import watch
from rtbci.monitor.messages import AlarmLine, EngineState, WarningLine


def test_a_state_that_is_not_renewed_is_called_stale_whatever_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(watch, "time", SimpleNamespace(monotonic=lambda: now))
    heartbeat = watch._Heartbeat()
    running = EngineState(state="running", staleness_s=0.02, silent_s=0.01)
    assert heartbeat.read(None) is None
    now += 60  # an engine that loads is not one that hangs
    assert heartbeat.read(None) is None
    assert heartbeat.read(running) == running
    now += 0.9
    assert heartbeat.read(running) == running
    now += 2.1
    assert heartbeat.stopped is False
    assert heartbeat.read(running) == EngineState(state="stale", staleness_s=3.02, silent_s=0.01, engine_silent_s=3.0)
    assert heartbeat.stopped
    again = running | EngineState(silent_s=0.03)
    assert heartbeat.read(again) == again
    ended = running | EngineState(state="stopped")
    heartbeat.read(ended)
    now += 60
    assert heartbeat.read(ended) == ended


@pytest.mark.parametrize("show", ["json", "view", "none"])
def test_a_warning_and_an_alarm_reach_the_person_on_standard_error(
    show: str, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [kind(wall=1.0, text="night.tsv\x1b") for kind in (WarningLine, AlarmLine)]
    reader = SimpleNamespace(status=lambda: None, new_log=lambda: lines)
    watched = watch.Watch(SimpleNamespace(reader=reader, alive=True), "title", show=show)  # type: ignore[arg-type]
    watched._update()
    said = capsys.readouterr()
    assert said.err == "warning: night.tsv\\x1b\n\aALARM: night.tsv\\x1b\n"
    assert "warning" not in said.out
