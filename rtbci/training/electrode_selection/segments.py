"""Data for electrode selection: trials, or parts of continuous recordings, as independent segments."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rtbci.errors import ConfigError
from rtbci.training.batches import Batch, StatefulBatches, TrialBatches
from rtbci.training.data import Data
from rtbci.training.examples import Example

Ints = npt.NDArray[np.int_]
Which = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Segments:
    """Independent segments of equal length.

    Parameters
    ----------
    x
        (n, time, n_channels).
    y
        (n, steps, n_classes).
    known
        (n, steps).
    groups
        (n,), units that must not be split.
    """

    x: Tensor
    y: Tensor
    known: Tensor
    groups: Ints

    def __len__(self) -> int:
        return len(self.groups)

    @classmethod
    def of_trials(cls, x: npt.NDArray[np.float32], labels: Ints, groups: Ints, n_classes: int) -> Segments:
        """From trials x (n, time, n_channels) with one label each."""
        y = torch.nn.functional.one_hot(torch.from_numpy(labels).long(), n_classes).float()[:, None]
        return cls(torch.from_numpy(x), y, torch.ones(len(labels), 1, dtype=torch.bool), groups)

    @classmethod
    def of_data(cls, data: Data, examples: Sequence[Example]) -> Segments:
        """Trials for epoch networks; for taggers, parts of `training.bptt_s`, each with a fresh state.

        groups: for each, the index of its example. Raises ConfigError where there is no segment.
        """
        parts = [list(_batches(data, example)) for example in examples]
        batches = [batch for part in parts for batch in part]
        if not batches:
            raise ConfigError("no recording holds a labelled trial as long as the network's window")
        groups = np.repeat(np.arange(len(parts)), [sum(len(b.x) for b in part) for part in parts])
        x, y, known = (torch.cat([getattr(b, name) for b in batches]) for name in ("x", "y", "known"))
        labelled = known.any(1)
        return cls(x[labelled], y[labelled], known[labelled], groups[labelled.numpy()])

    def of(self, which: Which) -> Segments:
        return Segments(self.x[which], self.y[which], self.known[which], self.groups[which])

    def with_channels(self, electrodes: Sequence[int]) -> Segments:
        """With these channels only, in that order."""
        return Segments(self.x[..., list(electrodes)].contiguous(), self.y, self.known, self.groups)

    def to(self, device: str) -> Segments:
        return Segments(self.x.to(device), self.y.to(device), self.known.to(device), self.groups)

    def batches(self, rows: int, rng: np.random.Generator | None = None) -> Iterator[Batch]:
        """Batches, shuffled by `rng` or in order."""
        order = np.arange(len(self)) if rng is None else rng.permutation(len(self))
        for first in range(0, len(order), rows):
            part = torch.from_numpy(order[first : first + rows]).to(self.x.device)
            yield Batch(self.x[part], self.y[part], self.known[part], torch.ones_like(part, dtype=torch.bool))

    def labels(self) -> Ints:
        """(n,) label of each segment: the class of most known steps; with a single class, whether it occurs."""
        counts = (self.y * self.known[..., None]).sum(1)
        labels = (counts[:, 0] > 0).long() if counts.shape[1] == 1 else counts.argmax(1)
        found: Ints = labels.cpu().numpy()
        return found

    def log_power(self) -> npt.NDArray[np.float64]:
        """(n, n_channels) log variance of each segment: the power in the filters' pass band."""
        power: npt.NDArray[np.float64] = self.x.double().var(1).clamp_min(1e-12).log().cpu().numpy()
        return power


def _batches(data: Data, example: Example) -> StatefulBatches | TrialBatches:
    if data.window is not None:
        return data.trials([example])
    steps = max(1, round(data.config.training.bptt_s * data.pipeline_config.sfreq / example.hop))
    return StatefulBatches([example], 1, steps)
