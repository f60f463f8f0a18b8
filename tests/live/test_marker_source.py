"""Markers over LSL: whose they are, and the time they bear."""

import math
import time
import uuid
from collections.abc import Callable
from types import SimpleNamespace

import pylsl
import pytest
from cutting import INFO, make_pipeline

from rtbci.engine import cue_watch
from rtbci.engine.cue_watch import CueWatch
from rtbci.lsl import marker_source
from rtbci.lsl.marker_source import MarkerSource
from rtbci.pipeline.pipeline import Pipeline
from rtbci.stages.cues import Cue, CueConfig

Wait = Callable[..., None]


def pipeline() -> Pipeline:
    sizes = {"units": (8,), "window": 128, "n_classes": 1}
    return make_pipeline("stacked_lstm", sizes=sizes, cues=CueConfig(labels=("left",)))


def test_markers_come_over_lsl_with_their_own_stamps(wait_until: Wait) -> None:
    source = MarkerSource({"name": "cues-of-a-test"})
    assert source.read() == []
    outlet = pylsl.StreamOutlet(pylsl.StreamInfo("cues-of-a-test", "Markers", 1, 0, "string", "cues-of-a-test-1"))
    wait_until(lambda: source.read() == [] and source.connected)
    wait_until(outlet.have_consumers)
    sent = pylsl.local_clock()
    outlet.push_sample(["left"], sent)
    outlet.push_sample(["right"], sent + 0.5)
    found: list[Cue] = []
    wait_until(lambda: found.extend(source.read()) or len(found) == 2)
    assert [cue.text for cue in found] == ["left", "right"]
    assert [cue.time for cue in found] == pytest.approx([sent, sent + 0.5], abs=1e-3)
    source.close()
    assert not source.connected


def test_of_two_marker_streams_the_one_that_was_taken_is_taken_again_and_no_other_by_luck(
    wait_until: Wait,
) -> None:
    name = f"cues-{uuid.uuid4().hex[:8]}"

    def outlet(source: str) -> pylsl.StreamOutlet:
        return pylsl.StreamOutlet(pylsl.StreamInfo(name, "Markers", 1, 0, "string", f"{name}-{source}"))

    def heard(text: str, sender: pylsl.StreamOutlet) -> bool:
        sender.push_sample([text])
        return text in [cue.text for cue in source.read()]

    source = MarkerSource({"name": name})
    mine = outlet("mine")
    wait_until(lambda: heard("one", mine))
    others = [outlet("second"), outlet("third")]
    quiet_until = time.monotonic() + 3  # long enough to be known
    wait_until(lambda: source.read() == [] and time.monotonic() > quiet_until)
    assert source.connected
    del mine
    wait_until(lambda: source.read() == [] and "Choose one by source_id" in source.trouble)
    mine = outlet("mine")
    wait_until(lambda: heard("two", mine))
    assert source.trouble == ""
    assert others
    source.close()


def test_a_marker_stream_whose_clock_does_not_answer_is_told_of(
    wait_until: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:

    class Mute(marker_source.HostClock):
        known = False
        answers = False

        def update(self, inlet: object) -> None:
            self.known = self.answers

    monkeypatch.setattr(marker_source, "HostClock", Mute)
    monkeypatch.setattr(marker_source, "_CLOCK_WAIT_S", 0.2)
    name = f"cues-{uuid.uuid4().hex[:8]}"
    outlet = pylsl.StreamOutlet(pylsl.StreamInfo(name, "Markers", 1, 0, "string", name))
    source = marker_source.MarkerSource({"name": name})
    wait_until(lambda: source.read() == [] and "so its markers have no time" in source.trouble)
    assert not source.connected
    Mute.answers = True
    wait_until(lambda: source.read() == [] and source.connected)
    assert source.trouble == ""
    assert outlet
    source.close()


@pytest.mark.parametrize(("format", "sent"), [("int32", [1, 2]), ("float32", [1.0, 2.0]), ("double64", [1.0, 2.0])])
def test_markers_of_numbers_are_texts_without_a_point(format: str, sent: list[float], wait_until: Wait) -> None:
    name = f"cues-{uuid.uuid4().hex[:8]}"
    outlet = pylsl.StreamOutlet(pylsl.StreamInfo(name, "Markers", 1, 0, format, name))
    source = MarkerSource({"name": name})
    wait_until(lambda: source.read() == [] and source.connected)
    wait_until(outlet.have_consumers)
    for value in sent:
        outlet.push_sample([value])
    found: list[Cue] = []
    wait_until(lambda: found.extend(source.read()) or len(found) == 2)
    assert [cue.text for cue in found] == ["1", "2"]
    source.close()


def test_a_marker_stream_that_does_not_come_is_told_of_and_again_when_it_is_there(
    wait_until: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(marker_source, "NOT_THERE_S", 0.5)
    name = f"cues-{uuid.uuid4().hex[:8]}"
    watch = CueWatch({"name": name}, ("left",))
    stream = pipeline().start(INFO)
    session = SimpleNamespace(live=stream, cue=stream.cue)
    told: list[str] = []

    def tells(words: str) -> bool:
        watch.take(session)  # type: ignore[arg-type]
        told.extend(watch.news())
        return any(words in line for line in told)

    wait_until(lambda: tells(f"no marker stream with name='{name}' answers; no cue is answered until it does"))
    outlet = pylsl.StreamOutlet(pylsl.StreamInfo(name, "Markers", 1, 0, "string", name))
    wait_until(lambda: tells("cues: the marker stream is there"))
    del outlet
    wait_until(lambda: len(told) == 3 or (tells("x") or len(told) == 3))
    assert told[2] == told[0]
    watch.close()


def test_two_marker_streams_that_match_end_no_engine(wait_until: Wait) -> None:
    name = f"cues-{uuid.uuid4().hex[:8]}"
    outlets = [pylsl.StreamOutlet(pylsl.StreamInfo(name, "Markers", 1, 0, "string", f"{name}-{k}")) for k in "ab"]
    source = MarkerSource({"name": name})
    wait_until(lambda: source.read() == [] and "2 streams match" in source.trouble)
    assert "Choose one by source_id=…" in source.trouble
    outlets.pop()
    wait_until(lambda: source.read() == [] and source.connected and not source.trouble)
    source.close()


def test_a_stream_that_is_no_marker_stream_is_refused_with_what_it_is(wait_until: Wait) -> None:
    name = f"cues-{uuid.uuid4().hex[:8]}"
    outlet = pylsl.StreamOutlet(pylsl.StreamInfo(name, "EEG", 70, 256.0, "float32", name))
    source = MarkerSource({"name": name})
    wait_until(lambda: source.read() == [] and source.trouble)
    assert (
        source.trouble == f"stream {name!r} is no marker stream: it has 70 channels at 256 Hz; at most 64 and 1000 Hz"
    )
    assert outlet
    source.close()


def test_a_flood_of_markers_is_bounded_and_told_of(wait_until: Wait, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cue_watch, "_FIRST_TOLD_S", 0.0)
    name = f"cues-{uuid.uuid4().hex[:8]}"
    outlet = pylsl.StreamOutlet(pylsl.StreamInfo(name, "Markers", 1, 0, "string", name))
    watch = CueWatch({"name": name}, ("left",))
    stream = pipeline().start(INFO)
    session = SimpleNamespace(live=stream, cue=stream.cue)
    wait_until(lambda: watch.take(session) or watch.source.connected)  # type: ignore[arg-type,func-returns-value]
    wait_until(outlet.have_consumers)
    told: list[str] = []

    def floods() -> bool:
        outlet.push_sample(["left"], math.nan)
        for _ in range(200):
            outlet.push_sample(["left"], pylsl.local_clock())
        watch.take(session)  # type: ignore[arg-type]
        told.extend(watch.news())
        return bool(told)

    wait_until(floods)
    assert stream.cues is not None
    assert stream.cues.n_waiting <= cue_watch.MOST_WAITING
    assert "markers were left out: more than 100 a second, or with stamps that are no times" in told[-1]
    watch.close()
