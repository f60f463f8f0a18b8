import json
import os
import shutil
import stat
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


def test_a_folder_that_is_removed_is_told_at_once_and_the_log_goes_on_when_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "_RETRY_S", 0.0)
    monkeypatch.setattr(journal, "_LOOK_EVERY_S", 0.0)
    folder = tmp_path / "disk"
    folder.mkdir()
    log = Journal(folder / "log")
    log.write(line("first"))
    shutil.rmtree(folder)
    log.tend()
    assert log.trouble == f"the log is not written: No such file or directory; 0 lines are lost ({folder / 'log'})"
    log.write(line("y"))
    assert "1 lines are lost" in log.trouble
    folder.mkdir()
    log.tend()
    assert log.trouble == ""
    assert [(one["kind"], one.get("lost_before")) for one in read(folder / "log")] == [("state", 1)]
    log.close()


def test_a_file_that_is_moved_away_is_started_anew_and_loses_no_line(tmp_path: Path) -> None:
    log = Journal(tmp_path / "log")
    log.write(line("first"))
    (tmp_path / "log").rename(tmp_path / "moved")
    log.write(line("second"))
    log.close()
    assert [[one["kind"] for one in read(tmp_path / name)] for name in ("moved", "log")] == [["first"], ["second"]]


def test_a_log_is_its_users_alone_and_keeps_the_permissions_that_a_person_gives_it(tmp_path: Path) -> None:
    log = Journal(tmp_path / "log", max_bytes=1000, keep=1)
    log.write(line("x"))
    assert stat.S_IMODE((tmp_path / "log").stat().st_mode) == 0o600
    (tmp_path / "log").chmod(0o640)
    for n in range(30):
        log.write(line("x", n=n))
    log.close()
    assert [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("log", "log.1")] == [0o640, 0o640]


def test_a_fifo_is_refused_before_it_is_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "log")
    with pytest.raises(ConfigError, match="log: is a folder, a FIFO or a socket; wanted a file"):
        Journal(tmp_path / "log")
