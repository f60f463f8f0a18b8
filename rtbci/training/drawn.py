"""Batches of sequences drawn from recordings: by group, then subject, then recording; some with background before it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
import torch

from rtbci.errors import ConfigError
from rtbci.training.augment import Augment
from rtbci.training.batches import Batch
from rtbci.training.examples import Example
from rtbci.training.sampling import SamplingConfig
from rtbci.training.splits import matches
from rtbci.types import Flags, Samples

BEFORE_ONSET_S = 2.0  # of a recording's own signal, at most, between a lead-in and the onset
# More background than this before an event: it counts apart from those before it, and the background is drawn from, too.
LONG_LEAD_S = 60.0
Rows = tuple[Samples, Samples, Flags]  # x (steps * hop, n_channels), y (steps, n_classes), known (steps,)


class DrawnBatches:
    """One epoch of `sequences`, each row fresh; where a recording ends early, the rest is unknown.

    Each class that the recordings have is in every epoch: one that was not drawn is in its last sequences.

    Parameters
    ----------
    examples
        To draw from.
    config
        What is drawn, and how often.
    rows
        Sequences of a batch.
    step_s
        Seconds of a step.
    rng
        Decides everything.
    augment
        What is varied in each sequence.
    """

    def __init__(
        self,
        examples: Sequence[Example],
        config: SamplingConfig,
        rows: int,
        step_s: float,
        rng: np.random.Generator,
        augment: Augment | None = None,
    ) -> None:
        self._config, self._rows, self._rng, self._augment = config, rows, rng, augment
        self._step_s = step_s
        self._steps = max(1, round(config.duration_s / step_s))
        usable = [example for example in examples if example.labels.is_known]
        pools = _by_pattern(usable, tuple(config.shares))
        self._pools = [_Pool(pool, config.subject_exponent) for pool in pools.values()]
        self._having: dict[int, list[Example]] = defaultdict(list)  # those with a class, by its index
        for example in (example for pool in pools.values() for example in pool):
            for k in np.flatnonzero(example.labels.n_holding):
                self._having[int(k)].append(example)
        shares = np.array([config.shares[pattern] for pattern in pools])
        self._shares = shares / shares.sum()
        background = [example for example in usable if not example.labels.n_holding.any()]
        self._background = [e for e in background if matches(e.source.category, config.lead_in_from)]
        self._background_of: dict[str, list[Example]] = defaultdict(list)
        for example in background:
            self._background_of[example.source.subject].append(example)

    @property
    def n_batches(self) -> int:
        return -(-self._config.sequences // self._rows)

    def __iter__(self) -> Iterator[Batch]:
        missing, left = set(self._having), self._config.sequences
        while left:
            drawn = []
            for _ in range(min(self._rows, left)):
                drawn.append(self._of_class(min(missing)) if missing and left <= len(missing) else self._sequence())
                left -= 1
                if missing:
                    _, y, known = drawn[-1]
                    missing -= set(np.flatnonzero((y[known] > 0.5).any(axis=0)).tolist())
            x, y, known = (np.stack(parts) for parts in zip(*drawn, strict=True))
            weights = known * self._weights(y)
            yield Batch(*map(torch.from_numpy, (x, y, weights, np.ones(len(x), np.bool_))))

    def _weights(self, y: Samples) -> Samples:
        """How much each step counts, by its distance from an onset: (rows, steps)."""
        holds = y.any(axis=2)
        n = round(self._config.onset_s / self._step_s)
        weights = np.ones(holds.shape, np.float32)
        for row, onset in zip(*np.nonzero(np.diff(holds, axis=1, prepend=False) & holds), strict=True):
            weights[row, onset : onset + n] = self._config.onset_weight
        return weights

    def _sequence(self) -> Rows:
        rng = self._rng
        example = self._pools[rng.choice(len(self._pools), p=self._shares)].draw(rng)
        parts: list[Rows] = []
        if rng.random() < self._config.lead_in and (before := self._lead_in(example)) is not None:
            parts.append(before)
        room = self._steps - sum(len(known) for *_, known in parts)
        start = self._start(example, bool(parts), room)
        parts.append(_cut(example, start, min(example.n_steps, start + room)))
        return self._joined(parts, example.hop)

    def _of_class(self, k: int) -> Rows:
        """A sequence in which a class begins to hold."""
        own = self._having[k]
        example = own[self._rng.integers(len(own))]
        onsets = example.labels.onsets(1, k)
        start = max(0, int(onsets[self._rng.integers(len(onsets))]) - int(self._rng.integers(self._steps // 2 + 1)))
        return self._joined([_cut(example, start, min(example.n_steps, start + self._steps))], example.hop)

    def _lead_in(self, example: Example) -> Rows | None:
        rng = self._rng
        own = self._background_of[example.source.subject] if example.source.subject else []
        pool = own if own and (not self._background or rng.random() < 0.5) else self._background
        if not pool:
            return None
        least, most = (round(seconds / self._step_s) for seconds in self._config.lead_in_s)
        n_steps = min(int(rng.integers(least, most + 1)), self._steps - 1)
        other = pool[rng.integers(len(pool))]
        start = int(rng.integers(0, max(1, other.n_steps - n_steps + 1)))
        return _cut(other, start, min(other.n_steps, start + n_steps)) if n_steps else None

    def _start(self, example: Example, follows: bool, room: int) -> int:
        """The first step to use of a recording that fills `room` steps."""
        rng = self._rng
        known, known_stop = example.labels.known_span
        long = round(LONG_LEAD_S / self._step_s)
        onsets = example.labels.onsets(long)
        first = int(onsets[0]) if len(onsets) else known
        if len(onsets) and (follows or rng.random() < self._config.from_the_start):
            if len(onsets) > 1:  # a night of several seizures shows each of them
                first = int(onsets[rng.integers(len(onsets))])
            early = min(room // 2, round(BEFORE_ONSET_S / self._step_s)) if follows else room // 2
            return max(0, first - int(rng.integers(0, early + 1)))
        last = max(0, known_stop - room)
        begun = known if first - known > long else first
        return int(rng.integers(min(begun, last), last + 1))

    def _joined(self, parts: Sequence[Rows], hop: int) -> Rows:
        n_channels, n_classes = parts[0][0].shape[1], parts[0][1].shape[1]
        x = np.zeros((self._steps * hop, n_channels), np.float32)
        y = np.zeros((self._steps, n_classes), np.float32)
        known = np.zeros(self._steps, np.bool_)
        at = 0
        fade = round(self._config.crossfade_s / self._step_s) * hop
        for signal, labels, sure in parts:
            end = at + len(sure)
            x[at * hop : end * hop] = _faded_in(x[: at * hop], signal, fade)
            y[at:end], known[at:end] = labels, sure
            at = end
        return x if self._augment is None else self._augment.draw(self._rng)(x), y, known


class _Pool:
    """Recordings by subject; those of no subject are each on their own."""

    def __init__(self, examples: Sequence[Example], exponent: float) -> None:
        by_subject: dict[str, list[Example]] = defaultdict(list)
        for example in examples:
            by_subject[example.source.subject or example.source.name].append(example)
        self._subjects = list(by_subject.values())
        weights = np.array([len(own) for own in self._subjects], np.float64) ** exponent
        self._weights = weights / weights.sum()

    def draw(self, rng: np.random.Generator) -> Example:
        own = self._subjects[rng.choice(len(self._subjects), p=self._weights)]
        return own[rng.integers(len(own))]


def _by_pattern(examples: Sequence[Example], patterns: tuple[str, ...]) -> dict[str, list[Example]]:
    """Examples of each pattern that has any, by the first one that matches; raises ConfigError where there are none."""
    pools: dict[str, list[Example]] = {}
    for pattern in patterns:
        taken = {id(example) for pool in pools.values() for example in pool}
        pool = [e for e in examples if id(e) not in taken and matches(e.source.category, (pattern,))]
        if pool:
            pools[pattern] = pool
    if not pools:
        raise ConfigError("sampling.shares: matches no recording with a known label")
    return pools


def _cut(example: Example, start: int, stop: int) -> Rows:
    return example.x[start * example.hop : stop * example.hop], *example.labels.part(start, stop)


def _faded_in(before: Samples, signal: Samples, n: int) -> Samples:
    """`signal`, its first n samples mixed at equal power with the end of what was before, mirrored in time."""
    n = min(n, len(before), len(signal))
    if not n:
        return signal
    share = np.linspace(0, 1, n, dtype=np.float32)[:, None]
    mixed = signal.copy()
    mixed[:n] = np.sqrt(share) * signal[:n] + np.sqrt(1 - share) * before[: -n - 1 : -1]
    return mixed
