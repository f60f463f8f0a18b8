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
from rtbci.dashboard.app import watch
from rtbci.dashboard.settings import Settings
from rtbci.dashboard.stream_picker import StreamPicker
from rtbci.dashboard.window import Window
from rtbci.engine.process import EngineProcess
from rtbci.engine.session import EngineSpec
from rtbci.replay.replay import Replay, run_replay


def until(condition: Callable[[], Any], timeout_s: float, what: str) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            sys.exit(f"not within {timeout_s:g} s: {what}")
        QTest.qWait(20)


def pick(window: Window, name: str) -> StreamPicker:
    """Choose the stream and the bundled pipeline, as a user would."""
    picker = StreamPicker(window.settings, window)
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
    window = Window(Settings(str(folder / "settings.ini")))
    window.resize(1280, 720)
    window.show()
    window.start()
    picker, events = pick(window, name), folder / "events.tsv"
    with EngineProcess(EngineSpec(picker.pipeline, picker.query, events=str(events))) as engine:
        return act(window, engine, folder, events)


def act(window: Window, engine: EngineProcess, folder: Path, events: Path) -> dict[str, Any]:
    """What the visitor does."""
    watch(window, engine.folder)
    feed = window.model.feed
    assert feed is not None
    until(lambda: feed.state.state == "running", 40, "the engine to run")
    until(lambda: window.model.event_log.open, 60, "a seizure to be seen")
    until(lambda: window.header.alarm, 5, "the header to say so")
    told: dict[str, Any] = {"alarm": window.header.alarm, "ringing": window.alarm.ringing}
    window.grab().save(str(folder / "seizure.png"))

    # Without a window manager nobody else gives it the keyboard back.
    window.activateWindow()
    until(window.isActiveWindow, 5, "the window to be active")
    probability = window.plots.probability
    handle = probability.handle().center()
    x = handle.x()
    QTest.mousePress(probability, Qt.MouseButton.LeftButton, pos=handle)
    QTest.mouseMove(probability, QPoint(x, round(probability.y_of(0.3))))
    QTest.mouseRelease(probability, Qt.MouseButton.LeftButton, pos=QPoint(x, round(probability.y_of(0.3))))
    until(lambda: abs(feed.state.threshold - 0.3) < 0.03, 5, "the engine to take the threshold")
    told["threshold"] = feed.state.threshold

    QInputDialog.getItem = lambda *_: ("eyes closed", True)  # type: ignore[method-assign, assignment]
    QTest.keyClick(window, Qt.Key.Key_A)
    until(lambda: any(e.annotation for e in window.model.event_log.entries), 5, "the annotation to come back")

    QTest.keyClick(window, Qt.Key.Key_Space)
    before = feed.signals.n if feed.signals else 0
    QTest.qWait(500)
    told["came_while_frozen"] = (feed.signals.n if feed.signals else 0) - before
    seizure = next(e for e in window.model.event_log.entries if not e.annotation)
    window.user_actions.jump_to(seizure)
    told["jumped_to"] = window.model.timeline.pixel(seizure.mark.start) is not None
    QTest.keyClick(window, Qt.Key.Key_C)
    until(lambda: any(e.verdict == "confirmed" for e in window.model.event_log.entries), 5, "the verdict to come back")
    review = folder / "events_review.tsv"  # the window may hear of a verdict before it is on the disk
    until(lambda: review.exists() and "confirmed" in review.read_text(), 20, "the verdict to be written")
    QTest.keyClick(window, Qt.Key.Key_End)

    told["channels"] = list(feed.layout.channels[:3]) if feed.layout else []
    told["samples"] = feed.state.samples.plain()
    told["log"] = [window.sidebar.log.item(k).text() for k in range(window.sidebar.log.count())]
    assert engine.process.pid is not None
    os.kill(engine.process.pid, signal.SIGKILL)
    until(lambda: window.header.fact.wrong, 10, "the window to say that the engine died")
    told["died"] = window.header.fact.text
    window.grab().save(str(folder / "died.png"))
    window.close()
    told["events"] = events.read_text().splitlines()
    told["review"] = review.read_text().splitlines()
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
