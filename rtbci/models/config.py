"""A network's configuration by its kind: built-in, behind an electrode selector, or a plug-in. Needs no torch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal, TypeAlias, get_args

from pydantic import (
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from rtbci import plugins
from rtbci.config import nearest
from rtbci.errors import ConfigError, PluginError
from rtbci.models.sizes import (
    ChannelLSTMConfig,
    ConvLSTMConfig,
    ConvPoolLSTMConfig,
    CovarianceConfig,
    LSTMTaggerConfig,
    MSFBCNNConfig,
    NetworkSizes,
    Option,
    SharedConvLSTMConfig,
    Size,
    SmallLSTMConfig,
    SpatialConvLSTMConfig,
    StackedLSTMConfig,
)


class PluginConfig(NetworkSizes):
    """A plug-in network: `kind` is its import path `module:Class`, or the name of an entry point.

    Every other key is passed to the class as a keyword argument. Reading a config imports nothing: what only the class
    knows (`window`, `hop`, `values`) is requested when needed, for a config whose n_channels is known.
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
        """Arguments of the class beside its channels and classes."""
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
    """Discriminator of the union: a built-in kind, or "plugin" for any other string."""
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
    | Annotated[SharedConvLSTMConfig, Tag("shared_conv_lstm")]
    | Annotated[LSTMTaggerConfig, Tag("lstm_tagger")]
    | Annotated[MSFBCNNConfig, Tag("msfbcnn")]
    | Annotated[CovarianceConfig, Tag("covariance")]
    | Annotated[PluginConfig, Tag("plugin")]
)
NetworkConfig: TypeAlias = Annotated[_Network, _by_kind]


class SelectorConfig(NetworkSizes):
    """An electrode selector in front of a network with n_select channels; n_classes None: the network's.

    Attributes
    ----------
    n_select
        How many electrodes are chosen.
    network
        The network behind the selector: any other one of `pipeline.model`.
    """

    kind: Literal["selection"] = "selection"
    n_classes: Size | None = None  # type: ignore[assignment]
    n_select: Size = 8
    network: NetworkConfig = MSFBCNNConfig()

    @model_validator(mode="after")
    def _enough_electrodes(self) -> SelectorConfig:
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


ModelConfig: TypeAlias = Annotated[_Network | Annotated[SelectorConfig, Tag("selection")], _by_kind]

CONFIGS: dict[str, type[NetworkSizes]] = {
    tag.tag: config for config, tag in map(get_args, get_args(get_args(ModelConfig)[0])) if config is not PluginConfig
}

_any_model: TypeAdapter[ModelConfig] = TypeAdapter(ModelConfig)


def is_plugin(config: ModelConfig) -> bool:
    """Whether it is a plug-in, or a selector in front of one."""
    inner = config.network if isinstance(config, SelectorConfig) else config
    return isinstance(inner, PluginConfig)


def model_config(kind: str, **sizes: Any) -> ModelConfig:
    """The validated config of a network.

    Parameters
    ----------
    kind
        Name of a network.
    **sizes
        Its sizes.

    Returns
    -------
    ModelConfig
        Frozen.

    Raises
    ------
    ConfigError
        For an unknown kind or size, naming the nearest known one, or a size out of bounds.
    """
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
