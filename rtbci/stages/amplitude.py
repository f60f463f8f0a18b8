"""The amplitude of a stream's first seconds, beside the path: whether values in µV are those of an EEG."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rtbci.recordings.channel_names import may_be_eeg
from rtbci.recordings.units import microvolts
from rtbci.types import StreamInfo

N_BLOCKS = 5  # seconds with a signal
ODD_VALUES = "values are too"  # how the words begin
# rms about the mean of a second, median over channels and seconds, µV; scalp EEG has 4 to 60, and a seizure 140.
LEAST_SIGNAL_UV = 1e-7  # below, a channel is flat; EEG in V that is taken for µV has 1e-5
LEAST_UV, MOST_UV = 0.2, 1000.0
LEAST_ASSUMED_UV, MOST_ASSUMED_UV = 1.0, 200.0  # where no unit is named and µV are assumed


class AmplitudeCheck:
    """Compares the amplitude of the first seconds with that of EEG.

    Parameters
    ----------
    info
        The stream.

    Attributes
    ----------
    words
        What is odd; "" where nothing is, and before enough was seen.
    """

    def __init__(self, info: StreamInfo) -> None:
        columns = zip(info.channels, info.channel_types, info.units, strict=True)
        eeg = [may_be_eeg(label, kind) and microvolts(unit) is not None for label, kind, unit in columns]
        self._eeg = np.flatnonzero(eeg)
        self._assumed = any(not info.units[i] for i in self._eeg)
        self._seen: list[float] = []
        self.words = ""

    def add(self, rms_uv: npt.NDArray[np.float32]) -> None:
        """Add a second: rms about the mean of each channel of the stream."""
        if len(self._seen) == N_BLOCKS or not len(self._eeg):
            return
        rms = rms_uv[self._eeg]
        if not (rms > LEAST_SIGNAL_UV).any():
            return
        self._seen.append(float(np.median(rms[rms > LEAST_SIGNAL_UV])))
        if len(self._seen) == N_BLOCKS:
            self.words = self._judged(float(np.median(self._seen)))

    def take_words(self) -> str:
        """`words`, once."""
        words, self.words = self.words, ""
        return words

    def _judged(self, rms_uv: float) -> str:
        least, most = (LEAST_ASSUMED_UV, MOST_ASSUMED_UV) if self._assumed else (LEAST_UV, MOST_UV)
        if least <= rms_uv <= most:
            return ""
        how, like = ("large", "counts of an amplifier, or nV") if rms_uv > most else ("small", "mV or V")
        unit = "where no unit is named and µV are assumed" if self._assumed else "in the unit that is named"
        return (
            f"{ODD_VALUES} {how} for an EEG {unit}: {rms_uv:.3g} µV rms, as if they were {like}, not µV; --unit says the "
            "unit, --gain how many µV one is"
        )
