"""A plug-in network: looked up by name, built from its config, and queried for what only its class knows."""

from __future__ import annotations

import inspect
import math
from functools import lru_cache
from typing import Any, Protocol, cast

import torch
from torch import nn

from rtbci import plugins
from rtbci.config import nearest
from rtbci.errors import PluginError, RtbciError
from rtbci.models.network import Network
from rtbci.models.sizes import BUILT_IN_KINDS, Option


class PluginSpec(Protocol):
    """What is known of a plug-in network before its code is looked at (rtbci/models/config.py: PluginConfig)."""

    @property
    def kind(self) -> str: ...

    @property
    def n_channels(self) -> int | None: ...

    @property
    def n_classes(self) -> int | None: ...

    @property
    def options(self) -> dict[str, Option]: ...

    def __hash__(self) -> int: ...


def network_class(kind: str) -> type[nn.Module]:
    """Import the class of a kind. Raises PluginError where it is not registered, or not a torch.nn.Module."""
    found = plugins.load(plugins.NETWORKS, kind, BUILT_IN_KINDS)
    if not isinstance(found, type) or not issubclass(found, nn.Module):
        raise PluginError(f"network {kind} is a {type(found).__name__}, wanted a class of torch.nn.Module")
    return found


def build_plugin(config: PluginSpec) -> Network:
    """Build a plug-in network.

    Parameters
    ----------
    config
        Its kind, sizes and options.

    Returns
    -------
    Network
        With fresh weights.

    Raises
    ------
    PluginError
        If its class does not take an option, fails, or lacks a part of the contract.
    """
    made = network_class(config.kind)
    given: dict[str, Any] = {
        "n_channels": config.n_channels, "n_classes": config.n_classes or 1, **config.options
    }  # fmt: skip
    _require_options(config.kind, made, given)
    try:
        network = made(**given)
    except RtbciError:
        raise
    except Exception as error:
        raise PluginError(
            f"network {config.kind} cannot be built: {plugins.error_text(error, file_of(made))}"
        ) from error
    _require_attributes(config.kind, network, given)
    return cast(Network, network)


@lru_cache(maxsize=32)
def sketch(config: PluginSpec) -> Network:
    """The network without values (on torch's meta device): takes no memory, whatever its size."""
    try:
        with torch.device("meta"):
            return build_plugin(config)
    except PluginError as error:
        if "meta" not in str(error):
            raise
        raise PluginError(
            f"{error}; it is built without values first, so its constants must come from numpy"
        ) from error


def held_values(config: PluginSpec) -> int:
    """float32 values that the network holds for one answer.

    As its class reports in `values(n_channels)`; otherwise weights, state and input are counted.
    """
    network = sketch(config)
    offered = getattr(network, "values", None)
    if offered is None:
        steps = network.window or network.hop
        held = sum(t.numel() for t in (*network.parameters(), *network.buffers()))
        return held + sum(map(math.prod, network.state_shapes())) + steps * network.n_channels
    reported = offered(config.n_channels)
    if not isinstance(reported, int) or reported < 1:
        raise PluginError(f"network {config.kind}: values({config.n_channels}) is {reported!r}, wanted a count")
    return reported


def file_of(made: type[nn.Module]) -> str | None:
    """The source file of a class."""
    try:
        return inspect.getsourcefile(made)
    except TypeError:
        return None


def _require_options(kind: str, made: type[nn.Module], given: dict[str, Any]) -> None:
    parameters = inspect.signature(made).parameters
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    for name in given:
        if name not in parameters and not takes_any:
            raise PluginError(
                f"network {kind} takes no {name[:60]!r}{nearest(name, list(parameters))}; it takes {', '.join(parameters)}"
            )
    for name, p in parameters.items():
        if p.default is p.empty and p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL) and name not in given:
            raise PluginError(f"network {kind} wants {name!r}, which has no default; set it beside model.kind")


def _require_attributes(kind: str, network: nn.Module, given: dict[str, Any]) -> None:
    """The part of the contract (rtbci/models/network.py) that can be read off a network."""
    lacks = [name for name in _PARTS if not hasattr(network, name)]
    if lacks:
        raise PluginError(f"network {kind} lacks {', '.join(lacks)}; rtbci.models.network.Network has what is usual")
    for name, wanted, right in (
        ("hop", "a number of samples", _is_count(network.hop)),
        ("window", "a number of samples or None", network.window is None or _is_count(network.window)),
        ("causal", "True or False", isinstance(network.causal, bool)),
        ("per_sample", "True or False", isinstance(network.per_sample, bool)),
        ("lookahead", "a number of samples", network.lookahead == 0 or _is_count(network.lookahead)),
        ("n_channels", str(given["n_channels"]), network.n_channels == given["n_channels"]),
        ("n_classes", str(given["n_classes"]), network.per_sample or network.n_classes == given["n_classes"]),
    ):
        if not right:
            raise PluginError(f"network {kind}: its {name} is {getattr(network, name)!r:.60}, wanted {wanted}")


_PARTS = (
    "hop", "causal", "lookahead", "window", "per_sample", "n_channels", "n_classes", "state_shapes", "initial_state"
)  # fmt: skip


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1
