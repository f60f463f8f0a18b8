"""Training on recordings with a clock of their own: labels are at the stamps, and gaps are gaps as live."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from cutting import INFO, SFREQ, eeg, make_pipeline

from rtbci.datasets.dataset import _windows
from rtbci.pipeline.stream import StreamSession
from rtbci.recordings.recording import Recording
from rtbci.recordings.stamps import Segments
from rtbci.training.batches import TrialBatches
from rtbci.training.examples import Example, Stretch, make_example
from rtbci.training.preprocessed import Preprocessed
from rtbci.training.source import Source
from rtbci.training.step_labels import StepLabels, label_steps
from rtbci.types import Event, Seen

N = 6000


def paused(annotations: tuple[Event, ...] = ()) -> Recording:
    """Samples 0 to 2999 from 0 s on, the rest from 115.005 s on, and 20 samples lost after 1000."""
    data = eeg(N).data
    firsts, onsets = (0, 1000, 3001), (0.0, 1020 / SFREQ, 115.005)
    stamps = Segments(firsts, onsets, N, SFREQ)
    return Recording(Path("a.edf"), "EDF", INFO, N, lambda a, b: data[a:b], annotations, stamps=stamps)


def source(recording: Recording, *stretches: Stretch) -> Source:
    return Source("a", recording, stretches, "background", 1, False)


def test_a_label_holds_at_the_times_of_the_file_and_steps_are_those_of_the_live_path() -> None:
    pipeline, recording = make_pipeline(), paused()
    example = make_example(pipeline, source(recording, Stretch(116.0, 118.0, "seizure"), Stretch(50, 60, "seizure")))
    steps = example.times[:]
    np.testing.assert_array_equal(example.y[:, 0] > 0, (steps >= 116) & (steps < 118))
    assert example.y.sum() > 10
    session = StreamSession(pipeline, INFO, offline=True)
    seen = [m.chunk for chunk in recording.chunks(77) for m in session.samples(chunk) if isinstance(m, Seen)]
    times = np.concatenate([chunk.times for chunk in seen])
    # Less what is no whole step before the pause.
    assert set(steps) <= set(times)
    assert 0 <= len(times) - len(example.x) < 2 * example.hop
    assert not example.known.all()
    assert example.known[steps > 115].all()


def test_a_continuous_recording_is_as_it_was() -> None:
    pipeline, data = make_pipeline(), eeg(N).data
    plain = replace(paused(), stamps=None)
    stamped = replace(plain, stamps=np.arange(N) / SFREQ)
    one, other = (make_example(pipeline, source(r, Stretch(3, 9, "seizure"))) for r in (plain, stamped))
    np.testing.assert_array_equal(one.x, other.x)
    np.testing.assert_array_equal(one.y, other.y)
    assert one.known.all()
    assert len(data) == N


def test_trials_with_missing_samples_are_left_out() -> None:
    recording = paused((Event(13.0, 1.0, "left"), Event(14.0, 1.0, "left"), Event(116.0, 1.0, "left")))
    (first, _), (second, _) = _windows(recording, 0.0, 1.5, ("left",))
    np.testing.assert_array_equal(first, eeg(N).data[2580:2880])
    np.testing.assert_array_equal(second, eeg(N).data[3200:3500])
    pipeline = make_pipeline()
    whole = source(recording, *(Stretch(at, at + 1, "seizure") for at in (14.0, 14.9, 60.0, 116.0)))
    signal = Preprocessed(None).signal(pipeline, recording, 1)
    labels = StepLabels.of(*label_steps(signal.times[:], whole, pipeline.classes))
    example = Example(whole, signal.x, signal.times, labels, 1)
    assert len(TrialBatches([example], ("seizure",), window=40, rows=8)) == 2
