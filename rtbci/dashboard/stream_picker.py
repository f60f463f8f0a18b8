"""Choose a stream on the network and a pipeline on the disk."""

from __future__ import annotations

import threading
from importlib.resources import files
from pathlib import Path

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from rtbci.dashboard.model.state_text import tool_tip
from rtbci.dashboard.model.stream_choice import choice_text, offered, query_for
from rtbci.dashboard.settings import Settings
from rtbci.lsl.discovery import FoundStream, list_streams

_ITEM = Qt.ItemDataRole.UserRole


class StreamPicker(QDialog):
    """Accepted with `query` and `pipeline` set."""

    _found = pyqtSignal(list)

    def __init__(self, settings: Settings, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Stream and pipeline")
        self._settings = settings
        self._searching = False
        self.query: dict[str, str] = {}
        self.pipeline = ""
        self.streams, self.pipelines = QListWidget(), QListWidget()
        self._hint = QLabel()
        self._hint.setObjectName("dim")
        self._hint.setWordWrap(True)
        self._buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Open | QDialogButtonBox.StandardButton.Cancel)
        self._lay_out()
        self._found.connect(self._show_streams)
        self.streams.itemSelectionChanged.connect(self._judge)
        self.pipelines.itemSelectionChanged.connect(self._judge)
        self.streams.itemActivated.connect(lambda _: self._accept_if_ready())
        self.pipelines.itemActivated.connect(lambda _: self._accept_if_ready())
        self._buttons.accepted.connect(self.accept)
        self._buttons.rejected.connect(self.reject)
        self._show_pipelines()
        self.search()

    def _lay_out(self) -> None:
        em = self.fontMetrics().height()
        self.resize(46 * em, 22 * em)
        column = QVBoxLayout(self)
        lists = QHBoxLayout()
        for title, box, text, does in (
            ("LSL streams", self.streams, "Search again", self.search),
            ("Pipelines", self.pipelines, "Browse …", self.browse),
        ):
            side = QVBoxLayout()
            heading = QLabel(title)
            heading.setObjectName("heading")
            side.addWidget(heading)
            side.addWidget(box)
            box.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)  # long names end in …
            button = QPushButton(text)
            button.setAutoDefault(False)
            button.clicked.connect(does)
            side.addWidget(button, alignment=Qt.AlignmentFlag.AlignLeft)
            lists.addLayout(side)
        column.addLayout(lists)
        column.addWidget(self._hint)
        column.addWidget(self._buttons)

    def search(self) -> None:
        """Ask the network; the answer comes a second later."""
        if self._searching:
            return
        self._searching = True
        self._judge()
        threading.Thread(target=self._search, daemon=True).start()

    def _search(self) -> None:
        found = list_streams(1.0)
        try:
            self._found.emit(found)
        except RuntimeError:  # the dialog was closed while we searched
            return

    def _show_streams(self, found: list[FoundStream]) -> None:
        self._searching = False
        self.streams.clear()
        for stream in offered(found):
            item = QListWidgetItem(choice_text(stream))
            item.setToolTip(tool_tip(choice_text(stream)))
            item.setData(_ITEM, query_for(stream, found))
            self.streams.addItem(item)
        if self.streams.count() == 1:
            self.streams.setCurrentRow(0)
        self._judge()

    def _show_pipelines(self) -> None:
        known = [path for path in self._settings.recent("pipelines") if Path(path).is_file()]
        known += [path for path in _bundled() if path not in known]
        for path in known:
            self._add_pipeline(path)
        if known:
            self.pipelines.setCurrentRow(0)

    def _add_pipeline(self, path: str) -> None:
        where = "comes with rtbci" if path in _bundled() else str(Path(path).parent)
        item = QListWidgetItem(f"{Path(path).stem}\n{where}")
        item.setData(_ITEM, path)
        self.pipelines.insertItem(0, item) if self.pipelines.count() and self.isVisible() else self.pipelines.addItem(
            item
        )

    def browse(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Pipeline", "", "Pipelines (*.rtbci)")
        if path:
            self._add_pipeline(path)
            self.pipelines.setCurrentRow(0 if self.isVisible() else self.pipelines.count() - 1)

    def _judge(self) -> None:
        stream, pipeline = self.streams.currentItem(), self.pipelines.currentItem()
        self.query = stream.data(_ITEM) if stream is not None else {}
        self.pipeline = pipeline.data(_ITEM) if pipeline is not None else ""
        button = self._buttons.button(QDialogButtonBox.StandardButton.Open)
        assert button is not None
        button.setEnabled(bool(self.query and self.pipeline))
        if self._searching:
            self._hint.setText("Searching the network …")
        elif not self.streams.count():
            self._hint.setText(
                "No stream answers. Start your amplifier's LSL outlet, or replay a recording: rtbci replay FILE"
            )
        else:
            self._hint.setText("Choose a stream and a pipeline." if not self.pipeline else "")

    def _accept_if_ready(self) -> None:
        if self.query and self.pipeline:
            self.accept()


def _bundled() -> list[str]:
    """The pipelines that come with rtbci."""
    folder = Path(str(files("rtbci"))) / "data"
    return sorted(str(path) for path in folder.glob("*.rtbci"))
