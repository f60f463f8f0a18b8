"""The size of each network, strict and frozen; defaults are the original's. Needs no torch: pipelines carry these."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal, TypeAlias, get_args

from pydantic import (
    ConfigDict,
    Discriminator,
    Field,
    FiniteFloat,
    NonNegativeFloat,
    Tag,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from rtbci import plugins
from rtbci.config import Strict, nearest
from rtbci.errors import ConfigError, PluginError

# Bounded, so that a stranger's pipeline cannot ask for a machine's whole memory.
Size: TypeAlias = Annotated[int, Field(ge=1, le=65_536)]
Samples: TypeAlias = Annotated[int, Field(ge=1, le=1_000_000)]
Units: TypeAlias = Annotated[tuple[Size, ...], Field(min_length=1, max_length=16)]
Fraction: TypeAlias = Annotated[NonNegativeFloat, Field(lt=1)]


class _Sizes(Strict):
    """What every network has. n_channels may stay open until the montage is known."""

    n_channels: Size | None = None
    n_classes: Size = 1  # logits an output; 1: sigmoid, more: softmax

    def values(self, n_channels: int) -> int:
        """How many float32 values the network holds at once to give one answer, to a hop or a window; at the most."""
        raise NotImplementedError


def _lstm(units: tuple[int, ...], n_in: int, steps: int = 1) -> int:
    """Values that a stack holds: at each step its input, and gates, cell and output of the widest layer.

    And once the input's weights, which the CPU's kernel packs into 32 units at the least.
    """
    return steps * (n_in + 6 * max(units)) + 128 * n_in


class StackedLSTMConfig(_Sizes):
    """LSTM layers over an epoch, last step."""

    kind: Literal["stacked_lstm"] = "stacked_lstm"
    n_classes: Size = 6
    units: Units = (256, 128, 64)
    window: Samples = 200
    dropout: Fraction = 0.0

    def values(self, n_channels: int) -> int:
        return _lstm(self.units, n_channels, self.window)


class ChannelLSTMConfig(_Sizes):
    """An LSTM a channel, concatenated, then common LSTM layers, last step."""

    kind: Literal["channel_lstm"] = "channel_lstm"
    n_classes: Size = 6
    channel_units: Size = 1
    units: Units = (128, 64)
    window: Samples = 200
    dropout: Fraction = 0.0

    def values(self, n_channels: int) -> int:
        width = n_channels * self.channel_units
        wide = 8 * width * (width + n_channels)  # the small matrices stand on the diagonal of large ones
        return wide + _lstm((width, *self.units), max(n_channels, width), self.window)


class SmallLSTMConfig(_Sizes):
    """The small stack of BCI Competition II set IV."""

    kind: Literal["small_lstm"] = "small_lstm"
    n_classes: Size = 2
    units: Units = (10, 10, 5)
    window: Samples = 500
    dropout: Fraction = 0.0

    def values(self, n_channels: int) -> int:
        return _lstm(self.units, n_channels, self.window)


class ConvLSTMConfig(_Sizes):
    """Conv1D, LSTM, every hop."""

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
        return (self.kernel + self.hop) * n_channels + self.filters + _lstm(self.units, self.filters)


class ConvPoolLSTMConfig(_Sizes):
    """Conv1D, max-pool, LSTM, all outputs of the epoch at once."""

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
        pooled = _lstm(self.units, self.filters, self.window // self.pool)
        return self.window * ((self.kernel + 1) * n_channels + 2 * self.filters) + pooled


class SpatialConvLSTMConfig(_Sizes):
    """A convolution over neighbouring channels within each step, LSTM, every step."""

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
        return n_channels + places * (self.kernel + self.filters) + _lstm(self.units, places * self.filters)


class LSTMTaggerConfig(_Sizes):
    """LSTM layers of any depth, every hop; bidirectional works offline only."""

    kind: Literal["lstm_tagger"] = "lstm_tagger"
    units: Units = (48,)
    hop: Samples = 1
    bidirectional: bool = False
    dropout: Fraction = 0.0

    def values(self, n_channels: int) -> int:
        return (1 + self.bidirectional) * _lstm(self.units, n_channels, self.hop)


class MSFBCNNConfig(_Sizes):
    """Temporal kernels, a spatial filter, log band power."""

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


class CovarianceConfig(_Sizes):
    """Slow means and the log-covariance of the fast part, linear; for few trials.

    means: lengths of the stretches, the last of which ends with the window. band: cycles a sample, of a filter of `taps`.
    """

    kind: Literal["covariance"] = "covariance"
    n_channels: Annotated[int, Field(ge=1, le=512)] | None = None  # its readout grows with their square
    n_classes: Size = 2
    window: Samples = 50
    means: Annotated[tuple[Samples, ...], Field(min_length=1, max_length=64)] = (35, 10, 5)
    band: tuple[Annotated[float, Field(gt=0, lt=0.5)], Annotated[float, Field(gt=0, lt=0.5)]] = (0.14, 0.4)
    taps: Annotated[int, Field(ge=3, le=4095)] = 13
    dropout: Fraction = 0.0

    @model_validator(mode="after")
    def _parts_fit_the_window(self) -> CovarianceConfig:
        if sum(self.means) > self.window or self.taps >= self.window:
            raise ValueError(
                f"means (together {sum(self.means)}) and taps ({self.taps}) must fit window ({self.window})"
            )
        if self.band[0] >= self.band[1]:
            raise ValueError(f"band must rise, got {self.band}")
        return self

    def values(self, n_channels: int) -> int:
        return 2 * self.window * n_channels * (2 + self.taps) + 16 * n_channels**2  # some of them float64


Scalar: TypeAlias = bool | Annotated[int, Field(ge=-(2**53), le=2**53)] | FiniteFloat | str | None
Option: TypeAlias = Scalar | Annotated[tuple[Scalar, ...], Field(max_length=1000)]


class PluginConfig(_Sizes):
    """A network of the user's own: `kind` is its import path `module:Class`, or an entry point's name.

    Every other key goes to the class as a keyword argument. Reading one imports nothing: what only the class knows
    (`window`, `hop`, `values`) is asked of the class when it is wanted, for a config whose n_channels is known.
    """

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Option]

    kind: Annotated[str, Field(max_length=200)]
    n_classes: Size | None = None  # type: ignore[assignment]

    @model_validator(mode="after")
    def _kind_is_registered(self) -> PluginConfig:
        try:
            plugins.require(plugins.NETWORKS, self.kind, CONFIGS)
        except PluginError as error:
            raise ValueError(str(error)) from None
        return self

    @property
    def options(self) -> dict[str, Option]:
        """What the class is given beside its channels and classes."""
        return dict(self.__pydantic_extra__)

    @property
    def window(self) -> int | None:
        from rtbci.models.plugin_network import sketch

        return sketch(self).window

    @property
    def hop(self) -> int:
        from rtbci.models.plugin_network import sketch

        return sketch(self).hop

    def values(self, n_channels: int) -> int:
        from rtbci.models.plugin_network import held_values

        return held_values(self.model_copy(update={"n_channels": n_channels}))


def _tag(model: Any) -> str | None:
    """Which config a kind has: a built-in network's own, or, for any other word, that of a plug-in."""
    kind = model.get("kind") if isinstance(model, dict) else getattr(model, "kind", None)
    return kind if kind in CONFIGS else "plugin" if isinstance(kind, str) else None


_by_kind = Discriminator(_tag, custom_error_type="kind", custom_error_message="kind must be the name of a network")

_Network: TypeAlias = (
    Annotated[StackedLSTMConfig, Tag("stacked_lstm")]
    | Annotated[ChannelLSTMConfig, Tag("channel_lstm")]
    | Annotated[SmallLSTMConfig, Tag("small_lstm")]
    | Annotated[ConvLSTMConfig, Tag("conv_lstm")]
    | Annotated[ConvPoolLSTMConfig, Tag("conv_pool_lstm")]
    | Annotated[SpatialConvLSTMConfig, Tag("spatial_conv_lstm")]
    | Annotated[LSTMTaggerConfig, Tag("lstm_tagger")]
    | Annotated[MSFBCNNConfig, Tag("msfbcnn")]
    | Annotated[CovarianceConfig, Tag("covariance")]
    | Annotated[PluginConfig, Tag("plugin")]
)
NetworkConfig: TypeAlias = Annotated[_Network, _by_kind]


class SelectionConfig(_Sizes):
    """An electrode selector in front of a network, which then has n_select channels; n_classes None: the network's."""

    kind: Literal["selection"] = "selection"
    n_classes: Size | None = None  # type: ignore[assignment]
    n_select: Size = 8
    network: NetworkConfig = MSFBCNNConfig()

    @model_validator(mode="after")
    def _enough_electrodes(self) -> SelectionConfig:
        if self.n_channels is not None and self.n_select > self.n_channels:
            raise ValueError(f"n_select ({self.n_select}) must be at most n_channels ({self.n_channels})")
        return self

    def inner(self) -> NetworkConfig:
        """The network behind the selector, with the sizes that follow from it."""
        update = {"n_channels": self.n_select, "n_classes": self.n_classes or self.network.n_classes}
        return self.network.model_copy(update=update)

    def values(self, n_channels: int) -> int:
        inner = self.inner()
        length = getattr(inner, "window", 0) or getattr(inner, "hop", 1)
        return length * n_channels + inner.values(self.n_select)


ModelConfig: TypeAlias = Annotated[_Network | Annotated[SelectionConfig, Tag("selection")], _by_kind]

CONFIGS: dict[str, type[_Sizes]] = {
    tag.tag: config for config, tag in map(get_args, get_args(get_args(ModelConfig)[0])) if config is not PluginConfig
}

_any_model: TypeAdapter[ModelConfig] = TypeAdapter(ModelConfig)


def is_plugin(config: ModelConfig) -> bool:
    """Whether it is a network of the user's own, or such a one behind a selector."""
    inner = config.network if isinstance(config, SelectionConfig) else config
    return isinstance(inner, PluginConfig)


def model_config(kind: str, **sizes: Any) -> ModelConfig:
    """The checked sizes of a network; a ConfigError names the nearest right word for a wrong one."""
    if kind not in CONFIGS:
        plugins.require(plugins.NETWORKS, kind, CONFIGS)
    try:
        return _any_model.validate_python({"kind": kind, **sizes})
    except ValidationError as error:
        raise ConfigError(f"{kind}: {'; '.join(_lines(error))}") from None


def _lines(error: ValidationError) -> list[str]:
    return [_line(e["type"], e["loc"], e["msg"]) for e in error.errors(include_url=False)]


def _line(kind_of_error: str, loc: tuple[int | str, ...], message: str) -> str:
    path = [str(part) for part in loc]
    name = ".".join(part for part in path if part not in CONFIGS and part != "plugin")
    if kind_of_error == "extra_forbidden":
        owner = next(part for part in reversed(path) if part in CONFIGS)
        return f"unknown size {name!r}{_nearest(path[-1], CONFIGS[owner].model_fields)}"
    return f"{name}: {message}" if name else message.removeprefix("Value error, ")


def _nearest(word: str, known: Iterable[str]) -> str:
    known = list(known)
    return nearest(word, known) or f"; known are {', '.join(known)}"
