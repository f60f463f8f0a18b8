"""The clock of a stream's host, measured over LSL."""

import time
import uuid

import pylsl
import pytest

from rtbci.lsl.clock import HostClock, measure_offset


def test_the_clock_of_this_machine_is_known_without_waiting() -> None:
    outlet = pylsl.StreamOutlet(pylsl.StreamInfo("here", "EEG", 1, 100, "float32", source_id := uuid.uuid4().hex))
    (stream,) = pylsl.resolve_byprop("source_id", source_id, 1, 10)
    inlet, clock = pylsl.StreamInlet(stream, recover=False), HostClock()
    assert clock.age_s is None
    slowest, deadline = 0.0, time.monotonic() + 10
    while not clock.known:
        assert time.monotonic() < deadline
        began = time.monotonic()
        clock.update(inlet)
        slowest = max(slowest, time.monotonic() - began)
        time.sleep(0.01)
    assert slowest < 0.2
    offset_s, uncertainty_s = measure_offset(inlet)
    assert clock.offset_s == offset_s == pytest.approx(0, abs=uncertainty_s + 1e-4)
    assert 0 < uncertainty_s < 0.1
    assert clock.age_s is not None
    assert clock.age_s < 10
    del outlet
