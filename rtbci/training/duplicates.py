"""One recording under two names: found by its samples, before a copy is on the other side of a split."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from rtbci.recordings.recording import Recording

if TYPE_CHECKING:
    from rtbci.training.source import Source

_HEAD_S = 10.0
_BLOCK_S = 60.0


def copies_of(sources: Sequence[Source]) -> list[tuple[Source, Source]]:
    """(recording, its copy) for every recording whose samples another one before it has, to the bit.

    Only what agrees in size, then in its first seconds, is read to its end. Recordings of one constant value are not
    compared: they hold nothing that could be recognised.
    """
    pairs = []
    for alike in _alike(sources, lambda s: (s.recording.n_samples, len(s.recording.info.channels))):
        for same_head in _alike(alike, lambda s: _digest(s.recording, _HEAD_S)):
            for same in _alike(same_head, lambda s: _digest(s.recording)):
                pairs += [(same[0], copy) for copy in same[1:] if not _is_constant(copy.recording)]
    return pairs


def joined(sources: Sequence[Source], pairs: Iterable[tuple[Source, Source]]) -> list[Source]:
    """The sources, copies in the group of what they are copies of, so that no split separates them."""
    group = {source.group: source.group for source in sources}
    for first, copy in pairs:
        old, new = group[copy.group], group[first.group]
        group = {name: new if other == old else other for name, other in group.items()}
    return [replace(source, group=group[source.group]) for source in sources]


def copy_line(first: Source, copy: Source) -> str:
    """The warning for a copy."""
    labels = ", with other labels" if first.stretches != copy.stretches else ""
    sides = "both count; leave one out"
    if first.held_out != copy.held_out:
        sides = "one is trained on and the other held out, so that the validation flatters; leave one out"
    return f"{copy.name} has the samples of {first.name}{labels}: one recording under two names; {sides}"


def _alike(sources: Iterable[Source], key: Callable[[Source], Hashable]) -> list[list[Source]]:
    """Groups of two or more that agree in a key."""
    groups: dict[Hashable, list[Source]] = defaultdict(list)
    for source in sources:
        groups[key(source)].append(source)
    return [group for group in groups.values() if len(group) > 1]


def _digest(recording: Recording, seconds: float | None = None) -> bytes:
    digest = hashlib.sha256()
    n_block = max(1, round(_BLOCK_S * recording.info.sfreq))
    stop = recording.n_samples if seconds is None else min(recording.n_samples, round(seconds * recording.info.sfreq))
    for first in range(0, stop, n_block):
        digest.update(np.ascontiguousarray(recording.read(first, min(first + n_block, stop))).tobytes())
    return digest.digest()


def _is_constant(recording: Recording) -> bool:
    n_block = max(1, round(_BLOCK_S * recording.info.sfreq))
    first = recording.read(0, 1)
    return all(
        (recording.read(at, min(at + n_block, recording.n_samples)) == first).all()
        for at in range(0, recording.n_samples, n_block)
    )
