"""Networks by name, plug-ins included. Importing this is cheap: torch is loaded by the first build."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rtbci.errors import ConfigError
from rtbci.models.config import ModelConfig, PluginConfig, SelectorConfig, model_config

if TYPE_CHECKING:
    from rtbci.models.network import Network

__all__ = ["ModelConfig", "build", "from_config", "model_config"]


def build(kind: str, **sizes: Any) -> Network:
    """Build a network with fresh weights.

    Parameters
    ----------
    kind
        Name of a built-in network ("conv_lstm", …), "selection", or a registered plug-in ``module:Class``.
    **sizes
        Its sizes; `n_channels` is required, all others have defaults (rtbci/models/sizes.py).

    Returns
    -------
    Network
        ``forward(x, state) -> (logits, state)``, x (batch, time, channels).

    Raises
    ------
    ConfigError
        For an unknown kind or size, naming the nearest known one, or a size out of bounds.
    PluginError
        If a plug-in is not registered or cannot be built.
    """
    return from_config(model_config(kind, **sizes))


def from_config(config: ModelConfig) -> Network:
    """Build a network from its config, whose `n_channels` must be set. Raises as `build` does."""
    from rtbci.models.gumbel_selector import SelectionNet
    from rtbci.models.plugin_network import build_plugin

    config = model_config(**config.model_dump())  # model_copy(update=…) does not check what it is given
    if config.n_channels is None:
        raise ConfigError(f"{config.kind}: n_channels is not set")
    if isinstance(config, SelectorConfig):
        return SelectionNet(config.n_channels, config.n_select, from_config(config.inner()))
    if isinstance(config, PluginConfig):
        return build_plugin(config)
    return _classes()[config.kind](**config.model_dump(exclude={"kind"}))


def _classes() -> dict[str, Callable[..., Network]]:
    """The class of each kind."""
    from rtbci.models.channel_lstm import ChannelLSTM
    from rtbci.models.conv_lstm import ConvLSTM, ConvPoolLSTM, SpatialConvLSTM
    from rtbci.models.covariance import CovarianceNet
    from rtbci.models.lstm import StackedLSTM, lstm_tagger
    from rtbci.models.msfbcnn import MSFBCNN
    from rtbci.models.shared_conv_lstm import SharedConvLSTM

    return {
        "stacked_lstm": StackedLSTM,
        "channel_lstm": ChannelLSTM,
        "small_lstm": StackedLSTM,
        "conv_lstm": ConvLSTM,
        "conv_pool_lstm": ConvPoolLSTM,
        "spatial_conv_lstm": SpatialConvLSTM,
        "shared_conv_lstm": SharedConvLSTM,
        "lstm_tagger": lstm_tagger,
        "msfbcnn": MSFBCNN,
        "covariance": CovarianceNet,
    }
