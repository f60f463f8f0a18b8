"""Standard output that is full, blocked or closed costs the writer no time, and is told."""

import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

import pytest

from rtbci.cli import output
from rtbci.cli.output import MOST_WAITING, Output

Wait = Callable[..., None]
LINE = "x" * 1000 + "\n"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "BLOCKED_S", 0.1)
    monkeypatch.setattr(output, "RETRY_S", 0.02)


@pytest.fixture
def pipe() -> Iterator[tuple[int, TextIO]]:
    """The reading end, and a stream of the writing end."""
    reading, writing = os.pipe()
    with open(writing, "w") as stream:
        yield reading, stream


def test_a_blocked_reader_costs_no_time_and_gets_whole_lines_and_the_newest(
    pipe: tuple[int, TextIO], wait_until: Wait
) -> None:
    reading, stream = pipe
    out = Output(stream, "standard output")
    began = time.monotonic()
    for n in range(3000):
        print(json.dumps({"n": n, "filler": "." * 500}), file=out, flush=True)
    out.drain()
    assert time.monotonic() - began < 3
    wait_until(lambda: "standard output is blocked" in out.trouble)
    assert f"{out.n_dropped} writes to it were dropped" in out.trouble
    with open(reading) as other:
        numbers = [json.loads(other.readline())["n"]]
        while numbers[-1] < 2999:
            numbers.append(json.loads(other.readline())["n"])
        assert numbers == sorted(set(numbers))
        assert numbers[-MOST_WAITING:] == list(range(3000 - MOST_WAITING, 3000))
        assert len(numbers) + out.n_dropped == 3000
        wait_until(lambda: not out.trouble)
        assert out.recovered == f"standard output is written again, without {out.n_dropped} writes that were dropped"


def test_a_reader_that_goes_is_told_and_a_new_one_is_served(tmp_path: Path, wait_until: Wait) -> None:
    os.mkfifo(tmp_path / "fifo")
    reading = os.open(tmp_path / "fifo", os.O_RDONLY | os.O_NONBLOCK)
    with open(tmp_path / "fifo", "w") as stream:
        out = Output(stream, "standard output")
        print("first", file=out)
        out.drain()
        assert os.read(reading, 100) == b"first\n"
        os.close(reading)
        print("second", file=out)
        wait_until(lambda: out.trouble == "standard output was closed by its reader; live work goes on")
        reading = os.open(tmp_path / "fifo", os.O_RDONLY | os.O_NONBLOCK)
        wait_until(lambda: not out.trouble)
        assert os.read(reading, 100) == b"second\n"
        assert out.recovered == "standard output is written again"
        os.close(reading)


def test_a_full_disk_is_told_until_there_is_room(small_disk: Path, wait_until: Wait) -> None:
    (small_disk / "ballast").write_bytes(bytes(900_000))
    with open(small_disk / "out", "w") as stream:
        out = Output(stream, "standard output")
        for _ in range(60):
            out.write("x" * 10_000 + "\n")
        wait_until(lambda: "standard output cannot be written: No space left on device" in out.trouble)
        (small_disk / "ballast").unlink()
        wait_until(lambda: not out.trouble and not out._waiting)
        out.drain()
    lines = (small_disk / "out").read_text().splitlines()
    assert lines == ["x" * 10_000] * 60


def test_a_descriptor_that_somebody_made_non_blocking_gets_everything(pipe: tuple[int, TextIO]) -> None:
    reading, stream = pipe
    os.set_blocking(stream.fileno(), False)
    out = Output(stream, "standard output")
    for _ in range(60):
        out.write("x" * 4095 + "\n")
    got = b""
    with open(reading, "rb") as other:
        while len(got) < 4096 * 60:
            got += other.read1(1 << 16)
        out.drain()
    assert got == (b"x" * 4095 + b"\n") * 60
    assert out.trouble == ""


def test_text_beyond_the_encoding_and_without_a_line_end_is_written() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), "ascii")
    out = Output(stream, "standard output")
    out.write("µV")
    out.flush()
    out.drain()
    assert stream.buffer.getvalue() == b"\\xb5V"  # type: ignore[attr-defined]


@pytest.mark.parametrize("closed", [">&-", "<&- >&- 2>&-"])
def test_standard_streams_that_are_closed_are_no_files_of_others(closed: str, tmp_path: Path) -> None:
    code = (
        "import sys; from rtbci.cli.output import *; keep_standard_descriptors(); never_wait_for_output();"
        f"file = open({str(tmp_path / 'kept')!r}, 'w'); print('said'); file.write(str(file.fileno()));"
        "file.write(' '.join(o.trouble for o in outputs())); file.close()"
    )
    done = subprocess.run(["bash", "-c", f'exec "$0" -c "$1" {closed}', sys.executable, code], timeout=30)
    assert done.returncode == 0
    kept = (tmp_path / "kept").read_text()
    assert int(kept[0]) > 2
    assert "standard output is closed; live work goes on" in kept
