"""A window whose engine ends, or whose command does: it stays, says why, and asks for what its user wants."""

from __future__ import annotations

from collections.abc import Iterator
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

import pytest
from gui_kit import SentCommands
from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QApplication, QDialog, QFileDialog, QInputDialog, QMenu, QMessageBox

from rtbci.bench.synthetic_monitor import SyntheticMonitor
from rtbci.dashboard import session_control
from rtbci.dashboard.panels.head_map import SMALLEST_TEXT
from rtbci.dashboard.session_control import SessionControl
from rtbci.dashboard.settings import Settings
from rtbci.dashboard.window import Window
from rtbci.monitor.messages import RecordingState, StartRecording, Stop, StopRecording
from rtbci.monitor.running import EngineFile, RunningEngine
from rtbci.monitor.window_messages import (
    AttachTo,
    ChooseSession,
    FromCommand,
    RequestRefused,
    SessionEnded,
    ShowEngine,
    StartSession,
    WindowCloses,
    WindowOpened,
    WindowPipe,
)


class Attended:
    """A window, the command behind it that a test plays, and the engine's commands."""

    def __init__(self, qtbot: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder / "monitor"
        self.folder.mkdir()
        self.fake = SyntheticMonitor(self.folder, 8)
        ours, theirs = Pipe()
        self.command = WindowPipe(ours)
        self.settings_path = str(folder / "settings.ini")
        self.window = Window(Settings(self.settings_path))
        self.control = SessionControl(self.window, WindowPipe(theirs))
        self.engine = SentCommands()
        monkeypatch.setattr(session_control, "CommandClient", lambda folder: self.engine)
        qtbot.addWidget(self.window, before_close_func=lambda window: setattr(window, "may_close", lambda: True))
        self.window.show()
        self.control.opened()
        assert self.command.received() == [WindowOpened()]

    def tell(self, message: FromCommand) -> None:
        self.command.send(message)
        self.control.look()
        self.look()

    def look(self, **state: Any) -> None:
        """Let every panel see the state."""
        self.fake.publish(**state)
        if self.window.model.feed is not None:
            self.window.model.feed._status_due = 0.0
        for _ in range(12):
            self.window.tick()

    def show(self, name: str = "Bed-1", owner: int = 0) -> None:
        self.tell(ShowEngine(folder=str(self.folder), name=name, pipeline="seizure", owner=owner))

    def answers(self, monkeypatch: pytest.MonkeyPatch, yes: bool = True) -> list[str]:
        """Every question is answered; returns what was asked."""
        asked: list[str] = []
        button = QMessageBox.StandardButton.Ok if yes else QMessageBox.StandardButton.Cancel
        monkeypatch.setattr(QMessageBox, "question", lambda *args: asked.append(args[2]) or button)
        return asked

    def items(self) -> dict[str, Any]:
        """The session's menu, as it is shown."""
        self.control.show_menu()
        menu = self.window.findChildren(QMenu)[-1]
        entries = {entry.text(): entry for entry in menu.actions()}
        menu.close()
        return entries


@pytest.fixture
def here(qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Attended]:
    made = Attended(qtbot, tmp_path, monkeypatch)
    yield made
    made.command.close()
    made.fake.close()


def press(here: Attended, qtbot: Any, step: str) -> None:
    qtbot.mouseClick(here.window.notice.steps.buttons[step], Qt.MouseButton.LeftButton)


def test_an_engine_that_ended_leaves_the_window_with_the_reason_and_a_new_start(here: Attended, qtbot: Any) -> None:
    here.show()
    assert here.window.notice.isHidden()
    here.tell(SessionEnded(text="the engine died (exit code -9)", offers=("again", "stream")))
    assert here.window.notice.text.text() == "the engine died (exit code -9)"
    assert here.window.header.fact == ("The session has ended", True)
    assert here.window.isVisible()
    press(here, qtbot, "again")
    assert here.command.received() == [StartSession()]
    here.show()
    assert here.window.notice.isHidden()
    assert here.window.header.fact == ("Live", False)


def test_the_unit_can_be_said_where_the_refusal_is_about_it(
    here: Attended, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.show()
    here.tell(SessionEnded(text="no unit: say it with --unit", offers=("unit", "again", "stream")))
    monkeypatch.setattr(QInputDialog, "getItem", lambda *_: ("0.1 uV", True))
    press(here, qtbot, "unit")
    assert here.command.received() == [StartSession(unit="0.1 uV")]


def test_a_request_that_cannot_be_met_is_told_beside_the_session_that_goes_on(here: Attended) -> None:
    here.show()
    here.tell(RequestRefused(text="--unit 'furlong' is not known"))
    (box,) = here.window.findChildren(QMessageBox)
    assert box.text() == "--unit 'furlong' is not known"
    assert here.window.header.fact == ("Live", False)
    box.close()


def test_a_command_that_is_gone_leaves_the_window_which_says_so(here: Attended) -> None:
    here.show()
    here.command.close()
    here.control.look()
    assert here.window.notice.text.text().startswith(
        "The command that ran this session has ended, and its engine with it"
    )
    assert not here.window.notice.steps.buttons
    assert not here.items()["Choose stream and pipeline …  (" + NOBODY + ")"].isEnabled()


def test_the_engine_of_another_command_goes_on_without_the_window_s_own(here: Attended) -> None:
    here.show(owner=42)
    here.command.close()
    here.control.look()
    here.look()
    assert here.window.notice.isHidden()
    assert here.items()["End the session"].isEnabled()


NOBODY = "this window cannot start engines: `rtbci dashboard` opens one that can"


def test_a_running_engine_is_replaced_only_if_its_user_agrees(here: Attended, monkeypatch: pytest.MonkeyPatch) -> None:
    here.show()
    asked = here.answers(monkeypatch, yes=False)
    here.control.take("again")
    assert (len(asked), here.command.received()) == (1, [])
    here.answers(monkeypatch)
    here.control.take("again")
    assert here.command.received() == [StartSession()]


def test_stream_and_pipeline_are_chosen_from_the_window(here: Attended, monkeypatch: pytest.MonkeyPatch) -> None:
    class Picker:
        query, pipeline = {"name": "Bed-2"}, "p.rtbci"

        def __init__(self, *_: object) -> None: ...

        def exec(self) -> Any:
            return QDialog.DialogCode.Accepted

    monkeypatch.setattr(session_control, "StreamPicker", Picker)
    monkeypatch.setattr(session_control, "running_engines", list)
    here.tell(ChooseSession())
    QApplication.processEvents()
    assert here.command.received() == [StartSession(query={"name": "Bed-2"}, pipeline="p.rtbci")]
    assert here.window.settings.recent("pipelines")[0] == "p.rtbci"


def test_of_several_engines_that_run_one_is_chosen(here: Attended, monkeypatch: pytest.MonkeyPatch) -> None:
    engines = [
        RunningEngine(
            Path(f"/m{k}"), EngineFile(pid=k, owner=k, began=0.0, stream=f"Bed-{k}", pipeline="p"), here.fake.state
        )
        for k in (1, 2)
    ]
    monkeypatch.setattr(session_control, "running_engines", lambda: engines)
    offered: list[list[str]] = []

    def choose(_parent: Any, _title: str, _question: str, items: list[str]) -> str:
        offered.append(items)
        return items[1]

    monkeypatch.setattr(session_control, "_chosen", choose)
    here.tell(ChooseSession())
    QApplication.processEvents()
    assert [len(items) for items in offered] == [3]
    assert here.command.received() == [AttachTo(folder="/m2")]


def test_a_recording_is_started_and_stopped_from_the_window(
    here: Attended, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    here.show()
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path))
    asked = here.answers(monkeypatch)
    here.items()["Start recording …"].trigger()
    here.look(recording=RecordingState(on=True, file=str(tmp_path / "a.xdf")))
    here.items()["Stop recording"].trigger()
    assert here.engine.commands == [StartRecording(folder=str(tmp_path)), StopRecording()]
    assert asked == ["The recording of Bed-1 ends; another can be started, in a new file. The engine goes on."]
    assert here.window.session.folder == str(tmp_path)


def test_closing_asks_what_is_to_become_of_the_engine(here: Attended, monkeypatch: pytest.MonkeyPatch) -> None:
    texts: list[str] = []
    answers: list[str] = []

    def click(box: QMessageBox) -> None:
        texts.append(box.text())
        button = next(one for one in box.buttons() if one.text().replace("&", "") == answers[-1])
        monkeypatch.setattr(box, "clickedButton", lambda: button, raising=False)

    monkeypatch.setattr(QMessageBox, "exec", click)
    for answer, owner, closes, commands, said in (
        ("Cancel", 0, False, [], []),
        ("Leave it running", 0, True, [], [WindowCloses(stops=False)]),
        ("End it, too", 0, True, [Stop()], [WindowCloses(stops=True)]),
        ("End it, too", 42, True, [Stop()], [WindowCloses(stops=False)]),
    ):
        here.show(owner=owner)
        answers.append(answer)
        assert here.window.may_close() is closes
        assert texts.pop().startswith("The engine goes on tagging Bed-1 without this window")
        assert here.engine.commands == commands
        assert here.command.received() == said
        here.engine.commands.clear()


def test_a_window_whose_session_has_ended_closes_without_a_question(here: Attended) -> None:
    here.show()
    here.tell(SessionEnded(text="over"))
    assert here.window.close()
    assert here.command.received() == [WindowCloses(stops=False)]


def test_two_patients_have_two_titles_and_settings_of_their_own(here: Attended) -> None:
    here.show("Bed-1")
    here.window.model.timeline.set_page(30.0)
    here.window.resize(960, 700)
    assert here.window.windowTitle() == "Bed-1 · seizure · rtbci"
    here.show("Bed-2")
    assert here.window.windowTitle() == "Bed-2 · seizure · rtbci"
    here.window.model.timeline.set_page(5.0)
    here.window.resize(960, 640)
    here.show("Bed-1")
    assert here.window.model.timeline.page_s == 30.0
    assert here.window.height() == 700
    here.window.keep()
    text = Path(here.settings_path).read_text()
    assert "Bed" not in text  # the settings of a user hold no names


def test_a_stream_that_only_its_finder_names_gets_its_name(here: Attended) -> None:
    here.show("")
    assert here.window.windowTitle() == "EEG · seizure · rtbci"


def test_names_of_chosen_and_bad_electrodes_are_there_at_every_size(here: Attended) -> None:
    head = here.window.sidebar.head
    here.show()
    layout = here.fake.layout.model_copy(update={"inputs": ("C3", "P7"), "weights": (1.0, 0.6)})
    for size in ((150, 90), (220, 210), (700, 700)):
        head.resize(*size)
        head.show_layout(layout, {"P7": "flat", "Fp1": "noisy"})
        boxes = head._boxes
        assert {"C3", "P7", "Fp1"} <= set(boxes)
        assert head._text_px >= SMALLEST_TEXT
        assert not any(boxes[a].intersects(boxes[b]) for a in boxes for b in boxes if a < b)
        head.grab()
    nameless = here.fake.layout.model_copy(update={"channels": ("a",) * 8, "inputs": ("a",), "montage": ("a",)})
    here.window.sidebar.show_layout(nameless, {})
    assert here.window.sidebar.head_panel.isHidden()  # nothing has a place: the room is the events'
