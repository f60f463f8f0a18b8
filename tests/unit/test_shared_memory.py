"""The shared memory of an engine: not kept for ever, and scarce."""

import errno
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from disks import full

from rtbci.monitor import folder, open_log, shared_memory
from rtbci.monitor.folder import monitor_folder, remove_monitor
from rtbci.monitor.messages import EngineState, WarningLine
from rtbci.monitor.shared_memory import MonitorReader, MonitorWriter

pytest.importorskip("fcntl", reason="needs the file locks of a POSIX system")


def test_a_folder_goes_when_its_process_was_killed_and_not_before() -> None:
    code = "from rtbci.monitor.folder import monitor_folder; print(monitor_folder(), flush=True); input()"
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


def test_what_a_killed_start_left_goes_and_what_others_made_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A FIFO would hold up whoever opens it; a link leads into a folder of somebody."""
    monkeypatch.setattr(folder, "_MEMORY", tmp_path / "shm")
    monkeypatch.setattr(folder, "LEAST_BYTES", 0)
    shm, home = tmp_path / "shm", tmp_path / "home"
    for made in (shm, home, shm / "rtbci-monitor-empty", shm / "rtbci-monitor-fifo", shm / "rtbci-monitor-link",
                 shm / "rtbci-monitor-content", shm / "rtbci-monitor-half", shm / "other"):  # fmt: skip
        made.mkdir()
    (home / "owner").write_text("")
    (shm / "rtbci-monitor-a-file").write_text("")
    os.mkfifo(shm / "rtbci-monitor-a-fifo")
    (shm / "rtbci-monitor-a-link").symlink_to(home)
    (shm / "rtbci-monitor-dangling").symlink_to(tmp_path / "nothing")
    os.mkfifo(shm / "rtbci-monitor-fifo" / "owner")
    (shm / "rtbci-monitor-link" / "owner").symlink_to(home / "owner")
    (shm / "rtbci-monitor-content" / "kept").write_text("")
    (shm / "rtbci-monitor-half" / "owner").write_text("")
    (shm / "rtbci-monitor-half" / "signals-1").write_text("")
    (shm / "rtbci-monitor-half" / "of another program").mkdir()
    for path in (*shm.rglob("*"), home / "owner"):
        os.utime(path, (0, 0), follow_symlinks=False)
    before = {path.name for path in shm.iterdir()}
    ours = monitor_folder()
    assert ours.parent == shm
    assert before - {path.name for path in shm.iterdir()} == {"rtbci-monitor-empty", "rtbci-monitor-half"}
    assert (home / "owner").exists()
    remove_monitor(ours)
    assert not ours.exists()


def test_a_folder_of_another_user_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "_MEMORY", tmp_path)
    theirs = tmp_path / "rtbci-monitor-theirs"
    theirs.mkdir()
    (theirs / "owner").write_text("")
    os.utime(theirs / "owner", (0, 0))
    user = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: user + 1)
    remove_monitor(monitor_folder())
    assert (theirs / "owner").exists()


def test_memory_that_takes_no_name_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shm").mkdir()
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(folder, "_MEMORY", tmp_path / "shm")
    monkeypatch.setattr(folder, "LEAST_BYTES", 0)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    make = tempfile.mkdtemp

    def refused(*args: Any, dir: Path, **rest: Any) -> str:
        if dir == tmp_path / "shm":
            raise OSError(errno.EDQUOT, "Disk quota exceeded")
        return make(*args, dir=dir, **rest)

    monkeypatch.setattr(tempfile, "mkdtemp", refused)
    ours = monitor_folder()
    assert ours.parent == tmp_path / "tmp"
    remove_monitor(ours)


def test_a_log_whose_folder_is_removed_is_read_on_and_does_not_end_its_writer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_memory, "LOG_BYTES", 500)
    place = tmp_path / "monitor"
    place.mkdir()
    writer, reader = MonitorWriter(place), MonitorReader(place)
    writer.log(WarningLine(text="0"))
    heard = reader.new_log()
    shutil.rmtree(place)
    for n in range(1, 50):
        writer.log(WarningLine(text=f"{n}"))
        writer.status(EngineState(state="running"))
    heard += reader.new_log()
    assert [int(one.text) for one in heard if isinstance(one, WarningLine)] == list(range(50))
    writer.close()


def test_weeks_of_log_are_read_whole_and_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_memory, "LOG_BYTES", 2000)
    monkeypatch.setattr(open_log, "READ_BYTES", 500)
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
    monkeypatch.setattr(shared_memory, "LEAST_BYTES", 1 << 17)
    writer = MonitorWriter(small_disk)
    writer.open_rings(256.0, 10, 256.0, 10, 0.03125, 1)  # 120 s take 3 MB
    assert writer.rings is not None
    assert writer.rings.signals.capacity == 256 * 120 // 4
    writer.close()
