"""The shared memory of an engine: not kept for ever, and scarce."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from disks import full

from rtbci.monitor import shared_memory
from rtbci.monitor.messages import EngineState, WarningLine
from rtbci.monitor.shared_memory import MonitorReader, MonitorWriter, monitor_folder, remove_monitor

pytest.importorskip("fcntl", reason="needs the file locks of a POSIX system")


def test_a_folder_goes_when_its_process_was_killed_and_not_before() -> None:
    code = "from rtbci.monitor.shared_memory import monitor_folder; print(monitor_folder(), flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        theirs = Path(other.stdout.readline().strip())
        os.utime(theirs / "owner", (0, 0))
        ours = monitor_folder()
        try:
            assert theirs.is_dir()
            other.kill()
            other.wait()
            remove_monitor(monitor_folder())
            assert not theirs.exists()
            assert ours.is_dir()
        finally:
            remove_monitor(ours)
    assert not ours.exists()


def test_weeks_of_log_are_read_whole_and_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_memory, "LOG_BYTES", 2000)
    monkeypatch.setattr(shared_memory, "_READ_BYTES", 500)
    writer, reader = MonitorWriter(tmp_path), MonitorReader(tmp_path)
    heard: list[int] = []
    for n in range(400):
        writer.log(WarningLine(text=f"{n}"))
        if n % 25 == 0:
            while new := reader.new_log():
                heard += [int(line.text) for line in new if isinstance(line, WarningLine)]
    while new := reader.new_log():
        heard += [int(line.text) for line in new if isinstance(line, WarningLine)]
    assert heard == list(range(400))
    assert sum(path.stat().st_size for path in tmp_path.glob("log*")) < 5000
    writer.close()


def test_memory_that_is_scarce_shortens_the_rings_and_none_kills_nobody(small_disk: Path) -> None:
    writer = MonitorWriter(small_disk)
    with pytest.raises(OSError, match="No space left"):
        writer.open_rings(20_000.0, 4, 256.0, 4, 0.03125, 1)
    assert writer.rings is None
    assert not list(small_disk.glob("*.part"))
    with full(small_disk):
        for n in range(200):
            writer.log(WarningLine(text=f"{n} " * 50))
        writer.status(EngineState(state="running"))
        assert MonitorReader(small_disk).status() == EngineState(state="running")
    writer.close()


def test_rings_take_what_memory_there_is(small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_memory, "_LEAST_BYTES", 1 << 17)
    writer = MonitorWriter(small_disk)
    writer.open_rings(256.0, 10, 256.0, 10, 0.03125, 1)  # 120 s take 3 MB
    assert writer.rings is not None
    assert writer.rings.signals.capacity == 256 * 120 // 4
    writer.close()
