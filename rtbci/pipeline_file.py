"""The one-file pipeline `name.rtbci`: a zip of pipeline.json and weights.safetensors. Never a pickle."""

from __future__ import annotations

import json
import os
import tempfile
import zipfile
import zlib
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rtbci.config import PipelineConfig, nearest, parse
from rtbci.errors import ConfigError, PipelineFileError

if TYPE_CHECKING:
    from rtbci.models.network import Network

SCHEMA = 1
KIND = "rtbci-pipeline"
MAX_JSON = 4 << 20
MAX_WEIGHTS = 512 << 20  # bytes: what reading a stranger's file may cost
_JSON, _WEIGHTS = "pipeline.json", "weights.safetensors"


def write(path: Path, config: PipelineConfig, network: Network, notes: dict[str, Any]) -> None:
    """Write beside, then rename. Raises OSError where the place cannot be written."""
    import safetensors.torch

    about = {"kind": KIND, "schema": SCHEMA, "config": config.model_dump(mode="json"), "notes": notes}
    text = json.dumps(about, indent=1, allow_nan=False)
    weights = safetensors.torch.save({k: v.detach().cpu().contiguous() for k, v in network.state_dict().items()})
    handle, beside = tempfile.mkstemp(dir=path.absolute().parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            for name, content in ((_JSON, text.encode()), (_WEIGHTS, weights)):
                # A fixed date, so that equal pipelines are equal files.
                archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content)
        os.chmod(beside, 0o644)
        os.replace(beside, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(beside)
        raise


def read(path: Path) -> tuple[PipelineConfig, Network, dict[str, Any]]:
    """Read and check: sizes, names, shapes, finite values. Raises PipelineFileError; runs nothing of the file."""
    text, weights = _contents(path, (_JSON, MAX_JSON), (_WEIGHTS, MAX_WEIGHTS))
    config, notes = _about(path, text)
    return config, _network(path, config, weights), notes


def read_config(path: Path) -> tuple[PipelineConfig, dict[str, Any]]:
    """The config and the notes alone: needs no torch. Raises as `read` does."""
    (text,) = _contents(path, (_JSON, MAX_JSON))
    return _about(path, text)


def _contents(path: Path, *members: tuple[str, int]) -> list[bytes]:
    if not path.exists():
        near = nearest(path.name, [p.name for p in path.parent.glob("*.rtbci")]) if path.parent.is_dir() else ""
        raise PipelineFileError(f"{path}: no such file{near}")
    try:
        with zipfile.ZipFile(path) as archive:
            _check_members(path, archive)
            return [_member(path, archive, name, limit) for name, limit in members]
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError) as error:
        raise PipelineFileError(f"{path}: not a whole pipeline file ({error})") from None


def _check_members(path: Path, archive: zipfile.ZipFile) -> None:
    names = [entry.filename[:80] for entry in archive.infolist()]
    if sorted(names) != [_JSON, _WEIGHTS]:
        shown = ", ".join(map(repr, names[:6])) or "nothing"
        raise PipelineFileError(f"{path}: a pipeline file holds {_JSON} and {_WEIGHTS} alone; this one holds {shown}")


def _member(path: Path, archive: zipfile.ZipFile, name: str, limit: int) -> bytes:
    said = archive.getinfo(name).file_size
    if said <= limit:
        with archive.open(name) as file:
            content = file.read(limit + 1)
        if len(content) <= limit:
            return content
    raise PipelineFileError(f"{path}: {name} is larger than the {limit >> 20} MiB that a pipeline file may hold")


def _about(path: Path, text: bytes) -> tuple[PipelineConfig, dict[str, Any]]:
    try:
        about = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise PipelineFileError(f"{path}: {_JSON} is not JSON ({str(error)[:120]})") from None
    if not isinstance(about, dict) or about.get("kind") != KIND:
        raise PipelineFileError(f"{path}: {_JSON} does not describe an rtbci pipeline")
    schema = about.get("schema")
    if not isinstance(schema, int) or isinstance(schema, bool) or schema < 1:
        raise PipelineFileError(f"{path}: schema is {schema!r:.40}, wanted a number from 1 to {SCHEMA}")
    if schema > SCHEMA:
        raise PipelineFileError(
            f"{path}: schema {schema} is newer than this program's {SCHEMA}; a newer rtbci wrote it: please update"
        )
    config, notes = about.get("config"), about.get("notes", {})
    if not isinstance(config, dict) or not isinstance(notes, dict):
        raise PipelineFileError(f"{path}: {_JSON} lacks its config")
    try:
        return parse(PipelineConfig, config, str(path)), notes
    except ConfigError as error:
        raise PipelineFileError(str(error)) from None


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not allowed")


def _network(path: Path, config: PipelineConfig, weights: bytes) -> Network:
    import safetensors
    import safetensors.torch
    import torch

    from rtbci.models import build

    try:
        tensors = safetensors.torch.load(weights)
    except (safetensors.SafetensorError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise PipelineFileError(f"{path}: {_WEIGHTS} is damaged ({str(error)[:120]})") from None
    try:
        with torch.device("meta"):  # shapes alone: a config that asks for terabytes costs nothing
            network = build(config.model.kind, **config.model.model_dump(exclude={"kind"}))
    except (ConfigError, ValueError, RuntimeError, OverflowError) as error:
        raise PipelineFileError(f"{path}: its network cannot be built ({str(error)[:160]})") from None
    wanted = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    got = {name: tuple(value.shape) for name, value in tensors.items()}
    for name in [*wanted, *got]:
        if wanted.get(name) != got.get(name):
            raise PipelineFileError(
                f"{path}: weight {name[:80]!r} has shape {got.get(name, 'none')}, wanted {wanted.get(name, 'none')}"
            )
    for name, value in tensors.items():
        if value.dtype not in (torch.float32, torch.int64):
            raise PipelineFileError(f"{path}: weight {name[:80]!r} is {value.dtype}, wanted torch.float32")
        if not bool(torch.isfinite(value).all()):
            raise PipelineFileError(f"{path}: weight {name[:80]!r} holds values that are not finite")
    network.load_state_dict(tensors, assign=True)
    return network
