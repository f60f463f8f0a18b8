"""Recordings read by MNE-Python: GDF, BrainVision, EEGLAB, FIF, Nihon Kohden, Persyst, ANT."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from rtbci.errors import RecordingError
from rtbci.recordings.brainvision_texts import declared_units, mended
from rtbci.recordings.gdf_rates import eeg_signals
from rtbci.recordings.mne_clock import on_its_clock
from rtbci.recordings.reader_errors import one_line, reader_error
from rtbci.recordings.reader_warnings import in_our_words
from rtbci.recordings.recording import Recording
from rtbci.recordings.units import microvolts, without_unit
from rtbci.types import Event, Samples, StreamInfo

if TYPE_CHECKING:
    import mne

_KEPT = ("eeg", "seeg", "ecog", "dbs", "eog", "ecg", "emg", "bio", "misc")


@contextmanager
def quietly(path: Path, kind: str) -> Iterator[list[str]]:
    """Collect what MNE would print or warn of, one line each, and turn its errors into one RecordingError."""
    import mne

    reported: list[str] = []
    logger = logging.getLogger("mne")  # prints to standard output, which may be carrying a program's JSON
    logger.addFilter(_nothing)
    with mne.utils.use_log_level("WARNING"), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            yield reported
        except RecordingError:
            raise
        except Exception as error:
            # Parsing untrusted bytes may raise anything.
            raise reader_error(path, kind, error) from error
        finally:
            logger.removeFilter(_nothing)
            reported += dict.fromkeys(filter(None, (in_our_words(one_line(w.message)) for w in caught)))


def _nothing(_: logging.LogRecord) -> bool:
    return False


def events_of(raw: mne.io.BaseRaw) -> tuple[Event, ...]:
    """The annotations of a file, with onsets relative to its first sample."""
    annotations = raw.annotations
    durations = np.nan_to_num(annotations.duration)
    columns = zip(annotations.onset, durations, annotations.description, annotations.ch_names, strict=True)
    return tuple(
        Event(float(onset - raw.first_time), float(duration), str(label), channels=tuple(channels))
        for onset, duration, label, channels in columns
    )


def is_of_the_end(text: str) -> bool:
    """Whether it is MNE's warning of annotations behind the end, which it takes for earlier where there were pauses."""
    return any(part in text for part in ("outside data range", "outside the recording", "beyond the recording"))


def open_with_mne(path: Path, kind: str) -> Recording:
    """Open a recording by `mne.io.read_raw`, read in parts where the format allows it.

    Parameters
    ----------
    path
        The file.
    kind
        Name of its format, for errors.

    Returns
    -------
    Recording
        EEG and other physiological channels; voltages in µV.

    Raises
    ------
    RecordingError
        If MNE cannot read it, or it has no EEG channel.
    """

    # Some readers print to standard output, which may be carrying a program's JSON.
    with quietly(path, kind) as reported, redirect_stdout(io.StringIO()):
        raw = _read_raw(path, kind, reported)
        types = raw.get_channel_types()
        annotations = events_of(raw)
        eeg = eeg_signals(raw, path) if kind == "GDF" else None
    picks = [i for i, t in enumerate(types) if t in _KEPT and (eeg is None or i in eeg.picks)]
    reported += [eeg.left_out] if eeg is not None else []
    scale, units = _scale_and_units(raw, path, kind)
    if not any(types[i] != "misc" or units[i] == "uV" for i in picks):
        raise RecordingError(f"{path}: has no EEG channel ({', '.join(sorted(set(types)))}); name a recording with EEG")
    reported += without_unit([raw.ch_names[i] for i in picks], [units[i] for i in picks])

    def read(start: int, stop: int) -> Samples:
        with quietly(path, kind):
            # (n_channels, n_samples), V
            data = raw.get_data(picks, start, stop) if eeg is None else eeg.read(picks, start, stop)
        return np.asarray(data.T * scale[picks], np.float32)

    info = StreamInfo(
        name=path.stem,
        sfreq=float(raw.info["sfreq"]) if eeg is None else eeg.sfreq,
        channels=tuple(raw.ch_names[i] for i in picks),
        units=tuple(units[i] for i in picks),
    )
    n_samples = int(raw.n_times) if eeg is None else eeg.n_samples
    paused = on_its_clock(path, kind, n_samples, info.sfreq, read, annotations)
    begun = raw.info["meas_date"]
    start = begun + timedelta(seconds=raw.first_time) if begun is not None else None  # FIF may begin later than it says
    if paused.stamps is not None:
        reported = [text for text in reported if not is_of_the_end(text)]
    warned = (*reported, *paused.warnings)
    return Recording(
        path, kind, info, paused.n_samples, paused.read, paused.annotations, start, warned, paused.stamps
    )  # fmt: skip


def _read_raw(path: Path, kind: str, reported: list[str]) -> mne.io.BaseRaw:
    import mne

    if path.suffix.lower() == ".cnt":  # of two companies; the common function hides why either reader fails
        with path.open("rb") as file:
            is_ant = file.read(4) in (b"RIFF", b"RF64")
        return mne.io.read_raw_ant(path) if is_ant else mne.io.read_raw_cnt(path)
    try:
        return mne.io.read_raw(path, preload=False)
    except (OSError, ValueError, IndexError, KeyError):
        if kind != "BrainVision":
            raise
        # What is odd in its texts need not be in the way of its samples.
        with mended(path) as (copy, odd):
            raw = mne.io.read_raw(copy, preload=False)
        reported += odd
        return raw


def _scale_and_units(raw: mne.io.BaseRaw, path: Path, kind: str) -> tuple[npt.NDArray[np.float64], list[str]]:
    """What turns each channel's values as MNE returns them into those of its unit: µV for every voltage."""
    import mne

    volts = np.array([ch["unit"] == mne.io.constants.FIFF.FIFF_UNIT_V for ch in raw.info["chs"]])
    volts &= ~_without_unit(raw, kind)
    scale, units = np.where(volts, 1e6, 1.0), ["uV" if volt else "" for volt in volts]
    if kind == "BrainVision":
        # MNE takes a spelling of a voltage that it does not know for no unit at all.
        for i, declared in declared_units(path).items():
            if i < len(units) and not volts[i]:
                factor = microvolts(declared)
                scale[i] = (1.0 if factor is None else factor) / (raw.info["chs"][i]["range"] or 1.0)
                units[i] = declared if factor is None else "uV"
    return scale, units


def _without_unit(raw: mne.io.BaseRaw, kind: str) -> npt.NDArray[np.bool_]:
    """Channels for which a GDF file declares no unit: MNE takes their values for volts, here they are left unscaled."""
    if kind != "GDF":
        return np.zeros(len(raw.ch_names), np.bool_)
    unknown: npt.NDArray[np.bool_] = np.asarray(raw._raw_extras[0]["units"]) == 1
    return unknown
