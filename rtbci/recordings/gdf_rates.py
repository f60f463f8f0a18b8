"""GDF files with signals at several rates: those at the rate of the EEG, read without MNE, which would resample each part."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from rtbci.recordings.channel_names import names_eeg

if TYPE_CHECKING:
    import mne


@dataclass(frozen=True)
class EegSignals:
    """Signals at one rate of a file that has several.

    Attributes
    ----------
    picks
        Their indices among the channels as MNE has them.
    sfreq, n_samples
        Rate in Hz, and length.
    left_out
        A line that names the others.
    """

    picks: tuple[int, ...]
    sfreq: float
    n_samples: int
    left_out: str
    _path: Path
    _header: dict[str, Any]

    def read(self, picks: list[int], start: int, stop: int) -> npt.NDArray[np.float64]:
        """(n_picks, stop - start), as `mne.io.Raw.get_data` gives it: V."""
        samples = np.asarray(self._header["n_samps"], np.int64)
        n = int(samples[self.picks[0]])
        first, last = start // n, -(-stop // n)  # records
        dtype = np.dtype(self._header["dtype_np"])
        record = int(samples.sum())
        values = np.fromfile(
            self._path, dtype, (last - first) * record,
            offset=int(self._header["data_offset"]) + first * record * dtype.itemsize,
        ).reshape(last - first, record)  # fmt: skip
        begins = np.cumsum(samples) - samples
        data = np.stack([values[:, begins[i] : begins[i] + n].reshape(-1) for i in picks]).astype(np.float64)
        data = data[:, start - first * n : stop - first * n]
        cal, offset, unit = (np.asarray(self._header[key])[picks, None] for key in ("cal", "offsets", "units"))
        scaled: npt.NDArray[np.float64] = (data * cal + offset) * unit
        return scaled


def eeg_signals(raw: mne.io.BaseRaw, path: Path) -> EegSignals | None:
    """The signals of a GDF file at the rate that most EEG channels have; None where all have one rate."""
    header = raw._raw_extras[0]
    samples = [int(n) for n in header["n_samps"]]  # of a record, by channel
    if len(set(samples)) == 1 or len(samples) != len(raw.ch_names):
        return None
    votes = {n: [0, 0] for n in samples if n > 0}
    for name, n in zip(raw.ch_names, samples, strict=True):
        is_eeg = names_eeg(name)
        if n in votes:
            votes[n][0] += is_eeg is True
            votes[n][1] += is_eeg is None
    main = max(votes, key=lambda n: votes[n])
    records_hz = float(header["record_length"][1] / header["record_length"][0])
    others = [f"{name} ({n * records_hz:g} Hz)" for name, n in zip(raw.ch_names, samples, strict=True) if n != main]
    more = f" and {len(others) - 20} more" if len(others) > 20 else ""
    return EegSignals(
        tuple(i for i, n in enumerate(samples) if n == main),
        main * records_hz,
        main * int(header["n_records"]),
        f"left out, for their other sampling rate: {', '.join(others[:20])}{more}; read at {main * records_hz:g} Hz",
        path,
        header,
    )
