"""Where a file's own times are not index / rate: interrupted records, gaps, and a rate that is not the nominal one."""

from pathlib import Path

import numpy as np
import pytest
from cutting import INFO, make_pipeline
from edf_kit import tal, write_edf
from xdf_kit import XdfStream, write_xdf

import rtbci
from rtbci.errors import RecordingError
from rtbci.recordings.open import open_recording
from rtbci.recordings.overrides import StreamOverrides
from rtbci.recordings.recording import Recording
from rtbci.recordings.stamps import Segments, from_blocks, gap_words, stamp_words
from rtbci.replay.tracks import in_a_row
from rtbci.types import Chunk, Event

SFREQ = 100


def counted(n_records: int) -> np.ndarray:
    return np.arange(n_records * SFREQ)[:, None] * np.array([1, -1])


@pytest.mark.parametrize("kind", ["EDF+D", "BDF+D"])
def test_a_paused_file_is_timed_and_annotated_by_its_own_clock(tmp_path: Path, kind: str) -> None:
    tals = [tal("+5"), tal("+6", ("+6.5", "1", b"a")), tal("+306.25", ("+306.5", "1", b"seizure")), tal("+307.25")]
    recording = open_recording(write_edf(tmp_path / f"a.{kind[:3].lower()}", counted(4), tals, kind=kind))
    times = np.concatenate([np.arange(200) / SFREQ, 301.25 + np.arange(200) / SFREQ])
    np.testing.assert_allclose(recording.times(), times, rtol=0, atol=1e-12)
    assert recording.annotations == (Event(1.5, 1.0, "a"), Event(301.5, 1.0, "seizure"))
    assert recording.duration_s == pytest.approx(303.25)
    assert recording.n_samples == 400
    np.testing.assert_array_equal(recording.read(0, 400)[:, 0], np.arange(400))
    assert recording.warnings == ("it has a gap, 299.2 s without samples in all: 299.2 s from 2 s on",)
    cut = Chunk.join(list(recording.chunks(7)))
    np.testing.assert_array_equal(cut.times, recording.times())
    assert recording.index_at(1.5) == 150
    assert recording.index_at(100.0) == 199
    assert recording.index_at(301.5) == 225
    assert recording.index_at(1e4) == 400


def test_records_that_follow_each_other_are_a_continuous_recording_whatever_the_header_says(tmp_path: Path) -> None:
    tals = [tal(f"+{at:.3f}", ("+0.5", "", "\u00e4".encode())) for at in np.arange(9) / 3]
    recording = open_recording(write_edf(tmp_path / "a.edf", counted(9), tals, record_s=1 / 3))
    assert recording.stamps is None
    assert recording.warnings == ()
    assert recording.annotations[0] == Event(0.5, 0.0, "\u00e4")


def test_records_that_overlap_are_told_and_a_record_without_a_time_follows_the_one_before(tmp_path: Path) -> None:
    back = open_recording(write_edf(tmp_path / "back.edf", counted(3), [tal("+0"), tal("+5"), tal("+3")]))
    assert back.stamps is None
    assert back.warnings == (
        "its data records overlap: block 3 begins at 3 s, before the last one ends at 6 s; "
        "its times are counted without gaps",
    )
    mute = open_recording(write_edf(tmp_path / "mute.edf", counted(3), [tal("+0"), tal("+5"), b""]))
    assert mute.times()[[0, 100, 200]].tolist() == [0.0, 5.0, 6.0]
    assert mute.warnings[0] == "1 data records do not say when they begin; each follows the one before"


def test_a_replay_of_a_paused_file_sends_the_times_of_the_file() -> None:
    stamps = Segments((0, 200), (0.0, 302.25), 400, INFO.sfreq)
    data = np.zeros((400, 5), np.float32)
    recording = Recording(
        Path("a.edf"), "EDF", INFO, 400, lambda a, b: data[a:b], (Event(302.5, 1, "sz"),), stamps=stamps
    )
    track = in_a_row([recording], None, 0.0, None)
    times = np.concatenate([t for _, t in track.blocks()])
    np.testing.assert_array_equal(times, recording.times())
    assert [label for label in track.labels() if label[1]] == [(250, "sz")]
    assert np.concatenate([t for _, t in track.blocks(from_s=100.0)])[0] == 302.25


@pytest.mark.parametrize("seed", range(5))
def test_segments_are_the_array_that_they_stand_for(seed: int) -> None:
    rng = np.random.default_rng(seed)
    lengths, gaps = rng.integers(1, 50, 6), rng.uniform(0, 3, 6)
    firsts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    onsets = np.concatenate([[0.0], (np.cumsum(lengths / SFREQ + gaps))[:-1]])
    array = np.concatenate([at + np.arange(n) / SFREQ for at, n in zip(onsets, lengths, strict=True)])
    segments = Segments(tuple(map(int, firsts)), tuple(map(float, onsets)), len(array), SFREQ)
    assert len(segments) == len(array)
    np.testing.assert_array_equal(segments[:], array)
    np.testing.assert_array_equal(segments[3:20], array[3:20])
    assert (segments[-1], segments[7]) == (array[-1], array[7])
    for moment in rng.uniform(-1, array[-1] + 1, 50):
        assert segments.searchsorted(moment) == np.searchsorted(array, moment)


def test_a_clock_that_drifts_against_the_records_is_followed() -> None:
    onsets = np.arange(3600) * 1.0002
    segments = from_blocks(onsets.round(6), SFREQ, SFREQ)
    assert segments is not None
    assert np.abs(segments[::SFREQ] - onsets).max() < 0.5 / SFREQ
    assert segments.gaps() == []


def test_a_rate_that_is_off_is_told_with_what_it_amounts_to() -> None:
    stamps = np.arange(256 * 1200) / 255.8
    (told,) = stamp_words(stamps, 256)
    assert told == (
        "runs at 256 Hz by its header but 255.8 Hz by its stamps, 0.938 s longer over the recording; "
        "times are those of the stamps"
    )
    jitter = np.random.default_rng(0).normal(0, 0.002, len(stamps))
    assert "256 Hz by its header but 255.8" in stamp_words(np.sort(stamps + jitter), 256)[0]
    assert stamp_words(np.arange(256 * 1200) / 256, 256) == []
    assert stamp_words(np.sort(np.arange(256 * 1200) / 256 + jitter), 256) == []


def test_gaps_are_found_among_jitter_and_chunks_of_one_stamp_and_none_where_there_is_none() -> None:
    whole = np.arange(256 * 60) / 256
    kept = np.delete(whole, np.r_[1000:1003, 5000:5500])
    assert stamp_words(kept, 256) == [
        "it has 2 gaps, 1.965 s without samples in all: 1.953 s from 19.53 s on, 0.01172 s from 3.906 s on"
    ]
    per_chunk = np.repeat(whole[12::13], 13)[: len(whole)]
    assert stamp_words(per_chunk, 256) == []
    assert stamp_words(np.delete(per_chunk, np.r_[5200:5720]), 256) == [
        "it has a gap, 2.023 s without samples in all: 2.023 s from 20.31 s on"
    ]


def test_many_gaps_are_summed_up() -> None:
    (told,) = gap_words([(float(k), 0.5) for k in range(9)])
    assert (
        told
        == "it has 9 gaps, 4.5 s without samples in all: 0.5 s from 0 s on, 0.5 s from 1 s on, 0.5 s from 2 s on and 6 shorter"
    )


def eeg_file(path: Path, stamps: np.ndarray, sfreq: float) -> Path:
    labels = "".join(f"<channel><label>{name}</label><unit>uV</unit></channel>" for name in INFO.channels)
    values = np.random.default_rng(0).normal(0, 20, (len(stamps), len(INFO.channels))).astype(np.float32)
    described = f"<channels>{labels}</channels>"
    return write_xdf(path, XdfStream("amp", "EEG", values, stamps, sfreq=sfreq, description=described))


def test_a_file_at_another_rate_than_its_header_says_is_read_but_not_tagged_unless_a_rate_is_given(
    tmp_path: Path,
) -> None:
    path = eeg_file(tmp_path / "a.xdf", 50 + np.arange(6000) / 200, 400)
    recording = open_recording(path)
    assert any(text.startswith("runs at 400 Hz by its header but 200 Hz by its stamps") for text in recording.warnings)
    with pytest.raises(RecordingError) as refused:
        rtbci.tag(make_pipeline(), recording)
    assert str(refused.value) == (
        f"{path}: runs at 400 Hz by its header, but at 200 Hz by its stamps; its frequencies would be wrong; "
        "give its true rate with --sfreq 200"
    )
    told = open_recording(path, told=StreamOverrides(sfreq=200.0))
    right = open_recording(eeg_file(tmp_path / "b.xdf", 50 + np.arange(6000) / 200, 200))
    np.testing.assert_array_equal(
        rtbci.tag(make_pipeline(), told).scores.data, rtbci.tag(make_pipeline(), right).scores.data
    )
    insisted = open_recording(path, told=StreamOverrides(sfreq=400.0))
    assert insisted.refused == ""  # a person said so, and is told
    assert any("400 Hz" in text and "200 Hz by its stamps" in text for text in insisted.warnings)


@pytest.mark.parametrize("jitter_s", [0.0, 0.002])
def test_a_file_without_a_rate_has_the_plausible_one_of_its_stamps(tmp_path: Path, jitter_s: float) -> None:
    jitter = np.random.default_rng(1).normal(0, jitter_s, 6000)
    recording = open_recording(eeg_file(tmp_path / "a.xdf", 50 + np.arange(6000) / 200.004 + jitter, 0))
    assert recording.info.sfreq == 200
    assert "the stream declares no rate; its stamps give 200 Hz" in recording.warnings
    assert recording.refused == ""


def test_a_file_whose_chunks_lsl_stamped_by_a_wrong_rate_is_in_order_once_the_rate_is_given(tmp_path: Path) -> None:
    ends = 50 + np.arange(1, 601) * 10 / 200
    stamps = (ends[:, None] - np.arange(10)[::-1] / 100).ravel()
    path = eeg_file(tmp_path / "a.xdf", stamps, 100)
    assert "--sfreq 200" in open_recording(path).refused
    told = open_recording(path, told=StreamOverrides(sfreq=200.0))
    np.testing.assert_allclose(np.diff(told.times()), 1 / 200, rtol=0, atol=1e-9)
    result = rtbci.tag(make_pipeline(), told)
    assert result.warnings == ()
