"""A whole visit to a real window on a real stream, told as JSON; tests/gui/test_real_window.py runs it under its own display."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PyQt6.QtCore import QPoint, Qt
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QApplication, QInputDialog

from rtbci.bundled import PIPELINE, RECORDING
from rtbci.dashboard.app import OwnEngine
from rtbci.dashboard.settings import Settings
from rtbci.dashboard.stream_picker import Picker
from rtbci.replay.replay import Replay, run_replay


def until(condition: Callable[[], Any], timeout_s: float, what: str) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            sys.exit(f"not within {timeout_s:g} s: {what}")
        QTest.qWait(20)


def pick(window: OwnEngine, name: str) -> Picker:
    """Choose the stream and the bundled pipeline, as a hand would."""
    picker = Picker(window.settings, window)
    picker.show()

    def rows() -> list[str]:
        return [picker.streams.item(k).text() for k in range(picker.streams.count())]

    def seen() -> bool:
        if not picker._searching and not any(name in row for row in rows()):
            picker.search()
        return any(name in row for row in rows())

    until(seen, 20, "the stream in the picker")
    picker.streams.setCurrentRow(next(k for k, row in enumerate(rows()) if name in row))
    picker.accept()
    return picker


def visit(folder: Path, name: str) -> dict[str, Any]:
    app = QApplication(["rtbci"])
    app.setStyle("Fusion")
    window = OwnEngine(Settings(str(folder / "settings.ini")))
    window.resize(1280, 720)
    window.show()
    window.start()
    try:
        return act(window, folder, name)
    finally:
        window.stop_engine()


def act(window: OwnEngine, folder: Path, name: str) -> dict[str, Any]:
    """What the visitor does."""
    picker = pick(window, name)
    events = folder / "events.tsv"
    window.start_engine(picker.query, picker.pipeline, events=str(events))
    feed = window.feed
    assert feed is not None
    until(lambda: feed.state.get("state") == "running", 40, "the engine to run")
    until(lambda: window.book.open, 60, "a seizure to be seen")
    until(lambda: window.header.alarm, 5, "the header to say so")
    told: dict[str, Any] = {"alarm": window.header.alarm, "ringing": window.alarm.ringing}
    window.grab().save(str(folder / "seizure.png"))

    # Without a window manager nobody else gives it the keyboard back.
    window.activateWindow()
    until(window.isActiveWindow, 5, "the window to be active")
    strip = window.monitor.strip
    x, y = strip.width() // 2, round(strip.y_of(strip.threshold or 0.5))
    QTest.mousePress(strip, Qt.MouseButton.LeftButton, pos=QPoint(x, y))
    QTest.mouseMove(strip, QPoint(x, round(strip.y_of(0.3))))
    QTest.mouseRelease(strip, Qt.MouseButton.LeftButton, pos=QPoint(x, round(strip.y_of(0.3))))
    until(lambda: abs(feed.state["threshold"] - 0.3) < 0.03, 5, "the engine to take the threshold")
    told["threshold"] = feed.state["threshold"]

    QInputDialog.getItem = lambda *_: ("eyes closed", True)  # type: ignore[method-assign, assignment]
    QTest.keyClick(window, Qt.Key.Key_A)
    until(lambda: any(e.annotation for e in window.book.entries), 5, "the annotation to come back")

    QTest.keyClick(window, Qt.Key.Key_Space)
    before = feed.signals.n if feed.signals else 0
    QTest.qWait(500)
    told["came_while_frozen"] = (feed.signals.n if feed.signals else 0) - before
    seizure = next(e for e in window.book.entries if not e.annotation)
    window.jump_to(seizure)
    told["jumped_to"] = window.timeline.pixel(seizure.mark.start) is not None
    QTest.keyClick(window, Qt.Key.Key_C)
    until(lambda: any(e.verdict == "confirmed" for e in window.book.entries), 5, "the verdict to come back")
    QTest.keyClick(window, Qt.Key.Key_End)

    told["channels"] = list(feed.layout.channels[:3]) if feed.layout else []
    told["samples"] = feed.state["samples"]
    told["log"] = [window.sidebar.log.item(k).text() for k in range(window.sidebar.log.count())]
    os.kill(window.engine.process.pid, signal.SIGKILL)
    until(lambda: window.header.fact.wrong, 10, "the window to say that the engine died")
    told["died"] = window.header.fact.text
    window.grab().save(str(folder / "died.png"))
    window.close()
    told["events"] = events.read_text().splitlines()
    told["review"] = (folder / "events_review.tsv").read_text().splitlines()
    return told


def main(folder: str) -> None:
    name = f"visit-{os.getpid()}"
    replay = Replay([RECORDING], name=name, speed=4.0, wait_for_consumer=True)
    process = multiprocessing.get_context("spawn").Process(target=run_replay, args=(replay,))
    process.start()
    try:
        told = visit(Path(folder), name)
    finally:
        process.terminate()
        process.join(10)
    print(json.dumps(told))


if __name__ == "__main__":
    assert PIPELINE.exists()
    main(sys.argv[1])
