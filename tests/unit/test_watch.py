"""What the terminal, `--json` and the engine are told by the process that watches it."""

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rtbci.cli import journal, watch
from rtbci.errors import RecordingError
from rtbci.monitor.messages import (
    AlarmLine,
    Command,
    EngineState,
    LogLine,
    RecordingState,
    RefusedLine,
    ReportAlarm,
    WarningLine,
)

COMMANDS: list[Command] = []  # that the engine was sent


def watched_by(show: str, lines: list[LogLine], **more: Any) -> watch.Watch:
    reader = SimpleNamespace(
        status=lambda: EngineState(state="running"), new_log=lambda: [lines.pop()] if lines else []
    )
    engine = SimpleNamespace(reader=reader, alive=True, command=COMMANDS.append)
    COMMANDS.clear()
    return watch.Watch(engine, "title", show=show, **more)  # type: ignore[arg-type]


def test_a_stream_that_is_refused_is_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    watched = watched_by("json", [RefusedLine(reason="has 2 channels")])
    watched._update()
    assert capsys.readouterr().err == "warning: stream refused: has 2 channels\n"
    assert list(watched.warnings) == ["stream refused: has 2 channels"]


def test_trouble_of_the_log_is_in_the_state_and_goes_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "_RETRY_S", 0.0)
    monkeypatch.setattr(journal, "_LOOK_EVERY_S", 0.0)
    (tmp_path / "disk").mkdir()
    watched = watched_by("none", [], journal=journal.Journal(tmp_path / "disk" / "log"))
    watched._update()
    assert watched.state.alarm == ""
    shutil.rmtree(tmp_path / "disk")
    watched._update()
    assert watched.state.alarm.startswith("the log is not written: No such file or directory; ")
    (tmp_path / "disk").mkdir()
    watched._update()
    assert watched.state.alarm == ""
    alarms = [command.text for command in COMMANDS if isinstance(command, ReportAlarm)]
    assert [alarm[:22] for alarm in alarms] == ["the log is not written", ""]
    assert [line.text for line in watched.log if isinstance(line, AlarmLine)][-1] == "the log is written again"
    watched._sinks.close()


def test_a_recording_that_raises_is_an_alarm_for_as_long_as_it_does(capsys: pytest.CaptureFixture[str]) -> None:
    class Recording:
        error: Exception | None = None

        def follow(self, state: EngineState) -> list[str]:
            if self.error is not None:
                raise self.error
            return []

        def state(self) -> RecordingState:
            return RecordingState(on=True)

    recording = Recording()
    watched = watched_by("none", [], recording=recording)
    watched._update()
    assert watched.state.recording == RecordingState(on=True)
    for error, text in (
        (FileNotFoundError(2, "No such file or directory", "/rec"), "/rec: No such file or directory"),
        (RecordingError("no room"), "no room"),
    ):
        recording.error = error
        watched._update()
        watched._update()
        assert watched.state.recording == RecordingState(alarm=f"the recording: {text}")
        assert capsys.readouterr().err == f"\aALARM: the recording: {text}\n"
    recording.error = None
    watched._update()
    assert watched.state.recording == RecordingState(on=True)


@pytest.mark.parametrize("show", ["json", "view", "none"])
def test_a_warning_and_an_alarm_reach_the_person_on_standard_error(
    show: str, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [kind(wall=1.0, text="night.tsv\x1b") for kind in (WarningLine, AlarmLine)]
    reader = SimpleNamespace(status=lambda: None, new_log=lambda: lines)
    engine = SimpleNamespace(reader=reader, alive=True, command=lambda _: None)
    watched = watch.Watch(engine, "title", show=show)  # type: ignore[arg-type]
    watched._update()
    said = capsys.readouterr()
    assert said.err == "warning: night.tsv\\x1b\n\aALARM: night.tsv\\x1b\n"
    assert "warning" not in said.out
