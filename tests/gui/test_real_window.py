"""Real windows on a display of their own, with a real stream and a real engine; a dashboard that hangs harms nobody."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import psutil
import pytest
from PyQt6.QtCore import Qt

from rtbci.bundled import PIPELINE, RECORDING
from rtbci.dashboard.app import dashboard_main, watch
from rtbci.dashboard.settings import Settings
from rtbci.dashboard.window import Window
from rtbci.engine.process import EngineProcess
from rtbci.engine.session import EngineSpec
from rtbci.monitor.messages import EngineState
from rtbci.monitor.shared_memory import MonitorReader
from rtbci.monitor.window_messages import ShowEngine, WindowPipe
from rtbci.replay.replay import Replay, run_replay

SPAWN = multiprocessing.get_context("spawn")

pytestmark = pytest.mark.skipif(not PIPELINE.exists(), reason="the bundled pipeline has not been built")


@pytest.fixture(scope="module")
def display() -> Iterator[str]:
    """An X server without a screen."""
    if shutil.which("Xvfb") is None:
        pytest.skip("needs Xvfb (Debian: apt-get install xvfb)")
    ready, told = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(told), "-screen", "0", "1600x1000x24", "-nolisten", "tcp"],
        pass_fds=[told], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(told)
    with os.fdopen(ready) as pipe:
        number = pipe.readline().strip()
    try:
        yield f":{number}"
    finally:
        server.terminate()
        server.wait(10)


def test_a_whole_visit(display: str, tmp_path: Path) -> None:
    environment = os.environ | {"DISPLAY": display, "QT_QPA_PLATFORM": "xcb"}
    script = Path(__file__).parents[1] / "kit" / "visit.py"
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path)], env=environment, capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stderr[-2000:]
    told = json.loads(done.stdout)
    assert "SEIZURE" in told["alarm"]
    assert told["ringing"]
    assert told["threshold"] == pytest.approx(0.3, abs=0.03)
    assert any("threshold set to 0.3" in line for line in told["log"])
    assert told["came_while_frozen"] > 256
    assert told["jumped_to"]
    assert told["channels"][0] != "ch1"
    assert told["samples"]["lost"] == 0
    assert told["died"].startswith("The engine has not answered for")
    header, *rows = (line.split("\t") for line in told["events"])
    assert any(row[header.index("eventType")] == "eyes closed" for row in rows)
    assert told["review"][-1].split("\t")[2] == "confirmed"


def test_a_dashboard_that_is_stopped_and_killed_changes_nothing_in_the_engine(
    display: str, monkeypatch: pytest.MonkeyPatch, wait_until: Callable[..., None]
) -> None:
    monkeypatch.setenv("DISPLAY", display)
    monkeypatch.setenv("QT_QPA_PLATFORM", "xcb")
    name = f"stop-{os.getpid()}"
    replay = SPAWN.Process(target=run_replay, args=(Replay([RECORDING], name=name, wait_for_consumer=True),))
    replay.start()
    with EngineProcess(EngineSpec(str(PIPELINE), {"name": name})) as engine:
        ours, theirs = SPAWN.Pipe()
        WindowPipe(ours).send(ShowEngine(folder=str(engine.folder), name=name, pipeline="seizure_demo"))
        window = SPAWN.Process(target=dashboard_main, args=(theirs, "test"))
        window.start()
        try:
            wait_until(lambda: (engine.reader.status() or EngineState()).state == "running")
            time.sleep(4)
            os.kill(window.pid, signal.SIGSTOP)
            before = engine.reader.status().samples.received
            time.sleep(5)
            during = engine.reader.status()
            assert during.samples.received - before > 4.5 * 256
            assert during.staleness_s < 0.5
            os.kill(window.pid, signal.SIGCONT)
            time.sleep(1)
            assert window.is_alive()
            window.kill()
            window.join(10)
            time.sleep(0.5)
            after = engine.reader.status()
            assert (after.state, after.samples.lost) == ("running", 0)
        finally:
            window.kill()
            replay.terminate()
            replay.join(10)
            ours.close()
            theirs.close()


def front(name: str, test: Connection) -> None:
    """Owns an engine, as `rtbci run` does, until the test says that it is over."""
    with EngineProcess(EngineSpec(str(PIPELINE), {"name": name})) as engine:
        test.send_bytes(str(engine.folder).encode())
        test.recv_bytes()


def test_keys_of_two_windows_reach_the_engine_while_the_front_end_is_suspended(
    qtbot: Any, tmp_path: Path, wait_until: Callable[..., None]
) -> None:
    name = f"suspended-{os.getpid()}"
    replay = SPAWN.Process(target=run_replay, args=(Replay([RECORDING], name=name, wait_for_consumer=True),))
    ours, theirs = SPAWN.Pipe()
    owner = SPAWN.Process(target=front, args=(name, theirs))
    replay.start()
    owner.start()
    try:
        folder = Path(ours.recv_bytes().decode())
        reader = MonitorReader(folder)
        wait_until(lambda: (reader.status() or EngineState()).state == "running")
        os.kill(owner.pid, signal.SIGSTOP)
        for child in psutil.Process(owner.pid).children():  # Ctrl-Z reaches the whole terminal group
            if "spawn_main" in " ".join(child.cmdline()):
                child.send_signal(signal.SIGTSTP)
        first = reader.status().threshold
        windows = [Window(Settings(str(tmp_path / f"{k}.ini"))) for k in range(2)]
        for window in windows:
            qtbot.addWidget(window)
            watch(window, folder)
            window.start()
        for window, key, value in ((windows[0], Qt.Key.Key_Up, first + 0.05), (windows[1], Qt.Key.Key_Down, first)):
            with qtbot.waitActive(window):
                window.show()
                window.activateWindow()
            # This window, too, has to know what the other asked for.
            qtbot.waitUntil(lambda w=window: w.plots.probability.threshold == reader.status().threshold, timeout=5000)
            qtbot.keyClick(window, key, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier)
            qtbot.waitUntil(lambda v=value: reader.status().threshold == pytest.approx(v), timeout=5000)
        for window in windows:
            window.close()
    finally:
        os.kill(owner.pid, signal.SIGCONT)
        ours.send_bytes(b"over")
        owner.join(20)
        owner.kill()
        replay.terminate()
        replay.join(10)
        ours.close()
        theirs.close()
