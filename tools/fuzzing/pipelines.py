"""The pipeline file, from its bytes to an answer."""

from __future__ import annotations

import io
import json
import zipfile
from contextlib import redirect_stdout, suppress
from functools import cache
from pathlib import Path

import numpy as np
import safetensors.torch

from fuzzing.contract import scratch, target
from rtbci.bundled import PIPELINE
from rtbci.cli.inspect import inspect_file, pipeline_facts
from rtbci.config import parse, read_toml
from rtbci.engine.trust import trust_of
from rtbci.models import from_config
from rtbci.pipeline.config import PipelineConfig
from rtbci.pipeline.file import MEMORY_BYTES, read_config
from rtbci.pipeline.pipeline import Pipeline
from rtbci.stages.channel_quality import ChannelQuality
from rtbci.types import Chunk, StreamInfo

ROOT = Path(__file__).resolve().parents[2]


@cache
def _demo() -> dict[str, bytes]:
    with zipfile.ZipFile(PIPELINE) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _zipped(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in {**_demo(), **{k.replace("__", "."): v for k, v in members.items()}}.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return buffer.getvalue()


def _load(data: bytes) -> None:
    """As `inspect`, then `run` would use a file."""
    path = scratch("fuzz.rtbci", data)
    with suppress(RecursionError):
        read_config(path)
    use(Pipeline.load(path))
    pipeline_facts(path, None).to_json()
    with redirect_stdout(io.StringIO()):
        inspect_file(path, None, json=False)


def use(pipeline: Pipeline) -> None:
    """Ten hops, or two windows, of a stream that fits."""
    info = StreamInfo("fuzz", pipeline.sfreq, pipeline.channels, ("uV",) * len(pipeline.channels))
    live = pipeline.start(info, offline=True)
    n = min(10 * pipeline.hop + 2 * (pipeline.network.window or 0), 5_000_000 // len(info.channels))
    noise = np.random.default_rng(0).normal(0, 20, (max(n, 1), len(info.channels))).astype(np.float32)
    scores = live.process(Chunk(noise, np.arange(len(noise)) / info.sfreq))
    live.decide(scores)
    live.flush()
    trust_of(live, dict.fromkeys(info.channels[:3], "flat"), info.channels, pipeline.notes)
    pipeline.filter_delay_s(pipeline.sfreq)
    ChannelQuality(info)


@target(lambda: [_zipped(weights__safetensors=b"x" * 100), _zipped()])
def pipeline_zip(data: bytes) -> None:
    """A whole pipeline file."""
    _load(data)


def _jsons() -> list[bytes]:
    return [_demo()["pipeline.json"]]


@target(_jsons, tree=True)
def pipeline_json(data: bytes) -> None:
    """pipeline.json beside good weights."""
    _load(_zipped(pipeline__json=data))


@target(lambda: [_demo()["weights.safetensors"], _small_weights(), b"\2\0\0\0\0\0\0\0{}"])
def pipeline_weights(data: bytes) -> None:
    """weights.safetensors under a good pipeline.json."""
    _load(_zipped(weights__safetensors=data))


def _small_weights() -> bytes:
    tensors = safetensors.torch.load(_demo()["weights.safetensors"])
    return safetensors.torch.save({name: value[:1] for name, value in tensors.items()})


def _configs() -> list[bytes]:
    about = json.loads(_demo()["pipeline.json"])["config"]
    models = [read_toml(path)["pipeline"]["model"] for path in sorted((ROOT / "configs").glob("*.toml"))]
    models = [model if model["kind"] == "conv_pool_lstm" else model | {"n_classes": 1} for model in models]
    window = {"model": {"kind": "stacked_lstm", "units": [4], "window": 64, "n_classes": 1}, "window_hop": 8}
    kinds = [about | {"model": model | {"n_channels": None}} for model in models] + [about | window]
    return [json.dumps(config).encode() for config in kinds]


@target(_configs, tree=True, limit_s=10.0, limit_bytes=MEMORY_BYTES)
def pipeline_run(data: bytes) -> None:
    """A config whose weights are as it says: what a stranger could send; loaded, started and run."""
    try:
        values = json.loads(data)
    except (ValueError, RecursionError):
        return
    if not isinstance(values, dict):
        return
    config = parse(PipelineConfig, values, "fuzz")
    n = len(config.montage.channels if config.selection is None else config.selection.channels)
    changed = {"n_channels": n} | ({"n_classes": len(config.classes)} if config.model.kind != "conv_pool_lstm" else {})
    model = config.model.model_copy(update=changed)
    import torch

    with torch.device("meta"):
        size = sum(p.numel() for p in from_config(model).state_dict().values())
    if size > 2_000_000:
        return  # the file would be larger than what is sent here
    weights = {k: v.contiguous() for k, v in from_config(model).state_dict().items()}
    told = config.model_dump(mode="json") | {"model": model.model_dump(mode="json")}
    about = json.loads(_demo()["pipeline.json"]) | {"config": told}
    _load(_zipped(pipeline__json=json.dumps(about).encode(), weights__safetensors=safetensors.torch.save(weights)))
