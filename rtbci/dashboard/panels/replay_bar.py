"""The bar of a replay: play and pause, where it is and where it shall go, how fast; hidden for any other stream."""

from __future__ import annotations

import time

from PyQt6.QtCore import QPointF, QRectF, QSize, Qt, pyqtSignal
from PyQt6.QtGui import QIcon, QMouseEvent, QPainter, QPixmap, QPolygonF, QWheelEvent
from PyQt6.QtWidgets import QFrame, QHBoxLayout, QLabel, QSlider, QStyle, QStyleOptionSlider, QToolButton

from rtbci.dashboard.panels.choice_button import Choice, ChoiceButton
from rtbci.dashboard.shortcuts import hint
from rtbci.dashboard.theme import Theme
from rtbci.monitor.messages import ReplayState
from rtbci.text import clock_text

SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
FULL = "full speed"
STEPS_PER_S = 10
ANSWER_S = 1.0  # how long a move may take to be seen


def speed_text(speed: float) -> str:
    """ "4 ×"."""
    return f"{speed:g} ×" if speed else FULL


class ReplayBar(QFrame):
    """Shows the replay's state; `command` carries a line for it (rtbci/replay/transport.py)."""

    command = pyqtSignal(str)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.setObjectName("panel")
        row = QHBoxLayout(self)
        row.setContentsMargins(8, 3, 8, 3)
        row.setSpacing(8)
        self.button = QToolButton()
        self.button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.button.setToolTip(hint("replay_toggle"))
        self.button.clicked.connect(lambda _checked=False: self.toggle())
        self.here, self.end = QLabel(), QLabel()
        self.end.setObjectName("dim")
        self.here.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.slider = SeekSlider()
        self.slider.setToolTip(f"drag or click to go there; {hint('replay_back')}; {hint('replay_on')}")
        self.slider.asked.connect(self.seek)
        self.slider.sliderMoved.connect(lambda step: self.here.setText(clock_text(step / STEPS_PER_S)))
        self.speed = ChoiceButton(
            [Choice.plain(text) for text in (*map(speed_text, SPEEDS), FULL)],
            f"speed; {hint('replay_slower')}, {hint('replay_faster')}",
        )
        self.speed.chosen.connect(lambda text: self.set_speed(0.0 if text == FULL else float(text.split()[0])))
        for widget in (self.button, self.here, self.slider, self.end, self.speed):
            row.addWidget(widget)
        row.setStretchFactor(self.slider, 1)
        self.replay: ReplayState | None = None  # as the engine's state has it
        self._waits_until = 0.0  # for what was asked to be seen
        self.set_theme(theme)
        self.hide()

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        size = round(0.9 * self.fontMetrics().height())
        self.button.setIconSize(QSize(size, size))
        self.here.setMinimumWidth(self.fontMetrics().horizontalAdvance("00:00:00"))
        self._show_button()

    def show_state(self, replay: ReplayState | None) -> None:
        """Where it is now; None: the stream is no replay."""
        self.setVisible(replay is not None)
        before, self.replay = self.replay, replay
        if replay is None:
            return
        if before is None or replay.move != before.move:
            self._waits_until = 0.0
        first, last = round(replay.start_s * STEPS_PER_S), round(replay.end_s * STEPS_PER_S)
        if (first, last) != (self.slider.minimum(), self.slider.maximum()):
            self.slider.setRange(first, last)
        # Not while it is dragged, and not back to where it was before the last command.
        if not self.slider.isSliderDown() and time.monotonic() > self._waits_until:
            self.slider.setValue(round(replay.recorded_s * STEPS_PER_S))
            self.here.setText(clock_text(replay.recorded_s))
        self.end.setText(clock_text(replay.end_s))
        self.speed.show_value(speed_text(replay.speed))
        if before is None or replay.paused != before.paused:
            self._show_button()

    # -- what the user does -------------------------------------------------------------------------------------

    def toggle(self) -> None:
        self._send("toggle")

    def seek(self, to_s: float) -> None:
        """Seconds of the recording."""
        if self.replay is not None:
            self.here.setText(clock_text(to_s))
            self.slider.setValue(round(to_s * STEPS_PER_S))
            self._waits_until = time.monotonic() + ANSWER_S
        self._send(f"seek {to_s:.1f}")

    def skip(self, by_s: float) -> None:
        self._send(f"seek {by_s:+g}")

    def set_speed(self, speed: float) -> None:
        self._send(f"speed {speed:g}")

    def step_speed(self, by: int) -> None:
        """The next in SPEEDS."""
        now = (self.replay.speed if self.replay is not None else 1.0) or SPEEDS[-1] * 2
        faster, slower = [s for s in SPEEDS if s > now], [s for s in SPEEDS if s < now]
        if by > 0 and faster:
            self.set_speed(faster[0])
        elif by < 0 and slower:
            self.set_speed(slower[-1])

    def _send(self, line: str) -> None:
        if self.replay is not None:
            self.command.emit(line)

    def _show_button(self) -> None:
        paused = self.replay is not None and self.replay.paused
        self.button.setIcon(_icon(self._theme, self.button.iconSize(), self.devicePixelRatioF(), play=paused))
        self.button.setAccessibleName("play" if paused else "pause")


class SeekSlider(QSlider):
    """A click goes there; a drag asks once, when it ends; the wheel goes 10 s on or back."""

    asked = pyqtSignal(float)

    def __init__(self) -> None:
        super().__init__(Qt.Orientation.Horizontal)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # its keys are the window's
        self.setMinimumWidth(80)

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        assert event is not None
        if event.button() == Qt.MouseButton.LeftButton:
            self.setSliderDown(True)
            self._follow(event)

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:
        assert event is not None
        if self.isSliderDown():
            self._follow(event)

    def mouseReleaseEvent(self, event: QMouseEvent | None) -> None:
        if self.isSliderDown():
            self.setSliderDown(False)
            self.asked.emit(self.value() / STEPS_PER_S)

    def wheelEvent(self, event: QWheelEvent | None) -> None:
        assert event is not None
        if turned := event.angleDelta().y():
            self.asked.emit(self.value() / STEPS_PER_S + (10 if turned > 0 else -10))

    def _follow(self, event: QMouseEvent) -> None:
        option = QStyleOptionSlider()
        self.initStyleOption(option)
        style = self.style()
        assert style is not None
        part = QStyle.SubControl.SC_SliderHandle
        handle = style.subControlRect(QStyle.ComplexControl.CC_Slider, option, part, self).width()
        left = round(event.position().x() - handle / 2)
        span = self.width() - handle
        self.setSliderPosition(QStyle.sliderValueFromPosition(self.minimum(), self.maximum(), left, span))


def _icon(theme: Theme, size: QSize, ratio: float, *, play: bool) -> QIcon:
    """A triangle, or two bars."""
    pixmap = QPixmap(round(size.width() * ratio), round(size.height() * ratio))
    pixmap.setDevicePixelRatio(ratio)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(theme.colour("text"))
    w, h = size.width(), size.height()
    if play:
        painter.drawPolygon(
            QPolygonF([QPointF(0.18 * w, 0.08 * h), QPointF(0.9 * w, h / 2), QPointF(0.18 * w, 0.92 * h)])
        )
    else:
        for left in (0.18, 0.58):
            painter.drawRect(QRectF(left * w, 0.1 * h, 0.24 * w, 0.8 * h))
    painter.end()
    return QIcon(pixmap)
