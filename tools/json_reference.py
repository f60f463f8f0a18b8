"""The page of every key that `--json` and `--log` write: `python tools/json_reference.py > docs/json.md`."""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from rtbci.bench.dashboard import GuiReport
from rtbci.bench.latency import LatencyReport
from rtbci.bench.soak import SoakReport
from rtbci.bench.step import StepReport
from rtbci.bench.tagging import TaggingReport
from rtbci.bench.train import TrainSpeed
from rtbci.cli.adapt import AdaptReport
from rtbci.cli.config import ConfigKeys
from rtbci.cli.demo import DemoSummary
from rtbci.cli.doctor import DoctorReport
from rtbci.cli.evaluation_files import EvaluationReport
from rtbci.cli.inspect import PipelineFacts, RecordingFacts
from rtbci.cli.record import RecordState
from rtbci.cli.streams import StreamList
from rtbci.cli.tag import TagReport
from rtbci.cli.train import TrainReport
from rtbci.monitor.messages import Command, EngineState, KnownLine, StateLine
from rtbci.results import Provenance, Result
from rtbci.training.crossval.results import CrossvalReport
from rtbci.training.crossval.trial_results import TrialCrossvalReport
from rtbci.training.electrode_selection.by_patient.results import ElectrodesReport
from rtbci.training.electrode_selection.report import SelectionReport

COMMANDS: dict[str, type[Result]] = {
    "demo": DemoSummary,
    "streams": StreamList,
    "run": EngineState,
    "record": RecordState,
    "train": TrainReport,
    "crossval": CrossvalReport,
    "crossval CONFIG_OF_TRIALS": TrialCrossvalReport,
    "adapt": AdaptReport,
    "select": SelectionReport,
    "select --by-patient": ElectrodesReport,
    "tag": TagReport,
    "evaluate": EvaluationReport,
    "inspect PIPELINE": PipelineFacts,
    "inspect RECORDING": RecordingFacts,
    "config": ConfigKeys,
    "doctor": DoctorReport,
    "bench latency": LatencyReport,
    "bench tag": TaggingReport,
    "bench step": StepReport,
    "bench train": TrainSpeed,
    "bench gui": GuiReport,
    "bench soak": SoakReport,
}
ONE_LINE = {"run", "record"}  # a line a second; the others print one object
UNITS = {
    "sfreq": "Hz", "hours": "h", "hours_left": "h", "seconds": "s", "duration": "s", "onset": "s", "stamp": "s", "time": "s",
    "wall": "s", "start": "s", "end": "s", "from": "s", "to": "s", "until": "s", "since": "s", "cue_stamp": "s",
    "newest_stamp": "s", "width": "pixels", "height": "pixels",
}  # fmt: skip
SUFFIXES = {
    "_per_s": "1/s",
    "_s": "s",
    "_ms": "ms",
    "_us": "µs",
    "_hz": "Hz",
    "_mb": "MB",
    "_bytes": "bytes",
    "us_p50": "µs",
}
OF_EVERY_MESSAGE = ("kind", "wall", "do")
WORDS = {str: "text", int: "integer", float: "number", bool: "true or false", type(None): "null", Any: "JSON"}
HEAD = """\
# The keys of `--json` and `--log`

Made by `python tools/json_reference.py > docs/json.md` from the models that the commands print; a test holds the two
together. A number that is not finite is `null`. `a.b` is the key `b` inside the object `a`, `a[].b` that of each object in
the list `a`, `a{}.b` that of each object in the object `a`, whose keys are names.
"""
LOG = """\
## Lines of the log

`rtbci run --log FILE` writes one JSON object a line: what happened, and the state. Each has its `kind` and `wall`, when it
was, in seconds since 1970; and `lost_before` where so many lines before it could not be written.
"""
PIPE = """\
## Commands to an engine

Commands to the engine, through its pipe or socket: one JSON object each, with its name as `do`.
"""


def reference() -> str:
    """The whole page."""
    parts = [HEAD, *_section("Every answer", "Each object, and each line of `run` and `record`, ends with", Provenance)]
    for name, model in COMMANDS.items():
        how = "One line a second:" if name in ONE_LINE else "One object:"
        parts += _section(f"`rtbci {name} --json`", f"{how} {_lower(_about(model))}", model)
    parts.append(LOG)
    for line in (*_members(KnownLine), StateLine):
        parts += _section(f"`{_tag(line, 'kind')}`", _about(line), line, level=3, depth=0)
    parts.append(PIPE)
    for command in _members(Command):
        parts += _section(f"`{_tag(command, 'do')}`", _about(command), command, level=3, depth=0)
    return "\n".join(parts)


def keys(model: type[BaseModel]) -> list[str]:
    """Of a model and of the models inside it, as the page writes them."""
    return [path for path, _, _ in _rows(model)]


def _section(title: str, text: str, model: type[BaseModel], level: int = 2, depth: int = 9) -> Iterator[str]:
    yield f"{'#' * level} {title}\n\n{text}\n"
    rows = list(_rows(model, depth=depth))
    if rows:
        yield "| key | type | unit | meaning |\n|---|---|---|---|"
        yield from (
            f"| `{path}` | {_words(field.annotation)} | {unit} | {_meaning(field)} |" for path, field, unit in rows
        )
        yield ""


def _rows(
    model: type[BaseModel], before: str = "", unit: str = "", depth: int = 9
) -> Iterator[tuple[str, FieldInfo, str]]:
    """(path, field, unit) of each key; `depth` objects deep."""
    for name, field in model.model_fields.items():
        if name in OF_EVERY_MESSAGE:
            continue
        key = field.serialization_alias or name
        own = _unit(key) or unit
        inner, marks = _inside(field.annotation)
        is_message = inner is not None and issubclass(inner, Result)
        yield f"{before}{key}", field, "" if is_message else own
        if is_message and depth:
            assert inner is not None
            yield from _rows(inner, f"{before}{key}{marks}.", own, depth - 1)


def _inside(kind: Any) -> tuple[type[BaseModel] | None, str]:
    """The model of a key's value, and whether it is in a list or in an object."""
    origin = get_origin(kind)
    if origin is Annotated:
        return _inside(get_args(kind)[0])
    if origin in (tuple, dict):
        inner, marks = _inside(get_args(kind)[0 if origin is tuple else 1])
        return inner, ("[]" if origin is tuple else "{}") + marks
    if origin in (Union, types.UnionType):
        found = [_inside(one) for one in get_args(kind) if one is not type(None)]
        return found[0]
    return (kind, "") if isinstance(kind, type) and issubclass(kind, BaseModel) else (None, "")


def _words(kind: Any) -> str:
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _words(parts[0])
    if origin is Literal:
        return " or ".join(f"`{one}`" if one else "empty" for one in parts)
    if origin in (Union, types.UnionType):
        words = list(dict.fromkeys(_words(one) for one in parts))
        return " or ".join(word for word in words if not (word == "integer" and "number" in words))
    if origin in (tuple, list):
        return f"list of {_many(parts[0])}"
    if origin is dict:
        return "object" if parts[1] is Any else f"object of {_many(parts[1])}"
    return WORDS.get(kind) or "object"


def _many(kind: Any) -> str:
    word = _words(kind)
    plural = {
        "text": "texts",
        "integer": "integers",
        "number": "numbers",
        "object": "objects",
        "true or false": "true or false",
    }
    return plural.get(word) or word.replace("list of", "lists of", 1)


def _unit(key: str) -> str:
    return UNITS.get(key) or next((unit for suffix, unit in SUFFIXES.items() if key.endswith(suffix)), "")


def _meaning(field: FieldInfo) -> str:
    if field.description:
        return " ".join(field.description.split())
    inner, _ = _inside(field.annotation)
    return _about(inner) if inner is not None and issubclass(inner, Result) else ""


def _about(model: type[BaseModel]) -> str:
    return " ".join((model.__doc__ or "").split())


def _lower(text: str) -> str:
    return text[0].lower() + text[1:]


def _members(union: Any) -> tuple[type[BaseModel], ...]:
    """Of a discriminated union."""
    return get_args(get_args(union)[0])


def _tag(model: type[BaseModel], key: str) -> str:
    return str(get_args(model.model_fields[key].annotation)[0])


if __name__ == "__main__":
    print(reference(), end="")
