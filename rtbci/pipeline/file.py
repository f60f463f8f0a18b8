"""The one-file pipeline `name.rtbci`: a zip of pipeline.json and weights.safetensors. Never a pickle.

A file from a stranger may be malformed. It runs no code and writes nothing, and loading it, starting it and running it
live takes at most MEMORY_BYTES more than the libraries do: weights are bounded here, everything else in PipelineConfig
before it is built. A network that is a plug-in is looked up among the registered ones (rtbci/plugins.py) and must keep
its contract.
"""

from __future__ import annotations

import json
import math
import os
import struct
import zipfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NoReturn

from rtbci.config import MAX_WEIGHTS, nearest, parse
from rtbci.errors import ConfigError, PipelineFileError
from rtbci.files import SHARED, atomic_write
from rtbci.models.config import is_plugin
from rtbci.pipeline.config import PipelineConfig
from rtbci.stages.scaling import ConstantScaling, RunningScaling

if TYPE_CHECKING:
    from rtbci.models.network import Network

SCHEMA = 1
KIND = "rtbci-pipeline"
MEMORY_BYTES = 2 << 30  # that a file from a stranger may take
MAX_JSON = 4 << 20
MAX_WEIGHT = 1e15  # a product of two is still a float32
MAX_HEADER = 1 << 20  # of the weights: names and shapes
MAX_MEMBERS = 64  # of a zip that is opened at all; more than two are refused
_JSON, _WEIGHTS = "pipeline.json", "weights.safetensors"


def write(path: Path, config: PipelineConfig, network: Network, notes: dict[str, Any]) -> None:
    """Write a pipeline file completely, or leave what was there.

    Parameters
    ----------
    path
        The file.
    config, network, notes
        Of the pipeline; notes are plain JSON.

    Raises
    ------
    PipelineFileError
        As `check_target` does.
    OSError
        If it cannot be written.
    """
    import safetensors.torch

    check_target(path)

    if "scores" in notes:
        notes = {"scores_of": config.decision.model_dump(mode="json"), **notes}
    about = {"kind": KIND, "schema": SCHEMA, "config": config.model_dump(mode="json"), "notes": notes}
    text = json.dumps(about, indent=1, allow_nan=False)
    weights = safetensors.torch.save({k: v.detach().cpu().contiguous() for k, v in network.state_dict().items()})

    def put(file: IO[bytes]) -> None:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            for name, content in ((_JSON, text.encode()), (_WEIGHTS, weights)):
                # A fixed date, so that equal pipelines are equal files.
                archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content)

    atomic_write(path, put, SHARED)


def check_target(path: Path) -> None:
    """Raise PipelineFileError where `path` exists and is not a pipeline file: nothing else may be replaced."""
    if not path.exists() or (path.is_file() and (path.stat().st_size == 0 or _begins_as_one(path))):
        return
    what = "a pipeline file" if path.is_file() else "a file"
    raise PipelineFileError(f"{path}: is not {what}, and is not replaced by one; name another, or move it away")


def _begins_as_one(path: Path) -> bool:
    """Whether the first member of a zip is that of a pipeline, complete or damaged, of any schema."""
    with path.open("rb") as file:
        head = file.read(30 + len(_JSON))
    return head[:4] == b"PK\3\4" and head[30:] == _JSON.encode()


def read(path: Path) -> tuple[PipelineConfig, Network, dict[str, Any]]:
    """Read and check a pipeline file: sizes, names, shapes, finite values. Runs no code of the file.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    config, network, notes
        PipelineConfig, Network and dict.

    Raises
    ------
    PipelineFileError
        If it is damaged, hostile or newer than this version.
    """
    text, weights = _contents(path, (_JSON, MAX_JSON), (_WEIGHTS, MAX_WEIGHTS))
    config, notes = _about(path, text)
    return config, _network(path, config, weights), notes


def read_config(path: Path) -> tuple[PipelineConfig, dict[str, Any]]:
    """The config and the notes only: needs no torch. Raises as `read` does."""
    (text,) = _contents(path, (_JSON, MAX_JSON))
    return _about(path, text)


def _contents(path: Path, *members: tuple[str, int]) -> list[bytes]:
    if not path.exists():
        near = nearest(path.name, [p.name for p in path.parent.glob("*.rtbci")]) if path.parent.is_dir() else ""
        raise PipelineFileError(f"{path}: no such file{near}")
    try:
        with path.open("rb") as file:
            _check_end(path, file)
            with zipfile.ZipFile(file) as archive:
                _check_members(path, archive)
                return [_member(path, archive, name, limit) for name, limit in members]
    except PipelineFileError:
        raise
    except Exception as error:  # parsing untrusted bytes may raise anything
        raise PipelineFileError(f"{path}: not a complete pipeline file ({error or type(error).__name__})") from None


def _check_end(path: Path, file: IO[bytes]) -> None:
    """Bound the number of members that the end of the zip declares: zipfile creates an object for each of them."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - 42))
    end = file.read()
    if len(end) < 42 or end[20:24] != b"PK\5\6":
        raise PipelineFileError(f"{path}: not a complete pipeline file (it does not end as a zip does)")
    n_members, n_bytes = struct.unpack_from("<HI", end, 30)
    if end[:4] == b"PK\6\7" or n_members > MAX_MEMBERS or n_bytes > MAX_MEMBERS << 10:
        raise PipelineFileError(f"{path}: a pipeline file holds {_JSON} and {_WEIGHTS} alone; this zip holds far more")


def _check_members(path: Path, archive: zipfile.ZipFile) -> None:
    names = [entry.filename[:80] for entry in archive.infolist()]
    if sorted(names) != [_JSON, _WEIGHTS]:
        shown = ", ".join(map(repr, names[:6])) or "nothing"
        raise PipelineFileError(f"{path}: a pipeline file holds {_JSON} and {_WEIGHTS} alone; this one holds {shown}")
    for entry in archive.infolist():
        # Other methods allocate a dictionary of the size that the file declares.
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise PipelineFileError(f"{path}: {entry.filename} is packed in another way than stored or deflated")


def _member(path: Path, archive: zipfile.ZipFile, name: str, limit: int) -> bytes:
    claimed = archive.getinfo(name).file_size
    if claimed <= limit:
        with archive.open(name) as file:
            content = file.read(limit + 1)
        if len(content) <= limit:
            return content
    raise PipelineFileError(f"{path}: {name} is larger than the {limit >> 20} MiB that a pipeline file may hold")


def _about(path: Path, text: bytes) -> tuple[PipelineConfig, dict[str, Any]]:
    try:
        about = json.loads(text, parse_constant=_no_constant, parse_float=_finite)
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
        parsed = parse(PipelineConfig, config, str(path))
    except ConfigError as error:
        raise PipelineFileError(str(error)) from None
    if not _is_learned(parsed.scaling):
        raise PipelineFileError(f"{path}: its scaling has no constants; training learns them")
    return parsed, notes


def _is_learned(scaling: object) -> bool:
    if isinstance(scaling, RunningScaling):
        return scaling.start_uv is not None
    return not isinstance(scaling, ConstantScaling) or bool(scaling.center_uv and scaling.scale_uv)


def _finite(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _no_constant(text)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name[:40]} is not allowed")


def _network(path: Path, config: PipelineConfig, weights: bytes) -> Network:
    import safetensors
    import safetensors.torch
    import torch

    from rtbci.models import build
    from rtbci.models.contract import check_bounds, check_loaded

    if int.from_bytes(weights[:8], "little") > MAX_HEADER:
        raise PipelineFileError(f"{path}: {_WEIGHTS} is damaged (its header is larger than {MAX_HEADER >> 20} MiB)")
    try:
        tensors = safetensors.torch.load(weights)
    except Exception as error:  # parsing untrusted bytes may raise anything
        raise PipelineFileError(f"{path}: {_WEIGHTS} is damaged ({error or type(error).__name__})") from None
    try:
        check_bounds(config.model)
        with torch.device("meta"):  # shapes alone: a config that asks for terabytes costs nothing
            network = build(config.model.kind, **config.model.model_dump(exclude={"kind"}))
    except (ConfigError, ValueError, RuntimeError, OverflowError) as error:
        raise PipelineFileError(f"{path}: its network cannot be built ({error})") from error.__cause__
    wanted = network.state_dict()
    shapes = [{name: tuple(value.shape) for name, value in found.items()} for found in (wanted, tensors)]
    for name in [*wanted, *tensors]:
        want, got = (shape.get(name, "none") for shape in shapes)
        if want != got:
            raise PipelineFileError(f"{path}: weight {name[:80]!r} has shape {got}, wanted {want}")
    for name, value in tensors.items():
        if value.dtype != wanted[name].dtype:
            raise PipelineFileError(f"{path}: weight {name[:80]!r} is {value.dtype}, wanted {wanted[name].dtype}")
        if not bool(torch.isfinite(value).all()):
            raise PipelineFileError(f"{path}: weight {name[:80]!r} holds values that are not finite")
        if value.numel() and max(abs(value.min().item()), abs(value.max().item())) > MAX_WEIGHT:
            raise PipelineFileError(f"{path}: weight {name[:80]!r} holds values beyond {MAX_WEIGHT:g}")
    if not is_plugin(config.model):
        network.load_state_dict(tensors, assign=True)
        return network
    try:
        with torch.random.fork_rng(
            devices=[]
        ):  # with values, now that its sizes are checked: it may hold more than weights
            network = build(config.model.kind, **config.model.model_dump(exclude={"kind"}))
        network.load_state_dict(tensors)
        check_loaded(config.model, network)
    except ConfigError as error:
        raise PipelineFileError(f"{path}: {error}") from error.__cause__
    return network
