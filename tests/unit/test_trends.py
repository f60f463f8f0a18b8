"""Trends: spectra of hemispheres, aEEG and asymmetry against scipy and arithmetic; under the law, alone and in a session."""

from pathlib import Path

import numpy as np
import pytest
from cutting import assert_same, cut, make_pipeline, singles, through
from eeg_files import write_eeg
from scipy import signal

import rtbci
from rtbci.evaluation.tagging import tag
from rtbci.pipeline.stream import StreamSession
from rtbci.pipeline.trends import BURDEN, COLUMN_NAMES, N_COLUMNS, PROBABILITY, SessionTrends
from rtbci.stages import trends
from rtbci.stages.trend_channels import TrendChannels
from rtbci.stages.trends import AEEG, ASYMMETRY, FREQUENCIES, LEFT, RIGHT, SYMMETRY_INDEX, Trends
from rtbci.types import Chunk, Detection, Event, Scores, StreamInfo, TrendRows

NAMES = ("F7", "T7", "P7", "C3", "P3", "Cz", "F8", "T8", "P8", "C4", "P4")
BIPOLAR = ("Fp1-F7", "F7-T7", "C3-P3", "Fz-Cz", "Fp2-F8", "F8-T8", "C4-P4", "C3-C4")


def info(names: tuple[str, ...] = NAMES, sfreq: float = 200.0) -> StreamInfo:
    return StreamInfo("trends", sfreq, names, ("uV",) * len(names))


def noise(n_samples: int, n_channels: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(300, 20, (n_samples, n_channels)).astype(np.float32)


def rows(data: np.ndarray, about: StreamInfo, valid: np.ndarray | None = None) -> np.ndarray:
    return Trends(about).process(Chunk(data, np.arange(len(data)) / about.sfreq, valid)).data


# -- channels ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "left", "right", "n_average", "aeeg"),
    [
        (NAMES, ("F7", "T7", "P7", "C3", "P3"), ("F8", "T8", "P8", "C4", "P4"), 11, ("C3-P3", "C4-P4")),
        (BIPOLAR, ("Fp1-F7", "F7-T7", "C3-P3"), ("Fp2-F8", "F8-T8", "C4-P4"), 0, ("C3-P3", "C4-P4")),
        (("C3-M2", "O1-M2", "C4-M1", "ECG"), ("C3-M2", "O1-M2"), ("C4-M1",), 0, ("C3", "C4")),
        (("EEG O1", "EEG O2", "A1", "A2"), ("EEG O1",), ("EEG O2",), 0, ("O1", "O2")),
        (("F7-T3", "T3-T5"), ("F7-T3", "T3-T5"), (), 0, ()),
        (("E1", "E2", "Trigger"), (), (), 0, ()),
    ],
)
def test_channels_belong_to_the_side_of_their_electrodes(names, left, right, n_average, aeeg) -> None:
    found = TrendChannels.of(info(names))
    assert tuple(names[k] for k in found.left) == left
    assert tuple(names[k] for k in found.right) == right
    assert len(found.average) == n_average
    assert tuple(side.name for side in found.aeeg) == aeeg


# -- values -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sfreq", [200.0, 256.0])
def test_spectra_are_those_of_welch_against_the_average(sfreq: float) -> None:
    data = noise(round(10 * sfreq), len(NAMES))
    data[:, 6:] *= 2
    (row,) = rows(data, info(sfreq=sfreq))
    n = round(4 * sfreq)
    referenced = data - data.mean(axis=1, keepdims=True, dtype=np.float64)
    hz, power = signal.welch(referenced, sfreq, "hann", n, n // 2, axis=0)
    np.testing.assert_allclose(hz[2 : 2 * len(FREQUENCIES) + 1 : 2], FREQUENCIES)
    smooth = np.stack([np.convolve(one, (0.25, 0.5, 0.25), "same") for one in power.T])[:, 2:122:2]
    left, right = smooth[:5].mean(axis=0), smooth[6:].mean(axis=0)
    np.testing.assert_allclose(row[LEFT], left, rtol=1e-5)
    np.testing.assert_allclose(row[RIGHT], right, rtol=1e-5)
    band = slice(1, 50)
    np.testing.assert_allclose(row[SYMMETRY_INDEX], (abs(right - left) / (right + left))[band].mean(), rtol=1e-5)
    np.testing.assert_allclose(row[ASYMMETRY], (right - left)[band].sum() / (right + left)[band].sum(), rtol=1e-5)


@pytest.mark.parametrize("sfreq", [173.61, 512.0, 1000.0, 2000.0])
@pytest.mark.parametrize("hz", [3.0, 28.0])
def test_a_wave_has_its_power_whatever_the_rate_of_the_stream(sfreq: float, hz: float) -> None:
    n = round(11 * sfreq)
    data = 20 * np.sin(2 * np.pi * hz * np.arange(n) / sfreq)[:, None] * (1, 2)
    (row,) = rows(data.astype(np.float32), info(("O1", "O2"), sfreq))
    for columns, amplitude in ((LEFT, 20), (RIGHT, 40)):
        assert FREQUENCIES[row[columns].argmax()] == hz
        np.testing.assert_allclose(row[columns].sum() * 0.5, amplitude**2 / 2, rtol=0.01)
    np.testing.assert_allclose((row[SYMMETRY_INDEX], row[ASYMMETRY]), 0.6, atol=1e-3)


def test_the_aeeg_reads_peak_to_peak_at_10_hz_and_rises_by_12_db_a_decade() -> None:
    def read(hz: float) -> np.ndarray:
        data = np.zeros((2000, len(NAMES)))
        data[:, NAMES.index("C3")] = 25 * np.sin(2 * np.pi * hz * np.arange(2000) / 200)
        data[:, NAMES.index("P3")] = 0.5 * np.sin(np.arange(2000))
        data[:, NAMES.index("C4")] = 5 * data[:, NAMES.index("C3")]
        data[:, NAMES.index("P4")] = 4.9 * data[:, NAMES.index("C3")]
        return rows(data, info())[0, AEEG]

    np.testing.assert_allclose(read(10.0), (50, 50, 5, 5), rtol=0.02)
    for low, high in ((3.0, 6.0), (4.0, 12.0)):
        slope = 20 * np.log10(read(high)[:2] / read(low)[:2]) / np.log10(high / low)
        np.testing.assert_allclose(slope, 12.0, atol=0.4)
    assert (read(0.5) < 2).all()
    assert (read(20.0) < 2).all()


def test_a_bad_channel_is_left_out_and_changes_no_other() -> None:
    data = noise(2000, len(NAMES))
    without = rows(np.delete(data, 1, axis=1), info(tuple(np.delete(NAMES, 1))))
    for bad in (17.0, np.nan, np.inf, 1e6 * np.arange(2000) % 9e5):
        data[:, 1] = bad
        np.testing.assert_allclose(rows(data, info()), without, rtol=1e-5)
    data[:, NAMES.index("P4")] = 0.0
    left_only = rows(data, info())[0, AEEG]
    assert np.isfinite(left_only[:2]).all() and np.isnan(left_only[2:]).all()


def test_a_row_with_too_many_invalid_samples_is_no_number() -> None:
    data, valid = noise(6000, len(NAMES)), np.ones(6000, np.bool_)
    valid[2700:3500] = False  # windows that end at 14, 16, 18 and 20 s have more than a tenth of it
    valid[5000:5070] = False  # fewer
    found = Trends(info()).process(Chunk(data, np.arange(6000) / 200, valid))
    assert found.valid.tolist() == [True, False, True]
    assert np.isnan(found.data[1]).all() and np.isfinite(found.data[2]).all()


# -- the law ----------------------------------------------------------------------------------------------------------


def test_rows_do_not_depend_on_the_cutting() -> None:
    data = noise(9000, len(BIPOLAR))
    data[4000:4600, 3] = np.nan
    data[6000:, 1] = 0.0
    valid = np.ones(9000, np.bool_)
    valid[2100:2400] = False
    whole = Chunk(data, np.arange(9000) / 173.61, valid)
    about = info(BIPOLAR, 173.61)
    wanted = Trends(about).process(whole)
    assert len(wanted) == 5
    for pieces in (singles(whole), *(cut(whole, seed) for seed in range(8))):
        assert_same(through(Trends(about), pieces), wanted)


def session_rows(pieces: list[Chunk]) -> tuple[TrendRows, list[float]]:
    pipeline = make_pipeline()
    names = ("Fp1", "F7", "T7", "P7", "O1", "Fp2", "F8", "T8", "P8", "O2")
    session = StreamSession(pipeline, info(names), trends=True)
    session.live.decision.threshold = session.live.decision.release = 0.5
    found, highest = [], [0.0]
    for message in (m for piece in pieces for m in session.samples(piece)):
        if isinstance(message, Scores):
            highest.append(float(message.chunk.data[message.chunk.valid].max(initial=0)))
        elif isinstance(message, TrendRows):
            found.append(message)
    return TrendRows.join(found), highest


def test_a_session_gives_the_same_rows_however_it_is_cut_and_begins_anew_behind_a_break() -> None:
    times = 50 + np.arange(9000) / 200
    times[5000:] += 30.0
    whole = Chunk(noise(9000, 10), times)
    wanted, highest = session_rows([whole])
    np.testing.assert_allclose(wanted.at_s, [9.995, 19.995, 64.995, 74.995], atol=0.006)
    assert wanted.chunk.data.shape[1] == N_COLUMNS
    assert np.nanmax(wanted.chunk.data[:, PROBABILITY]) <= np.float32(max(highest))
    assert np.isfinite(wanted.chunk.data).all()
    assert wanted.chunk.data[-1, BURDEN] > 0
    for seed in range(3):
        got, _ = session_rows(list(cut(whole, seed)))
        np.testing.assert_array_equal(got.at_s, wanted.at_s)
        assert_same(got.chunk, wanted.chunk)


def test_tag_gives_the_rows_that_were_given_live(tmp_path: Path) -> None:
    pipeline = make_pipeline()
    recording = rtbci.open_recording(write_eeg(tmp_path / "a.edf", seconds=65))
    offline = tag(pipeline, recording, trends=True).trends
    assert offline is not None
    whole = next(iter(recording.chunks(1 << 20)))
    stamped = Chunk(whole.data, 4000 + whole.times)  # which the gap guard puts on its grid
    session = StreamSession(pipeline, recording.info, trends=True)
    live = TrendRows.join([m for part in cut(stamped, 3) for m in session.samples(part) if isinstance(m, TrendRows)])
    np.testing.assert_array_equal(live.at_s, offline.at_s)
    np.testing.assert_array_equal(live.chunk.data, offline.chunk.data)


def test_a_session_without_trends_has_no_rows() -> None:
    session = StreamSession(make_pipeline(), info(("Fp1", "F7", "T7", "P7", "O1")))
    chunk = Chunk(noise(3000, 5), np.arange(3000) / 200)
    assert not [m for m in session.samples(chunk) if isinstance(m, TrendRows)]


# -- burden -----------------------------------------------------------------------------------------------------------


def decision(time: float, onset: float, duration: float, closed: bool, label: str = "seizure") -> Detection:
    return Detection(time, Event(onset, duration, label), closed)


def test_the_burden_of_a_row_is_what_was_decided_by_then_in_the_last_hour() -> None:
    found = SessionTrends(info(), (0,))
    found.on(decision(110, 100, 10, closed=False))
    found.on(decision(140, 100, 36, closed=True))
    assert found._burden(105) == 0  # not decided yet
    assert found._burden(120) == 20 / 3600  # it is on
    assert found._burden(1000) == 36 / 3600
    found.on(decision(2000, 1900, 360, closed=True))
    found.on(decision(2100, 2000, 300, closed=True, label="other"))
    assert found._burden(3000) == (36 + 360) / 3600
    found.reset()  # a gap
    assert found._burden(3600 + 118) == pytest.approx((18 + 360) / 3600)
    found.restart()  # another place
    assert found._burden(9000) == 0


def test_columns_stand_behind_each_other() -> None:
    assert (RIGHT.start, AEEG.start, SYMMETRY_INDEX, ASYMMETRY) == (LEFT.stop, RIGHT.stop, AEEG.stop, AEEG.stop + 1)
    assert COLUMN_NAMES[AEEG] == tuple(f"aEEG {s} {m}, µV" for s in ("left", "right") for m in ("lower", "upper"))
    assert (COLUMN_NAMES[RIGHT.start], COLUMN_NAMES[ASYMMETRY], len(COLUMN_NAMES)) == (
        "right 0.5 Hz, µV²/Hz", "asymmetry", N_COLUMNS,
    )  # fmt: skip
    assert (PROBABILITY, BURDEN, N_COLUMNS) == (trends.N_TRENDS, trends.N_TRENDS + 1, trends.N_TRENDS + 2)
