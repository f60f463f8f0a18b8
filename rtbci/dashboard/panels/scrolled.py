"""A column of panels that is scrolled where the window is too small for it, rather than cut or laid over itself."""

from __future__ import annotations

from PyQt6.QtCore import QEvent, QObject, Qt
from PyQt6.QtWidgets import QFrame, QScrollArea, QWidget

MOST = 0.45  # of the window's width


class Scrolled(QScrollArea):
    """As wide as its widget, up to a part of the window; there while its widget is."""

    def __init__(self, widget: QWidget) -> None:
        super().__init__()
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setWidgetResizable(True)
        self.setWidget(widget)
        widget.installEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        if watched is self.widget() and event is not None:
            if event.type() in (QEvent.Type.HideToParent, QEvent.Type.ShowToParent):
                self.setHidden(event.type() == QEvent.Type.HideToParent)
            elif event.type() in (QEvent.Type.LayoutRequest, QEvent.Type.Resize):
                self.fit()
        return super().eventFilter(watched, event)

    def fit(self) -> None:
        """Take the width that is wanted, and the scroll bar's where there is one."""
        widget, bar, window = self.widget(), self.verticalScrollBar(), self.window()
        assert widget is not None and bar is not None and window is not None
        wide = max(widget.minimumWidth(), widget.minimumSizeHint().width())
        tall = widget.minimumSizeHint().height() > self.height()
        wanted = min(wide + (bar.sizeHint().width() if tall else 0), round(MOST * window.width()))
        if wanted != self.width() or wanted != self.minimumWidth():
            self.setFixedWidth(wanted)
