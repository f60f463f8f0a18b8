"""Simulated amplifiers: chunks as an inlet would give them, seeded; a busy host pushes some of them late."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from rtbci.types import Times


@dataclass(frozen=True)
class Sender:
    """An amplifier that says one rate and sends another.

    stamps: "true", of each sample; "pushed", as LSL stamps an unstamped chunk; "equal", one stamp for a chunk; "burst", as
    LSL stamps samples that are pushed one by one. jitter_s: of pushes; busy: share of chunks that are 10 to 60 ms late.
    loss: share of packets that are lost. late_s: of every eighth chunk.
    """

    says: float = 250.0
    sends: float = 250.0
    chunk: int = 10
    stamps: str = "pushed"
    jitter_s: float = 5e-4
    busy: float = 0.05
    loss: float = 0.0
    late_s: float = 0.0

    def chunks(self, seconds: float, seed: int = 0, begins: float = 1000.0) -> Iterator[tuple[Times, float]]:
        """Stamps and arrival of each chunk, on the local clock."""
        rng = np.random.default_rng(seed)
        pushed = 0.0
        for k in range(int(seconds * self.sends / self.chunk)):
            taken = begins + (k * self.chunk + 1 + np.arange(self.chunk)) / self.sends
            late = abs(rng.normal(0, self.jitter_s)) + (rng.uniform(0.01, 0.06) if rng.random() < self.busy else 0.0)
            pushed = max(pushed, float(taken[-1]) + late + (self.late_s if k % 8 == 5 else 0.0))
            is_lost = rng.random() < self.loss
            at = pushed + 5e-4 + rng.exponential(7e-4)
            if not is_lost:
                yield self._stamped(taken, pushed), at

    def _stamped(self, taken: Times, pushed: float) -> Times:
        back = np.arange(self.chunk)[::-1]
        match self.stamps:
            case "true":
                return taken
            case "equal":
                return np.full(self.chunk, pushed)
            case "burst":
                return pushed - back * 1e-5
        return pushed - back / self.says
