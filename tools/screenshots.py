"""Pictures of the dashboard in every state that its user may meet: `python tools/screenshots.py OUT [NAME …]`."""

from __future__ import annotations

import math
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from pylsl import local_clock
from PyQt6.QtWidgets import QApplication, QDialog

from rtbci.bench.synthetic_monitor import SyntheticMonitor
from rtbci.dashboard.model.feed import Feed
from rtbci.dashboard.panels.shortcuts_dialog import ShortcutsDialog
from rtbci.dashboard.settings import Settings
from rtbci.dashboard.stream_picker import StreamPicker
from rtbci.dashboard.theme import LIGHT
from rtbci.dashboard.window import Window
from rtbci.lsl.discovery import FoundStream
from rtbci.monitor.messages import AnnotationLine, LostLine, ReviewLine

FPS = 30


@dataclass(frozen=True)
class Shot:
    """One picture: what the window is like, and what happens before it is taken."""

    play: Callable[[Stage], None]
    size: tuple[int, int] = (1280, 720)
    channels: int = 18
    light: bool = False
    chosen: tuple[str, ...] = ()
    dialog: type[QDialog] | None = None  # this one over the window, not the window


class Stage:
    """A window on a synthetic engine."""

    def __init__(self, folder: Path, shot: Shot) -> None:
        self.app = QApplication.instance() or QApplication(["rtbci"])
        assert isinstance(self.app, QApplication)
        self.app.setStyle("Fusion")
        self.fake = SyntheticMonitor(folder, shot.channels, chosen=shot.chosen, start=local_clock() - 40)
        self.window = Window(Settings(str(folder / "settings.ini")))
        if shot.light:
            self.window.theme = LIGHT
        self.window.resize(*shot.size)
        self.window.dress()
        self.window.show()
        self.window.open_feed(Feed(folder), None)

    def run(self, seconds: float, *, seizure: bool = False, valid: bool = True, **state: object) -> None:
        """Let this much of the stream pass."""
        for k in range(round(seconds * FPS)):
            self.fake.advance(1 / FPS, seizure=seizure, valid=valid)
            if k % 10 == 0:
                p99 = 1.1 + 0.3 * math.sin(0.9 * self.fake.seconds) * math.cos(2.3 * self.fake.seconds)
                self.fake.publish(latency_ms={"p50": 0.31, "p99": round(p99, 3), "max": 3.4}, **state)
                self.window.sidebar.state.add_latency(self.fake.state)
            self.window.tick()
            self.app.processEvents()
        self.settle()

    def settle(self) -> None:
        """Let the slow panels see the state."""
        for _ in range(3):
            self.fake.publish()
            for _ in range(60):
                self.window.tick()
            self.app.processEvents()
            time.sleep(0.11)

    def calm(self) -> None:
        self.run(23)

    def replay(self) -> None:
        """A recording that is played, and paused."""
        place = {"recorded_s": 1523.4, "start_s": 0.0, "end_s": 3600.0, "speed": 4.0, "paused": False, "loop": False}
        self.run(13, replay=place | {"move": 1})
        self.run(0.4, state="paused", replay=place | {"paused": True, "move": 2})

    def seizure(self) -> None:
        self.run(12)
        self.run(6, seizure=True)
        self.fake.onset(13.2)
        self.run(2.4, seizure=True)

    def afterwards(self) -> None:
        """A seizure that is over, an annotation, a verdict, a gap."""
        self.run(4)
        self.run(6, seizure=True)
        self.fake.onset(5.1)
        self.run(0.5, seizure=True)
        self.run(3)
        self.fake.event(5.1, 6.2)
        stamp = self.fake.stamp
        self.fake.writer.log(AnnotationLine(label="eyes closed", onset=self.fake.seconds, duration=0.0, stamp=stamp))
        self.fake.writer.log(ReviewLine(label="seizure", onset=5.1, verdict="confirmed", note="right arm"))
        self.run(1)
        self.fake.skip(0.6)
        self.run(1, valid=False)
        self.run(2)

    def bad_channels(self) -> None:
        quality = {"F7-T7": "flat", "O1": "mains", "Fp1": "noise", "P4-O2": "mains"}
        known = {name: word for name, word in quality.items() if name in self.fake.channels}
        words = "2 of 18 channels masked; AUROC 0.86, with all channels 0.87"
        masked = ["F7-T7", "Fp1-F7"]
        self.run(13, quality=known, trust={
            "level": "reduced", "masked": masked, "inputs": 18, "auroc": 0.86, "auroc_whole": 0.87, "words": words,
        })  # fmt: skip

    def too_many_bad(self) -> None:
        known = dict.fromkeys(self.fake.channels[:9], "flat")
        words = "9 of 18 channels masked, more than in training: answers are marked invalid"
        trust = {"level": "none", "masked": list(known), "inputs": 18, "words": words}
        self.run(13, valid=False, quality=known, trust=trust)

    def full_disk(self) -> None:
        alarm = "recording stopped: only 60 MB free in /data; amp-1_20261121-2200.xdf is closed"
        recording = {"on": False, "alarm": alarm, "size_bytes": 4.1e9, "free_bytes": 6e7}
        left = "2 of 5 events are not in it yet"
        self.run(
            13,
            recording=recording,
            alarm=f"the event table is not written: No space left on device; {left} (/data/night.tsv)",
        )

    def lost(self) -> None:
        self.run(13)
        assert self.window.model.feed is not None and self.window.model.feed.clock is not None
        # As if the last sample had come just now.
        self.window.model.feed.clock.origin = local_clock() - self.fake.seconds - 2.5
        self.fake.writer.log(LostLine(reason="the connection was closed"))
        self.fake.publish(state="lost", silent_s=3.2, staleness_s=3.2, rate_hz=0.0)
        self.settle()

    def frozen(self) -> None:
        self.afterwards()
        self.window.sidebar.events.selectRow(1)
        self.window.user_actions.jump_to(self.window.model.event_log.entries[0])
        self.settle()

    def butterfly(self) -> None:
        self.run(12)
        self.window.user_actions.toggle_butterfly()
        self.settle()

    def model(self) -> None:
        self.run(12)
        self.window.user_actions.toggle_source()
        self.settle()

    def scrolling(self) -> None:
        self.window.user_actions.toggle_sweep()
        self.afterwards()

    def banana(self) -> None:
        self.run(12)
        self.window.user_actions.next_montage()
        self.settle()

    def picker(self) -> None:
        self.run(1)
        found = [
            FoundStream("ActiCHamp", "EEG", 32, 500.0, "float32", "amp-1", "acti-0421", "u1"),
            FoundStream("CHB-MIT replay", "EEG", 23, 256.0, "float32", "lab-pc", "replay", "u2"),
        ]
        picker = StreamPicker(self.window.settings, self.window)
        picker._show_streams(found)
        picker.streams.setCurrentRow(0)
        picker.show()

    def keys(self) -> None:
        self.run(2)
        self.window.show_shortcuts()
        self.settle()


FEW = ("Fp1-F7", "T7-P7", "C3-P3", "C4-P4", "T8-P8", "P4-O2")
SHOTS = {
    "live-dark": Shot(Stage.calm),
    "live-light": Shot(Stage.calm, light=True),
    "replay-dark": Shot(Stage.replay),
    "replay-light": Shot(Stage.replay, light=True),
    "replay-small": Shot(Stage.replay, size=(640, 480)),
    "replay-light-4k": Shot(Stage.replay, size=(3840, 2160), light=True),
    "alarm-dark": Shot(Stage.seizure, chosen=FEW),
    "alarm-light": Shot(Stage.seizure, chosen=FEW, light=True),
    "after-dark": Shot(Stage.afterwards),
    "after-light-4k": Shot(Stage.afterwards, size=(3840, 2160), light=True),
    "alarm-dark-4k": Shot(Stage.seizure, size=(3840, 2160), chosen=FEW),
    "full-disk": Shot(Stage.full_disk),
    "full-disk-small": Shot(Stage.full_disk, size=(640, 480), light=True),
    "lost-dark": Shot(Stage.lost),
    "lost-light": Shot(Stage.lost, light=True),
    "bad-channels": Shot(Stage.bad_channels, channels=32),
    "too-many-bad": Shot(Stage.too_many_bad),
    "too-many-bad-small": Shot(Stage.too_many_bad, size=(640, 480)),
    "channels-8": Shot(Stage.calm, channels=8),
    "channels-32-banana": Shot(Stage.banana, channels=32, light=True),
    "channels-128": Shot(Stage.calm, channels=128),
    "channels-128-4k": Shot(Stage.calm, size=(3840, 2160), channels=128),
    "frozen": Shot(Stage.frozen),
    "butterfly": Shot(Stage.butterfly),
    "model": Shot(Stage.model, chosen=FEW),
    "scroll": Shot(Stage.scrolling),
    "keys": Shot(Stage.keys, dialog=ShortcutsDialog),
    "picker": Shot(Stage.picker, dialog=StreamPicker),
    "picker-light": Shot(Stage.picker, dialog=StreamPicker, light=True),
}


def take(name: str, out: Path) -> None:
    """Play one and write its picture."""
    shot = SHOTS[name]
    with tempfile.TemporaryDirectory(prefix="rtbci-shots-") as folder:
        stage = Stage(Path(folder), shot)
        shot.play(stage)
        shown = stage.window if shot.dialog is None else stage.window.findChild(shot.dialog)
        assert shown is not None
        shown.grab().save(str(out / f"{name}.png"))
        stage.window.close()
        stage.fake.close()
        stage.window.deleteLater()
        stage.app.processEvents()


def main(out: str, *wanted: str) -> None:
    """Take those that are wanted, or all."""
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    for name in wanted or SHOTS:
        take(name, folder)
        print(folder / f"{name}.png")


if __name__ == "__main__":
    main(*sys.argv[1:])
