"""`rtbci run` and its window as processes, each killed in turn: the other stays."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from cutting import make_pipeline
from live_run import LiveRun, are_gone, replayed

from rtbci.bundled import RECORDING
from rtbci.monitor.running import RunningEngine, running_engines

pytestmark = pytest.mark.skipif(not hasattr(os, "killpg"), reason="needs the signals of a POSIX system")

Wait = Callable[..., None]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LiveRun]:
    """Under a window that no screen shows."""
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    monkeypatch.setenv("DISPLAY", ":none")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    name = f"attended-{os.getpid()}"
    make_pipeline().save(tmp_path / "small.rtbci")
    with replayed(RECORDING, name), (tmp_path / "said").open("wb") as said:
        made = LiveRun(tmp_path, tmp_path / "small.rtbci", name, stdout=said)
        yield made
        made.close()


def found(run: LiveRun) -> RunningEngine | None:
    """The engine, as `rtbci dashboard` finds it."""
    return next((one for one in running_engines() if one.about.owner == run.process.pid), None)


def window(run: LiveRun, engine: RunningEngine) -> psutil.Process:
    children = [p for p in psutil.Process(run.process.pid).children() if "spawn_main" in " ".join(p.cmdline())]
    return next(p for p in children if p.pid != engine.about.pid)


def test_the_window_outlives_its_engine_and_the_engine_its_window(
    run: LiveRun, wait_until: Wait, tmp_path: Path
) -> None:
    wait_until(lambda: run.has_begun)
    engine = found(run)
    assert engine is not None
    panel = window(run, engine)
    os.kill(engine.about.pid, signal.SIGKILL)
    wait_until(lambda: "the window stays" in run.errors.read_text())
    assert "error: the engine died (exit code -9)\n" in run.errors.read_text()
    assert found(run) is None
    assert panel.is_running()
    others = run.everyone()
    assert run.ends(signal.SIGTERM)[0] == 1  # as the session ended
    wait_until(lambda: are_gone(others))


def test_a_killed_window_is_told_and_its_engine_is_found_again(run: LiveRun, wait_until: Wait, tmp_path: Path) -> None:
    wait_until(lambda: run.has_begun)
    engine = found(run)
    assert engine is not None
    window(run, engine).kill()
    said = "the window was ended (signal 9); the engine goes on, Ctrl-C here ends it; `rtbci dashboard` opens another\n"
    wait_until(lambda: said in (tmp_path / "said").read_text())
    again = found(run)
    assert again is not None
    assert (again.folder, again.state.state) == (engine.folder, "running")
    assert run.ends(signal.SIGTERM)[0] == 0
