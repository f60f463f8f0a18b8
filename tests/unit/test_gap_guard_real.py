"""The gap guard on real recordings: what it declares lost is what their stamps say."""

import numpy as np
import pytest
from real_data import find_data

from rtbci.recordings.open import open_recording
from rtbci.recordings.recording import Recording
from rtbci.stages.gap_guard import GapConfig, GapGuard
from rtbci.types import Chunk, Gap


def guarded(recording: Recording, chunk: int) -> tuple[Chunk, list[Gap]]:
    guard = GapGuard(GapConfig(), recording.info.sfreq)
    items = [item for piece in recording.chunks(chunk) for item in guard.process(piece)] + list(guard.flush())
    pieces = [i for i in items if isinstance(i, Chunk)]
    return Chunk.join(pieces), [i for i in items if isinstance(i, Gap)]


def missing(recording: Recording) -> int:
    """By the stamps alone: what the span would hold at the nominal rate, less what is there."""
    return round(recording.duration_s * recording.info.sfreq) - recording.n_samples


def test_true_loss_of_a_third_of_all_samples_is_declared_to_the_last_third_of_a_second() -> None:
    """OpenBCI over WiFi: bursts of 6 to 26 samples are lost ten times a second, 8725 of 29255 in all."""
    recording = open_recording(find_data("xdf/openbci_dropouts_Trial1.xdf"))
    out, gaps = guarded(recording, 8)
    declared = sum(g.n_missing for g in gaps)
    assert missing(recording) == 8725
    assert abs(declared - 8725) < 0.33 * recording.info.sfreq
    filled = sum(g.n_missing for g in gaps if g.filled)
    assert len(out) == recording.n_samples + filled
    assert np.count_nonzero(~out.valid) == filled
    assert all(g.cause == "samples lost" for g in gaps)


def test_a_clock_reset_is_one_break_and_no_sample_is_dropped() -> None:
    """BioSemi at 91.6 Hz that says 100 Hz, with a computer restarted in the middle: 273.6 s without samples.

    For the first seconds its rate may be one that a clock has; then all that is late so far is told at once.
    """
    recording = open_recording(find_data("xdf/example-files/clock_resets.xdf"))
    out, gaps = guarded(recording, 8)
    first, long = [g for g in gaps if not g.filled]
    assert first.end - recording.stamps[0] < 8
    assert long.end - long.start == pytest.approx(273.556, abs=1e-3)
    assert abs(long.n_missing - 27356) < 30
    assert out.valid.sum() == recording.n_samples
    assert abs(sum(g.n_missing for g in gaps) - missing(recording)) < 2 * recording.info.sfreq


@pytest.mark.parametrize("number", ["1", "2"])
def test_a_whole_recording_over_bluetooth_has_no_gap(number: str) -> None:
    recording = open_recording(find_data("xdf/muse_two_same_name_01.xdf"), stream=number)
    out, gaps = guarded(recording, 12)
    assert gaps == []
    assert len(out) == recording.n_samples
    assert out.valid.all()


@pytest.mark.parametrize("name", ["openbci_dropouts_Trial1.xdf", "example-files/clock_resets.xdf"])
def test_the_verdict_does_not_depend_on_the_chunks(name: str) -> None:
    recording = open_recording(find_data(f"xdf/{name}"))
    wanted, gaps = guarded(recording, 10_000)
    for chunk in (1, 7, 300):
        got, found = guarded(recording, chunk)
        assert found == gaps
        np.testing.assert_array_equal(got.times, wanted.times)
        np.testing.assert_array_equal(got.valid, wanted.valid)


@pytest.mark.parametrize("number", [1, 5])
def test_loss_put_into_a_clean_real_recording_is_counted_exactly(number: int) -> None:
    recording = open_recording(find_data("xdf/muse_two_same_name_01.xdf"), stream="1")
    chunk = next(recording.chunks(recording.n_samples))
    rng = np.random.default_rng(number)
    at = np.sort(rng.choice(np.arange(2560, 9000, 100), 20, replace=False))
    keep = np.ones(len(chunk), np.bool_)
    for start in at:
        keep[start : start + number] = False
    guard = GapGuard(GapConfig(), recording.info.sfreq)
    kept = Chunk(chunk.data[keep], chunk.times[keep])
    gaps = [item for item in [*guard.process(kept), *guard.flush()] if isinstance(item, Gap)]
    assert [g.n_missing for g in gaps] == [number] * 20
    np.testing.assert_allclose([g.end for g in gaps], chunk.times[at + number])
