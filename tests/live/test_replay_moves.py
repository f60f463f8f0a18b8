"""A replay that is paused, sent elsewhere and played at another speed while an engine reads it, over LSL."""

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pylsl
import pytest
from cutting import make_pipeline
from replay_kit import SFREQ, live, played
from xdf_kit import XdfStream, write_xdf

import rtbci
from rtbci.bundled import RECORDING
from rtbci.monitor.messages import SeekLine
from rtbci.pipeline.pipeline import Pipeline
from rtbci.stages.decision import DecisionConfig
from rtbci.types import Chunk, Signals

Wait = Callable[..., None]


@pytest.fixture
def name() -> str:
    return f"moves-{uuid.uuid4().hex[:8]}"


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    """As drawn; its decisions have much to decide on the bundled recording."""
    drawn = make_pipeline(decision=DecisionConfig(threshold=0.5, smoothing_s=0.2, min_duration_s=0.2, merge_s=0.2))
    scores = rtbci.tag(drawn, rtbci.open_recording(RECORDING)).scores
    decision = drawn.config.decision.model_copy(update={"threshold": float(np.median(scores.data))})
    return Pipeline(drawn.config.model_copy(update={"decision": decision}), drawn.network)


def spans(events: Any) -> list[tuple[float, float, str]]:
    return [(e.onset, e.duration, e.label) for e in events]


def test_a_replay_that_is_paused_and_changes_its_speed_gives_the_answer_of_the_file_and_tags_back_from_xdf(
    pipeline: Pipeline, name: str, wait_until: Wait, tmp_path: Path
) -> None:
    recording = rtbci.open_recording(RECORDING)
    wanted = rtbci.tag(pipeline, recording)
    with played(name, "pause", speed=16.0, chunk=13), live(pipeline, name, wait_until) as running:
        wait_until(lambda: running.engine.state().replay)
        beside = Beside(name)
        running.say("resume")
        running.await_received(12)
        assert running.say("pause").state == "paused"
        received = running.engine.tally.received
        standing = time.monotonic()
        while time.monotonic() < standing + 2.5:
            state = running.engine.state()
            assert (state.state, state.staleness_s) == ("paused", 0.0)
            assert running.engine.tally.received == received
            time.sleep(0.02)
        assert running.say("resume").state == "running"
        running.await_received(30)
        assert running.say("speed 4").stream.speed == 4
        running.await_received(38)
        running.say("speed 32")
        running.await_received(recording.n_samples / SFREQ)
        wait_until(lambda: sum(map(len, running.heard.scores)) == len(wanted.scores))
        time.sleep(0.2)
        latency = running.engine.state().latency_ms
    scores = Chunk.join(running.heard.scores)
    np.testing.assert_array_equal(scores.data, wanted.scores.data)
    np.testing.assert_array_equal(scores.valid, wanted.scores.valid)
    assert running.events == spans(wanted.events)
    assert len(running.events) > 3
    assert [d.time for d in running.heard.detections if not d.closed] == list(wanted.confirmed)
    assert (running.engine.tally.gaps, running.engine.tally.received) == (0, recording.n_samples)
    assert not {"gap", "lost"} & set(running.kinds())
    during = running.kinds()[running.kinds().index("pause") :]
    assert "stale" not in during[: during.index("move")]
    assert latency.p99 < 1000
    again = rtbci.open_recording(beside.write(tmp_path / "live.xdf"))
    np.testing.assert_allclose(again.times(), recording.times(), rtol=0, atol=1e-3)
    assert spans(rtbci.tag(pipeline, again).events) == running.events


class Beside:
    """Records a stream and the engine's marks as LabRecorder would, through inlets of its own."""

    def __init__(self, name: str) -> None:
        self._inlets = [self._open(name), self._open(f"{name}-small-events")]
        self._infos = [inlet.info(5) for inlet in self._inlets]
        self.values: list[list[Any]] = [[], []]
        self.stamps: list[list[float]] = [[], []]
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _open(self, name: str) -> pylsl.StreamInlet:
        (found,) = pylsl.resolve_byprop("name", name, 1, 20)
        inlet = pylsl.StreamInlet(found, recover=False)
        inlet.open_stream(5)
        return inlet

    def _run(self) -> None:
        while not self._over.wait(0.02):
            self._pull()

    def _pull(self) -> None:
        for k, inlet in enumerate(self._inlets):
            try:
                values, stamps = inlet.pull_chunk(timeout=0.0, max_samples=10**5)
            except pylsl.util.LostError:
                continue
            self.values[k] += values
            self.stamps[k] += stamps

    def write(self, path: Path) -> Path:
        self._over.set()
        self._thread.join()
        recording = rtbci.open_recording(RECORDING)
        channels = "".join(
            f"<channel><label>{c}</label><unit>microvolts</unit></channel>" for c in recording.info.channels
        )
        signal, events = self._infos
        told = events.desc()
        signs = "".join(
            f"<{key}>{told.child_value(key)}</{key}>"
            for key in ("manufacturer", "pipeline", "input", "input_source_id")
        )
        return write_xdf(
            path,
            XdfStream(
                signal.name(), "EEG", self.values[0], np.array(self.stamps[0]), "float32", SFREQ, signal.source_id(),
                f"<channels>{channels}</channels><replay><speed>16.0</speed></replay>",
            ),
            XdfStream(
                events.name(), "Markers", self.values[1], np.array(self.stamps[1]), "string", 0.0, events.source_id(), signs
            ),
        )  # fmt: skip


def test_a_seek_closes_the_event_starts_afresh_and_goes_on_in_seconds_of_the_recording(
    pipeline: Pipeline, name: str, wait_until: Wait
) -> None:
    recording = rtbci.open_recording(RECORDING)
    with played(name, speed=16.0, wait_for_consumer=True), live(pipeline, name, wait_until) as running:
        running.await_received(20)
        running.say("pause")
        before = running.engine.tally.received
        state = running.say("seek 40")
        assert state.state == "paused"
        assert state.replay.recorded_s == 40
        assert state.recording_s == 40
        running.say("resume")
        wait_until(lambda: running.engine.tally.received == before + 42 * SFREQ)
        wait_until(lambda: sum(map(len, running.heard.scores)) == (before + 42 * SFREQ) * 128 // SFREQ // 8)
    (seek,) = [one for one in running.heard.lines if isinstance(one, SeekLine)]
    assert (seek.from_s, seek.to_s) == (round(before / SFREQ, 3), 40.0)
    assert running.engine.tally.gaps == 0
    # The answer is that of two recordings: what was played before, and what was played after.
    first, second = (_tagged(pipeline, part) for part in (slice(0, before), slice(40 * SFREQ, None)))
    joined = np.concatenate([first.scores.data, second.scores.data])
    np.testing.assert_array_equal(Chunk.join(running.heard.scores).data, joined)
    later = [(onset + 40, duration, label) for onset, duration, label in spans(second.events)]
    assert running.events == [*spans(first.events), *later]
    assert len(first.events) > 1 and len(second.events) > 1
    assert recording.n_samples == 82 * SFREQ


def _tagged(pipeline: Pipeline, part: slice) -> Any:
    """Of a part of the recording, as if there were no more."""
    recording = rtbci.open_recording(RECORDING)
    data = recording.read(0, recording.n_samples)[part]

    class Part:
        info, annotations, stamps, is_live, live, kernels, thresholds = recording.info, (), None, False, None, (), ()

        def require_fit(self) -> None: ...

        def chunks(self, n: int) -> Iterator[Chunk]:
            yield Chunk(data, np.arange(len(data)) / SFREQ)

    return rtbci.tag(pipeline, Part())  # type: ignore[arg-type]


def test_an_engine_that_joins_a_replay_says_where_and_tells_it_again_when_the_replay_is_sought(
    pipeline: Pipeline, name: str, wait_until: Wait
) -> None:
    with played(name, speed=4.0) as playback:
        wait_until(lambda: playback.transport.position() > 8)
        with live(pipeline, name, wait_until) as running:
            wait_until(lambda: running.engine.connection and running.engine.connection.replay.seconds is not None)
            joined_s = running.engine.state().replay.offset_s
            assert joined_s > 8
            first = next(message.chunk.times[0] for message in running.heard.messages if isinstance(message, Signals))
            begun = playback.transport.stamp(0.0)
            assert joined_s == pytest.approx(4.0 * (first - begun), abs=2e-3)
            assert running.say("seek 60").replay.offset_s == 0.0
    (seek,) = [one for one in running.heard.lines if isinstance(one, SeekLine)]
    assert (seek.to_s, seek.offset_s) == (60.0, joined_s)


def test_an_engine_that_comes_in_a_pause_after_a_change_of_speed_knows_of_both(
    pipeline: Pipeline, name: str, wait_until: Wait
) -> None:
    with played(name, "speed 8", "pause"), live(pipeline, name, wait_until) as running:
        wait_until(lambda: running.engine.state().replay)
        until = time.monotonic() + 1.5
        while time.monotonic() < until:
            state = running.engine.state()
            assert (state.state, state.stream.speed) == ("paused", 8.0)
            time.sleep(0.05)
        running.say("resume")
        running.await_received(20)
        assert running.engine.state().samples.lost == 0
    assert "gap" not in running.kinds()


def test_a_consumer_that_acknowledges_nothing_sees_a_stream_that_stands_still_and_goes_on(
    name: str, wait_until: Wait
) -> None:
    data: list[Any] = []
    stamps: list[float] = []
    with played(name, speed=8.0, wait_for_consumer=True) as playback:
        (found,) = pylsl.resolve_byprop("name", name, 1, 20)
        inlet = pylsl.StreamInlet(found, recover=False)
        inlet.open_stream(5)

        def pull(seconds: float) -> bool:
            more, when = inlet.pull_chunk(timeout=0.05, max_samples=10**4)
            data.extend(more)
            stamps.extend(when)
            return len(stamps) >= seconds * SFREQ

        wait_until(lambda: pull(5))
        playback.transport.obey("pause")
        wait_until(lambda: playback.transport.paused)
        quiet = time.monotonic()
        while time.monotonic() < quiet + 0.5:
            pull(0)
        n, there = len(stamps), playback.transport.position()
        while time.monotonic() < quiet + 1.0:
            pull(0)
        assert len(stamps) == n
        playback.transport.obey("resume")
        wait_until(lambda: pull(n / SFREQ + 5))
    gaps = np.diff(stamps)
    assert np.flatnonzero(gaps > 0.05).tolist() == [n - 1]
    assert gaps[n - 1] > 1.0
    np.testing.assert_allclose(np.delete(gaps, n - 1), 1 / SFREQ / 8, rtol=0, atol=1e-9)
    assert n == pytest.approx(there * SFREQ, abs=0.05 * 8 * SFREQ)  # the sender may wake late on a busy machine
    np.testing.assert_array_equal(np.array(data, np.float32), rtbci.open_recording(RECORDING).read(0, len(data)))
