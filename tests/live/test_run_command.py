"""`rtbci run` as a user types it: a wait that is in vain, and a signal."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from commands import mistake
from cutting import make_pipeline

from rtbci.bundled import RECORDING

Wait = Callable[..., None]


@pytest.fixture
def pipeline(tmp_path: Path) -> Path:
    make_pipeline().save(tmp_path / "small.rtbci")
    return tmp_path / "small.rtbci"


def test_no_stream_is_one_clear_line_after_the_wait(pipeline: Path) -> None:
    said = mistake("run", pipeline, "--stream", "name=nobody", "--headless", "--wait", "1")
    assert "no stream with name='nobody' within 1 s" in said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_run_and_replay_cleanly_with_the_table_finished(
    pipeline: Path, tmp_path: Path, wait_until: Wait, number: int
) -> None:
    name = f"signal-{os.getpid()}-{number}"
    table = tmp_path / "live.tsv"
    start = [sys.executable, "-m", "rtbci.cli.app"]
    replay = subprocess.Popen(
        [*start, "replay", RECORDING, "--name", name, "--loop", "--wait"], stderr=subprocess.PIPE, text=True
    )
    run = subprocess.Popen(
        [*start, "run", pipeline, "--stream", f"name={name}", "--json", "--events", table],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert run.stdout is not None
    for line in run.stdout:
        if json.loads(line).get("recording_s", 0) > 0:
            break
    for process in (run, replay):
        process.send_signal(number)
        _, errors = process.communicate(timeout=10)
        assert process.returncode == 0, errors
        assert "Traceback" not in errors
    assert table.read_text().splitlines()[0].startswith("onset\tduration")
    assert "n/a" not in table.read_text()
