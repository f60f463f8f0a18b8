"""A recording as an LSL stream, in real processes on the loopback: each sample, its stamp, the faults asked for."""

import itertools
import multiprocessing
import os
import signal
import time
import uuid
from collections.abc import Callable, Iterator

import numpy as np
import pylsl
import pytest
from pydantic import ValidationError
from pylsl.util import LostError
from real_data import find_data

from rtbci.errors import RecordingError
from rtbci.lsl.replay_key import known_key
from rtbci.lsl.replay_link import SampleAcknowledger
from rtbci.lsl.replay_protocol import ReplayAddress
from rtbci.recordings.open import open_recording
from rtbci.replay.faults import BadChannel, Faults, Packet
from rtbci.replay.replay import Replay, run_replay
from rtbci.types import Chunk

SEIZURE = "chbmit/chb01_03_Seizure.edf"
FIST = "eegmmidb/S001R03.edf"

Start = Callable[[Replay], multiprocessing.process.BaseProcess]


@pytest.fixture
def start() -> Iterator[Start]:
    """start(replay): runs it in a process of its own, which is gone when the test is over."""
    context = multiprocessing.get_context("spawn")
    processes = []

    def begin(replay: Replay) -> multiprocessing.process.BaseProcess:
        process = context.Process(target=run_replay, args=(replay,), daemon=True)
        process.start()
        processes.append(process)
        return process

    yield begin
    for process in processes:
        process.kill()
        process.join(10)


@pytest.fixture
def name() -> str:
    return f"replay-{uuid.uuid4().hex[:8]}"


def connect(name: str, **options: object) -> pylsl.StreamInlet:
    found = pylsl.resolve_byprop("name", name, 1, 15)
    assert found, f"no stream {name}"
    inlet = pylsl.StreamInlet(found[0], recover=False, **options)
    inlet.open_stream(5)
    return inlet


def acknowledger(inlet: pylsl.StreamInlet) -> SampleAcknowledger:
    info = inlet.info(5)
    about = info.desc().child("replay")
    address = ReplayAddress.read(*(about.child_value(key) for key in ("position", "session", "key")))
    ack = SampleAcknowledger.of(info.source_id(), address, known_key())
    assert ack is not None
    return ack


def pull(inlet: pylsl.StreamInlet, n_samples: int, timeout_s: float = 20) -> tuple[np.ndarray, np.ndarray]:
    """At most n_samples, fewer where the stream ends or falls silent before."""
    data, stamps, deadline = [], [], time.monotonic() + timeout_s
    while sum(map(len, stamps)) < n_samples and time.monotonic() < deadline:
        try:
            chunk, times = inlet.pull_chunk(timeout=0.2, max_samples=4096, min_samples=1, as_numpy=True)
        except LostError:
            break
        if len(times):
            data.append(np.array(chunk))
            stamps.append(np.array(times))
    return np.concatenate(data), np.concatenate(stamps)


def test_every_sample_arrives_with_its_exact_stamp_and_description(start: Start, name: str) -> None:
    recording = open_recording(find_data(SEIZURE))
    start(Replay((find_data(SEIZURE),), name=name, speed=16, wait_for_consumer=True))
    inlet = connect(name)
    info = inlet.info(5)
    data, stamps = pull(inlet, recording.n_samples)
    np.testing.assert_array_equal(data, Chunk.join(list(recording.chunks(10**6))).data)
    # Stamps are clock readings of some size: their differences are exact to its last bits only.
    np.testing.assert_allclose(stamps - stamps[0], recording.times() / 16, rtol=0, atol=1e-9)
    assert info.nominal_srate() == 256
    assert tuple(info.get_channel_labels()) == recording.info.channels
    assert set(info.get_channel_units()) == {"microvolts"}
    about = info.desc().child("replay")
    assert [about.child_value(key) for key in ("file", "speed", "sfreq")] == ["chb01_03_Seizure.edf", "16", "256.0"]
    assert about.child_value("n_samples") == "10496"


def test_samples_come_at_the_recorded_rate_times_speed(start: Start, name: str) -> None:
    start(Replay((find_data(SEIZURE),), name=name, speed=4, duration_s=8, wait_for_consumer=True))
    inlet = connect(name)
    before = time.monotonic()
    _, stamps = pull(inlet, 8 * 256)
    assert len(stamps) == 8 * 256
    assert 1.9 < time.monotonic() - before < 3.5
    assert pylsl.local_clock() - stamps[-1] < 0.5


def test_annotations_are_stamped_as_their_samples(start: Start, name: str) -> None:
    recording = open_recording(find_data(FIST))
    start(Replay((find_data(FIST),), name=name, speed=32, wait_for_consumer=True, faults=Faults(jitter_ms=2)))
    markers, inlet = connect(f"{name}-annotations"), connect(name)
    _, stamps = pull(inlet, recording.n_samples)
    labels, onsets = markers.pull_chunk(timeout=0.0, max_samples=100)
    # The marker stream may have been joined before or after its first label, at sample 0.
    expected = [(e.label, stamps[round(e.onset * 160)]) for e in recording.annotations]
    assert [(label, onset) for (label,), onset in zip(labels, onsets, strict=True)] == expected


def test_full_speed_loses_nothing_to_a_consumer_that_sleeps(start: Start, name: str) -> None:
    """561 s of stream; without acknowledgements 201 s of it would be gone."""
    runs = [find_data(f"eegmmidb/S001R0{number}.edf") for number in (1, 3, 4, 7, 8)]
    recordings = [open_recording(run) for run in runs]
    n_samples = sum(r.n_samples for r in recordings)
    start(Replay(runs, name=name, speed=0, chunk=64))
    inlet = connect(name)
    ack = acknowledger(inlet)
    taken, first = 0, []
    deadline = time.monotonic() + 60
    while taken < n_samples and time.monotonic() < deadline:
        chunk, times = inlet.pull_chunk(timeout=0.1, max_samples=4096, min_samples=1, as_numpy=True)
        first.append(np.array(chunk)[:, 0] if len(times) else np.empty(0, np.float32))
        if taken == 0 and len(times):
            time.sleep(3)
        taken += len(times)
        ack.acknowledge(len(times))
    expected = np.concatenate([c.data[:, 0] for r in recordings for c in r.chunks(10**6)])
    np.testing.assert_array_equal(np.concatenate(first), expected)


def test_gap_and_drop_lose_the_same_samples_every_time() -> None:
    faults = Faults(drop=0.1, gaps=((5, 2),), chunk_range=(1, 64), jitter_ms=1, late=0.05, duplicate=0.05)
    first, again = (list(_packets(faults, seed=3)) for _ in range(2))
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.data, other.data)
        np.testing.assert_array_equal(one.stamps, other.stamps)
    times = np.concatenate([p.times for p in first])
    assert not np.any((times >= 5) & (times < 7))
    assert 0.05 < 1 - len(np.unique(times)) / (10 * 100 - 200) < 0.2
    assert len(times) > len(np.unique(times))
    assert np.any(np.diff(times) < 0)
    assert not np.array_equal(times, np.concatenate([p.times for p in _packets(faults, seed=4)]))


def test_drift_and_clock_reset_move_the_stamps_alone() -> None:
    packets = list(_packets(Faults(drift_ppm=200, clock_resets=((4, 1.5),))))
    times, stamps = (np.concatenate([getattr(p, key) for p in packets]) for key in ("times", "stamps"))
    np.testing.assert_array_equal(stamps, times * (1 + 200e-6) + np.where(times >= 4, 1.5, 0.0))
    assert [p.due for p in packets] == [p.times[-1] * (1 + 200e-6) for p in packets]


def test_bad_channels_are_flat_saturated_nan_or_swapped_in_their_span_only() -> None:
    kinds = ("flat", "saturated", "nan", "swapped")
    faults = Faults(bad_channels=tuple(BadChannel(channel=i, kind=k, at=(2, 3)) for i, k in enumerate(kinds)))
    good, bad = (np.concatenate([p.data for p in _packets(f)]) for f in (Faults(), faults))
    inside = slice(200, 500)
    assert np.all(bad[inside, 0] == 0)
    assert np.all(bad[inside, 1] == 5000)
    assert np.all(np.isnan(bad[inside, 2]))
    np.testing.assert_array_equal(bad[inside, 3:5], good[inside, 4:2:-1])
    np.testing.assert_array_equal(np.delete(bad, np.r_[inside], 0), np.delete(good, np.r_[inside], 0))


def _packets(faults: Faults, seed: int = 0) -> Iterator[Packet]:
    """10 s of five channels at 100 Hz through all the faults."""
    data = np.random.default_rng(0).normal(size=(1000, 5)).astype(np.float32)
    ends = [0, *itertools.takewhile(lambda end: end < 1000, itertools.accumulate(faults.sizes(8, seed))), 1000]
    times = np.arange(1000) / 100
    cut = (Packet(data[a:b], times[a:b], times[a:b], 0.0) for a, b in itertools.pairwise(ends))
    return faults.lose(faults.distort(cut, seed), seed, 1.0)


def test_reconnect_brings_a_new_stream_of_the_same_source(start: Start, name: str) -> None:
    start(Replay((find_data(SEIZURE),), name=name, speed=4, wait_for_consumer=True, faults=Faults(reconnect_at_s=(4,))))
    inlet = connect(name)
    source, uid = inlet.info(5).source_id(), inlet.info(5).uid()
    _, stamps = pull(inlet, 10**6, 10)
    assert len(stamps) == 4 * 256
    returned = connect(name)
    assert returned.info(5).source_id() == source
    assert returned.info(5).uid() != uid
    _, later = pull(returned, 256)
    assert later[0] - stamps[-1] >= 1.0


def test_sigterm_ends_the_replay_cleanly(start: Start, name: str) -> None:
    process = start(Replay((find_data(SEIZURE),), name=name, loop=True))
    pull(connect(name), 8)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGTERM)
    process.join(3)
    assert process.exitcode == 0


def test_files_of_other_channels_are_refused_together() -> None:
    with pytest.raises(RecordingError, match=r"S001R03\.edf: has 64 channels at 160 Hz, .* 23 at 256 Hz"):
        Replay((find_data(SEIZURE), find_data(FIST))).open()


def test_start_beyond_the_end_is_refused() -> None:
    with pytest.raises(RecordingError, match="lasts 41 s; it cannot start at 50 s"):
        Replay((find_data(SEIZURE),), start_s=50).open()


def test_misspelt_fault_is_refused() -> None:
    with pytest.raises(ValidationError, match="jitter"):
        Faults(jitter=3)  # type: ignore[call-arg]


def test_a_looped_file_follows_itself_without_a_seam(start: Start, name: str) -> None:
    recording = open_recording(find_data(SEIZURE))
    start(
        Replay((find_data(SEIZURE),), name=name, speed=16, start_s=1, duration_s=10, loop=True, wait_for_consumer=True)
    )
    data, stamps = pull(connect(name), 21 * 256)
    once = Chunk.join(list(recording.chunks(10**6, 256, 11 * 256))).data
    np.testing.assert_array_equal(data[: 20 * 256], np.concatenate([once, once]))
    np.testing.assert_allclose(np.diff(stamps), 1 / (256 * 16), rtol=0, atol=1e-9)


@pytest.mark.parametrize("file", ["openbci_dropouts_Trial1.xdf", "example-files/clock_resets.xdf"])
def test_real_stamps_of_an_irregular_recording_are_replayed(file: str, start: Start, name: str) -> None:
    path = find_data(f"xdf/{file}")
    start(Replay((path,), name=name, speed=0, duration_s=30))
    times = open_recording(path).times()
    n_samples = int(np.sum(times < 30))
    _, stamps = pull(connect(name), n_samples)
    np.testing.assert_allclose(stamps - stamps[0], times[: len(stamps)], rtol=0, atol=1e-9)
    assert abs(len(stamps) - n_samples) <= 1


def test_full_speed_goes_on_after_a_reconnect_with_new_acknowledgements(start: Start, name: str) -> None:
    runs = [find_data(f"eegmmidb/S001R0{number}.edf") for number in (3, 4, 7)]
    recordings = [open_recording(run) for run in runs]
    wanted = sum(r.n_samples for r in recordings) - 160  # one second is away while the stream is
    replay = Replay(runs, name=name, speed=0, chunk=64, faults=Faults(reconnect_at_s=(200,)))
    process = start(replay)
    received, deadline = 0, time.monotonic() + 30
    while received < wanted and time.monotonic() < deadline:
        inlet, taken = connect(name), 0
        ack = acknowledger(inlet)
        while time.monotonic() < deadline:
            try:
                n_new = len(inlet.pull_chunk(timeout=0.1, min_samples=1, as_numpy=True)[1])
            except LostError:
                break
            taken += n_new
            ack.acknowledge(n_new)
            if received + taken >= wanted:
                break
        received += taken
        del ack
    process.join(15)
    assert received == wanted
