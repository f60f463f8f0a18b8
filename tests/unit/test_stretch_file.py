"""A stretch of the stream as an EDF+ file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rtbci.dashboard.model.display_clock import DisplayClock
from rtbci.dashboard.model.history import History
from rtbci.dashboard.model.stretch_file import stretch_file
from rtbci.dashboard.model.time_marks import ANNOTATION, EVENT, LOST, TimeMark
from rtbci.errors import StreamMismatch
from rtbci.recordings.open import open_recording

CHANNELS = ("Fp1-Ref", "T8-P8", "T8-P8", "ein Kanal mit langem Namen µ")


def history(sfreq: float = 200.0, gap: float = 0.0) -> History:
    made = History(4, sfreq, keep_s=60)
    x = np.arange(4000) / sfreq
    x[1000:] += gap
    data = np.stack([np.sin(x), 50 * np.sin(2 * x), np.full(4000, 3.0), 1e5 * np.cos(x)], axis=1)
    made.append(x, data.astype(np.float32), np.ones(4000, bool))
    return made


def clock() -> DisplayClock:
    return DisplayClock(0.0, 1.0, wall_minus_local=1_700_000_000.25)


def test_a_stretch_is_read_back_with_its_samples_names_and_notes(tmp_path: Path) -> None:
    marks = [
        TimeMark(3.0, 3.5, ANNOTATION, "eyes closed"), TimeMark(1.0, 2.5, EVENT, "seizure"), TimeMark(2, 3, LOST),
        TimeMark(9.0, 9.0, ANNOTATION, "too late"),
    ]  # fmt: skip
    made = stretch_file(history(), CHANNELS, clock(), marks, (2.0, 4.6))
    assert (made.seconds, made.missing_s) == (3.0, 0.0)
    (tmp_path / "a.edf").write_bytes(made.content)
    recording = open_recording(tmp_path / "a.edf")
    assert recording.info.sfreq == 200.0
    data = np.concatenate([chunk.data for chunk in recording.chunks(100)])
    assert data.shape[0] == 600
    x = 2.0 + np.arange(600) / 200
    names = list(recording.info.channels)
    np.testing.assert_allclose(data[:, names.index("Fp1-Ref")], np.sin(x), atol=1e-4)
    assert {"T8-P8-0", "T8-P8-1"} <= set(names)
    notes = [(round(a.onset, 3), round(a.duration, 3), a.label) for a in recording.annotations]
    assert notes == [(0.0, 0.5, "detected: seizure"), (1.0, 0.5, "eyes closed")]


@pytest.mark.parametrize("sfreq", [173.61, 128.125])
def test_a_rate_that_is_no_whole_number_is_kept(tmp_path: Path, sfreq: float) -> None:
    made = stretch_file(history(sfreq), CHANNELS, clock(), [], (0.0, 4.0))
    (tmp_path / "a.edf").write_bytes(made.content)
    assert open_recording(tmp_path / "a.edf").info.sfreq == pytest.approx(sfreq, rel=1e-6)


def test_what_is_missing_is_held_and_said(tmp_path: Path) -> None:
    made = stretch_file(history(gap=1.0), CHANNELS, clock(), [], (4.0, 8.0))
    assert made.missing_s == pytest.approx(1.0)
    (tmp_path / "a.edf").write_bytes(made.content)
    (note,) = open_recording(tmp_path / "a.edf").annotations
    assert (note.onset, note.duration, note.label) == (1.0, 1.0, "no data, last value held")


def test_a_stretch_without_data_is_refused() -> None:
    with pytest.raises(StreamMismatch, match="the stretch holds no data"):
        stretch_file(history(), CHANNELS, clock(), [], (-30.0, -20.0))
