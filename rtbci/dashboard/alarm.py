"""The sound of alarms: more pressing ones sound otherwise, and a pause silences all; none where there is no sound card."""

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

from rtbci.dashboard.model.alarm_view import Sound

ANSWER_S = 0.6  # by then the engine's state shows what was asked
_EVERY_MS = {Sound.LATCHED: 10_000, Sound.ON: 3000, Sound.HIGH: 2500}
_TONES_HZ = {False: (659.3, 880.0), True: (880.0, 880.0, 1174.7, 880.0, 1174.7)}  # of high priority, or not
_VOLUMES = {False: 0.6, True: 1.0}
_RATE = 22050


class Alarm(QObject):
    """Rings when it is raised, and then again and again until it is cleared or muted."""

    changed = pyqtSignal()

    def __init__(self) -> None:
        super().__init__()
        self.enabled = True
        self.sound = Sound.NONE
        self.rung = 0
        self._muted_until = 0.0
        self._asked_until = 0.0
        self._effects: dict[bool, Any] = {}
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._ring)

    @property
    def ringing(self) -> bool:
        """Whether it would be heard, were it not muted."""
        return self.sound > Sound.NONE

    @property
    def muted_s(self) -> float:
        """Seconds of silence left."""
        return max(0.0, self._muted_until - time.monotonic())

    def mute(self, seconds: float) -> None:
        """At once, also where no engine answers; 0: no more."""
        self._asked_until = time.monotonic() + ANSWER_S
        self._muted_until = time.monotonic() + seconds if seconds else 0.0
        self.changed.emit()

    def follow_pause(self, seconds: float) -> None:
        """The engine's pause, which holds for every viewer; not before it has had time to answer ours."""
        if time.monotonic() >= self._asked_until and abs(seconds - self.muted_s) > 0.3:
            self._muted_until = time.monotonic() + seconds if seconds else 0.0
            self.changed.emit()

    def set_sound(self, sound: Sound) -> None:
        """What is to be heard from now on."""
        before, self.sound = self.sound, sound
        if sound == before:
            return
        if sound == Sound.NONE:
            self._timer.stop()
        else:
            self._timer.start(_EVERY_MS[sound])
        if sound > before:
            self._ring()
        self.changed.emit()

    def _ring(self) -> None:
        if not self.enabled or self.muted_s:
            return
        self.rung += 1
        is_high = self.sound == Sound.HIGH
        if is_high not in self._effects:
            self._effects[is_high] = _effect(is_high) or False
        if self._effects[is_high]:
            self._effects[is_high].play()
        else:
            QApplication.beep()


def _effect(is_high: bool) -> Any:
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
        _write_tones(path, _TONES_HZ[is_high])
    except OSError:
        return None
    effect.setSource(QUrl.fromLocalFile(str(path)))
    effect.setVolume(_VOLUMES[is_high])
    return effect


def _write_tones(path: Path, tones_hz: tuple[float, ...]) -> None:
    """Soft tones, one after another."""
    samples = []
    for hz in tones_hz:
        n = int(0.28 * _RATE)
        for i in range(n):
            fade = math.sin(math.pi * i / n) ** 0.5
            samples.append(int(12000 * fade * math.sin(2 * math.pi * hz * i / _RATE)))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(_RATE)
        file.writeframes(struct.pack(f"<{len(samples)}h", *samples))
