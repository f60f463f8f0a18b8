"""The chosen electrodes: after the filters, before the scaling."""

from __future__ import annotations

import numpy as np

from rtbci.types import Chunk


class Pick:
    """Stage: some of the channels, by index, in that order."""

    def __init__(self, indices: tuple[int, ...]) -> None:
        self._indices = np.array(indices, int)

    def reset(self) -> None:
        """Nothing is kept."""

    def process(self, chunk: Chunk) -> Chunk:
        return Chunk(chunk.data[:, self._indices], chunk.times, chunk.valid)
