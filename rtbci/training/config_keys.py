"""Every key of a training config, read off the models: what it means, its type, bounds, default and unit."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel

from rtbci.config import nearest
from rtbci.errors import ConfigError
from rtbci.models.config import PluginConfig, SelectorConfig
from rtbci.results import Result, Text
from rtbci.training.config import TrainConfig

_UNITS = (("_per_h", "1/h"), ("_hz", "Hz"), ("sfreq", "Hz"), ("_uv", "µV"), ("_cm", "cm"), ("_s", "s"))
_NAMES = {"number": "number", "integer": "whole number", "string": "text", "boolean": "true or false", "null": "none"}
_BOUNDS = (
    ("minimum", "from {}"), ("exclusiveMinimum", "above {}"), ("maximum", "to {}"), ("exclusiveMaximum", "below {}"),
)  # fmt: skip


class Key(Result):
    """A key that a config may have."""

    key: Text
    """Its place; `[]` is a list of tables, each of which has it."""
    kind: Text
    """For a table of several kinds, as networks are: that which has the key; else empty."""
    type: Text
    """What it holds."""
    bounds: Text
    """Of a number; empty: none."""
    unit: Text
    """Empty: none."""
    default: Text
    """As TOML would have it; `required`, or empty where leaving it out means none."""
    meaning: Text
    """What it does."""


@dataclass(frozen=True)
class Section:
    """A table of the config: its place, its kind where there are several, and what it is for."""

    key: str
    kind: str
    meaning: str


def all_keys() -> tuple[Key, ...]:
    """Every key, in the order of the models; those of a network, or a scaling, once for each kind."""
    return tuple(key for _, keys in sections() for key in keys)


def sections() -> list[tuple[Section, tuple[Key, ...]]]:
    """The tables of a config, each with its own keys."""
    return [(section, keys) for section, keys in _walk(TrainConfig, "", "") if keys]


def matching(wanted: str) -> tuple[Key, ...]:
    """The keys that a word means: a whole key, those of a table, else those that end in it. Raises ConfigError."""
    keys, plain = all_keys(), wanted.replace("[]", "").strip(".")
    exact = [key for key in keys if plain in (_plain(key), f"{_plain(key)} {key.kind}")]
    below = [key for key in keys if f"{_plain(key)}.".startswith(f"{plain}.") and key not in exact]
    ending = [key for key in keys if f".{_plain(key)}".endswith(f".{plain}") or f".{plain}." in f".{_plain(key)}."]
    of_kind = [key for key in keys if key.kind == plain]
    if found := [*exact, *below] or ending or of_kind:
        return tuple(found)
    known = sorted({word for key in keys for word in (_plain(key), _plain(key).rpartition(".")[2], key.kind) if word})
    raise ConfigError(f"no key of a config is {wanted!r}{nearest(wanted, known)}; `rtbci config` lists the tables")


def _plain(key: Key) -> str:
    return key.key.replace("[]", "")


def _walk(model: type[BaseModel], place: str, kind: str) -> Iterator[tuple[Section, tuple[Key, ...]]]:
    own: list[Key] = []
    inner: list[tuple[type[BaseModel], str, str]] = []
    schema, meanings = model.model_json_schema(), attributes_of(model)
    for name, field in model.model_fields.items():
        key = f"{place}.{name}" if place else name
        parts = list(dict.fromkeys(_models(field.annotation)))
        # A selector's network is any other one, whose keys stand there.
        if parts and not (model is SelectorConfig and name == "network"):
            listed = "[]" if str(schema["properties"][name].get("type")) == "array" else ""
            inner += [(part, key + listed, _kind(part) if len(parts) > 1 else kind) for part in parts]
            continue
        found = schema["properties"][name]
        default = "required" if field.is_required() else _toml(field.get_default(call_default_factory=True))
        own.append(
            Key(
                key=key,
                kind=kind,
                type="a table: any other network" if parts else _type(found, schema),
                bounds=_bounds(found, schema),
                unit=next((unit for end, unit in _UNITS if name.endswith(end)), ""),
                default="" if parts else default,
                meaning=meanings.get(name, ""),
            )
        )
    yield Section(place, kind, _summary(model)), tuple(own)
    for part, key, of_kind in inner:
        yield from _walk(part, key, of_kind)


def attributes_of(model: type[BaseModel]) -> dict[str, str]:
    """The section `Attributes` of a model's docstring, and of those that it inherits from (numpydoc)."""
    found: dict[str, str] = {}
    for cls in reversed(model.__mro__):
        text = inspect.cleandoc(cls.__doc__ or "") if issubclass(cls, BaseModel) and cls is not BaseModel else ""
        _, _, rows = text.partition("Attributes\n----------\n")
        names: list[str] = []
        for line in re.split(r"\n\w[\w ]*\n-+\n|\n\nReferences ", rows)[0].splitlines():
            if line and not line.startswith(" "):
                names = [name.strip() for name in line.split(",")]
                found |= dict.fromkeys(names, "")
            else:
                found |= {name: f"{found[name]} {line.strip()}".strip() for name in names}
    return found


def _summary(model: type[BaseModel]) -> str:
    return inspect.cleandoc(model.__doc__ or "").partition("\n\n")[0].replace("\n", " ")


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type):
        if issubclass(annotation, BaseModel):
            yield annotation
        return
    for part in get_args(annotation):
        yield from _models(part)


def _kind(model: type[BaseModel]) -> str:
    return "plugin" if model is PluginConfig else str(model.model_fields["kind"].default)


def _resolved(found: dict[str, Any], schema: dict[str, Any]) -> list[dict[str, Any]]:
    """The alternatives that a property allows."""
    if "anyOf" in found:
        return [one for part in found["anyOf"] for one in _resolved(part, schema)]
    if "$ref" in found:
        return _resolved(schema["$defs"][found["$ref"].rpartition("/")[2]], schema)
    return [found]


def _type(found: dict[str, Any], schema: dict[str, Any]) -> str:
    return " or ".join(
        dict.fromkeys(_one_type(one, schema) for one in _resolved(found, schema) if one.get("type") != "null")
    )


def _one_type(one: dict[str, Any], schema: dict[str, Any]) -> str:
    if "enum" in one or "const" in one:
        return " or ".join(json.dumps(value) for value in one.get("enum", [one.get("const")]))
    if one.get("type") == "array":
        items: dict[str, Any] = one.get("items") or next(iter(one.get("prefixItems", [])), {})
        n = f" of {one['minItems']}" if one.get("minItems") == one.get("maxItems") is not None else ""
        return f"list{n} ({_type(items, schema) or 'any'})"
    if one.get("type") == "object":
        return f"table of names ({_type(one.get('additionalProperties') or {}, schema) or 'any'})"
    return _NAMES.get(str(one.get("type")), "any")


def _bounds(found: dict[str, Any], schema: dict[str, Any]) -> str:
    for one in _resolved(found, schema):
        if one.get("type") == "array":
            return _bounds(one.get("items") or next(iter(one.get("prefixItems", [])), {}), schema)
        bounds = {name: one[name] for name, _ in _BOUNDS if name in one}
        if bounds.get("minimum", -1) > bounds.get("exclusiveMinimum", 0) == 0:
            bounds.pop("exclusiveMinimum", None)  # above 0 is said by a bound above it
        if bounds:
            return " ".join(text.format(f"{bounds[name]:.12g}") for name, text in _BOUNDS if name in bounds)
    return ""


def _toml(value: Any) -> str:
    """A default as TOML has it; empty where it is none."""
    if value is None:
        return ""
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False, default=str)
