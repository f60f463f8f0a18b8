"""What a command says with `--json`: frozen models, and the machine, versions, commit and warnings beside them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, ClassVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    SerializerFunctionWrapHandler,
    SkipValidation,
    model_serializer,
)

from rtbci.provenance import commit, machine, versions
from rtbci.text import json_text


def _utf8(value: object) -> object:
    return as_utf8(value) if isinstance(value, str) else value


def as_utf8(text: str) -> str:
    """Broken surrogates, of file names and of foreign streams, have no UTF-8: they become visible escapes."""
    return text.encode("utf-8", "backslashreplace").decode()


Text = Annotated[str, BeforeValidator(_utf8)]
Texts = tuple[Text, ...]
FREE = "free"  # JSON of a stranger, of any depth: handed on as it is
Json = Annotated[dict[str, Any], SkipValidation]


class Result(BaseModel):
    """The ground of whatever is written as JSON; it writes the keys that it was made with and no others."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_by_name=True, use_attribute_docstrings=True, protected_namespaces=()
    )
    ALWAYS: ClassVar[tuple[str, ...]] = ()  # keys that are written though nobody set them

    @model_serializer(mode="wrap")
    def _what_was_set(self, dump: SerializerFunctionWrapHandler) -> dict[str, object]:
        names = {info.serialization_alias or name: name for name, info in type(self).model_fields.items()}
        given = self.model_fields_set.union(self.ALWAYS)
        return {key: value for key, value in dump(self).items() if names.get(key, key) in given}

    def plain(self) -> dict[str, Any]:
        """Plain JSON values."""
        free = {
            name for name in self.model_fields_set if FREE in getattr(type(self).model_fields.get(name), "metadata", ())
        }
        return self.model_dump(mode="json", by_alias=True, exclude=free) | {name: getattr(self, name) for name in free}

    def to_json(self) -> str:
        """One line of JSON."""
        return json_text(self.plain())


class Provenance(Result):
    """The keys that every `--json` answer ends with."""

    machine: str
    """Processor, cores, memory and system."""
    versions: dict[str, str]
    """Of Python and of what the figures depend on."""
    commit: str | None
    """Of the source, with a `+` where the code differs from it; null where it is not known."""
    warnings: Texts
    """What is odd about the input, or was chosen for the user; a line each."""


def about(warnings: Iterable[str] = ()) -> Provenance:
    """Where and by what an answer was made. warnings: lines; each is kept once."""
    return Provenance(machine=machine(), versions=versions(), commit=commit(), warnings=tuple(dict.fromkeys(warnings)))


def print_line(result: Result, provenance: Provenance, warnings: Iterable[str]) -> None:
    """One of the lines of a command that goes on; what does not change was found out before."""
    known = provenance.model_copy(update={"warnings": tuple(warnings)})
    print(json_text(result.plain() | known.plain()), flush=True)


def print_json(result: Result, warnings: Iterable[str] = ()) -> None:
    """The one JSON object of a command."""
    print(json_text(result.plain() | about(warnings).plain(), indent=1))
