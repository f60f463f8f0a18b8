"""A recording of any format but XDF, as a person says that it is to be read."""

from __future__ import annotations

from dataclasses import replace

from rtbci.errors import RecordingError, StreamMismatch
from rtbci.recordings.description import DescribedChannel, Description
from rtbci.recordings.overrides import StreamOverrides
from rtbci.recordings.recording import Recording
from rtbci.recordings.stream_reader import believed
from rtbci.types import Samples


def overridden(recording: Recording, told: StreamOverrides) -> Recording:
    """The recording with the names, the unit, the gain and the reference that a person says.

    Parameters
    ----------
    recording
        In µV wherever its file names a voltage.
    told
        Its `unit` is that of the channels for which the file names none.

    Raises
    ------
    RecordingError
        If it does not agree with the recording, or speaks of what only XDF files have.
    """
    path, info = recording.path, recording.info
    if told.sfreq is not None or told.clock != "lsl":
        raise RecordingError(
            f"{path}: --sfreq and --clock are for XDF files; a {recording.format} file counts its samples"
        )
    if told.unit and "" not in info.units:
        raise RecordingError(
            f"{path}: each channel of this {recording.format} file has a unit; leave --unit out, or say with --gain by what "
            "its values are to be multiplied"
        )
    units = (unit or told.unit or "uV" for unit in info.units)  # where none is named, the file's reader has told so
    channels = tuple(DescribedChannel(label, unit) for label, unit in zip(info.channels, units, strict=True))
    described = Description(info.name, info.sfreq, len(channels), channels, info.type, info.source_id)
    try:
        reader = believed(described, told.model_copy(update={"unit": ""}))
    except StreamMismatch as error:
        raise RecordingError(f"{path}: {error}") from error
    read = recording.read

    def read_told(start: int, stop: int) -> Samples:
        return reader.microvolts(read(start, stop))

    return replace(recording, info=reader.info, read=read_told, warnings=(*recording.warnings, *reader.warnings))
