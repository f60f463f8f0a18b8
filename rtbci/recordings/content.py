"""What identifies a recording, whatever its file is called: a digest of its samples; copies among recordings."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from rtbci.recordings.recording import Recording
from rtbci.types import Samples

_BLOCK_S = 10.0
_GLANCE_S = 1.0


class Digesting:
    """Takes the digest of a recording's samples while somebody else reads them, each once and in order.

    Attributes
    ----------
    recording
        The one to read.
    """

    def __init__(self, recording: Recording) -> None:
        self.recording = replace(recording, read=self._read)
        self._source = recording
        self._sum = _begun(recording)
        self._next = 0

    def text(self) -> str:
        """As `content_digest`; what nobody has read is read now. Raises RecordingError."""
        for _ in self.recording.chunks(_block(self._source), self._next) if self._next >= 0 else ():
            pass
        return self._sum.hexdigest() if self._next >= 0 else content_digest(self._source)

    def _read(self, start: int, stop: int) -> Samples:
        data = self._source.read(start, stop)
        if start == self._next:
            self._sum.update(data.tobytes())
            self._next = stop
        elif self._next >= 0:  # not in order
            self._next = -1
        return data


def content_digest(recording: Recording) -> str:
    """SHA-256 of the samples, their rate and their times; the whole recording is read. Raises RecordingError."""
    return Digesting(recording).text()


def copies(recordings: Sequence[Recording]) -> dict[int, int]:
    """Recordings with the same samples at the same rate as an earlier one.

    Only a second in three places of each is read, and the whole only where those are alike.

    Parameters
    ----------
    recordings
        In the order in which they count.

    Returns
    -------
    dict
        Index of the first of its kind, by index of the copy.

    Raises
    ------
    RecordingError
        If one cannot be read.
    """
    alike: dict[str, list[int]] = {}
    for i, recording in enumerate(recordings):
        alike.setdefault(glance(recording), []).append(i)
    found: dict[int, int] = {}
    for indices in alike.values():
        first: dict[str, int] = {}
        for i in indices if len(indices) > 1 else ():
            if (known := first.setdefault(content_digest(recordings[i]), i)) != i:
                found[i] = known
    return dict(sorted(found.items()))


def glance(recording: Recording) -> str:
    """Digest of a second in three places, the number of samples and their rate: what tells most recordings apart."""
    total = _begun(recording)
    length = min(recording.n_samples, max(1, round(_GLANCE_S * recording.info.sfreq)))
    for part in (0.25, 0.5, 0.75):
        start = round(part * (recording.n_samples - length))
        total.update(recording.read(start, start + length).tobytes())
    return total.hexdigest()


def _begun(recording: Recording) -> hashlib._Hash:
    total = hashlib.sha256(repr((recording.n_samples, recording.info.sfreq, len(recording.info.channels))).encode())
    if recording.stamps is not None:
        total.update(recording.times().tobytes())
    for number, part in enumerate(recording.live.parts if recording.live is not None else ()):
        total.update(part.arrivals.n_samples.tobytes() + part.arrivals.arrived.tobytes() + part.stamps.tobytes())
        if number:
            total.update(part.recording.read(0, part.recording.n_samples).tobytes())
    return total


def _block(recording: Recording) -> int:
    return max(1, round(_BLOCK_S * recording.info.sfreq))
