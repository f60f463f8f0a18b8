"""The mean over channels, always summed in one order: numpy's own depends on how the samples lie in memory."""

from __future__ import annotations

import numpy as np

from rtbci.types import Samples


def channel_mean(data: Samples) -> Samples:
    """Mean of each sample over its channels: (n_samples, n_channels) to (n_samples, 1); summed in float64."""
    # A contiguous row is summed alike, alone or among others; a single row of another layout is not.
    rows = data.astype(np.float64, order="C")
    mean: Samples = (np.add.reduce(rows, axis=1, keepdims=True) / data.shape[1]).astype(np.float32)
    return mean
