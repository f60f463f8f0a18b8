"""An inlet that waits for nobody: hosts that do not answer, clocks that do not answer, and how long the engine is held up."""

import ctypes
import socket
import time
import uuid
from collections.abc import Callable
from typing import Any

import numpy as np
import pylsl
import pytest
from pylsl.util import TimeoutError as NotYet

from rtbci.lsl import clock
from rtbci.lsl.border import RawSamples
from rtbci.lsl.inlet import Inlet
from rtbci.lsl.source import LslSource, StreamConnected

Wait = Callable[..., None]
HELD_UP_S = 0.2


def outlet() -> tuple[Any, str]:
    name = f"inlet-{uuid.uuid4().hex[:8]}"
    return pylsl.StreamOutlet(pylsl.StreamInfo(name, "EEG", 2, 100.0, "float32", name)), name


class Reads:
    """What a source brought, and how long the longest read took."""

    def __init__(self, source: LslSource) -> None:
        self.source, self.items, self.slowest_s = source, list[Any](), 0.0

    def __call__(self) -> list[Any]:
        began = time.monotonic()
        self.items += self.source.read(0.02)
        self.slowest_s = max(self.slowest_s, time.monotonic() - began)
        return self.items


def with_port(stream: Any, port: int) -> Any:
    """The same stream, said to be served elsewhere."""
    xml = stream.as_xml()
    for tag in ("v4data_port", "v4service_port"):
        old = xml.partition(f"<{tag}>")[2].partition("<")[0]
        xml = xml.replace(f"<{tag}>{old}<", f"<{tag}>{port}<")
    make = pylsl.lib.lib.lsl_streaminfo_from_xml
    make.restype = ctypes.c_void_p
    return pylsl.StreamInfo(handle=make(xml.encode()))


def test_a_host_that_takes_the_connection_and_says_nothing_holds_nobody_up(
    monkeypatch: pytest.MonkeyPatch, wait_until: Wait
) -> None:
    sender, name = outlet()
    (found,) = pylsl.resolve_byprop("name", name, 1, 10)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        elsewhere = with_port(found, mute.getsockname()[1])
        source = LslSource({"name": name}, lambda _: None)
        monkeypatch.setattr(source, "OPEN_S", 0.5)
        monkeypatch.setattr(source.search, "choose", lambda: elsewhere)
        reads = Reads(source)
        opened: list[Any] = []
        wait_until(lambda: reads() or opened.append(source._opening) or len({id(o) for o in opened if o}) > 2)
        assert reads.items == []  # tried again and again
        assert not source.connected
        source.close()
    assert reads.slowest_s < HELD_UP_S
    del sender


def test_samples_whose_clock_does_not_answer_are_set_by_their_arrival(
    monkeypatch: pytest.MonkeyPatch, wait_until: Wait
) -> None:
    def silent(_inlet: Any) -> tuple[float, float]:
        raise NotYet("no answer")

    monkeypatch.setattr(clock, "measure_offset", silent)
    monkeypatch.setattr(Inlet, "CLOCK_S", 0.3)
    sender, name = outlet()
    reads = Reads(source := LslSource({"name": name}, lambda _: None))
    wait_until(reads)
    (connected,) = reads.items
    assert isinstance(connected, StreamConnected)
    assert connected.clock.age_s is None
    sent_at = pylsl.local_clock()
    for k in range(10):
        sender.push_sample([1.0, 2.0], 1000.0 + k / 100)  # a clock of its own
    wait_until(lambda: sum(len(i) for i in reads() if isinstance(i, RawSamples)) == 10)
    stamps = np.concatenate([i.stamps for i in reads.items if isinstance(i, RawSamples)])
    np.testing.assert_allclose(np.diff(stamps), 0.01, atol=1e-9)
    assert stamps[-1] == pytest.approx(sent_at, abs=0.3)
    assert reads.slowest_s < HELD_UP_S
    source.close()


def test_what_had_come_when_the_connection_was_closed_is_told(wait_until: Wait) -> None:
    sender, name = outlet()
    reads = Reads(source := LslSource({"name": name}, lambda _: None))
    wait_until(reads)
    assert source._inlet is not None
    for _ in range(30):
        sender.push_sample([1.0, 2.0])
    wait_until(lambda: source._inlet._lsl.samples_available() == 30)
    del sender
    wait_until(lambda: source._inlet._lsl.samples_available() == 31)
    reads()
    assert reads.items[-1].reason == "the connection was closed, 30 samples in it unread"
    source.close()
