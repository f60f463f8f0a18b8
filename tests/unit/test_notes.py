"""What a person adds: annotations in the table and on the outlet, verdicts beside the table, all of it in the log."""

from rtbci.engine.notes import review_path, take_note
from rtbci.monitor.messages import Annotate, Review
from rtbci.recordings.event_table import EventLog, read_events
from rtbci.types import Event


class Outlet:
    def __init__(self):
        self.sent = []

    def marker(self, about, stamp):
        self.sent.append((about, stamp))


def take(what, events=None, outlet=None):
    said = []
    take_note(what, events, outlet, lambda kind, **more: said.append((kind, more)))
    return said


def test_an_annotation_goes_to_table_outlet_and_log(tmp_path):
    outlet = Outlet()
    with EventLog(tmp_path / "e.tsv") as events:
        said = take(Annotate(label="eyes\tclosed", onset=12.5, stamp=1012.5, duration=2), events, outlet)
    assert read_events(tmp_path / "e.tsv") == (Event(12.5, 2.0, "eyes closed"),)
    about = {"label": "eyes closed", "state": "annotation", "onset_s": 12.5, "duration_s": 2.0}
    assert outlet.sent == [(about, 1012.5)]
    assert said == [("annotation", {"label": "eyes closed", "onset": 12.5, "duration": 2.0, "stamp": 1012.5})]


def test_a_verdict_is_kept_beside_the_table(tmp_path):
    with EventLog(tmp_path / "e.tsv") as events:
        for verdict, note in (("confirmed", ""), ("rejected", "chewing\nand talking")):
            take(Review(label="seizure", onset=5.0, verdict=verdict, note=note), events)
    assert review_path(tmp_path / "e.tsv").read_text().splitlines() == [
        "onset\teventType\tverdict\tnote",
        "5.0\tseizure\tconfirmed\tn/a",
        "5.0\tseizure\trejected\tchewing and talking",
    ]
    assert read_events(tmp_path / "e.tsv") == ()


def test_a_note_without_a_word_is_called_note() -> None:
    said = take(Annotate(label="\n", onset=1.0, stamp=2.0))
    assert said == [("annotation", {"label": "note", "onset": 1.0, "duration": 0.0, "stamp": 2.0})]
