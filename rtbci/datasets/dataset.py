"""The common form of datasets: recordings with the dataset's own labels, and the subject of each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from rtbci.errors import DatasetError, RecordingError, StreamMismatch
from rtbci.recordings.recording import Recording
from rtbci.stages.wiring import match
from rtbci.types import Samples

Group = Literal["recording", "subject", "trial"]
Part = Literal["train", "test"]


@dataclass(frozen=True)
class Member:
    """One recording of a dataset.

    Parameters
    ----------
    name
        Unique in the dataset.
    recording
        Its annotations have the dataset's labels.
    subject
        Who was recorded.
    part
        What it was published for: "train" or "test".
    """

    name: str
    recording: Recording
    subject: str
    part: Part = "train"


@dataclass(frozen=True)
class Trials:
    """Windows around cues, in µV, not filtered.

    Parameters
    ----------
    x
        (n_trials, n_times, n_channels).
    labels
        (n_trials,), indices into `classes`.
    groups
        For each trial, the recording, subject or trial that must not be split between fit and test.
    classes, channels
        Names.
    sfreq
        Rate in Hz.
    """

    x: Samples
    labels: npt.NDArray[np.int64]
    groups: tuple[str, ...]
    classes: tuple[str, ...]
    channels: tuple[str, ...]
    sfreq: float

    def __len__(self) -> int:
        return len(self.x)


@dataclass(frozen=True)
class Dataset:
    """Recordings, opened but not loaded.

    Parameters
    ----------
    name
        Of the dataset.
    labels
        All possible labels of annotations.
    members
        The recordings.
    missing
        What was published with these and is not in the folder.
    independent
        Whether each member is one trial, independent of the others, of one published recording.
    citation
        The publication.
    """

    name: str
    labels: tuple[str, ...]
    members: tuple[Member, ...]
    missing: tuple[str, ...] = ()
    independent: bool = False
    citation: str = ""

    def part(self, part: Part) -> Dataset:
        """Only the members that were published for training, or for the test."""
        return replace(self, members=tuple(m for m in self.members if m.part == part))

    def fitting(self, channels: Sequence[str]) -> Dataset:
        """Only the members that have all channels of a montage; the others go to `missing`, with the reason."""
        kept, lost = [], []
        for member in self.members:
            try:
                match(tuple(channels), member.recording.info)
                kept.append(member)
            except StreamMismatch as error:
                lost.append(f"{member.name}: {error}")
        return replace(self, members=tuple(kept), missing=(*self.missing, *lost))

    def group(self, member: Member, by: Group) -> str:
        """The unit that a member must not be split from. Raises DatasetError where trials are not independent."""
        if by == "trial" and not self.independent:
            raise DatasetError(
                f"{self.name}: trials of one recording are not independent; split by recording or subject"
            )
        if by == "subject":
            return member.subject
        return self.name if by == "recording" and self.independent else member.name

    def trials(self, start_s: float, stop_s: float, *, classes: Sequence[str] = (), by: Group = "recording") -> Trials:
        """Cut a window after each onset; one that extends beyond its recording is left out.

        Parameters
        ----------
        start_s, stop_s
            Limits of the window, seconds from the onset.
        classes
            Labels to use; empty: all.
        by
            Unit that is never split between fit and test.

        Returns
        -------
        Trials
            In the order of the members.

        Raises
        ------
        DatasetError
            If recordings differ in channels or rate, or no window is left.
        """
        wanted = tuple(classes) or self.labels
        parts: list[Samples] = []
        labels: list[int] = []
        groups: list[str] = []
        for member in self.members:
            windows = _windows(member.recording, start_s, stop_s, wanted)
            self._require_alike(member)
            parts += [x for x, _ in windows]
            labels += [label for _, label in windows]
            groups += [self.group(member, by)] * len(windows)
        if not parts:
            raise DatasetError(f"{self.name}: no window of {start_s:g} … {stop_s:g} s after {', '.join(wanted)}")
        info = self.members[0].recording.info
        return Trials(np.stack(parts), np.array(labels), tuple(groups), wanted, info.channels, info.sfreq)

    def _require_alike(self, member: Member) -> None:
        first, this = self.members[0].recording.info, member.recording.info
        if (this.channels, this.sfreq) != (first.channels, first.sfreq):
            raise DatasetError(
                f"{self.name}: {member.name} has {len(this.channels)} channels at {this.sfreq:g} Hz, unlike "
                f"{self.members[0].name} ({len(first.channels)} at {first.sfreq:g} Hz); train through a montage instead"
            )


def _windows(
    recording: Recording, start_s: float, stop_s: float, classes: tuple[str, ...]
) -> list[tuple[Samples, int]]:
    length = round((stop_s - start_s) * recording.info.sfreq)
    found = []
    for event in recording.annotations:
        first = recording.index_at(event.onset + start_s)
        inside = event.label in classes and first >= 0 and first + length <= recording.n_samples
        if inside and not _is_interrupted(recording, first, length):
            found.append((recording.read(first, first + length), classes.index(event.label)))
    return found


def _is_interrupted(recording: Recording, first: int, length: int) -> bool:
    """Whether samples are missing within a window."""
    if recording.stamps is None or length < 2:
        return False
    times = recording.times(first, first + length)
    return bool(times[-1] - times[0] > (length + 1) / recording.info.sfreq)


def opened(paths: Iterable[Path], member: Callable[[Path], Member]) -> tuple[tuple[Member, ...], list[str]]:
    """A member of each file; a line, with the reason, for each that cannot be read: it stops none of the others."""
    members, unread = [], []
    for path in paths:
        try:
            members.append(member(path))
        except RecordingError as error:
            unread.append(f"{path.name}: cannot be read: {error}")
    return tuple(members), unread


def unfit(name: str, folder: object, what: str, published: str) -> DatasetError:
    """The error for a folder that lacks what was published."""
    return DatasetError(f"{name}: {folder} {what}; {published}")
