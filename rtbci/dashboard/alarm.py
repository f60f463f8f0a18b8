"""The alarm: two tones while an event is on, which can be muted for some minutes; silent where there is no sound card."""

from __future__ import annotations

import math
import struct
import tempfile
import time
import wave
from pathlib import Path
from typing import Any

from PyQt6.QtCore import QObject, QTimer, QUrl, pyqtSignal
from PyQt6.QtWidgets import QApplication

REPEAT_MS = 3000
MUTES_MIN = (5, 15, 60)
_RATE = 22050


class Alarm(QObject):
    """Rings when it is raised, then every three seconds until it is cleared or muted."""

    changed = pyqtSignal()

    def __init__(self) -> None:
        super().__init__()
        self.enabled = True
        self.ringing = False
        self.rung = 0
        self._muted_until = 0.0
        self._effect: Any = None
        self._timer = QTimer(self)
        self._timer.setInterval(REPEAT_MS)
        self._timer.timeout.connect(self._ring)

    @property
    def muted_s(self) -> float:
        """Seconds of silence left."""
        return max(0.0, self._muted_until - time.monotonic())

    def mute(self, minutes: float) -> None:
        self._muted_until = time.monotonic() + 60 * minutes
        self.changed.emit()

    def unmute(self) -> None:
        self._muted_until = 0.0
        self.changed.emit()

    def set_ringing(self, on: bool) -> None:
        if on == self.ringing:
            return
        self.ringing = on
        if on:
            self._ring()
            self._timer.start()
        else:
            self._timer.stop()
        self.changed.emit()

    def _ring(self) -> None:
        if not self.enabled or self.muted_s:
            return
        self.rung += 1
        if self._effect is None:
            self._effect = _sound() or False
        if self._effect:
            self._effect.play()
        else:
            QApplication.beep()


def _sound() -> Any:
    """A loaded QSoundEffect, or None where Qt's multimedia or an output is missing."""
    try:
        from PyQt6.QtMultimedia import QMediaDevices, QSoundEffect
    except ImportError:
        return None
    if QMediaDevices.defaultAudioOutput().isNull():
        return None
    effect: Any = QSoundEffect()
    try:
        # Read when it is played: it lives as long as the sound.
        effect.folder = tempfile.TemporaryDirectory(prefix="rtbci-")
        path = Path(effect.folder.name) / "alarm.wav"
        _write_tones(path)
    except OSError:
        return None
    effect.setSource(QUrl.fromLocalFile(str(path)))
    effect.setVolume(0.6)
    return effect


def _write_tones(path: Path) -> None:
    """Two soft tones, a fourth apart."""
    samples = []
    for hz in (659.3, 880.0):
        n = int(0.28 * _RATE)
        for i in range(n):
            fade = math.sin(math.pi * i / n) ** 0.5
            samples.append(int(12000 * fade * math.sin(2 * math.pi * hz * i / _RATE)))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(_RATE)
        file.writeframes(struct.pack(f"<{len(samples)}h", *samples))
