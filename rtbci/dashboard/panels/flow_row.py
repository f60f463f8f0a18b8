"""A row of widgets that goes on in a second line where the window is narrow; what has no room then is left out."""

from __future__ import annotations

from PyQt6.QtCore import QEvent, QRect, QSize
from PyQt6.QtGui import QResizeEvent
from PyQt6.QtWidgets import QSizePolicy, QWidget

GAP, MOST_LINES = 5, 2


class FlowRow(QWidget):
    """Places its widgets from left to right, then down, each as large as it asks to be."""

    def __init__(self) -> None:
        super().__init__()
        self._widgets: list[QWidget] = []
        self._spare: list[QWidget] = []  # in the order in which they are left out
        policy = QSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)

    def add(self, widget: QWidget) -> None:
        widget.setParent(self)
        self._widgets.append(widget)

    def leave_out(self, *widgets: QWidget) -> None:
        """Those that may be missing, the first ones first: whatever they do is reached elsewhere, too."""
        self._spare = list(widgets)

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
        boxes = self._boxes(self._widgets, width)
        for n in range(1, len(self._spare) + 1):
            if len({box.y() for box in boxes.values()}) <= MOST_LINES:
                break
            boxes = self._boxes([widget for widget in self._widgets if widget not in self._spare[:n]], width)
        for widget in self._widgets if move else ():
            widget.setVisible(widget in boxes)
            if widget in boxes:
                widget.setGeometry(boxes[widget])
        return max((box.y() + box.height() for box in boxes.values()), default=0)

    def _boxes(self, widgets: list[QWidget], width: int) -> dict[QWidget, QRect]:
        boxes: dict[QWidget, QRect] = {}
        x = y = line = 0
        for widget in widgets:
            size = _size(widget)
            if line and x + size.width() > width:
                x, y, line = 0, y + line + GAP, 0
            boxes[widget] = QRect(x, y, size.width(), size.height())
            x, line = x + size.width() + GAP, max(line, size.height())
        return boxes


def _size(widget: QWidget) -> QSize:
    return widget.sizeHint().expandedTo(widget.minimumSizeHint()).expandedTo(widget.minimumSize())
