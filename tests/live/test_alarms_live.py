"""Alarms of an engine that runs: on the Markers outlet, in the state, and after it was killed, in the next engine."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pylsl
import pytest
from live_run import replayed

from rtbci.bundled import PIPELINE, RECORDING
from rtbci.engine.process import EngineProcess
from rtbci.engine.session import EngineSpec
from rtbci.monitor.alerts import Acknowledge, AlertLine, AlertState
from rtbci.monitor.messages import EngineState

pytestmark = pytest.mark.skipif(not PIPELINE.exists(), reason="the bundled pipeline has not been built")


def alerts(engine: EngineProcess) -> tuple[AlertState, ...]:
    return (engine.reader.status() or EngineState()).alerts


def is_kept(stream: str) -> bool:
    kept = Path(os.environ["XDG_STATE_HOME"]).glob("rtbci/alarms-*.json")
    return any(json.loads(path.read_text())["stream"] == stream for path in kept)


def test_an_alarm_outlives_a_killed_engine_until_it_is_acknowledged_and_is_told_on_the_markers_outlet(
    wait_until: Callable[..., None],
) -> None:
    name = f"alarms-{os.getpid()}"
    spec = EngineSpec(str(PIPELINE), {"name": name}, wait_s=60)
    with replayed(RECORDING, name, "--speed", "8", "--start", "43", "--loop"):
        with EngineProcess(spec) as engine:
            wait_until(lambda: alerts(engine))
            (before,) = alerts(engine)
            wait_until(lambda: is_kept(name))
            engine.process.kill()
            engine.process.join()
        with EngineProcess(spec) as engine:
            wait_until(lambda: alerts(engine))
            found = alerts(engine)[0]
            assert (before.label, before.is_earlier, found.label, found.since) == (
                "seizure", False, "seizure", before.since,
            )  # fmt: skip
            inlet = pylsl.StreamInlet(pylsl.resolve_byprop("name", f"{name}-seizure_demo-events", 1, 10)[0])
            inlet.open_stream(timeout=10)
            engine.command(Acknowledge(by="anna@bed-3"))
            told: list[dict[str, Any]] = []

            def is_told() -> bool:
                text, stamp = inlet.pull_sample(timeout=0.2)
                mark = json.loads(text[0]) if text else {}
                if mark.get("state") == "alert":
                    told.append(mark | {"stamp": stamp})
                return any(one["change"] == "acknowledged" for one in told)

            wait_until(is_told)
            inlet.close_stream()
            lines = [line for line in engine.reader.new_log() if isinstance(line, AlertLine)]
    (mark,) = [one for one in told if one["change"] == "acknowledged"]
    (line,) = [line for line in lines if line.change == "acknowledged"]
    assert "recalled" in [line.change for line in lines]
    keys = ("condition", "label", "presence", "priority", "by", "wall")
    assert [mark[key] for key in keys] == [getattr(line, key) for key in keys]
    assert mark["by"] == "anna@bed-3"
    assert mark["time_s"] == line.time
    assert mark["stamp"] == pytest.approx(line.stamp, abs=1e-3)
