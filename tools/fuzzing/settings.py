"""What a user sets: TOML, `--set`, queries, a command line."""

from __future__ import annotations

import io
from contextlib import redirect_stdout, suppress
from functools import cache
from pathlib import Path
from typing import Any

import typer

from fuzzing.contract import scratch, target
from rtbci.bundled import PIPELINE
from rtbci.cli import app
from rtbci.cli.inspect import inspect_file
from rtbci.config import override, parse, read_toml
from rtbci.errors import StreamNotFound
from rtbci.lsl.discovery import parse_query, predicate
from rtbci.replay.faults import faults_from_options
from rtbci.training.config import TrainConfig, read_train_config

ROOT = Path(__file__).resolve().parents[2]


@target(lambda: [path.read_bytes() for path in (ROOT / "configs").glob("*.toml")])
def config(data: bytes) -> None:
    """A training configuration."""
    read_train_config(scratch("fuzz.toml", data))


@cache
def _config() -> dict[str, Any]:
    return read_toml(ROOT / "configs" / "seizure_demo.toml")


@target(lambda: [b"training.seed=7\npipeline.sfreq=1e3", b"data.root=.\ndata.recordings.0.files=['a']", b"a.b=c"])
def settings(data: bytes) -> None:
    """`--set`, a line each."""
    parse(TrainConfig, override(_config(), data.decode("utf-8", "surrogateescape").split("\n")), "fuzz")


@target(lambda: [b"name=EEG", b"type=EEG,hostname=a", b"source_id=x,name=it's", b"EEG", b"10:2.5"])
def query(data: bytes) -> None:
    """--stream, --gap."""
    text = data.decode("utf-8", "surrogateescape")
    with suppress(StreamNotFound):
        predicate(parse_query(text))
    faults_from_options(gap=[text], clock_reset=[], bad=[], chunk_range=None)


_ARGUMENTS = (
    b"replay a.edf --speed 4 --gap 3:1 --drop 0.5 --reconnect 3 --seed 1 --bad C3:flat:1:2 --clock-reset 6:-1",
    b"run demo --stream name=a --seconds 3 --wait 1 --unit uV --json",
    b"inspect demo --sfreq 256",
    b"select a.toml --out b --k 1,2",
)


@target(lambda: [line.replace(b" ", b"\n") for line in _ARGUMENTS])
def arguments(data: bytes) -> None:
    """A command line: parsed, and what can be judged before any work."""
    words = [w.decode("utf-8", "surrogateescape") for w in data.split(b"\n")]
    root = typer.main.get_command(app.app)
    with suppress(typer.TyperException, typer.Exit, typer.Abort), redirect_stdout(io.StringIO()):
        above = root.make_context("rtbci", list(words))
        name, command, rest = root.resolve_command(above, words)  # type: ignore[attr-defined]
        given = command.make_context(name, rest, parent=above).params
        if name == "inspect":
            inspect_file(PIPELINE, given["sfreq"], json=False)
        if name == "replay":
            lists = {key: given[key] or () for key in ("gap", "clock_reset", "bad")}
            plain = {key: given[key] for key in ("jitter_ms", "drop", "duplicate", "late", "drift_ppm")}
            faults_from_options(**lists, **plain, chunk_range=given["chunk_range"])
