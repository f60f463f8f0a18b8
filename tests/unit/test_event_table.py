"""The event table: SzCORE columns, exact round trips, one table whether written live or at the end, and nothing lost."""

import contextlib
import os
import shutil
import signal
import stat
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from disks import full
from hypothesis import given
from hypothesis import strategies as st

from rtbci.errors import RecordingError
from rtbci.recordings import event_table
from rtbci.recordings.event_table import COLUMNS, EventLog, Run, read_events, read_table, write_events
from rtbci.types import Event

START = datetime(2024, 2, 29, 23, 59, 58)
EVENTS = (
    Event(0.1 + 0.2, 1 / 3, "seizure", 0.987654321, ("Fp1-F7", "F7-T7")),
    Event(1e5, 2.0, "lpd"),
)


def test_table_has_the_szcore_columns_and_names(tmp_path: Path) -> None:
    write_events(tmp_path / "a.tsv", EVENTS, START, 3600.0)
    lines = (tmp_path / "a.tsv").read_text().splitlines()
    assert lines[0].split("\t") == list(COLUMNS)
    assert (
        lines[1]
        == "0.30000000000000004\t0.3333333333333333\tsz\t0.987654321\tFp1-F7,F7-T7\t2024-02-29 23:59:58\t3600.0"
    )
    assert lines[2] == "100000.0\t2.0\tlpd\t1.0\tall\t2024-02-29 23:59:58\t3600.0"


def test_events_read_back_exactly(tmp_path: Path) -> None:
    write_events(tmp_path / "a.tsv", EVENTS, START, 3600.0)
    assert read_events(tmp_path / "a.tsv") == EVENTS


def test_a_recording_without_events_is_one_row_of_background(tmp_path: Path) -> None:
    write_events(tmp_path / "a.tsv", (), None, 60.0)
    assert (tmp_path / "a.tsv").read_text().splitlines()[1] == "0.0\t60.0\tbckg\t1.0\tall\tn/a\t60.0"
    assert read_events(tmp_path / "a.tsv") == ()


@pytest.mark.parametrize("events", [EVENTS, ()])
def test_live_table_equals_the_offline_one_byte_for_byte(tmp_path: Path, events: tuple[Event, ...]) -> None:
    write_events(tmp_path / "offline.tsv", events, START, 3600.0)
    log = EventLog(tmp_path / "live.tsv", START)
    for event in events:
        log.add(event)
    log.close(3600.0)
    assert (tmp_path / "live.tsv").read_bytes() == (tmp_path / "offline.tsv").read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["live.tsv", "offline.tsv"]


def test_live_event_is_on_disk_before_the_log_is_closed(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "live.tsv")
    log.add(EVENTS[0])
    assert read_events(tmp_path / "live.tsv") == EVENTS[:1]
    log.close()
    with pytest.raises(ValueError, match="closed"):
        log.add(EVENTS[1])


MANY = [Event(10.0 * n, 5.0, " ".join(["a label of some length"] * 20)) for n in range(40)]


@pytest.mark.parametrize("n_before", [0, 1])
def test_a_full_disk_loses_no_event_of_a_live_table(
    n_before: int, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_table, "RETRY_S", 0.0)
    path = small_disk / "live.tsv"
    log = EventLog(path) if n_before else None
    for event in MANY[:n_before]:
        assert log is not None
        log.add(event)
    with full(small_disk):
        log = log or EventLog(path)
        for event in MANY[n_before:]:
            log.add(event)
        assert "the event table is not written: No space left on device" in log.trouble
        assert f"of {len(MANY)} events are not in it yet" in log.trouble
        written = read_events(path) if n_before else ()
        assert list(written) == MANY[: len(written)]  # no line is torn
        assert n_before <= len(written) < len(MANY)
    log.tend()
    assert log.trouble == ""
    assert list(read_events(path)) == MANY
    log.close()


def test_a_disk_that_is_full_at_the_end_leaves_the_table_that_was_there(small_disk: Path) -> None:
    log = EventLog(small_disk / "live.tsv")
    for event in MANY:
        log.add(event)
    with full(small_disk):
        log.close(400.0)
        assert "No space left on device; no event is missing in it" in log.trouble
        assert list(read_events(small_disk / "live.tsv")) == MANY
    assert [p.name for p in small_disk.iterdir()] == ["live.tsv"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "is empty; wanted a header with onset, duration and eventType"),
        ("onset\teventType\n1\tsz\n", "line 1 lacks the column duration"),
        ("onset\tduration\teventType\n1,5\t2\tsz\n", "line 2: onset is '1,5'; .* a point in place of the comma"),
        ("onset\tduration\teventType\n1\t2\n", "line 2 has 2 cells, the header 3"),
        ("onset\tduration\teventType\n\n1\tx\tsz\n", "line 3: duration is 'x'"),
        ("onset\tduration\teventType\nnan\t1\tsz\n", "line 2: onset is 'nan'"),
        ("onset\tduration\teventType\n1\t-1\tsz\n", "line 2: duration is '-1'"),
    ],
)
def test_bad_table_is_refused_with_the_line(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "a.tsv").write_text(text)
    with pytest.raises(RecordingError, match=complaint):
        read_events(tmp_path / "a.tsv")


def test_binary_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_bytes(b"\xff\xfe\x00onsets")
    with pytest.raises(RecordingError, match="UTF-8"):
        read_events(tmp_path / "a.tsv")


def test_bids_table_with_trial_type_and_missing_values_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("onset\tduration\ttrial_type\n1.5\tn/a\tleft\n")
    assert read_events(tmp_path / "a.tsv") == (Event(1.5, 0.0, "left"),)


@given(st.text(), st.text())
def test_any_label_and_channel_stays_in_its_cell(
    tmp_path_factory: pytest.TempPathFactory, label: str, name: str
) -> None:
    path = tmp_path_factory.mktemp("any") / "a.tsv"
    write_events(path, [Event(1.0, 2.0, label, 0.5, (name,)), EVENTS[1]], START, 10.0)
    read = read_events(path)
    assert [e.onset for e in read if e.label != "bckg"][-1] == EVENTS[1].onset
    assert read[-1] == EVENTS[1]


@given(st.binary(max_size=300))
def test_hostile_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("bytes") / "a.tsv"
    path.write_bytes(b"onset\tduration\teventType\n" + content)
    with contextlib.suppress(RecordingError):
        read_events(path)


# -- a second start ---------------------------------------------------------------------------------------------------

LATER = START + timedelta(hours=2)
HEADER = "\t".join(COLUMNS) + "\n"


def run(path: Path, start: datetime | None, *events: Event, duration_s: float | None = 3600.0) -> EventLog:
    """One run of an engine; none that was killed has a duration."""
    log = EventLog(path, start)
    for event in events:
        log.add(event)
    if duration_s is not None:
        log.close(duration_s)
    elif log._file is not None:
        log._file.close()
    return log


@pytest.mark.parametrize("duration_s", [3600.0, None])
def test_a_second_start_keeps_the_rows_of_the_first_byte_for_byte(tmp_path: Path, duration_s: float | None) -> None:
    path = tmp_path / "night.tsv"
    run(path, START, *EVENTS, duration_s=duration_s)
    before = path.read_text()
    log = EventLog(path, LATER)
    assert path.read_text() == before
    log.add(EVENTS[0])
    assert path.read_text().startswith(before)
    assert len(path.read_text().splitlines()) == 4
    log.close(60.0)
    (row,) = path.read_text().removeprefix(before).splitlines()
    assert row == "0.30000000000000004\t0.3333333333333333\tsz\t0.987654321\tFp1-F7,F7-T7\t2024-03-01 01:59:58\t60.0"
    assert (log.path, log.take_notice()) == (path, "")
    assert [p.name for p in tmp_path.iterdir()] == ["night.tsv"]


def test_a_table_of_several_runs_is_read_run_by_run_and_on_the_clock_of_the_first(tmp_path: Path) -> None:
    path = tmp_path / "night.tsv"
    run(path, START, Event(10.0, 5.0, "seizure"))
    run(path, LATER)  # found nothing: a row of background
    run(path, LATER + timedelta(hours=1), Event(10.0, 5.0, "seizure"), duration_s=None)
    assert read_table(path).runs == (
        Run(START, (Event(10.0, 5.0, "seizure"),)),
        Run(LATER, ()),
        Run(LATER + timedelta(hours=1), (Event(10.0, 5.0, "seizure"),)),
    )
    assert [event.onset for event in read_events(path)] == [10.0, 3 * 3600.0 + 10.0]
    assert [row.split("\t")[-1] for row in path.read_text().splitlines()[1:]] == ["3600.0", "3600.0", "n/a"]


def test_a_table_that_holds_nothing_yet_is_gone_on_with(tmp_path: Path) -> None:
    for number, content in enumerate(("", HEADER[:20], HEADER)):
        path = tmp_path / f"{number}.tsv"
        path.write_text(content)
        assert run(path, START, *EVENTS).path == path
        assert read_events(path) == EVENTS


FOREIGN = {
    "columns": b"onset\tduration\ttrial_type\n1.5\t2.0\tleft\n",
    "order": "\t".join(reversed(COLUMNS)).encode() + b"\n",
    "no table": b"PK\3\4 a pipeline\n",
    "binary": b"\xff\xfe\0",
    "of Windows": HEADER.encode().replace(b"\n", b"\r\n"),
    "short rows": HEADER.encode() + b"1.0\t2.0\n",
    "no text": HEADER.encode() + b"1.0\t2.0\t\xff\t1.0\tall\tn/a\tn/a\n",
}


@pytest.mark.parametrize("content", FOREIGN.values(), ids=FOREIGN)
def test_a_file_that_is_no_table_of_ours_is_left_alone_and_the_table_gets_a_number(
    tmp_path: Path, content: bytes
) -> None:
    path, second = tmp_path / "night_events.tsv", tmp_path / "night_events-2.tsv"
    path.write_bytes(content)
    log = run(path, START, *EVENTS)
    assert log.path == second
    assert f"the events of this run go to {second}" in log.take_notice()
    assert log.take_notice() == ""
    run(path, LATER, *EVENTS)  # goes on with the numbered one
    assert path.read_bytes() == content
    assert [run.events for run in read_table(second).runs] == [EVENTS, EVENTS]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["night_events-2.tsv", "night_events.tsv"]


def test_a_run_that_could_not_be_told_from_an_earlier_one_gets_a_number(tmp_path: Path) -> None:
    path = tmp_path / "night.tsv"
    run(path, START, *EVENTS)
    second = run(path, START, *EVENTS)
    assert second.path == tmp_path / "night-2.tsv"
    assert "holds a run with the same start" in second.take_notice()


KILLED = """
import os, signal, sys
from rtbci.recordings.event_table import EventLog
from rtbci.types import Event
log = EventLog(sys.argv[1])
log.add(Event(1.0, 2.0, "seizure"))
os.write(log._file._file.fileno(), sys.argv[2].encode())
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("half", ["", "3.0", "3.0\t4.0\tsz\t0.9\tall\t2024-0"])
def test_an_engine_that_is_killed_in_the_middle_of_a_row_loses_none_before_it_and_spoils_none_after(
    tmp_path: Path, half: str
) -> None:
    path = tmp_path / "night.tsv"
    done = subprocess.run([sys.executable, "-c", KILLED, str(path), half], timeout=60)
    assert done.returncode == -signal.SIGKILL
    killed = path.read_bytes()
    assert read_events(path) == (Event(1.0, 2.0, "seizure"),)
    assert read_table(path).torn == half
    log = run(path, START, *EVENTS)
    assert path.read_bytes().startswith(killed)  # half a row may still tell a person something
    assert log.path == (tmp_path / "night-2.tsv" if half else path)
    assert ("ends in the middle of a row" in log.notice) == bool(half)
    assert {event for p in tmp_path.iterdir() for run in read_table(p).runs for event in run.events} == {
        Event(1.0, 2.0, "seizure"),
        *EVENTS,
    }


def test_a_character_cut_in_two_does_not_hide_the_rows_before_it(tmp_path: Path) -> None:
    path = tmp_path / "night.tsv"
    write_events(path, EVENTS)
    path.write_bytes(path.read_bytes() + "1.0\t2.0\tµ".encode()[:-1])
    assert read_events(path) == EVENTS


def test_two_engines_on_one_file_write_two_tables(tmp_path: Path) -> None:
    path = tmp_path / "night.tsv"
    first = EventLog(path, START)
    second = EventLog(path, LATER)
    assert "is being written by another process" in second.take_notice()
    for log in (first, second, first):
        log.add(EVENTS[1])
    first.close(60.0)
    second.close(60.0)
    assert [len(read_events(log.path)) for log in (first, second)] == [2, 1]
    assert [log.path.name for log in (first, second)] == ["night.tsv", "night-2.tsv"]


def test_a_table_that_is_taken_away_meanwhile_is_written_anew_and_whole(tmp_path: Path) -> None:
    path = tmp_path / "night.tsv"
    log = EventLog(path, START)
    log.add(EVENTS[0])
    path.rename(tmp_path / "moved.tsv")
    log.add(EVENTS[1])
    log.close(60.0)
    assert read_events(tmp_path / "moved.tsv") == EVENTS[:1]
    assert read_events(path) == EVENTS
    assert "was changed or removed by another program" in log.take_notice()


def test_a_folder_that_is_removed_is_told_at_once_and_the_table_is_whole_when_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_table, "RETRY_S", 0.0)
    monkeypatch.setattr(event_table, "_LOOK_EVERY_S", 0.0)
    folder = tmp_path / "disk"
    folder.mkdir()
    log = EventLog(folder / "night.tsv", START)
    log.add(EVENTS[0])
    shutil.rmtree(folder)
    log.tend()
    assert "is not written: No such file or directory; 1 of 1 events are not in it yet" in log.trouble
    log.add(EVENTS[1])
    assert "2 of 2 events" in log.trouble
    folder.mkdir()
    log.tend()
    assert log.trouble == ""
    assert read_events(folder / "night.tsv") == EVENTS
    log.close(60.0)
    assert read_events(folder / "night.tsv") == EVENTS


def test_a_table_is_its_users_alone_and_one_that_is_there_keeps_its_permissions(tmp_path: Path) -> None:
    (tmp_path / "old.tsv").write_text("")
    (tmp_path / "old.tsv").chmod(0o640)
    for name, mode in (("new.tsv", 0o600), ("old.tsv", 0o640)):
        log = EventLog(tmp_path / name, START)
        log.add(EVENTS[0])
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == mode
        log.close(60.0)
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == mode


def test_what_a_person_saves_over_a_live_table_is_not_written_over(tmp_path: Path) -> None:
    path = tmp_path / "night.tsv"
    log = EventLog(path, START)
    log.add(EVENTS[0])
    write_events(tmp_path / "edited", [Event(7.0, 1.0, "spike")], START)
    os.replace(tmp_path / "edited", path)
    log.add(EVENTS[1])
    with path.open("a") as file:
        file.write("a remark")
    log.close(60.0)
    assert read_events(path) == (Event(7.0, 1.0, "spike"),)
    assert path.read_text().endswith("a remark")
    assert log.path == tmp_path / "night-2.tsv"
    assert read_events(log.path) == EVENTS


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "night.tsv").symlink_to(tmp_path / "disk" / "events.tsv")
    run(tmp_path / "night.tsv", START, *EVENTS)
    assert (tmp_path / "night.tsv").is_symlink()
    assert read_events(tmp_path / "disk" / "events.tsv") == EVENTS


def test_a_full_disk_loses_no_event_of_earlier_runs(small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_table, "RETRY_S", 0.0)
    path = small_disk / "live.tsv"
    run(path, START, *MANY)
    with full(small_disk):
        log = EventLog(path, LATER)
        for event in MANY:
            log.add(event)
        assert "of 40 events are not in it yet" in log.trouble
        assert read_table(path).runs[0].events == tuple(MANY)
    log.close(60.0)
    assert log.trouble == ""
    assert [list(run.events) for run in read_table(path).runs] == [MANY, MANY]


def test_a_new_table_is_on_the_disk_with_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[Path] = []
    monkeypatch.setattr("rtbci.recordings.table_file.sync_folder", synced.append)
    EventLog(tmp_path / "night.tsv").close()
    assert synced[0] == tmp_path


# -- tables of others -------------------------------------------------------------------------------------------------

SEIZURE = (Event(42.0, 40.0, "seizure"),)


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbfonset\tduration\teventType\r\n42.0\t40.0\tsz\r\n",
        "onset\tduration\teventType\n42.0\t40.0\tsz\n".encode("utf-16"),
        b"onset,duration,eventType\n42.0,40.0,sz\n",
        b"onset;duration;eventType\n42.0;40.0;sz\n",
        b"onset;duration;eventType\n42,0;40,0;sz\n",
        b'"onset","duration","eventType","note"\n"42.0","40.0","sz","one,\ntwo"\n',
        b"Onset\tDuration\tEventType\n42\t40\tsz\t\n",
        b"onset\toffset_time\teventType\n42\t82\tsz\n",
    ],
)
def test_table_of_another_program_is_read(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.tsv").write_bytes(content)
    assert read_events(tmp_path / "a.tsv") == SEIZURE


@pytest.mark.parametrize("end", ["n/a", "None", "nan", "NaN", "", "-"])
def test_an_end_that_is_not_available_is_no_error(tmp_path: Path, end: str) -> None:
    (tmp_path / "a.tsv").write_text(f"onset\tduration\ttrial_type\n42\t{end}\tsz\n")
    assert read_events(tmp_path / "a.tsv") == (Event(42.0, 0.0, "seizure"),)


def test_latin_1_is_read_and_told(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_bytes("onset\tduration\ttrial_type\n1\t2\tAugen öffnen\n".encode("latin-1"))
    table = read_table(tmp_path / "a.tsv")
    assert table.events == (Event(1.0, 2.0, "Augen öffnen"),)
    assert table.odd == ("a.tsv: is not UTF-8; it is read as Latin-1",)


@pytest.mark.parametrize(("column", "label"), [("value", "1040"), ("sample", "annotation")])
def test_rows_without_trial_type_have_the_name_that_there_is(tmp_path: Path, column: str, label: str) -> None:
    (tmp_path / "a.tsv").write_text(f"onset\tduration\t{column}\n4.0\t1.0\t1040\n")
    table = read_table(tmp_path / "a.tsv")
    assert table.events == (Event(4.0, 1.0, label),)
    assert "has no column trial_type or eventType" in table.odd[0]


TUSZ = (
    "# version = csv_v1.0.0\n# bname = a\n# duration = 82.00 secs\n#\nchannel,start_time,stop_time,label,confidence\n"
)


def test_tables_of_tusz_are_read_without_their_background(tmp_path: Path) -> None:
    (tmp_path / "a.csv_bi").write_text(f"{TUSZ}TERM,0.0,42.0,bckg,1.0\nTERM,42.0000,82.0000,seiz,1.0000\n")
    assert read_table(tmp_path / "a.csv_bi").events == (Event(42.0, 40.0, "seiz"),)
    (tmp_path / "a.csv").write_text(f"{TUSZ}FP1-F7,42.0000,82.0000,fnsz,1.0000\n")
    assert read_table(tmp_path / "a.csv").events == (Event(42.0, 40.0, "fnsz", 1.0, ("FP1-F7",)),)
    (tmp_path / "a.tse").write_text("version = tse_v1.0.0\n\n0.0 42.0 bckg 1.0\n42.0 82.0 fnsz 1.0\n")
    assert read_table(tmp_path / "a.tse").events == (Event(42.0, 40.0, "fnsz"),)
