"""Weights in Keras' layout, by name and shape, into our networks; and how large a network they call for.

Keras orders gates i, f, c, o as nn.LSTM does, and stores its matrices transposed: (in, 4 * units).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from rtbci.models.channel_lstm import ChannelLayer, ChannelLSTM
from rtbci.models.network import Network

Array = npt.NDArray[np.generic]


@dataclass(frozen=True)
class Layer:
    """One Keras layer: `conv/kernel` and `conv/bias` are the layer "conv"."""

    name: str
    arrays: dict[str, Array]

    @property
    def kernel(self) -> Array:
        return self.arrays["kernel"]

    @property
    def is_lstm(self) -> bool:
        return "recurrent_kernel" in self.arrays

    @property
    def is_conv(self) -> bool:
        return self.kernel.ndim > 2

    @property
    def units(self) -> int:
        return int(self.arrays["recurrent_kernel"].shape[0] if self.is_lstm else self.kernel.shape[-1])


def layers_of(weights: Mapping[str, Array]) -> list[Layer]:
    """Arrays named LAYER/…/ARRAY, grouped into layers in the order of the file."""
    grouped: dict[str, dict[str, Array]] = {}
    for path, array in weights.items():
        name, _, last = path.rpartition("/")
        grouped.setdefault(name, {})[last] = array
    return [Layer(name, arrays) for name, arrays in grouped.items()]


def load_keras(network: Network, layers: list[Layer]) -> None:
    """Fill a network of the right size; LSTM layers follow in the network's order, forward before backward."""
    lstms = [layer for layer in layers if layer.is_lstm]
    if isinstance(network, ChannelLSTM):
        _fill_channels(network.channels, lstms[: network.n_channels])
        lstms = lstms[network.n_channels :]
    modules = [module for module in network.modules() if isinstance(module, nn.LSTM)]
    for module, layer in zip(modules, lstms, strict=True):
        kernel, recurrent, bias, _ = module.all_weights[0]
        _fill(kernel, layer.kernel.T)
        _fill(recurrent, layer.arrays["recurrent_kernel"].T)
        _fill(bias, layer.arrays["bias"])
    for layer in layers:
        if not layer.is_lstm:
            _fill_plain(network.get_submodule("conv" if layer.is_conv else "dense"), layer)


def _fill_plain(module: nn.Module, layer: Layer) -> None:
    """Dense (in, out), Conv1D (kernel, in, out), or Conv2D (1, kernel, 1, out) over channels."""
    kernel = layer.kernel if layer.kernel.ndim < 4 else layer.kernel[0, :, 0]
    _fill(module.get_parameter("weight"), kernel.T)
    _fill(module.get_parameter("bias"), layer.arrays["bias"])


def _fill_channels(channels: ChannelLayer, lstms: list[Layer]) -> None:
    n, units = channels.n_channels, channels.units
    stacked = {key: np.stack([lstm.arrays[key] for lstm in lstms]) for key in ("kernel", "recurrent_kernel", "bias")}
    _fill(channels.kernel, stacked["kernel"].reshape(n, 4, units))
    _fill(channels.recurrent, stacked["recurrent_kernel"].reshape(n, units, 4, units).transpose(0, 2, 3, 1))
    _fill(channels.bias, stacked["bias"].reshape(n, 4, units))


def _fill(parameter: Tensor, array: Array) -> None:
    if tuple(parameter.shape) != array.shape:
        raise ValueError(f"weights of shape {array.shape} do not fit {tuple(parameter.shape)}")
    with torch.no_grad():
        parameter.copy_(torch.from_numpy(np.array(array, np.float32)))
