"""Sessions under a window that stays: what it is told, what it asks for, and how the command ends."""

import os
from collections import deque
from collections.abc import Callable
from multiprocessing import Pipe
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from commands import mistake_here, rtbci_here
from cutting import make_pipeline

from rtbci.cli import attended, sessions
from rtbci.cli.dashboard_process import DashboardProcess, WindowEnd
from rtbci.cli.demo import DemoSummary, SeizureFound, ended
from rtbci.engine.session import EngineSpec, read_spec, write_spec
from rtbci.errors import ConfigError, EngineFailed, RtbciError, StreamNotFound
from rtbci.monitor import running
from rtbci.monitor.folder import monitor_folder, remove_monitor
from rtbci.monitor.messages import LatencyMs
from rtbci.monitor.window_messages import (
    AttachTo,
    RequestRefused,
    SessionEnded,
    ShowEngine,
    StartSession,
    WindowCloses,
    WindowPipe,
)
from rtbci.recordings.overrides import StreamOverrides


class Window:
    """Answers each end of a session with the next request; without one, it is closed."""

    def __init__(self, *requests: StartSession | AttachTo, end: WindowEnd | None = None) -> None:
        self._requests, self._end = deque(requests), end
        self.told: list[Any] = []
        self.stops_engine = self.has_request = self.was_closed = False

    @property
    def alive(self) -> bool:
        return bool(self._requests)

    def tell(self, message: Any) -> None:
        self.told.append(message)

    def take_request(self) -> Any:
        return self._requests.popleft() if self._requests else None

    def take_end(self) -> WindowEnd | None:
        return self._end

    def close(self) -> None:
        self.was_closed = True


class Play:
    """Sessions that end one after the other, as they are told to."""

    def __init__(self, *ends: SessionEnded | Exception) -> None:
        self.ends, self.asked = deque(ends), list[Any]()

    def run(self, dashboard: Any, stop_asked: Any) -> SessionEnded:
        end = self.ends.popleft()
        if isinstance(end, Exception):
            raise end
        return end

    def next(self, request: Any) -> "Play":
        self.asked.append(request)
        if request == StartSession(unit="furlong"):
            raise ConfigError("--unit 'furlong' is not known")
        return self


def attend(monkeypatch: pytest.MonkeyPatch, window: Window, play: Play) -> int:
    monkeypatch.setattr(attended, "DashboardProcess", lambda title: window)
    code = attended.attend(play, "title", lambda: False)  # type: ignore[arg-type]
    assert window.was_closed
    return code


def test_a_failure_is_told_in_the_same_words_to_window_and_terminal_and_can_be_tried_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "no stream with name='Amp' within 60 s; `rtbci streams` lists what is on the network"
    window, over = Window(StartSession()), SessionEnded(text="The session has ended", is_failure=False)
    play = Play(StreamNotFound(text), over)
    assert attend(monkeypatch, window, play) == 0
    assert window.told == [SessionEnded(text=text, offers=("again", "stream")), over]
    assert play.asked == [StartSession()]
    assert capsys.readouterr().err == (
        f"error: {text}\nthe window stays: go on there, close it, or press Ctrl-C here\n"
    )


@pytest.mark.parametrize(("error", "code"), [(StreamNotFound("none"), 2), (EngineFailed("the engine died"), 1)])
def test_without_a_window_a_failure_ends_the_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception, code: int
) -> None:
    assert attend(monkeypatch, Window(), Play(error)) == code
    assert capsys.readouterr().err == f"error: {error}\n"


def test_a_request_that_cannot_be_met_is_told_and_the_window_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    window = Window(StartSession(unit="furlong"), StartSession(unit="mV"))
    play = Play(StreamNotFound("say the unit with --unit"), SessionEnded(text="over"))
    attend(monkeypatch, window, play)
    assert window.told == [
        SessionEnded(text="say the unit with --unit", offers=("unit", "again", "stream")),
        RequestRefused(text="--unit 'furlong' is not known"),
        SessionEnded(text="over"),
    ]


def test_a_window_that_died_is_told_as_what_it_was(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    window = Window(end=WindowEnd("the window was ended (signal 9)"))
    assert attend(monkeypatch, window, Play(SessionEnded(text="over"))) == 1
    assert capsys.readouterr().err == "error: the window was ended (signal 9); `rtbci dashboard` opens another\n"


def test_what_crosses_the_pipe_comes_as_it_was_sent_and_what_is_no_message_is_dropped() -> None:
    ours, theirs = Pipe()
    command, window = WindowPipe(ours), WindowPipe(theirs)
    shown = ShowEngine(folder="/f", name="Bed-1", pipeline="p", owner=3)
    command.send(shown)
    ours.send_bytes(b'{"do": "explode"}')
    command.send(SessionEnded(text="over", offers=("again",)))
    assert window.received() == [shown, SessionEnded(text="over", offers=("again",))]
    window.send(WindowCloses(stops=True))
    assert command.received() == [WindowCloses(stops=True)]
    window.close()
    assert command.received() == []
    assert not command.is_open
    command.send(shown)  # nobody is there
    command.close()


@pytest.fixture
def pipeline(tmp_path: Path) -> str:
    make_pipeline().save(tmp_path / "small.rtbci")
    return str(tmp_path / "small.rtbci")


def live(pipeline: str) -> sessions.LiveSession:
    spec = EngineSpec(
        pipeline, {"name": "Amp"}, events="e.tsv", wait_s=5.0, overrides=StreamOverrides(gain=2.0), threshold=0.3
    )
    return sessions.LiveSession("rtbci run", spec, "small", "dashboard", log=Path("log"))


def test_another_session_is_like_the_one_before_but_for_what_was_asked(pipeline: str) -> None:
    before = live(pipeline)
    assert before.next(StartSession()) == before
    said = before.next(StartSession(unit="mV", query={"name": "Bed-2"}))
    assert isinstance(said, sessions.LiveSession)
    assert said.spec.query == {"name": "Bed-2"}
    assert (said.spec.events, said.spec.wait_s, said.log) == ("e.tsv", 5.0, Path("log"))


def test_what_was_said_of_a_stream_is_not_so_of_another_nor_a_threshold_of_another_pipeline(
    pipeline: str, tmp_path: Path
) -> None:
    before = live(pipeline)
    said = before.next(StartSession(unit="mV"))
    assert isinstance(said, sessions.LiveSession)
    assert (said.spec.overrides, said.spec.threshold) == (StreamOverrides(unit="mV", gain=2.0), 0.3)
    other = before.next(StartSession(query={"name": "Bed-2"}))
    assert isinstance(other, sessions.LiveSession)
    assert (other.spec.overrides, other.spec.threshold) == (StreamOverrides(), 0.3)
    make_pipeline().save(tmp_path / "other.rtbci")
    trained = before.next(StartSession(pipeline=str(tmp_path / "other.rtbci")))
    assert isinstance(trained, sessions.LiveSession)
    assert (trained.spec.overrides, trained.spec.threshold) == (StreamOverrides(gain=2.0), None)
    first = sessions.NoSession(StreamOverrides(unit="V")).next(StartSession(query={"name": "A"}, pipeline=pipeline))
    assert isinstance(first, sessions.LiveSession)
    assert first.spec.overrides == StreamOverrides(unit="V")


def test_a_request_that_cannot_be_met_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = Pipe()
    process = SimpleNamespace(start=lambda: None, is_alive=lambda: True)
    context = SimpleNamespace(Pipe=lambda: (ours, SimpleNamespace(close=lambda: None)), Process=lambda **_: process)
    monkeypatch.setattr("multiprocessing.get_context", lambda _: context)
    dashboard, window = DashboardProcess("title"), WindowPipe(theirs)
    dashboard.check = Play().next
    window.send(StartSession(unit="furlong"))
    assert not dashboard.has_request
    assert window.received() == [RequestRefused(text="--unit 'furlong' is not known")]
    window.send(StartSession(unit="mV"))
    assert dashboard.has_request
    assert (dashboard.take_request(), dashboard.take_request()) == (StartSession(unit="mV"), None)
    window.close()
    ours.close()


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        (StartSession(unit="furlong"), "--unit 'furlong' is not known"),
        (StartSession(pipeline="gone.rtbci"), "gone.rtbci"),
        (AttachTo(folder="/nowhere"), "this engine has ended"),
    ],
)
def test_what_cannot_be_started_is_one_clear_line(pipeline: str, request_: Any, says: str) -> None:
    with pytest.raises(RtbciError, match=says):
        live(pipeline).next(request_)


# -- engines that run ------------------------------------------------------------------------------------------------


@pytest.fixture
def folder() -> Any:
    made = monitor_folder()
    yield made
    remove_monitor(made)


def test_an_engine_is_found_by_its_folder_while_its_process_runs(folder: Path, tmp_path: Path) -> None:
    assert all(engine.folder != folder for engine in running.running_engines())
    running.note_engine(folder, os.getpid(), 42, {"name": "Bed\n1"}, "/p/small.rtbci")
    (engine,) = [engine for engine in running.running_engines() if engine.folder == folder]
    assert (engine.name, engine.pipeline, engine.about.owner) == ("Bed 1", "small", 42)
    assert "Bed 1 · small · starting · since" in engine.text
    assert engine.text in rtbci_here("dashboard", "--list").stdout
    spec = EngineSpec("small.rtbci", {"name": "Bed 1"}, monitor=str(folder), start_gate=True, sinks=("a:B",))
    write_spec(spec)
    assert read_spec(folder) == spec
    session = sessions.attached(folder)
    assert session.spec is not None
    assert not session.spec.start_gate
    (folder / "spec.json").write_text('{"pipeline": 3}')
    assert read_spec(folder) is None
    running.note_engine(folder, 2**22 + 1, 42, {"name": "Bed 1"}, "small")  # no process has this number
    assert running.running_engine(folder) is None


def test_a_number_that_another_process_has_got_since_is_no_engine(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running.note_engine(folder, os.getpid(), 42, {"name": "Bed 1"}, "small")
    monkeypatch.setattr(running, "_SAME_START_S", -1e6)
    assert running.running_engine(folder) is None


def test_a_folder_of_nobody_is_no_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "rtbci-monitor-old").mkdir()
    (tmp_path / "rtbci-monitor-old" / "owner").touch()
    (tmp_path / "rtbci-monitor-fifo").touch()
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    assert not [engine for engine in running.running_engines() if engine.folder.parent == tmp_path]


def test_options_of_the_dashboard_that_cannot_be_meant_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", ":0")
    assert "--new and --process say two things" in mistake_here("dashboard", "--new", "--process", "3")
    assert "no engine of yours runs there" in mistake_here("dashboard", "--process", str(2**22 + 1))


# -- the demonstration -----------------------------------------------------------------------------------------------


def summary(found: bool, false_alarms: int = 0) -> DemoSummary:
    seizure = SeizureFound(
        onset_s=42.0, offset_s=82.0, detected_onset_s=45.0 if found else None, detected_offset_s=80.0 if found else None,
        decided_s=47.7 if found else None, delay_s=5.7 if found else None,
    )  # fmt: skip
    return DemoSummary(
        seizures=(seizure,), seizures_annotated=1, seizures_detected=int(found), detection_delay_s=(5.7,) * found,
        false_alarms=false_alarms, samples_expected=10, samples_received=10, samples_filled=0, samples_lost=0,
        latency_ms=LatencyMs(p50=None, p99=None, max=None), real_data=True, recording="r", pipeline="p",
    )  # fmt: skip


def test_the_demonstration_ends_with_truth_beside_answer_and_green_only_if_all_is_right() -> None:
    good = ended(summary(found=True))
    assert (good.text, good.is_good, good.is_failure) == (
        "1 of 1 seizures found, delay 5.7 s, 0 false alarms",
        True,
        False,
    )
    assert good.details == (
        "annotated: 0:00:42.0 to 0:01:22.0, by an expert",
        "detected: 0:00:45.0 to 0:01:20.0",
        "decided: 0:00:47.7, 5.7 s after the annotated onset",
        "samples: 10 received of 10",
    )
    for one, text in (
        (summary(found=False), "0 of 1 seizures found, 0 false alarms"),
        (summary(found=True, false_alarms=1), "1 of 1 seizures found, delay 5.7 s, 1 false alarm"),
    ):
        assert (ended(one).text, ended(one).is_good) == (text, False)


def test_watching_ends_where_the_window_asks_for_another_session(monkeypatch: pytest.MonkeyPatch) -> None:
    from rtbci.cli import watch

    calls: list[Callable[[], Any]] = []
    reader = SimpleNamespace(status=lambda: None, new_log=list)
    engine = SimpleNamespace(
        reader=reader, alive=True, command=calls.append, stop=lambda *_, **__: None, error=lambda *_, **__: None,
        process=SimpleNamespace(exitcode=0),
    )  # fmt: skip
    window = SimpleNamespace(stops_engine=False, has_request=True, tend=lambda: None, take_end=lambda: None)
    watch.Watch(engine, "t", show="dashboard", dashboard=window).follow(stop_asked=lambda: False)  # type: ignore[arg-type]


def test_a_window_that_was_killed_is_told_while_the_engine_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    from rtbci.cli import watch

    reader = SimpleNamespace(status=lambda: None, new_log=list)
    engine = SimpleNamespace(reader=reader, alive=True, command=lambda _: None)
    ends = deque([WindowEnd("the window was ended (signal 9)"), None])
    window = SimpleNamespace(stops_engine=False, tend=lambda: None, take_end=lambda: ends.popleft() if ends else None)
    watched = watch.Watch(engine, "t", show="dashboard", dashboard=window)  # type: ignore[arg-type]
    watched._update()
    watched._update()
    assert capsys.readouterr().out == (
        "the window was ended (signal 9); the engine goes on, Ctrl-C here ends it; `rtbci dashboard` opens another\n"
    )
