"""Base of all settings: strict, frozen models, read from TOML and stored as JSON in the pipeline file."""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
)

from rtbci.errors import ConfigError

# Bounds for a file from a stranger: on memory, and on what a filter's arithmetic can represent.
MAX_SFREQ = 100_000.0
MAX_CHANNELS = 4096
MAX_VALUES_S = 50_000_000  # of a stream per second
MAX_WINDOW_VALUES = 20_000_000  # of the signal that a stage keeps
MAX_ANSWER_VALUES = 50_000_000  # that a network holds for one answer
MAX_WEIGHTS = 128 << 20  # bytes of a pipeline file's weights
DAY_S = 86_400.0


def _printable(name: str) -> str:
    """A name is passed unchanged to terminals, tables and other programs."""
    if not name.isprintable():
        raise ValueError(f"holds a control character: {name[:60]!r}")
    return name


Probability = Annotated[float, Field(ge=0, le=1)]
Name = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_printable)]
Names = Annotated[tuple[Name, ...], Field(max_length=MAX_CHANNELS)]
Seconds = Annotated[float, Field(ge=0, le=DAY_S)]
Microvolts = Annotated[float, Field(ge=1e-6, le=1e9)]
Clip = Annotated[float, Field(ge=1e-3, le=1e6)]


class Strict(BaseModel):
    """Base class of every configuration: an unknown key, a wrong type, NaN or infinity is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def nearest(name: str, known: tuple[str, ...] | list[str]) -> str:
    """'; did you mean …?' for a name close to a known one, else an empty string."""
    close = difflib.get_close_matches(name[:100], known, n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else ""


Config = TypeVar("Config", bound=BaseModel)


def parse(model: type[Config], values: dict[str, Any], where: str) -> Config:
    """Validate `values` strictly.

    Parameters
    ----------
    model
        Class of the configuration.
    values
        What was read, as plain JSON types.
    where
        Its origin, for the error.

    Returns
    -------
    BaseModel
        The configuration, an instance of `model`.

    Raises
    ------
    ConfigError
        One line with the place, and the nearest key to a misspelt one.
    """
    try:
        return model.model_validate_json(json.dumps(values, default=str), strict=True)
    except (ValidationError, ValueError, RecursionError) as error:
        raise ConfigError(f"{where}: {explain(error, model)}") from None


def explain(error: Exception, model: type[BaseModel]) -> str:
    """The first error of a pydantic validation, in one line."""
    if not isinstance(error, ValidationError):
        return f"not usable as a configuration ({type(error).__name__})"
    first = error.errors(include_url=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"unknown key {place!r}{_nearest_key(model, first['loc'])}"
    message = first["msg"].removeprefix("Value error, ")
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    if first["type"] == "missing":
        return f"{place} is missing{more}"
    got = "" if isinstance(first["input"], dict) or not place else f", got {str(first['input'])[:60]!r}"
    return f"{place + ': ' if place else ''}{message[0].lower()}{message[1:]}{got}{more}"


def _nearest_key(model: type[BaseModel], place: Sequence[str | int]) -> str:
    """A hint at a key of the same section that is near to an unknown one, else at one of any other section."""
    schema = model.model_json_schema()
    definitions: dict[str, Any] = schema.get("$defs", {})
    parts = [schema]
    for name in place[:-1]:
        inner = [part["properties"][name] for part in parts if name in part.get("properties", {})]
        parts = _resolved(inner, definitions) if inner else parts  # an index, or the kind of a union, is no key
    word = str(place[-1])
    here = {key for part in parts for key in part.get("properties", {})}
    anywhere = {key for part in (schema, *definitions.values()) for key in part.get("properties", {})}
    return nearest(word, sorted(here)) or nearest(word, sorted(anywhere - {word}))


def _resolved(parts: Sequence[dict[str, Any]], definitions: dict[str, Any]) -> list[dict[str, Any]]:
    """Schemas of objects, with references, unions and lists replaced by what they hold."""
    found: list[dict[str, Any]] = []
    for part in parts:
        inner = [*part.get("anyOf", []), *part.get("oneOf", []), *part.get("allOf", [])]
        inner += [definitions[part["$ref"].rpartition("/")[2]]] if "$ref" in part else []
        inner += [part["items"]] if isinstance(part.get("items"), dict) else []
        found += _resolved(inner, definitions) if inner else [part]
    return found


def read_toml(path: str | Path) -> dict[str, Any]:
    """Read a TOML file into a dict. Raises ConfigError that names the file and the line."""
    path = Path(path)
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        near = nearest(path.name, [p.name for p in path.parent.glob("*.toml")]) if path.parent.is_dir() else ""
        raise ConfigError(f"{path}: no such file{near}") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from None


def override(values: dict[str, Any], settings: list[str], option: str = "--set") -> dict[str, Any]:
    """Set values in a nested dict.

    Parameters
    ----------
    values
        The dict; it is not changed.
    settings
        Each ``a.b=c``; c is parsed as TOML, and taken as a string where it is not TOML. A table of a list is named by its
        number, from 0: ``data.dataset.0.part``.
    option
        Which they were given by, for the error.

    Returns
    -------
    dict
        A changed copy.

    Raises
    ------
    ConfigError
        Where a setting has no ``=`` or its path runs through something that is not a table, or a list has no such one.
    """
    values = json.loads(json.dumps(values, default=str))
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals or not key.strip():
            raise ConfigError(f"{option} wants key=value, got {setting!r}")
        try:
            value = tomllib.loads(f"v = {text}")["v"]
        except tomllib.TOMLDecodeError:
            value = text
        *path, last = key.strip().split(".")
        place = values
        for part in path:
            place = _numbered(place, part, setting) if isinstance(place, list) else place.setdefault(part, {})
            if not isinstance(place, dict | list):
                raise ConfigError(f"{option} {setting}: {part!r} is not a table")
        if isinstance(place, list):
            raise ConfigError(
                f"{option} {setting}: wanted a table of the list and a key of it, as {'.'.join(path)}.0.KEY"
            )
        place[last] = value
    return values


def _numbered(tables: list[Any], part: str, setting: str) -> Any:
    """The table of a list by its number."""
    if not part.isdecimal() or int(part) >= len(tables):
        raise ConfigError(f"--set {setting}: {part!r} is none of the tables 0 to {len(tables) - 1} of a list")
    return tables[int(part)]


LARGEST = 1e15  # of a number: beyond, arithmetic and the clock's words fail


class Number:
    """A finite number."""

    def __init__(self, least: float = -LARGEST, most: float = LARGEST) -> None:
        self.least, self.most = least, most

    def __contains__(self, value: object) -> bool:
        return isinstance(value, int | float) and self.least <= value <= self.most


def fits(value: object, shape: Any) -> bool:
    """Whether a value has a shape; keys that a shape does not name may be there."""
    if isinstance(shape, tuple):
        return any(fits(value, one) for one in shape)
    if isinstance(shape, Number):
        return value in shape
    if isinstance(shape, list):
        return isinstance(value, list) and all(fits(each, shape[0]) for each in value)
    if isinstance(shape, dict):
        if not isinstance(value, dict):
            return False
        if str in shape:
            return all(fits(each, shape[str]) for each in value.values())
        return all(_has(value, key, of) for key, of in shape.items())
    return isinstance(value, shape)


def _has(value: dict[str, Any], key: str, shape: Any) -> bool:
    name = key.removesuffix("?")
    return fits(value[name], shape) if name in value else name != key
