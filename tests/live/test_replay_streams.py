"""A replay of several streams at once: files side by side, and the streams of an XDF file as they were recorded."""

import multiprocessing
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pylsl
import pytest
import pyxdf
from pylsl.util import LostError
from real_data import find_data
from xdf_kit import XdfStream, write_xdf

from rtbci.errors import RecordingError
from rtbci.lsl.replay_key import known_key
from rtbci.lsl.replay_link import SampleAcknowledger
from rtbci.lsl.replay_protocol import ReplayAddress
from rtbci.recordings.open import open_recording
from rtbci.replay.faults import BadChannel, Faults
from rtbci.replay.replay import Replay, run_replay

Start = Callable[[Replay], multiprocessing.process.BaseProcess]
SEIZURE = "chbmit/chb01_03_Seizure.edf"
FIST = "eegmmidb/S001R03.edf"


@pytest.fixture
def start() -> Iterator[Start]:
    """start(replay): runs it in a process of its own, which is gone when the test is over."""
    processes = []

    def begin(replay: Replay) -> multiprocessing.process.BaseProcess:
        process = multiprocessing.get_context("spawn").Process(target=run_replay, args=(replay,), daemon=True)
        process.start()
        processes.append(process)
        return process

    yield begin
    for process in processes:
        process.kill()
        process.join(10)


@pytest.fixture
def name() -> str:
    return f"streams-{uuid.uuid4().hex[:8]}"


class Caught:
    """What came of one stream until it ended; each sample is acknowledged."""

    def __init__(self, source_id: str) -> None:
        (found,) = pylsl.resolve_byprop("source_id", source_id, 1, 20)
        self._inlet = pylsl.StreamInlet(found, recover=False)
        self.info = self._inlet.info(5)
        about = self.info.desc().child("replay")
        address = ReplayAddress.read(*(about.child_value(key) for key in ("position", "session", "key")))
        ack = SampleAcknowledger.of(source_id, address, known_key())
        assert ack is not None
        self._ack = ack
        self._inlet.open_stream(5)
        self.values: list[Any] = []
        self.stamps: list[float] = []

    def listen(self, n_samples: int, timeout_s: float = 30) -> None:
        deadline = time.monotonic() + timeout_s
        while len(self.stamps) < n_samples and time.monotonic() < deadline:
            try:
                values, stamps = self._inlet.pull_chunk(timeout=0.2, max_samples=4096)
            except LostError:
                return
            self.values += values
            self.stamps += stamps
            self._ack.acknowledge(len(stamps))


def catch(replay: Replay, start: Start) -> list[Caught]:
    """Every sample of every stream of a replay, in its own order."""
    tracks = replay.tracks()
    start(replay)
    caught = [Caught(track.info.source_id) for track in tracks]
    threads = [
        threading.Thread(target=c.listen, args=(track.n_samples,)) for c, track in zip(caught, tracks, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return caught


def as_arrays(caught: Sequence[Caught]) -> list[tuple[np.ndarray, np.ndarray]]:
    return [(np.array(c.values), np.array(c.stamps)) for c in caught]


def test_files_side_by_side_share_one_clock_from_one_moment_on(start: Start, name: str) -> None:
    files = (find_data(SEIZURE), find_data(FIST))
    replay = Replay(files, name=name, speed=32, start_s=10, duration_s=20, together=True, wait_for_consumer=True)
    one, other = catch(replay, start)
    assert [c.info.name() for c in (one, other)] == [f"{name}-chb01_03_Seizure", f"{name}-S001R03"]
    assert [(c.info.nominal_srate(), c.info.channel_count()) for c in (one, other)] == [(256, 23), (160, 64)]
    for (values, stamps), file in zip(as_arrays([one, other]), files, strict=True):
        recording = open_recording(file)
        sfreq = recording.info.sfreq
        np.testing.assert_array_equal(values, recording.read(round(10 * sfreq), round(30 * sfreq)))
        np.testing.assert_allclose(stamps - one.stamps[0], np.arange(len(stamps)) / sfreq / 32, rtol=0, atol=1e-9)


def test_the_same_file_twice_is_two_streams_of_other_names_and_files_that_loop_keep_their_relation(
    start: Start, name: str
) -> None:
    files = (find_data(FIST), find_data(SEIZURE), find_data(FIST))
    tracks = Replay(files, together=True).tracks()
    assert [track.info.name for track in tracks] == ["S001R03", "chb01_03_Seizure", "S001R03-2"]
    assert len({track.info.source_id for track in tracks}) == 3
    assert [t.info for t in tracks] == [t.info for t in Replay(files, together=True).tracks()]
    long, short = Replay(files[:2], together=True).tracks()
    every_s = max(long.length_s, short.length_s)
    times = [np.concatenate(list(_two_turns(track, every_s))) for track in (long, short)]
    assert [t[track.n_samples] for t, track in zip(times, (long, short), strict=True)] == [every_s, every_s]


def _two_turns(track: Any, every_s: float) -> Iterator[np.ndarray]:
    n = 0
    for _, block in track.blocks(0.0, every_s):
        yield block
        n += len(block)
        if n >= 2 * track.n_samples:
            return


def made_up(path: Path) -> Path:
    """Two amplifiers and a keyboard, each on a clock of its own; all three are told the same three moments."""
    rng = np.random.default_rng(0)
    times = [np.arange(4000) / 400 + 0.0, np.arange(500) / 50 + 0.0123, np.array([1.0, 4.0, 9.0])]
    # What each clock shows at a moment of the recorder's: an offset of its own, and one of them drifts by 100 ppm.
    clocks = [lambda t: t + 5000.0, lambda t: (t * (1 + 1e-4)) - 300.0, lambda t: t + 12.5]
    described = (
        "<channels><channel><label>Fp1</label><unit>microvolts</unit></channel>"
        "<channel><label>Fp2</label><unit>microvolts</unit></channel></channels><cap><name>gold &amp; wet</name></cap>"
    )
    values: list[object] = [
        rng.normal(0, 50, (4000, 2)).astype(np.float32),
        rng.integers(-(2**15), 2**15, (500, 1)),
        [["eyes open"], ["blink <&>"], ["übung"]],
    ]
    kinds = [
        ("amp", "EEG", "float32", 400.0),
        ("belt", "Respiration", "int16", 50.0),
        ("keys", "Markers", "string", 0.0),
    ]
    streams = [
        XdfStream(
            name, type, v, clock(t + 100), format, sfreq, f"{name}-id", described if name == "amp" else "",
            tuple((w, w - clock(w)) for w in np.arange(95.0, 116.0, 5.0)),
        )
        for (name, type, format, sfreq), v, t, clock in zip(kinds, values, times, clocks, strict=True)
    ]  # fmt: skip
    return write_xdf(path, *streams)


@pytest.mark.parametrize("speed", [0.0, 16.0])
def test_streams_of_an_xdf_keep_their_relations_formats_and_descriptions(
    speed: float, tmp_path: Path, start: Start
) -> None:
    path = made_up(tmp_path / "session.xdf")
    amp, belt, keys = caught = catch(Replay((path,), speed=speed, all_streams=True, wait_for_consumer=True), start)
    whole, _ = pyxdf.load_xdf(path, dejitter_timestamps=False)
    by_name = {s["info"]["name"][0]: s for s in whole}
    scale = speed or 1.0
    zero = min(float(s["time_stamps"][0]) for s in whole)
    for c in caught:
        wanted = by_name[c.info.name()]
        assert c.values == [list(sample) for sample in np.asarray(wanted["time_series"]).tolist()]
        # To within 0.1 ms at the speed at which it is played, against the first sample of all.
        relation = np.array(c.stamps) - amp.stamps[0]
        np.testing.assert_allclose(relation * scale, wanted["time_stamps"] - zero, rtol=0, atol=1e-4)
    np.testing.assert_allclose(np.array(keys.stamps) - amp.stamps[0], np.array([1, 4, 9]) / scale, rtol=0, atol=1e-3)
    assert [(c.info.type(), c.info.nominal_srate(), c.info.channel_format()) for c in caught] == [
        ("EEG", 400.0, pylsl.cf_float32), ("Respiration", 50.0, pylsl.cf_int16), ("Markers", 0.0, pylsl.cf_string),
    ]  # fmt: skip
    assert amp.info.get_channel_labels() == ["Fp1", "Fp2"]
    assert amp.info.get_channel_units() == ["microvolts", "microvolts"]
    assert amp.info.desc().child("cap").child_value("name") == "gold & wet"
    assert belt.values[3] == by_name["belt"]["time_series"][3].tolist()


def test_real_xdf_files_arrive_whole_with_their_relations(start: Start) -> None:
    """The clock was reset in the middle of one of them; in another some streams are empty."""
    for file in ("clock_resets", "empty_streams"):
        path = find_data(f"xdf/example-files/{file}.xdf")
        replay = Replay((path,), speed=0, all_streams=True, chunk=64)
        caught = catch(replay, start)
        whole, _ = pyxdf.load_xdf(path, dejitter_timestamps=False)
        zero = min(float(np.min(s["time_stamps"])) for s in whole if len(s["time_stamps"]))
        firsts = []
        for c, track in zip(caught, replay.tracks(), strict=True):
            (wanted,) = (s for s in whole if s["info"]["name"] == [c.info.name()])
            assert len(c.stamps) == len(wanted["time_stamps"]) == track.n_samples
            assert c.values == np.asarray(wanted["time_series"]).tolist()
            if len(c.stamps):
                firsts.append(c.stamps[0] - (wanted["time_stamps"][0] - zero))
                np.testing.assert_allclose(np.diff(c.stamps), np.diff(wanted["time_stamps"]), rtol=0, atol=1e-6)
        assert np.ptp(firsts) < 1e-6


def test_streams_on_clocks_that_were_never_compared_begin_together() -> None:
    """Two headsets of one name, stamped by their own clocks, 57 hours apart."""
    one, other = Replay((find_data("xdf/muse_two_same_name_01.xdf"),), all_streams=True).tracks()
    assert one.info.name == other.info.name == "Muse"
    assert one.info.source_id != other.info.source_id
    assert max(one.length_s, other.length_s) < 60
    (warning,) = [w for t in (one, other) for r in t.recordings for w in r.warnings]
    assert "its clock was never compared with the others'" in warning


def test_faults_of_a_channel_go_to_the_stream_that_has_it_and_markers_lose_nothing(
    tmp_path: Path, start: Start
) -> None:
    faults = Faults(bad_channels=(BadChannel(channel="Fp2", kind="flat", at=(2, 3)),), drop=0.5, drift_ppm=1000)
    path = made_up(tmp_path / "session.xdf")
    replay = Replay((path,), speed=0, all_streams=True, faults=faults, chunk=4)
    players = replay.playback().players
    amp, belt, keys = ([*player.packets(0.0, None)] for player in players)
    data = np.concatenate([p.data for p in amp])
    times = np.concatenate([p.times for p in amp])
    inside = (times >= 2) & (times < 5)
    assert np.all(data[inside, 1] == 0)
    assert np.all(data[~inside] != 0)
    assert 0.4 < len(times) / 4000 < 0.6
    assert 0.3 < sum(len(p.times) for p in belt) / 500 < 0.7
    assert [float(p.stamps[0]) for p in keys] == pytest.approx([1.001, 4.004, 9.009])
    for player in players:
        player.close()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (
            {"files": ("a.edf", "b.xdf"), "all_streams": True},
            "all streams of an XDF file can be replayed, not of a.edf, b.xdf",
        ),
        (
            {"faults": Faults(bad_channels=(BadChannel(channel="Cz", kind="flat", at=(0, 1)),))},
            "there is no channel Cz",
        ),
        ({"faults": Faults(bad_channels=(BadChannel(channel="3", kind="flat", at=(0, 1)),))}, "there is no channel 3"),
        ({"start_s": 100.0}, "has no samples from 100 s on"),
    ],
)
def test_what_cannot_be_played_is_refused(options: dict[str, Any], says: str, tmp_path: Path) -> None:
    path = made_up(tmp_path / "session.xdf")
    with pytest.raises(RecordingError, match=says):
        Replay(**{"files": (path,), "all_streams": True, **options}).tracks()
