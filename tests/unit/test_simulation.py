"""The synthetic source: the same samples however they are read, and signals that look like what they are called."""

import numpy as np
import pytest
from scipy import signal

from rtbci.simulation.eeg import synthesise
from rtbci.simulation.scalp import ELECTRODES, POSITIONS, at, field
from rtbci.stages.montage import DOUBLE_BANANA
from rtbci.stages.wiring import match


@pytest.mark.parametrize("n", [1, 97, 2048, 10_000])
def test_samples_do_not_depend_on_how_the_recording_is_cut(n):
    recording = synthesise(3, 17.3)
    stop = recording.n_samples if n > 1 else 4200  # past two seams of the generator's own blocks
    cut = np.concatenate([chunk.data for chunk in recording.chunks(n, stop=stop)])
    assert np.array_equal(cut, synthesise(3, 17.3).read(0, stop))


def test_a_piece_read_out_of_turn_is_the_same():
    recording = synthesise(4, 60)
    assert np.array_equal(recording.read(9000, 9500), synthesise(4, 60).read(0, 15360)[9000:9500])


def test_the_seed_decides_everything():
    one, same, other = (synthesise(seed, 30) for seed in (5, 5, 6))
    assert one.annotations == same.annotations
    assert np.array_equal(one.read(0, 512), same.read(0, 512))
    assert not np.array_equal(one.read(0, 512), other.read(0, 512))


def test_it_carries_every_channel_of_the_double_banana():
    assert len(match(DOUBLE_BANANA, synthesise(1, 10).info).plus) == 18


def test_every_seizure_is_annotated_inside_the_recording():
    for seed in range(30):
        recording = synthesise(seed, 120, n_seizures=2)
        first, second = recording.annotations
        assert {first.label, second.label} == {"seizure"}
        assert 0 <= first.onset < first.onset + first.duration <= second.onset
        assert second.onset + second.duration <= recording.duration_s
    assert synthesise(1, 60, n_seizures=0).annotations == ()


def test_a_seizure_adds_rhythm_between_1_and_15_hz():
    """Most seizures double the power of that band at the electrodes that they reach."""
    sos = signal.butter(4, [1, 15], "bandpass", fs=256, output="sos")
    louder = []
    for seed in range(20):
        recording = synthesise(seed, 90, mimics="none")
        (event,) = recording.annotations
        power = signal.sosfiltfilt(sos, recording.read(0, recording.n_samples), axis=0) ** 2
        start, stop = (round(256 * t) for t in (event.onset, event.onset + event.duration))
        outside = np.median(np.concatenate([power[:start], power[stop:]]), axis=0)
        louder.append((np.median(power[start:stop], axis=0) / outside).max() > 2)
    assert np.mean(louder) > 0.8


def test_arousals_add_rhythm_movement_and_muscle_to_what_is_there_without_them():
    loud = 0
    for seed in range(12):
        without, stirred = (synthesise(seed, 60, with_arousals=on) for on in (False, True))
        assert stirred.annotations == without.annotations
        added = stirred.read(0, stirred.n_samples) - without.read(0, without.n_samples)
        loud += added.std() > 5
        assert np.array_equal(stirred.read(3000, 3500), stirred.read(0, 15360)[3000:3500])
    assert 5 <= loud <= 11  # seven patients of ten


def test_no_seam_shows_between_the_blocks():
    x = synthesise(8, 80, n_seizures=0, mimics="none").read(0, 80 * 256)
    steps = np.abs(np.diff(x, axis=0)).mean(axis=1)
    seams = np.arange(2048, len(x), 2048) - 1
    assert steps[seams].mean() < 2 * steps.mean()


def test_a_field_is_strongest_at_its_place_and_the_head_is_symmetric():
    assert ELECTRODES[int(np.argmax(field(at("C3"), 0.5)))] == "C3"
    mirrored = POSITIONS[ELECTRODES.index("F8")] * [-1, 1, 1]
    np.testing.assert_allclose(POSITIONS[ELECTRODES.index("F7")], mirrored, atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(POSITIONS, axis=1), 1)


@pytest.mark.parametrize(("duration_s", "sfreq"), [(0, 256), (-1, 256), (float("nan"), 256), (10, 50)])
def test_a_length_or_rate_that_cannot_be_is_refused(duration_s, sfreq):
    with pytest.raises(ValueError, match="wants a length and at least 100 Hz"):
        synthesise(0, duration_s, sfreq)
