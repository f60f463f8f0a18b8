"""What a window's user wants of the session: asked of the command that opened the window, or of the engine itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from PyQt6.QtCore import QPoint, QTimer, QUrl
from PyQt6.QtGui import QDesktopServices
from PyQt6.QtWidgets import QDialog, QFileDialog, QInputDialog, QMenu, QMessageBox

from rtbci.dashboard.model.feed import Feed
from rtbci.dashboard.model.session_menu import (
    Session,
    closing_question,
    menu_items,
    restart_question,
    stop_recording_question,
)
from rtbci.dashboard.stream_picker import StreamPicker
from rtbci.dashboard.window import Window
from rtbci.monitor.command_server import CommandClient
from rtbci.monitor.running import running_engines
from rtbci.monitor.window_messages import (
    AttachTo,
    ChooseSession,
    RequestRefused,
    SessionEnded,
    ShowEngine,
    StartSession,
    WindowCloses,
    WindowOpened,
    WindowPipe,
)

LOOK_MS = 100
UNITS = ("uV", "mV", "V", "nV", "0.1 uV")
_ANOTHER = "Another session: choose a stream and a pipeline …"
_COMMAND_GONE = "The command that ran this session has ended, and its engine with it"


class SessionControl:
    """Shows in the window what its command says, and says to it what the user wants.

    Parameters
    ----------
    window
        Whose session it is.
    pipe
        To the command that opened it.
    """

    def __init__(self, window: Window, pipe: WindowPipe) -> None:
        self._window, self._pipe = window, pipe
        window.notices.can_start = True
        window.step_wanted.connect(self.take)
        window.menu_wanted.connect(self.show_menu)
        window.may_close = self._may_close
        self._timer = QTimer(window)
        self._timer.setInterval(LOOK_MS)
        self._timer.timeout.connect(self.look)
        self._timer.start()

    # -- of the command ---------------------------------------------------------------------------------------

    def opened(self) -> None:
        """The window is on the screen."""
        self._pipe.send(WindowOpened())

    def look(self) -> None:
        """Carry out what the command says."""
        for message in self._pipe.received():
            match message:
                case ShowEngine():
                    self._show(message)
                case SessionEnded():
                    self._end(message)
                case RequestRefused(text=text):
                    self._refuse(text)
                case ChooseSession(new=new):
                    choose = self._choose_stream if new or not running_engines() else self._choose_engine
                    QTimer.singleShot(0, choose)  # a dialog does not hold up what comes after
        if not self._pipe.is_open and self._window.notices.can_start:
            self._lose_command()

    def _lose_command(self) -> None:
        """An engine of another command goes on, and takes commands still."""
        window = self._window
        window.notices.can_start = False
        window.session = replace(window.session, can_start=False)
        if not window.session.owner:
            self._end(SessionEnded(text=f"{_COMMAND_GONE}; `rtbci dashboard` opens another window"))

    def _show(self, engine: ShowEngine) -> None:
        session = Session(engine.name, engine.pipeline, is_running=True, can_start=True, owner=engine.owner)
        folder = Path(engine.folder)
        self._window.open_feed(Feed(folder), CommandClient(folder), session)

    def _end(self, ended: SessionEnded) -> None:
        window = self._window
        window.notices.ended = ended
        window.session = replace(window.session, is_running=False)
        window.show_session()

    def _refuse(self, text: str) -> None:
        """Beside the window, which goes on."""
        icon, button = QMessageBox.Icon.Warning, QMessageBox.StandardButton.Ok
        QMessageBox(icon, "rtbci", text, button, self._window).open()

    # -- of the user ------------------------------------------------------------------------------------------

    def take(self, step: str) -> None:
        """Do a step of the notice or of the menu."""
        steps = {
            "again": self._again, "stream": self._choose_stream, "unit": self._say_unit, "folder": self._show_folder,
            "engines": self._choose_engine, "end": self._end_session, "record": self._record,
            "stop_recording": self._stop_recording, "dismiss": self._dismiss,
        }  # fmt: skip
        steps[step]()

    def show_menu(self) -> None:
        """The session's menu, below its name; what cannot be done says why."""
        window = self._window
        menu = QMenu(window)
        for item in menu_items(window.session, window.model.state):
            entry = menu.addAction(item.label)
            assert entry is not None
            entry.setEnabled(not item.why_not)
            entry.triggered.connect(lambda _checked=False, item=item: self.take(item.action))
        menu.addSeparator()
        menu.addAction("Close the window", window.close)
        menu.popup(window.identity.mapToGlobal(QPoint(0, window.identity.height())))

    def _again(self) -> None:
        self._start(StartSession())

    def _start(self, wanted: StartSession) -> None:
        if self._may_replace():
            self._pipe.send(wanted)

    def _may_replace(self) -> bool:
        """An engine of another command goes on; one of ours ends, and the user has to know."""
        session = self._window.session
        return not session.is_running or bool(session.owner) or self._agrees(restart_question(session))

    def _choose_stream(self) -> None:
        window = self._window
        if not self._pipe.is_open:
            return
        picker = StreamPicker(window.settings, window)
        if picker.exec() == QDialog.DialogCode.Accepted:
            window.settings.remember("pipelines", picker.pipeline)
            self._start(StartSession(query=picker.query, pipeline=picker.pipeline))

    def _choose_engine(self) -> None:
        window = self._window
        shown = window.model.feed.folder if window.model.feed is not None and window.session.is_running else None
        engines = [engine for engine in running_engines() if engine.folder != shown]
        texts = [engine.text for engine in engines]
        answer = _chosen(window, "Engines", "Which engine is to be watched?", [*texts, _ANOTHER])
        if answer is None:
            return
        if answer == _ANOTHER:
            self._choose_stream()
        elif self._may_replace():
            self._pipe.send(AttachTo(folder=str(engines[texts.index(answer)].folder)))

    def _say_unit(self) -> None:
        question = "In what unit are the values of this stream? A factor may stand before it."
        answer, accepted = QInputDialog.getItem(self._window, "Unit", question, UNITS, 0, True)
        if accepted and answer.strip():
            self._start(StartSession(unit=answer.strip()))

    def _show_folder(self) -> None:
        QDesktopServices.openUrl(QUrl.fromLocalFile(self._window.session.folder))

    def _dismiss(self) -> None:
        self._window.notices.dismiss()
        self._window.show_session()

    def _end_session(self) -> None:
        if self._agrees(f"The session on {self._window.session.name} ends, in order. The window stays."):
            self._window.model.commands.stop()

    def _record(self) -> None:
        session = self._window.session
        folder = QFileDialog.getExistingDirectory(self._window, "Record to which folder?", session.folder)
        if folder:
            self._window.model.commands.record(folder)

    def _stop_recording(self) -> None:
        if self._agrees(stop_recording_question(self._window.session)):
            self._window.model.commands.stop_recording()

    # -- questions --------------------------------------------------------------------------------------------

    def _agrees(self, question: str) -> bool:
        yes = QMessageBox.StandardButton.Ok
        answer = QMessageBox.question(self._window, "rtbci", question, yes | QMessageBox.StandardButton.Cancel, yes)
        return answer == yes

    def _may_close(self) -> bool:
        """What goes on is said before the window closes, and whether it is to."""
        session = self._window.session
        if not session.is_running:
            self._pipe.send(WindowCloses(stops=False))
            return True
        box = QMessageBox(self._window)
        box.setWindowTitle("Close the window")
        box.setText(closing_question(session, self._window.model.state))
        leave = box.addButton("Leave it running", QMessageBox.ButtonRole.AcceptRole)
        stop = box.addButton("End it, too", QMessageBox.ButtonRole.DestructiveRole)
        box.addButton(QMessageBox.StandardButton.Cancel)
        box.setDefaultButton(leave)
        box.exec()
        chosen = box.clickedButton()
        if chosen not in (leave, stop):
            return False
        if chosen is stop:
            self._window.model.commands.stop()
        self._pipe.send(WindowCloses(stops=chosen is stop and not session.owner))
        return True


def _chosen(parent: Window, title: str, question: str, items: list[str]) -> str | None:
    """One of a list; None where the user cancels."""
    dialog = QInputDialog(parent)
    dialog.setWindowTitle(title)
    dialog.setLabelText(question)
    dialog.setOption(QInputDialog.InputDialogOption.UseListViewForComboBoxItems)
    dialog.setComboBoxItems(items)
    dialog.setTextValue(items[0])
    dialog.resize(round(34 * dialog.fontMetrics().height()), round(14 * dialog.fontMetrics().height()))
    return dialog.textValue() if dialog.exec() == QDialog.DialogCode.Accepted else None
