"""The mouse, and two fingers, on the traces: sensitivity, time base, a stretch, cursors, menus."""

from __future__ import annotations

from PyQt6.QtCore import QEvent, QObject, QPoint, Qt, pyqtSignal
from PyQt6.QtGui import QMouseEvent, QWheelEvent
from PyQt6.QtWidgets import QGestureEvent, QPinchGesture

from rtbci.dashboard.plots.traces import TracePlot

NOTCH = 120  # of a wheel, in Qt's eighths of a degree
DRAG_PX = 5  # a press that moves further draws out a stretch
GRIP_PX = 4  # around a cursor in which a press takes hold of it
PINCH = 1.35  # change of distance between two fingers that is one step of the time base


class TraceMouse(QObject):
    """Watches the traces' events; what it does not use goes on to them."""

    clicked = pyqtSignal(str)  # a row's name
    soloed = pyqtSignal(str)
    stretched = pyqtSignal(str)  # the row on which a stretch was begun, before it is chosen
    menu_asked = pyqtSignal(str, object, QPoint)  # a row's name, the moment or None, where on the screen

    def __init__(self, traces: TracePlot) -> None:
        super().__init__(traces)
        self._traces, self._cursors = traces, traces.cursors
        self._wheel = {Qt.Orientation.Vertical: 0, Qt.Orientation.Horizontal: 0}
        self._pressed: QPoint | None = None
        self._held: int | None = None  # the cursor that is dragged
        self._drawn = False  # the press has become a stretch
        self._pinch = 1.0
        traces.installEventFilter(self)
        traces.grabGesture(Qt.GestureType.PinchGesture)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        if isinstance(event, QWheelEvent):
            return self._turn(event)
        if isinstance(event, QMouseEvent):
            return self._mouse(event)
        if isinstance(event, QGestureEvent):
            return self._gesture(event)
        return False

    # -- wheel and fingers ------------------------------------------------------------------------------------

    def _turn(self, event: QWheelEvent) -> bool:
        delta, keys = event.angleDelta(), event.modifiers()
        if keys & Qt.KeyboardModifier.ShiftModifier:  # some systems turn a wheel with Shift by 90°
            self._traces.scroll_rows_to(self._traces.rows.first - self._notches(delta.y() or delta.x()))
        elif keys & Qt.KeyboardModifier.ControlModifier:
            self._traces.timeline.step_page(-self._notches(delta.y()))
        elif abs(delta.x()) > abs(delta.y()):
            sideways = self._notches(delta.x(), Qt.Orientation.Horizontal)
            self._scroll_time(-0.1 * sideways)
        elif steps := self._notches(delta.y()):
            name = self._traces.name_at(event.position().y() * self._traces.ratio)
            self._traces.step_kind(steps, self._traces.kind_of_row(name))
        return True

    def _notches(self, delta: int, axis: Qt.Orientation = Qt.Orientation.Vertical) -> int:
        """Whole notches; a touch pad sends parts of one."""
        self._wheel[axis] += delta
        steps = int(self._wheel[axis] / NOTCH)
        self._wheel[axis] -= steps * NOTCH
        return steps

    def _scroll_time(self, pages: float) -> None:
        history = self._traces.history
        if pages and history is not None:
            timeline = self._traces.timeline
            timeline.scroll(pages * timeline.page_s, history.oldest_x)

    def _gesture(self, event: QGestureEvent) -> bool:
        gesture = event.gesture(Qt.GestureType.PinchGesture)
        if not isinstance(gesture, QPinchGesture):
            return False
        if gesture.state() == Qt.GestureState.GestureStarted:
            self._pinch = 1.0
        self._pinch *= gesture.scaleFactor()
        if self._pinch > PINCH or self._pinch < 1 / PINCH:
            self._traces.timeline.step_page(-1 if self._pinch > 1 else 1)
            self._pinch = 1.0
        return True

    # -- buttons ----------------------------------------------------------------------------------------------

    def _mouse(self, event: QMouseEvent) -> bool:
        kind, left = event.type(), Qt.MouseButton.LeftButton
        if kind == QEvent.Type.MouseButtonPress and event.button() == Qt.MouseButton.RightButton:
            self._ask_menu(event)
            return True
        if kind == QEvent.Type.MouseButtonPress and event.button() == left:
            self._pressed, self._drawn = event.position().toPoint(), False
            self._held = self._cursor_near(event.position().x())
        elif kind == QEvent.Type.MouseMove and event.buttons() & left and self._pressed is not None:
            self._drag(event)
        elif kind == QEvent.Type.MouseButtonRelease and event.button() == left and self._pressed is not None:
            self._release(event)
        elif kind == QEvent.Type.MouseButtonDblClick and event.button() == left and (name := self._name(event)):
            self.soloed.emit(name)
        return False

    def _name(self, event: QMouseEvent) -> str | None:
        return self._traces.name_at(event.position().y() * self._traces.ratio)

    def _moment(self, x: float) -> float | None:
        return self._traces.timeline.x_at(int(x * self._traces.ratio))

    def _ask_menu(self, event: QMouseEvent) -> None:
        self.menu_asked.emit(
            self._name(event) or "", self._moment(event.position().x()), event.globalPosition().toPoint()
        )

    def _cursor_near(self, x: float) -> int | None:
        for number, moment in self._cursors.at.items():
            at = self._traces.timeline.pixel(moment)
            if at is not None and abs(at / self._traces.ratio - x) <= GRIP_PX:
                return number
        return None

    def _drag(self, event: QMouseEvent) -> None:
        assert self._pressed is not None
        here = self._moment(event.position().x())
        if self._held is not None:
            if here is not None:
                self._cursors.put(self._held, here)
            return
        if not self._drawn and abs(event.position().x() - self._pressed.x()) < DRAG_PX:
            return
        self._drawn = True
        start, stop = self._moment(self._pressed.x()), self._moment(self._within(event.position().x()))
        if start is not None and stop is not None:
            self._cursors.mark(start, stop)

    def _within(self, x: float) -> float:
        """Kept within the piece of the page where the press was: in a sweep, the other side is a page older."""
        assert self._pressed is not None
        ratio, pressed = self._traces.ratio, self._pressed.x()
        for left, right, _ in self._traces.timeline.segments():
            if left <= pressed * ratio < right:
                return min(max(x, left / ratio), (right - 1) / ratio)
        return x

    def _release(self, event: QMouseEvent) -> None:
        if self._drawn:
            assert self._pressed is not None
            if name := self._traces.name_at(self._pressed.y() * self._traces.ratio):
                self.stretched.emit(name)
            self._cursors.choose()
        elif self._held is None and (name := self._name(event)):
            self.clicked.emit(name)
        self._pressed, self._held, self._drawn = None, None, False
