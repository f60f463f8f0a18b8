"""A network's weights as arrays, for its step in numpy."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from torch import Tensor

F32: TypeAlias = npt.NDArray[np.float32]


def array(tensor: Tensor) -> F32:
    """Contiguous, on the CPU."""
    return np.ascontiguousarray(tensor.detach().cpu().float().numpy())
