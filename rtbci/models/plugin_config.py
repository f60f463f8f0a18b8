"""A plug-in network's config: found in a model's config, and completed by what its class takes."""

from __future__ import annotations

import inspect

from pydantic import TypeAdapter, ValidationError

from rtbci.models.config import ModelConfig, PluginConfig, SelectorConfig, model_config
from rtbci.models.plugin_network import network_class
from rtbci.models.sizes import Option


def plugin_of(config: ModelConfig) -> PluginConfig | None:
    """The plug-in in a config, also behind a selector; None where there is none."""
    inner = config.inner() if isinstance(config, SelectorConfig) else config
    return inner if isinstance(inner, PluginConfig) else None


def completed(config: PluginConfig) -> PluginConfig:
    """The config with the class's own defaults written out, so that a file stays valid when they change."""
    parameters = inspect.signature(network_class(config.kind)).parameters.values()
    given = (*config.options, *PluginConfig.model_fields)
    written = {p.name: p.default for p in parameters if p.name not in given and _is_option(p.default)}
    complete = model_config(**config.model_dump(), **written)
    assert isinstance(complete, PluginConfig)
    return complete


def _is_option(value: object) -> bool:
    """Whether it can be stored in a config."""
    try:
        _option.validate_python(value)
    except ValidationError:
        return False
    return True


_option: TypeAdapter[Option] = TypeAdapter(Option)
