"""How tests cut a recording, and what they compare."""

from collections.abc import Iterator

import numpy as np

from rtbci.models import build
from rtbci.pipeline.config import ChosenElectrodes, PipelineConfig
from rtbci.pipeline.pipeline import Pipeline
from rtbci.stages.decision import DecisionConfig
from rtbci.stages.filters import FilterConfig
from rtbci.stages.montage import MontageConfig
from rtbci.stages.scaling import ConstantScaling, RunningScaling
from rtbci.types import Chunk, Stage, StreamInfo

SFREQ = 200.0
CHANNELS = ("EEG Fp1-Ref", "EEG F7-Ref", "EEG T3-Ref", "EEG T5-Ref", "EEG O1-Ref")
INFO = StreamInfo("test", SFREQ, CHANNELS, ("uV",) * 5, source_id="test-1")
PAIRS = ("Fp1-F7", "F7-T7", "T7-P7", "P7-O1")


def eeg(n_samples: int, n_channels: int = 5, sfreq: float = SFREQ, seed: int = 0) -> Chunk:
    """Something like EEG: an offset, drift, alpha and noise; µV."""
    rng = np.random.default_rng(seed)
    t = np.arange(n_samples) / sfreq
    data = 20 * np.sin(2 * np.pi * 10 * t)[:, None] * rng.uniform(0.2, 1, n_channels)
    data = (
        data
        + rng.normal(0, 15, (n_samples, n_channels))
        + np.cumsum(rng.normal(0, 0.5, (n_samples, n_channels)), axis=0)
    )
    return Chunk((data + 300).astype(np.float32), t)


def cut(chunk: Chunk, seed: int) -> Iterator[Chunk]:
    """Ragged pieces, with empties and single samples among them."""
    rng = np.random.default_rng(seed)
    at = 0
    while at < len(chunk):
        n = int(rng.choice([0, 1, 2, 7, 8, 33, 256, 1000, int(rng.integers(0, 3000))]))
        yield chunk[at : at + n]
        at += n


def singles(chunk: Chunk) -> Iterator[Chunk]:
    return (chunk[i : i + 1] for i in range(len(chunk)))


def through(stage: Stage, pieces: Iterator[Chunk]) -> Chunk:
    return Chunk.join([stage.process(piece) for piece in pieces])


def assert_same(got: Chunk, wanted: Chunk) -> None:
    np.testing.assert_array_equal(got.times, wanted.times)
    np.testing.assert_array_equal(got.valid, wanted.valid)
    np.testing.assert_array_equal(got.data, wanted.data)


def make_pipeline(kind: str = "conv_lstm", **changes: object) -> Pipeline:
    """A small pipeline with every stage in it; its weights are as drawn."""
    import torch

    torch.manual_seed(1)
    sizes: dict[str, object] = {
        "conv_lstm": {"hop": 8, "kernel": 16, "filters": 8, "units": (12,)},
        "lstm_tagger": {"units": (10, 10)},
    }.get(kind, {})
    sizes = {**sizes, **changes.pop("sizes", {})}  # type: ignore[dict-item]
    selection = changes.get("selection")
    n_channels = len(selection.channels) if isinstance(selection, ChosenElectrodes) else len(PAIRS)
    network = build(kind, n_channels=n_channels, **sizes)
    from rtbci.models import model_config

    values: dict[str, object] = {
        "name": "small",
        "sfreq": 128.0,
        "montage": MontageConfig(channels=PAIRS),
        "filters": FilterConfig(low_hz=0.5, high_hz=40.0, notch_hz=(50.0,)),
        "scaling": RunningScaling(start_uv=20.0),
        "model": model_config(kind, n_channels=n_channels, **sizes),
        # A network as drawn wavers around one half: so the decisions have something to decide.
        "decision": DecisionConfig(threshold=0.5, smoothing_s=0.1, min_duration_s=0.1, merge_s=0.1),
    }
    return Pipeline(PipelineConfig(**{**values, **changes}), network)  # type: ignore[arg-type]


CONSTANT = ConstantScaling(center_uv=(0.0,) * 4, scale_uv=(10.0, 20.0, 30.0, 40.0))
