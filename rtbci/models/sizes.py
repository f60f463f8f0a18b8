"""The size of each built-in network, strict and frozen, and how much memory it takes; defaults are the original's."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field, FiniteFloat, NonNegativeFloat, model_validator

from rtbci.config import Strict

# Bounded, so that a stranger's pipeline cannot exhaust the memory.
Size: TypeAlias = Annotated[int, Field(ge=1, le=65_536)]
Samples: TypeAlias = Annotated[int, Field(ge=1, le=1_000_000)]
Units: TypeAlias = Annotated[tuple[Size, ...], Field(min_length=1, max_length=16)]
Fraction: TypeAlias = Annotated[NonNegativeFloat, Field(lt=1)]


# What a plug-in network may be given beside its channels and classes.
Scalar: TypeAlias = bool | Annotated[int, Field(ge=-(2**53), le=2**53)] | FiniteFloat | str | None
Option: TypeAlias = Scalar | Annotated[tuple[Scalar, ...], Field(max_length=1000)]

BUILT_IN_KINDS = (
    "stacked_lstm", "channel_lstm", "small_lstm", "conv_lstm", "conv_pool_lstm", "spatial_conv_lstm", "shared_conv_lstm",
    "lstm_tagger", "msfbcnn", "covariance", "selection",
)  # fmt: skip


class NetworkSizes(Strict):
    """Sizes that every network has. n_channels may stay None until the montage is known.

    Attributes
    ----------
    n_channels
        Inputs; left out: the channels of the montage, or the chosen ones.
    n_classes
        Logits of an answer; as many as `pipeline.classes`.
    kind
        Which network.
    units
        Outputs of each LSTM layer.
    window
        Samples of an epoch: the network answers for each as a whole.
    hop
        Samples between two answers.
    filters
        Number of filters of the convolution.
    kernel
        Samples of each filter.
    dropout
        Share of values that training sets to zero, after each LSTM layer.
    """

    n_channels: Size | None = None
    n_classes: Size = 1  # logits of an answer

    def values(self, n_channels: int) -> int:
        """Upper bound of the float32 values that the network holds at once for one answer, to a hop or a window."""
        raise NotImplementedError


def _lstm_values(units: tuple[int, ...], n_in: int, steps: int = 1) -> int:
    """Values that a stack holds: at each step its input, and gates, cell and output of the widest layer.

    Plus the input's weights, which the CPU's kernel packs into at least 32 units.
    """
    return steps * (n_in + 6 * max(units)) + 128 * n_in


class StackedLSTMConfig(NetworkSizes):
    """Sizes of StackedLSTM."""

    kind: Literal["stacked_lstm"] = "stacked_lstm"
    n_classes: Size = 6
    units: Units = (256, 128, 64)
    window: Samples = 200
    dropout: Fraction = 0.0

    def values(self, n_channels: int) -> int:
        return _lstm_values(self.units, n_channels, self.window)


class ChannelLSTMConfig(NetworkSizes):
    """Sizes of ChannelLSTM.

    Attributes
    ----------
    channel_units
        Outputs of each channel's own LSTM.
    units
        Outputs of each common LSTM layer.
    """

    kind: Literal["channel_lstm"] = "channel_lstm"
    n_classes: Size = 6
    channel_units: Size = 1
    units: Units = (128, 64)
    window: Samples = 200
    dropout: Fraction = 0.0

    def values(self, n_channels: int) -> int:
        width = n_channels * self.channel_units
        wide = 8 * width * (width + n_channels)  # the small matrices are diagonal blocks of large ones
        return wide + _lstm_values((width, *self.units), max(n_channels, width), self.window)


class SmallLSTMConfig(NetworkSizes):
    """Sizes of the small StackedLSTM for BCI Competition II, set IV."""

    kind: Literal["small_lstm"] = "small_lstm"
    n_classes: Size = 2
    units: Units = (10, 10, 5)
    window: Samples = 500
    dropout: Fraction = 0.0

    def values(self, n_channels: int) -> int:
        return _lstm_values(self.units, n_channels, self.window)


class ConvLSTMConfig(NetworkSizes):
    """Sizes of ConvLSTM.

    Attributes
    ----------
    padding
        "causal": each answer depends on past samples alone, and works live. "same": centred, as in Keras; on recordings only.
    """

    kind: Literal["conv_lstm"] = "conv_lstm"
    filters: Size = 32
    kernel: Samples = 8
    hop: Samples = 1
    padding: Literal["causal", "same"] = "causal"
    units: Units = (32,)
    dropout: Fraction = 0.0

    @model_validator(mode="after")
    def _no_sample_is_skipped(self) -> ConvLSTMConfig:
        if self.kernel < self.hop:
            raise ValueError(f"kernel ({self.kernel}) must be at least hop ({self.hop}), or samples go unseen")
        return self

    def values(self, n_channels: int) -> int:
        return (self.kernel + self.hop) * n_channels + self.filters + _lstm_values(self.units, self.filters)


class ConvPoolLSTMConfig(NetworkSizes):
    """Sizes of ConvPoolLSTM.

    Attributes
    ----------
    pool
        Samples of which the largest value goes on.
    """

    kind: Literal["conv_pool_lstm"] = "conv_pool_lstm"
    n_classes: Size = 400
    filters: Size = 32
    kernel: Samples = 8
    pool: Samples = 4
    units: Units = (32,)
    window: Samples = 400
    dropout: Fraction = 0.0

    @model_validator(mode="after")
    def _something_is_left_after_the_pool(self) -> ConvPoolLSTMConfig:
        if self.window < self.kernel + self.pool - 1:
            raise ValueError(f"window ({self.window}) must be at least kernel + pool - 1")
        return self

    def values(self, n_channels: int) -> int:
        pooled = _lstm_values(self.units, self.filters, self.window // self.pool)
        return self.window * ((self.kernel + 1) * n_channels + 2 * self.filters) + pooled


class SpatialConvLSTMConfig(NetworkSizes):
    """Sizes of SpatialConvLSTM.

    Attributes
    ----------
    kernel
        Neighbouring channels that each filter spans.
    """

    kind: Literal["spatial_conv_lstm"] = "spatial_conv_lstm"
    filters: Size = 8
    kernel: Samples = 4
    units: Units = (32,)
    dropout: Fraction = 0.0

    @model_validator(mode="after")
    def _kernel_fits_the_channels(self) -> SpatialConvLSTMConfig:
        if self.n_channels is not None and self.kernel > self.n_channels:
            raise ValueError(f"kernel ({self.kernel}) must be at most n_channels ({self.n_channels})")
        return self

    def values(self, n_channels: int) -> int:
        places = max(0, n_channels - self.kernel + 1)
        return n_channels + places * (self.kernel + self.filters) + _lstm_values(self.units, places * self.filters)


class SharedConvLSTMConfig(NetworkSizes):
    """Sizes of SharedConvLSTM; kernel, stride and hop in samples, span and baseline_hops in hops.

    Attributes
    ----------
    stride
        Samples between two values of the filter bank.
    waves
        Convolutions of the bank's rectified output over one hop.
    features
        Features of a channel, which are pooled over all channels.
    span
        Hops that a feature sees.
    hop
        Samples between two answers; a multiple of stride.
    knee
        Amplitude, after the scaling, from which on the input is compressed: asinh(x / knee).
    baseline_hops
        Time constant of the running mean that features are compared with, in hops.
    """

    kind: Literal["shared_conv_lstm"] = "shared_conv_lstm"
    filters: Size = 16
    kernel: Samples = 32
    stride: Samples = 4
    waves: Size = 32
    features: Size = 32
    span: Annotated[int, Field(ge=1, le=1000)] = 4
    units: Units = (48,)
    hop: Samples = 32
    knee: Annotated[float, Field(gt=0, le=1e6)] = 20.0
    baseline_hops: Samples = 240
    dropout: Fraction = 0.0

    @model_validator(mode="after")
    def _no_sample_is_skipped(self) -> SharedConvLSTMConfig:
        if self.kernel < self.stride:
            raise ValueError(f"kernel ({self.kernel}) must be at least stride ({self.stride}), or samples go unseen")
        if self.hop % self.stride:
            raise ValueError(f"hop ({self.hop}) must be a multiple of stride ({self.stride})")
        return self

    def values(self, n_channels: int) -> int:
        frames = self.hop // self.stride
        one = self.kernel + self.hop + frames * (self.kernel + 2 * self.filters) + self.features
        one += (self.span + 1) * (self.filters + self.waves)
        return n_channels * one + _lstm_values(self.units, 3 * self.features)


class LSTMTaggerConfig(NetworkSizes):
    """Sizes of LSTMTagger, or of BiLSTMTagger, which works offline only.

    Attributes
    ----------
    bidirectional
        Whether it sees the future, too; on recordings only.
    """

    kind: Literal["lstm_tagger"] = "lstm_tagger"
    units: Units = (48,)
    hop: Samples = 1
    bidirectional: bool = False
    dropout: Fraction = 0.0

    def values(self, n_channels: int) -> int:
        return (1 + self.bidirectional) * _lstm_values(self.units, n_channels, self.hop)


class MSFBCNNConfig(NetworkSizes):
    """Sizes of MSFBCNN.

    Attributes
    ----------
    filters
        Number of filters of each temporal kernel, and of spatial ones.
    kernels
        Samples of each temporal kernel, odd.
    pool
        Samples over which power is averaged.
    pool_hop
        Samples between two averages.
    dropout
        Share of values that training sets to zero, before the linear layer.
    """

    kind: Literal["msfbcnn"] = "msfbcnn"
    n_classes: Size = 4
    window: Samples = 1125
    filters: Size = 10
    kernels: Annotated[tuple[Samples, ...], Field(min_length=1, max_length=8)] = (65, 41, 27, 17)
    pool: Samples = 75
    pool_hop: Samples = 15
    dropout: Fraction = 0.5

    @model_validator(mode="after")
    def _kernels_and_pool_fit(self) -> MSFBCNNConfig:
        if any(kernel % 2 == 0 for kernel in self.kernels):
            raise ValueError(f"kernels must be odd, so that they have a middle; got {self.kernels}")
        if self.window < self.pool:
            raise ValueError(f"window ({self.window}) must be at least pool ({self.pool})")
        return self

    def values(self, n_channels: int) -> int:
        return self.window * n_channels * (2 + 3 * self.filters * len(self.kernels) + max(self.kernels))


class CovarianceConfig(NetworkSizes):
    """Sizes of CovarianceNet; means (empty: none) and taps (1: no filter) in samples, band in cycles per sample.

    Attributes
    ----------
    means
        Samples of each part of the epoch whose mean is a feature, in order; the last one ends with the epoch. Empty: none.
    band
        Edges of the pass band of what the covariance is taken of, cycles per sample.
    taps
        Of the band-pass filter; 1: none, for an input that is in the band already.
    shrinkage
        Of a covariance towards a multiple of the identity, 0 to 1.
    standardise
        Whether each feature is divided by its standard deviation.
    dropout
        Share of values that training sets to zero, before the linear layer.
    """

    kind: Literal["covariance"] = "covariance"
    n_channels: Annotated[int, Field(ge=1, le=512)] | None = None  # the linear layer grows with their square
    n_classes: Size = 2
    window: Samples = 50
    means: Annotated[tuple[Samples, ...], Field(max_length=64)] = (35, 10, 5)
    band: tuple[Annotated[float, Field(gt=0, lt=0.5)], Annotated[float, Field(gt=0, lt=0.5)]] = (0.14, 0.4)
    taps: Annotated[int, Field(ge=1, le=4095)] = 13
    shrinkage: Annotated[float, Field(ge=0, le=1)] = 0.05
    standardise: bool = True
    dropout: Fraction = 0.0

    @model_validator(mode="after")
    def _parts_fit_the_window(self) -> CovarianceConfig:
        if sum(self.means) > self.window or self.taps >= self.window:
            raise ValueError(
                f"means (together {sum(self.means)}) and taps ({self.taps}) must fit window ({self.window})"
            )
        if self.taps == 2:
            raise ValueError("taps must be 1, for no filter, or at least 3: two pass nothing")
        if self.band[0] >= self.band[1]:
            raise ValueError(f"band must rise, got {self.band}")
        return self

    def values(self, n_channels: int) -> int:
        return 2 * self.window * n_channels * (2 + self.taps) + 16 * n_channels**2  # some of them float64
