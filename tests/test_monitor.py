"""The shared memory of an engine whose process was killed does not stay for ever."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rtbci.sinks.monitor import monitor_folder, remove_monitor

pytest.importorskip("fcntl", reason="needs the file locks of a POSIX system")


def test_a_folder_goes_when_its_process_was_killed_and_not_before() -> None:
    code = "from rtbci.sinks.monitor import monitor_folder; print(monitor_folder(), flush=True); input()"
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
