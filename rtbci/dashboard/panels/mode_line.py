"""One line that names every mode of the page; a click on a part, or Tab and Enter, undoes it."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtWidgets import QLabel, QSizePolicy

from rtbci.dashboard.model.view_modes import ViewMode
from rtbci.dashboard.theme import Theme


class ModeLine(QLabel):
    """Emits the name of the action that undoes a part."""

    undone = pyqtSignal(str)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._modes: list[ViewMode] = []
        self.setTextFormat(Qt.TextFormat.RichText)
        self.setWordWrap(True)
        self.setTextInteractionFlags(
            Qt.TextInteractionFlag.LinksAccessibleByMouse | Qt.TextInteractionFlag.LinksAccessibleByKeyboard
        )
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        self.setAccessibleName("modes of the page")
        self.linkActivated.connect(self.undone.emit)

    def show_modes(self, modes: Sequence[ViewMode]) -> None:
        """Called often; the text is set only where it is another."""
        if list(modes) != self._modes:
            self._modes = list(modes)
            self._write()

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        self._write()

    @property
    def words(self) -> str:
        """As plain text."""
        return "  ·  ".join(mode.text for mode in self._modes)

    def _write(self) -> None:
        self.setText("&nbsp; · &nbsp;".join(self._part(mode) for mode in self._modes))
        self.setAccessibleDescription(self.words)
        self.setToolTip("<br>".join(escape(f"{mode.text}: {mode.tip}") for mode in self._modes if mode.tip))

    def _part(self, mode: ViewMode) -> str:
        text = escape(mode.text).replace(" ", "&nbsp;")
        if not mode.undo:
            return f'<span style="color:{self._theme.dim}">{text}</span>'
        return f'<a href="{mode.undo}" style="color:{self._theme.accent};text-decoration:none">{text}&nbsp;✕</a>'
