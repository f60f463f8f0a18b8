"""A row of widgets that goes on in the next line where the window is narrow."""

from __future__ import annotations

from PyQt6.QtCore import QEvent, QSize
from PyQt6.QtGui import QResizeEvent
from PyQt6.QtWidgets import QSizePolicy, QWidget

GAP = 5


class FlowRow(QWidget):
    """Places its widgets from left to right, then down, each as large as it asks to be."""

    def __init__(self) -> None:
        super().__init__()
        self._widgets: list[QWidget] = []
        policy = QSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)

    def add(self, widget: QWidget) -> None:
        widget.setParent(self)
        self._widgets.append(widget)

    def hasHeightForWidth(self) -> bool:
        return True

    def heightForWidth(self, width: int) -> int:
        return self._place(width, move=False)

    def sizeHint(self) -> QSize:
        return QSize(200, self._place(max(200, self.width()), move=False))

    def minimumSizeHint(self) -> QSize:
        return QSize(max((_size(w).width() for w in self._widgets), default=0), self.sizeHint().height())

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        self._place(self.width(), move=True)

    def event(self, event: QEvent | None) -> bool:
        if event is not None and event.type() == QEvent.Type.LayoutRequest:  # a widget has another text
            self._place(self.width(), move=True)
            self.updateGeometry()
        return super().event(event)

    def _place(self, width: int, *, move: bool) -> int:
        """The height that is needed."""
        x = y = line = 0
        for widget in self._widgets:
            size = _size(widget)
            if line and x + size.width() > width:
                x, y, line = 0, y + line + GAP, 0
            if move:
                widget.setGeometry(x, y, size.width(), size.height())
            x, line = x + size.width() + GAP, max(line, size.height())
        return y + line


def _size(widget: QWidget) -> QSize:
    return widget.sizeHint().expandedTo(widget.minimumSizeHint()).expandedTo(widget.minimumSize())
