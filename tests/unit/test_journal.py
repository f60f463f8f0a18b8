import json
import time
from pathlib import Path

import pytest

from rtbci.cli import journal
from rtbci.cli.journal import Journal
from rtbci.errors import ConfigError
from rtbci.monitor.messages import EngineState, LostLine, line


def read(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_lines_are_appended_with_the_wall_clock(tmp_path: Path) -> None:
    for n in range(2):
        log = Journal(tmp_path / "log")
        log.write(line("gap", start=1.0, end=2.0, n_missing=n, cause="x", filled=True))
        log.on(LostLine(wall=5.0, reason="gone"))
        log.close()
    lines = read(tmp_path / "log")
    assert [one["kind"] for one in lines] == ["gap", "lost", "gap", "lost"]
    assert abs(time.time() - float(str(lines[0]["wall"]))) < 10
    assert lines[1]["wall"] == 5.0


def test_a_full_file_is_turned_over_and_only_so_many_are_kept(tmp_path: Path) -> None:
    log = Journal(tmp_path / "log", max_bytes=1000, keep=3)
    for n in range(200):
        log.write(line("x", n=n))
    log.close()
    files = sorted(tmp_path.iterdir())
    assert [p.name for p in files] == ["log", "log.1", "log.2", "log.3"]
    assert all(p.stat().st_size <= 1000 for p in files)
    numbers = [line["n"] for name in ("log.3", "log.2", "log.1", "log") for line in read(tmp_path / name)]
    assert numbers == list(range(200 - len(numbers), 200))


def test_the_state_is_written_once_a_minute(tmp_path: Path) -> None:
    log = Journal(tmp_path / "log")
    for _ in range(10):
        log.on(EngineState(state="running"))
    log.close()
    assert len(read(tmp_path / "log")) == 1


@pytest.mark.parametrize("small_disk", ["64k"], indirect=True)
def test_a_full_disk_raises_nothing_and_the_lost_lines_are_counted(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "_RETRY_S", 0.0)
    log = Journal(small_disk / "log")
    log.write(line("first"))
    (small_disk / "ballast").write_bytes(bytes(60_000))
    for n in range(300):
        log.write(line("x", n=n, filler="." * 100))
    assert log.n_lost > 200
    (small_disk / "ballast").unlink()
    lost = log.n_lost
    log.write(line("last"))
    log.close()
    lines = [json.loads(line) for line in (small_disk / "log").read_text().splitlines() if line.endswith("}")]
    assert (lines[0]["kind"], lines[-1]["kind"]) == ("first", "last")
    assert lines[-1]["lost_before"] == lost
    assert log.n_lost == 0


def test_a_line_that_a_kill_cut_short_does_not_spoil_the_next(tmp_path: Path) -> None:
    (tmp_path / "log").write_text('{"ki\n{"kind": "first"}\n{"kind": "cut')
    log = Journal(tmp_path / "log")
    log.write(line("next"))
    log.close()
    lines = (tmp_path / "log").read_text().splitlines()
    assert lines[2] == '{"kind": "cut'
    assert [json.loads(lines[n])["kind"] for n in (1, 3)] == ["first", "next"]


@pytest.mark.parametrize("content", ["onset\tduration\teventType\n", "PK\3\4", "[]", '{\n "kind": "x"}'])
def test_a_file_that_is_no_log_is_refused_and_left_alone(tmp_path: Path, content: str) -> None:
    (tmp_path / "log").write_text(content)
    with pytest.raises(ConfigError, match="log: is no log of rtbci; name another file"):
        Journal(tmp_path / "log")
    assert (tmp_path / "log").read_text() == content


def test_a_file_that_cannot_be_opened_is_said_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Journal(tmp_path / "no folder" / "log")
