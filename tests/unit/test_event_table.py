"""The event table: SzCORE columns, exact round trips, and one table whether written live or at the end."""

import contextlib
from datetime import datetime
from pathlib import Path

import pytest
from disks import full
from hypothesis import given
from hypothesis import strategies as st

from rtbci.errors import RecordingError
from rtbci.recordings import event_table
from rtbci.recordings.event_table import COLUMNS, EventLog, read_events, write_events
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
    monkeypatch.setattr(event_table, "_RETRY_S", 0.0)
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
        ("", "line 1 lacks the column onset, duration, eventType"),
        ("onset\tduration\n1\t2\n", "line 1 lacks the column eventType"),
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
    (tmp_path / "a.tsv").write_bytes(b"\xff\xfe\x00onset")
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
