"""Our own recorder, its process killed, stopped and its disk taken away: every sample is in one file, or told as lost."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import pyxdf
from disks import full

from rtbci.errors import RecordingError
from rtbci.recordings import xdf_recorder
from rtbci.recordings.xdf_chunks import load_streams
from rtbci.recordings.xdf_process import new_path
from rtbci.recordings.xdf_recorder import XdfRecorder
from rtbci.recordings.xdf_writer import header_of, made_header

Wait = Callable[..., None]
HEADER = header_of(
    "<info><name>Amp</name><type>EEG</type><channel_count>3</channel_count><nominal_srate>500</nominal_srate>"
    "<channel_format>int16</channel_format><source_id>amp</source_id><desc /></info>", 3, "int16",
)  # fmt: skip


class Sender:
    """Hands samples to a recorder: each is its number, in each channel another multiple of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.recorder = XdfRecorder(folder, reserve_bytes=0)
        self.recorder.name_files("Amp")
        self.stream = self.recorder.stream(HEADER, signal=True)
        self.n, self.n_at_once = 0, 5
        self.told: list[tuple[float, str]] = []  # when, and what: troubles, and "" where they were over
        self.recovered: list[str] = []

    @property
    def pid(self) -> int:
        return self.recorder._process.pid

    def send(self) -> None:
        numbers = np.arange(self.n, self.n + self.n_at_once)
        rows = (numbers[:, None] * [1, 2, 3] % 30000).astype(np.int16)
        self.recorder.numbers(self.stream, numbers / 500.0, rows)
        self.n += self.n_at_once
        was = self.recorder.trouble
        self.recorder.tend()
        if bool(was) != bool(self.recorder.trouble):
            self.told.append((time.monotonic(), self.recorder.trouble))
            if was:
                self.recovered.append(self.recorder.recovered)

    def until(self, condition: Callable[[], object], timeout_s: float = 20.0) -> None:
        """Send until a condition holds."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline, f"not within {timeout_s:g} s; {self.told}; {self.recorder.state()}"
            self.send()
            time.sleep(0.01)

    def in_trouble(self) -> bool:
        return bool(self.recorder.trouble)

    def sends_more(self, n: int = 200) -> None:
        """Send n more samples, and see them in the file."""
        wanted = self.n + n
        self.until(lambda: self.n >= wanted)
        self.until(lambda: self.recorder.state().on and self.recorder._progress.done >= self.recorder._n_batches - 2)


@pytest.fixture
def sender(tmp_path: Path) -> Iterator[Sender]:
    with recording(tmp_path / "rec") as sender:
        yield sender


@contextmanager
def recording(folder: Path) -> Iterator[Sender]:
    folder.mkdir(exist_ok=True)
    sender = Sender(folder)
    try:
        yield sender
    finally:
        sender.recorder.close(5.0)


def numbers_in(path: Path) -> np.ndarray:
    streams, _, odd = load_streams(path)
    assert odd == []
    (signal,) = (s for s in streams if s["info"]["name"] == ["Amp"])
    numbers = np.round(np.asarray(signal["time_stamps"]) * 500).astype(int)
    np.testing.assert_array_equal(signal["time_series"], (numbers[:, None] * [1, 2, 3] % 30000).astype(np.int16))
    return numbers


def test_a_file_that_was_ended_counts_its_samples(sender: Sender) -> None:
    sender.sends_more()
    assert sender.recorder.close(5.0)
    assert not sender.recorder.state().on
    (path,) = sender.recorder.files
    streams, _ = pyxdf.load_xdf(path)
    footer = streams[0]["footer"]["info"]
    assert footer["sample_count"] == [str(sender.n)]
    assert footer["first_timestamp"] == ["0.0"]
    assert float(footer["last_timestamp"][0]) == (sender.n - 1) / 500.0
    np.testing.assert_array_equal(numbers_in(path), np.arange(sender.n))


def test_a_process_that_is_killed_is_told_at_once_and_a_new_file_goes_on_without_a_sample_missing(
    sender: Sender,
) -> None:
    sender.sends_more()
    os.kill(sender.pid, signal.SIGKILL)
    killed = time.monotonic()
    sender.until(sender.in_trouble, 2.0)
    sender.until(lambda: not sender.in_trouble())
    assert sender.told[0][0] - killed < 1.0
    first, second = sender.recorder.files
    assert (
        sender.told[0][1]
        == f"the recorder died (exit code -9); {first.name} keeps what was recorded, a new file follows"
    )
    assert sender.recovered == [f"recording goes on in {second.name}"]
    sender.sends_more()
    assert sender.recorder.close(5.0)
    joined = np.concatenate([numbers_in(first), numbers_in(second)])
    np.testing.assert_array_equal(joined, np.arange(sender.n))


def test_a_process_that_hangs_is_told_and_nothing_is_lost(sender: Sender) -> None:
    sender.sends_more()
    os.kill(sender.pid, signal.SIGSTOP)
    stopped = time.monotonic()
    sender.until(sender.in_trouble, 5.0)
    assert "takes nothing" in sender.told[0][1]
    assert sender.told[0][0] - stopped < 3.0
    os.kill(sender.pid, signal.SIGCONT)
    sender.until(lambda: not sender.in_trouble())
    sender.sends_more()
    assert sender.recorder.close(5.0)
    (path,) = sender.recorder.files
    np.testing.assert_array_equal(numbers_in(path), np.arange(sender.n))


def test_what_is_too_much_to_keep_is_counted_and_a_new_file_begins_behind_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(xdf_recorder, "MOST_WAITING_BYTES", 200_000)
    with recording(tmp_path) as sender:
        sender.sends_more()
        os.kill(sender.pid, signal.SIGSTOP)
        sender.n_at_once = 50
        sender.until(lambda: sender.recorder._n_lost > 100)
        sender.until(lambda: "samples are lost so far" in sender.recorder.trouble)
        sender.n_at_once = 5
        os.kill(sender.pid, signal.SIGCONT)
        sender.until(lambda: not sender.in_trouble())
        sender.sends_more()
        assert sender.recorder.close(5.0)
    first, second = sender.recorder.files
    before, after = numbers_in(first), numbers_in(second)
    lost = after[0] - before[-1] - 1
    assert sender.recovered == [f"recording goes on in {second.name}; {lost} samples before it are in no file"]
    np.testing.assert_array_equal(before, np.arange(len(before)))
    np.testing.assert_array_equal(after, np.arange(after[0], sender.n))


def test_a_folder_that_goes_is_told_and_recording_goes_on_when_it_is_back(sender: Sender) -> None:
    sender.sends_more()
    sender.folder.rename(sender.folder.with_name("gone"))
    sender.until(sender.in_trouble, 3.0)
    assert sender.told[0][1].endswith("is not there any more")
    sender.until(lambda: "No such file or directory" in sender.recorder.trouble)
    sender.folder.with_name("gone").rename(sender.folder)
    sender.until(lambda: not sender.in_trouble())
    sender.sends_more()
    assert sender.recorder.close(5.0)
    np.testing.assert_array_equal(
        np.concatenate([numbers_in(path) for path in sender.recorder.files]), np.arange(sender.n)
    )


def test_a_full_disk_is_told_and_what_it_did_not_take_is_in_the_next_file(small_disk: Path) -> None:
    with recording(small_disk) as sender:
        sender.sends_more()
        with full(small_disk):
            sender.until(sender.in_trouble)
            assert "No space left on device" in sender.recorder.trouble
        sender.until(lambda: not sender.in_trouble())
        sender.sends_more()
        assert sender.recorder.close(5.0)
    np.testing.assert_array_equal(
        np.concatenate([numbers_in(path) for path in sender.recorder.files]), np.arange(sender.n)
    )


def test_a_disk_that_fills_is_left_its_reserve(small_disk: Path) -> None:
    with recording(small_disk) as sender:
        sender.recorder.reserve_bytes = 200_000
        sender.recorder._must_open = True
        sender.sends_more()
        ballast = small_disk / "ballast"
        ballast.write_bytes(bytes(850_000))
        sender.until(sender.in_trouble, 4.0)
        assert "recording stopped: only" in sender.recorder.trouble
        assert "is closed" in sender.recorder.trouble
        ballast.unlink()
        sender.until(lambda: not sender.in_trouble())
        sender.sends_more()


def test_a_disk_that_becomes_read_only_is_told(small_disk: Path) -> None:
    with recording(small_disk) as sender:
        sender.sends_more()
        os.kill(sender.pid, signal.SIGKILL)  # a disk with a file that is open for writing cannot be made read-only
        sender.recorder._process.wait()
        subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
        sender.until(lambda: "Read-only file system" in sender.recorder.trouble)
        subprocess.run(["mount", "-o", "remount,rw", small_disk], check=True)
        sender.until(lambda: not sender.in_trouble())
        sender.sends_more()
        assert sender.recorder.close(5.0)
    np.testing.assert_array_equal(
        np.concatenate([numbers_in(path) for path in sender.recorder.files]), np.arange(sender.n)
    )


def test_the_first_file_begins_when_the_folder_can_be_written_to(tmp_path: Path) -> None:
    with recording(tmp_path / "rec") as sender:
        (tmp_path / "rec").rename(tmp_path / "away")
        sender.recorder.preface = (
            sender.recorder.stream(made_header("ev", "Markers", [("m", "")], "string", "ev")),
            {"state": "continued"},
        )
        sender.until(sender.in_trouble)
        (tmp_path / "away").rename(tmp_path / "rec")
        sender.until(lambda: not sender.in_trouble())
        sender.sends_more()
        assert sender.recorder.close(5.0)
    (path,) = sender.recorder.files
    np.testing.assert_array_equal(numbers_in(path), np.arange(sender.n))
    streams, _, _ = load_streams(path)
    assert len(streams[1]["time_stamps"]) == 0  # it continues no other file


def test_a_file_that_continues_another_begins_by_saying_so(sender: Sender) -> None:
    recorder = sender.recorder
    recorder.preface = (
        recorder.stream(made_header("ev", "Markers", [("m", "")], "string", "ev")),
        {"state": "continued"},
    )
    sender.sends_more()
    os.kill(sender.pid, signal.SIGKILL)
    sender.until(sender.in_trouble)
    sender.until(lambda: not sender.in_trouble())
    assert recorder.close(5.0)
    texts = [
        [s["time_series"] for s in load_streams(path)[0] if s["info"]["name"] == ["ev"]] for path in recorder.files
    ]
    (mark,) = texts[1][0]
    assert texts[0] == [[]]
    assert json.loads(mark[0]) == {"state": "continued", "continues": recorder.files[0].name}


def test_a_file_in_which_nothing_was_written_is_continued_by_none(sender: Sender) -> None:
    recorder = sender.recorder
    recorder.preface = (
        recorder.stream(made_header("ev", "Markers", [("m", "")], "string", "ev")),
        {"state": "continued"},
    )
    sender.sends_more()
    os.kill(sender.pid, signal.SIGKILL)
    recorder._hearing.join()
    recorder.files.append(recorder.folder / "begun.xdf")  # as by a process that was killed before the first sample
    sender.until(sender.in_trouble)
    sender.until(lambda: not sender.in_trouble())
    assert recorder.close(5.0)
    (events,) = (s for s in load_streams(recorder.files[-1])[0] if s["info"]["name"] == ["ev"])
    assert json.loads(events["time_series"][0][0])["continues"] == recorder.files[0].name


@pytest.mark.parametrize("what", ["kill -9", "an end without close"])
def test_a_file_is_ended_when_the_sender_is_gone(what: str, tmp_path: Path, wait_until: Wait) -> None:
    code = (
        "import os, signal, sys; sys.path[:0] = sys.argv[1:3]; from pathlib import Path; from test_xdf_recorder import Sender\n"
        "sender = Sender(Path(sys.argv[3])); sender.sends_more(1000)\n"
        + ("os.kill(os.getpid(), signal.SIGKILL)" if what == "kill -9" else "os._exit(0)")
    )
    here = Path(__file__).parent
    subprocess.run([sys.executable, "-c", code, here, here.parent / "kit", tmp_path], check=False, timeout=60)
    (path,) = tmp_path.glob("*.xdf")
    wait_until(lambda: "footer" in load_streams(path)[0][0])
    numbers = numbers_in(path)
    np.testing.assert_array_equal(numbers, np.arange(len(numbers)))
    assert len(numbers) >= 900


def test_a_recorded_file_is_its_owners_and_never_overwritten(tmp_path: Path) -> None:
    paths = [new_path(tmp_path, "a/b:c") for _ in range(3)]
    assert len(set(paths)) == 3
    assert all(path.parent == tmp_path and path.name.startswith("a_b_c_") for path in paths)
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in paths)


def test_no_folder_and_no_room_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="there is no such folder"):
        XdfRecorder(tmp_path / "not there")
    with pytest.raises(RecordingError, match="a recording needs"):
        XdfRecorder(tmp_path, reserve_bytes=1 << 60)
