"""What a person adds: annotations in the table, verdicts beside the table, all of it fit for a cell."""

import errno
from datetime import datetime
from pathlib import Path

import pytest
from cutting import INFO, make_pipeline

from rtbci.engine.notes import annotation_of, verdict_of
from rtbci.monitor.messages import Annotate, AnnotationLine, Review, ReviewLine
from rtbci.monitor.sink import line_of
from rtbci.pipeline.stream import session_info
from rtbci.recordings import event_sink
from rtbci.recordings.event_sink import EventTableSink, review_path
from rtbci.recordings.event_table import read_events
from rtbci.recordings.vocabulary import is_seizure
from rtbci.types import Event, OperatorAnnotation, SpanEnded


@pytest.fixture
def table(tmp_path: Path) -> EventTableSink:
    table = EventTableSink(tmp_path / "e.tsv", now=lambda: datetime(2024, 2, 29, 23, 59, 58))
    table.begin(session_info(make_pipeline(), INFO))
    return table


def test_an_annotation_goes_to_the_table_and_the_log(table: EventTableSink) -> None:
    noted = annotation_of(Annotate(label="eyes\tclosed", onset=12.5, stamp=1012.5, duration=2))
    assert noted == OperatorAnnotation("eyes closed", 12.5, 2.0, 1012.5)
    table.on(noted)
    table.on(SpanEnded(1100.0, 100.0))
    table.close()
    assert read_events(table.path) == (Event(12.5, 2.0, "eyes closed"),)
    line = line_of(noted, ())
    assert isinstance(line, AnnotationLine)
    assert (line.label, line.onset, line.duration, line.stamp) == ("eyes closed", 12.5, 2.0, 1012.5)


def test_a_note_that_speaks_of_a_seizure_is_no_seizure_of_the_table(table: EventTableSink) -> None:
    table.on(OperatorAnnotation("seizure", 12.5, 0.0, 1012.5))
    table.on(SpanEnded(1100.0, 100.0))
    table.close()
    assert "\tnote: seizure\t" in table.path.read_text()
    assert [is_seizure(e.label) for e in read_events(table.path)] == [False]


def test_a_verdict_is_kept_beside_the_table(table: EventTableSink) -> None:
    for verdict, note in (("confirmed", ""), ("rejected", "chewing\nand talking")):
        judged = verdict_of(Review(label="seizure", onset=5.0, verdict=verdict, note=note))
        table.on(judged)
    assert isinstance(line_of(judged, ()), ReviewLine)
    table.close()
    assert review_path(table.path).read_text().splitlines() == [
        "onset\teventType\tverdict\tnote\tdateTime",
        "5.0\tseizure\tconfirmed\tn/a\t2024-02-29 23:59:58",
        "5.0\tseizure\trejected\tchewing and talking\t2024-02-29 23:59:58",
    ]
    assert read_events(table.path) == ()


def test_verdicts_that_a_folder_could_not_take_are_written_when_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_sink, "RETRY_S", 0.0)
    (tmp_path / "disk").mkdir()
    table = EventTableSink(tmp_path / "disk" / "e.tsv", now=lambda: datetime(2024, 2, 29, 23, 59, 58))
    table.begin(session_info(make_pipeline(), INFO))
    blocker = review_path(table.path)
    real, asked = event_sink.TableFile, []

    def refused(*_: object) -> None:
        asked.append(True)
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(event_sink, "TableFile", refused)
    for onset in (5.0, 6.0):
        table.on(verdict_of(Review(label="=seizure", onset=onset, verdict="confirmed", note="-1")))
    assert table.trouble == f"{blocker} is not written: Read-only file system; 2 verdicts are not in it yet"
    monkeypatch.setattr(event_sink, "TableFile", real)
    table.tend()
    assert table.trouble == ""
    assert review_path(table.path).read_text().splitlines()[1:] == [
        f"{onset}\t'=seizure\tconfirmed\t-1\t2024-02-29 23:59:58" for onset in (5.0, 6.0)
    ]
    table.close()


def test_a_note_without_a_word_is_called_note() -> None:
    assert annotation_of(Annotate(label="\n", onset=1.0, stamp=2.0)) == OperatorAnnotation("note", 1.0, 0.0, 2.0)
