"""Every key, what it does and what it is called: the one table that shortcuts and the help are made from."""

from __future__ import annotations

from dataclasses import dataclass

from PyQt6.QtCore import Qt
from PyQt6.QtGui import QAction, QKeySequence
from PyQt6.QtWidgets import QDialog, QGridLayout, QHBoxLayout, QLabel, QVBoxLayout, QWidget


@dataclass(frozen=True, slots=True)
class Key:
    """`does`: the name of a method without arguments."""

    keys: tuple[str, ...]
    does: str
    text: str
    group: str
    repeats: bool = False


KEYS = (
    Key(("Space",), "toggle_freeze", "freeze, and go on live", "Time"),
    Key(("Left",), "scroll_back", "scroll back", "Time", True),
    Key(("Right",), "scroll_on", "scroll on, up to now", "Time", True),
    Key(("PgUp",), "page_back", "a page back", "Time", True),
    Key(("PgDown",), "page_on", "a page on", "Time", True),
    Key(("Home",), "go_oldest", "the oldest data kept", "Time"),
    Key(("End",), "go_live", "live", "Time"),
    Key(("[",), "page_shorter", "shorter page", "Time"),
    Key(("]",), "page_longer", "longer page", "Time"),
    Key(("S",), "toggle_sweep", "sweep or scroll", "Time"),
    Key(("Up", "+", "="), "larger", "larger traces", "Traces", True),
    Key(("Down", "-"), "smaller", "smaller traces", "Traces", True),
    Key(("Shift+Up",), "row_larger", "larger, the chosen channel alone", "Traces", True),
    Key(("Shift+Down",), "row_smaller", "smaller, the chosen channel alone", "Traces", True),
    Key(("F",), "fit", "fit to the lanes", "Traces"),
    Key(("M",), "next_montage", "next montage", "Traces"),
    Key(("R",), "toggle_source", "raw, or as the model sees it", "Traces"),
    Key(("B",), "toggle_butterfly", "butterfly", "Traces"),
    Key(("Ctrl+Down",), "next_row", "choose the next channel", "Channels", True),
    Key(("Ctrl+Up",), "previous_row", "choose the channel before", "Channels", True),
    Key(("O",), "toggle_solo", "the chosen channel alone", "Channels"),
    Key(("H",), "hide_row", "hide the chosen channel", "Channels"),
    Key(("Shift+H",), "show_all_rows", "show all channels", "Channels"),
    Key(("A",), "annotate", "annotate this moment", "Events"),
    Key((".",), "older_event", "go to the event before", "Events", True),
    Key((",",), "newer_event", "go to the next event", "Events", True),
    Key(("C",), "confirm_event", "confirm it", "Events"),
    Key(("X",), "reject_event", "reject it", "Events"),
    Key(("N",), "note_event", "add a note to it", "Events"),
    Key(("Ctrl+E",), "export_events", "export the table", "Events"),
    Key(("Ctrl+Shift+Up",), "threshold_up", "raise the threshold", "Events", True),
    Key(("Ctrl+Shift+Down",), "threshold_down", "lower the threshold", "Events", True),
    Key(("K",), "replay_toggle", "pause a replay, and go on", "Replay"),
    Key(("J",), "replay_back", "10 s back", "Replay", True),
    Key(("L",), "replay_on", "10 s on", "Replay", True),
    Key(("Shift+J",), "replay_far_back", "a minute back", "Replay", True),
    Key(("Shift+L",), "replay_far_on", "a minute on", "Replay", True),
    Key((">",), "replay_faster", "faster", "Replay"),
    Key(("<",), "replay_slower", "slower", "Replay"),
    Key(("U",), "toggle_mute", "mute the alarm: 5, 15, 60 min, no more", "Window"),
    Key(("D",), "toggle_theme", "dark or light", "Window"),
    Key(("P",), "toggle_sidebar", "show or hide the panels", "Window"),
    Key(("F11",), "toggle_full_screen", "full screen", "Window"),
    Key(("Ctrl+O",), "open_picker", "choose stream and pipeline", "Window"),
    Key(("Ctrl++", "Ctrl+="), "text_larger", "larger text", "Window"),
    Key(("Ctrl+-",), "text_smaller", "smaller text", "Window"),
    Key(("?", "F1"), "show_keys", "this help", "Window"),
    Key(("Ctrl+Q",), "close", "close the window", "Window"),
)


def install(window: QWidget) -> dict[str, QAction]:
    """An action for each key, by the name of what it does."""
    actions = {}
    for key in KEYS:
        action = QAction(key.text, window)
        action.setShortcuts([QKeySequence(text) for text in key.keys])
        action.setAutoRepeat(key.repeats)
        method = getattr(window, key.does)
        action.triggered.connect(lambda _checked=False, method=method: method())
        window.addAction(action)
        actions[key.does] = action
    return actions


def hint(does: str) -> str:
    """ " (Space)": for a button's tool tip."""
    key = next(k for k in KEYS if k.does == does)
    return f"{key.text} ({_shown(key.keys[0])})"


def _shown(key: str) -> str:
    arrows = {"Left": "←", "Right": "→", "Up": "↑", "Down": "↓", "PgDown": "PgDn"}
    return "+".join(arrows.get(part, part) for part in key.split("+")) if len(key) > 1 else key


class KeysDialog(QDialog):
    """All keys on one sheet."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle("Keys")
        columns = QHBoxLayout(self)
        columns.setSpacing(36)
        columns.setContentsMargins(24, 20, 24, 20)
        for groups in (("Time", "Window"), ("Traces", "Channels"), ("Events", "Replay")):
            column = QVBoxLayout()
            for group in groups:
                column.addLayout(self._group(group))
            column.addStretch()
            columns.addLayout(column)

    def _group(self, group: str) -> QGridLayout:
        grid = QGridLayout()
        grid.setHorizontalSpacing(14)
        grid.setVerticalSpacing(3)
        heading = QLabel(group)
        heading.setObjectName("heading")
        grid.addWidget(heading, 0, 0, 1, 2)
        for row, key in enumerate((k for k in KEYS if k.group == group), 1):
            name = QLabel("  ".join(_shown(k) for k in key.keys))
            name.setAlignment(Qt.AlignmentFlag.AlignLeft)
            text = QLabel(key.text)
            text.setObjectName("dim")
            grid.addWidget(name, row, 0)
            grid.addWidget(text, row, 1)
        grid.setRowMinimumHeight(grid.rowCount(), 12)
        grid.setColumnMinimumWidth(0, round(6.5 * self.fontMetrics().height()))
        grid.setColumnStretch(1, 1)
        return grid
