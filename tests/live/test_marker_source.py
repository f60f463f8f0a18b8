"""Markers over LSL: whose they are, and the time they bear."""

import time
import uuid
from collections.abc import Callable

import pylsl
import pytest

from rtbci.lsl import marker_source
from rtbci.lsl.marker_source import MarkerSource
from rtbci.stages.cues import Cue

Wait = Callable[..., None]


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
    wait_until(lambda: source.read() == [] and "Choose one by source_id" in source.trouble, 20)
    mine = outlet("mine")
    wait_until(lambda: heard("two", mine), 20)
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
