"""Which class builds which kind."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rtbci.models.channel_lstm import ChannelLSTM
from rtbci.models.conv_lstm import ConvLSTM, ConvPoolLSTM, SpatialConvLSTM
from rtbci.models.covariance import CovarianceNet
from rtbci.models.lstm import BiLSTMTagger, LSTMTagger, StackedLSTM
from rtbci.models.msfbcnn import MSFBCNN
from rtbci.models.network import Network


def lstm_tagger(
    n_channels: int, n_classes: int, units: Sequence[int], hop: int, bidirectional: bool, dropout: float
) -> Network:
    """In one direction or in both."""
    tagger = BiLSTMTagger if bidirectional else LSTMTagger
    return tagger(n_channels, n_classes, units, hop, dropout)


CLASSES: dict[str, Callable[..., Network]] = {
    "stacked_lstm": StackedLSTM,
    "channel_lstm": ChannelLSTM,
    "small_lstm": StackedLSTM,
    "conv_lstm": ConvLSTM,
    "conv_pool_lstm": ConvPoolLSTM,
    "spatial_conv_lstm": SpatialConvLSTM,
    "lstm_tagger": lstm_tagger,
    "msfbcnn": MSFBCNN,
    "covariance": CovarianceNet,
}
