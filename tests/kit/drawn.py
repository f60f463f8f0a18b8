"""Pipelines, streams, cuts and threads, drawn at random for the law's tests."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from random import Random
from typing import Any

import numpy as np
import numpy.typing as npt
import threadpoolctl
import torch

from rtbci.engine.trust import trust_of
from rtbci.models import ModelConfig, from_config, model_config
from rtbci.models.network import Network
from rtbci.pipeline.config import ChosenElectrodes, PipelineConfig
from rtbci.pipeline.pipeline import Pipeline
from rtbci.pipeline.stream import StreamSession
from rtbci.recordings.description import DescribedChannel, Description
from rtbci.recordings.stream_reader import StreamReader, believed
from rtbci.stages.bad_channels import MaskConfig
from rtbci.stages.cues import CueAnswer, CueConfig
from rtbci.stages.decision import DecisionConfig
from rtbci.stages.filters import FilterConfig
from rtbci.stages.gap_guard import GapConfig
from rtbci.stages.montage import MontageConfig
from rtbci.stages.scaling import ConstantScaling, NoScaling, RunningScaling
from rtbci.types import Chunk, Scores, Seen, Signals

N_CHANNELS = (1, 2, 3, 8, 9, 16, 17, 19, 32, 33, 64)
FORMATS = ("float32", "double64", "int8", "int16", "int32", "int64")
DTYPES = dict(zip(FORMATS, ("f4", "f8", "i1", "i2", "i4", "i8"), strict=True))
DAMAGE = ("flat", "noise", "mains", "rail", "huge", "nan")
UNITS = {"V": 1e6, "mV": 1e3, "uV": 1.0, "nV": 1e-3}
ELECTRODES = (
    *("Fp1", "AF7", "AF3", "F1", "F3", "F5", "F7", "FT7", "FC5", "FC3", "FC1", "C1", "C3", "C5", "T7", "TP7"),
    *("CP5", "CP3", "CP1", "P1", "P3", "P5", "P7", "P9", "PO7", "PO3", "O1", "Iz", "Oz", "POz", "Pz", "CPz"),
    *("Fpz", "Fp2", "AF8", "AF4", "AFz", "Fz", "F2", "F4", "F6", "F8", "FT8", "FC6", "FC4", "FC2", "FCz", "Cz"),
    *("C2", "C4", "C6", "T8", "TP8", "CP6", "CP4", "CP2", "P2", "P4", "P6", "P8", "P10", "PO8", "PO4", "O2"),
)


@contextmanager
def threads(n: int) -> Iterator[None]:
    """PyTorch and BLAS have n threads inside."""
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        with threadpoolctl.threadpool_limits(n, user_api="blas"):
            yield
    finally:
        torch.set_num_threads(before)


@dataclass(frozen=True)
class Stream:
    """A stream as it comes: rows in its own format, raw stamps, and what is read from them.

    n_channels, format, unit, gain: of the stream; damage: what is wrong with it; is_stamped: whether its stamps count.
    """

    n_channels: int
    sfreq: float = 200.0
    format: str = "float32"
    unit: str = "uV"
    gain: float = 1.0
    damage: frozenset[str] = frozenset()
    is_stamped: bool = False
    seconds: float = 10.0
    seed: int = 0

    @property
    def reader(self) -> StreamReader:
        factor = ("scaling_factor", repr(self.gain)) if self.gain != 1 else ("", "")
        channels = tuple(DescribedChannel(name, self.unit, "EEG", factor) for name in ELECTRODES[: self.n_channels])
        return believed(Description("drawn", self.sfreq, self.n_channels, channels, format=self.format))

    def rows(self) -> npt.NDArray[np.generic]:
        """EEG with damage, as the amplifier sends it: (n_samples, n_channels)."""
        rng, n = np.random.default_rng(self.seed), round(self.seconds * self.sfreq)
        t = np.arange(n)[:, None] / self.sfreq
        uv = 20 * np.sin(2 * np.pi * 10 * t) * rng.uniform(0.2, 1, self.n_channels)
        uv = uv + rng.normal(0, 15, (n, self.n_channels)) + 30
        place = rng.integers(0, n, 8)
        k = rng.integers(0, self.n_channels, 8)
        if "flat" in self.damage:
            uv[n // 4 :, k[0]] = 17.0
            uv[n // 3 : n // 2, k[1]] = 3.0
        if "noise" in self.damage:
            uv[n // 3 :, k[2]] = rng.normal(0, 400, n - n // 3)
        if "mains" in self.damage:
            uv[:, k[3]] += 300 * np.sin(2 * np.pi * 50 * t[:, 0])
        if "rail" in self.damage:
            uv[n // 5 : n // 2, k[4]] = np.clip(uv[n // 5 : n // 2, k[4]] * 50, -600, 600)
        if "huge" in self.damage:
            uv[place[0] :, k[5]] += 4e6
            uv[place[1], k[6]] = 1e30
        values = uv / UNITS[self.unit] / self.gain
        if self.format[0] == "i":
            most = np.iinfo(DTYPES[self.format]).max
            return np.clip(np.rint(values), -most, most if self.format != "int64" else 2**62).astype(
                DTYPES[self.format]
            )
        if "nan" in self.damage:
            values[place[2] : place[2] + 3, k[6]] = np.nan
            values[place[3], k[7]] = np.inf
            values[place[4] :, k[5]] = -np.inf
        with np.errstate(over="ignore"):
            return values.astype(DTYPES[self.format])

    def times(self) -> npt.NDArray[np.float64]:
        rng, n = np.random.default_rng(self.seed + 1), round(self.seconds * self.sfreq)
        times = np.arange(n) / self.sfreq
        if self.is_stamped:
            times = times + 1000 + rng.normal(0, 0.05 / self.sfreq, n)
            times[n // 3 :] += 7 / self.sfreq  # filled
            times[n // 2 :] += 2.0  # a break
            times[n // 2 + 100] += 0.02
        return times


@dataclass(frozen=True)
class Heard:
    """What a session said, without what depends on the number of chunks; and its words on the channels, by sample."""

    scores: Chunk
    seen: Chunk
    at_s: npt.NDArray[np.float64]
    others: list[str]
    answers: list[str]
    words: dict[int, tuple[object, ...]]


def run(pipeline: Pipeline, stream: Stream, sizes: Iterable[int], cues: tuple[float, ...] = ()) -> Heard:
    """The stream through a session, in pieces of these sizes and what is left of it."""
    reader, rows, times = stream.reader, stream.rows(), stream.times()
    session = StreamSession(pipeline, reader.info, stamped=stream.is_stamped, offline=True)
    for cue in cues:
        session.cue(float(times[0]) + cue, "cue")
    heard: list[object] = []
    words = {}
    at = 0
    for n in (*sizes, len(rows)):
        with np.errstate(invalid="ignore"):  # where a gap is filled beside a value that is no number
            heard += session.samples(reader.chunk(rows[at : at + n].copy(), times[at : at + n].copy()))
        at = min(at + n, len(rows))
        trust = trust_of(session.live, session.quality.bad(), reader.info.channels, pipeline.notes)
        words[at] = session.quality.bad(), session.quality.amplitude.words, trust.level, trust.masked, trust.words
    heard += session.close()
    scores = [m for m in heard if isinstance(m, Scores)]
    seen = [m.chunk for m in heard if isinstance(m, Seen)]
    return Heard(
        Chunk.join([Chunk.empty(len(pipeline.classes)), *(m.chunk for m in scores)]),
        Chunk.join([Chunk.empty(pipeline.n_inputs), *seen]),
        np.concatenate([np.empty(0), *(m.at_s for m in scores)]),
        [repr(m) for m in heard if not isinstance(m, Scores | Seen | Signals | CueAnswer)],
        [repr(m) for m in heard if isinstance(m, CueAnswer)],
        words,
    )


def assert_law(got: Heard, wanted: Heard) -> None:
    """The same to the last bit, where both say something."""
    for mine, theirs in ((got.seen, wanted.seen), (got.scores, wanted.scores)):
        np.testing.assert_array_equal(mine.times, theirs.times)
        np.testing.assert_array_equal(mine.valid, theirs.valid)
        np.testing.assert_array_equal(mine.data.view(np.uint32), theirs.data.view(np.uint32))
    np.testing.assert_array_equal(got.at_s, wanted.at_s)
    assert got.others == wanted.others
    assert got.answers == wanted.answers
    for at in got.words.keys() & wanted.words.keys():
        assert got.words[at] == wanted.words[at], at


# -- drawing --------------------------------------------------------------------------------------------------------

CUTS = ("singles", "whole", "tag", "fixed", "ragged")
KINDS = (
    *("conv_lstm", "lstm_tagger", "spatial_conv_lstm", "stacked_lstm", "channel_lstm", "small_lstm", "conv_pool_lstm"),
    *("shared_conv_lstm", "msfbcnn", "covariance", "selection", "bidirectional", "same"),
)


def a_stream(random: Random) -> Stream:
    """Of any width, format and unit, and damaged in any way."""
    pick = random.choice
    form, unit = pick(FORMATS), pick(list(UNITS))
    step = {"V": 1e-6, "mV": 1e-3, "uV": 0.25, "nV": 1000.0}[unit] * (8 if form == "int8" else 1)
    return Stream(
        n_channels=pick(N_CHANNELS), sfreq=pick((100.0, 128.0, 173.61, 200.0, 250.0)), format=form, unit=unit,
        gain=step if form.startswith("int") else pick((1.0, 0.1, 1e-3)),
        damage=frozenset(random.sample(DAMAGE, random.randint(0, len(DAMAGE)))),
        is_stamped=pick((False, True)), seconds=pick((3.0, 4.5)), seed=random.randint(0, 2**20),
    )  # fmt: skip


def a_pipeline(random: Random, stream: Stream, kind: str | None = None) -> Pipeline:
    """One that the stream fits; kind: of its network."""
    pick = random.choice
    names = random.sample(
        ELECTRODES[: stream.n_channels], pick((stream.n_channels, random.randint(1, stream.n_channels)))
    )
    is_average = pick((False, True))
    if len(names) > 2 and not is_average and pick((False, True)):
        names = [*(f"{one}-{other}" for one, other in pairwise(names)), names[0]]
    inputs = random.sample(names, random.randint(1, len(names))) if pick((False, True)) else names
    n_classes = pick((1, 1, 2, 5, 9))
    model = _model(random, kind or pick(KINDS), len(inputs), n_classes, random.random() < 0.3)
    network = _drawn_network(random, model)
    is_windowed = network.window is not None
    config = PipelineConfig(
        name="drawn",
        sfreq=pick([sfreq for sfreq in (64.0, 100.0, 128.0) if sfreq <= stream.sfreq]),
        classes=tuple(f"class{i}" for i in range(1 if network.per_sample else n_classes)),
        activation=pick(("sigmoid", "softmax")),
        montage=MontageConfig(channels=tuple(names), reference="average" if is_average else "as_recorded"),
        filters=FilterConfig(
            low_hz=pick((None, 0.5, 2.0)), high_hz=pick((None, 20.0, 31.0)), order=pick((1, 2, 4)),
            notch_hz=pick(((), (50.0,), (50.0, 60.0))),
        ),
        selection=ChosenElectrodes(channels=tuple(inputs)) if inputs is not names else None,
        scaling=pick((
            NoScaling(), RunningScaling(start_uv=20.0, block_s=0.37), RunningScaling(start_uv=5.0),
            ConstantScaling(center_uv=tuple(range(len(inputs))), scale_uv=tuple(range(3, len(inputs) + 3))),
        )),
        mask=pick((None, MaskConfig(most=0), MaskConfig(most=2))),
        model=model,
        window_hop=pick((1, 7, 16, 40)) if is_windowed else 0,
        cues=pick((None, CueConfig(offset_s=0.1))) if is_windowed else None,
        decision=DecisionConfig(
            release=pick((None, 0.45)), smoothing_s=pick((0.0, 0.3)), min_duration_s=pick((0.0, 0.2)),
            merge_s=pick((0.0, 0.5)),
        ),
        gaps=GapConfig(warmup_s=pick((0.0, 0.5))),
    )  # fmt: skip
    return Pipeline(config, network)


def a_network(random: Random, kind: str, n_channels: int, n_classes: int, is_wide: bool) -> Network:
    """Wide ones have products of a size that BLAS and PyTorch divide among threads."""
    return _drawn_network(random, _model(random, kind, n_channels, n_classes, is_wide))


def _drawn_network(random: Random, model: ModelConfig) -> Network:
    torch.manual_seed(random.randint(0, 99))
    return from_config(model)


def _model(random: Random, kind: str, n_channels: int, n_classes: int, is_wide: bool) -> ModelConfig:
    sizes = {"n_classes": n_classes, **_sizes(random, kind, n_channels, is_wide), "n_channels": n_channels}
    return model_config({"bidirectional": "lstm_tagger", "same": "conv_lstm"}.get(kind, kind), **sizes)


def _sizes(random: Random, kind: str, n_channels: int, is_wide: bool) -> dict[str, Any]:
    pick = random.choice
    window, hop = pick((32, 50, 64)), pick((1, 2, 5, 8, 16))
    units = (pick((96, 128, 130) if is_wide else (3, 8, 10, 16)),)
    filters = pick((50, 64) if is_wide else (1, 3, 8))
    if kind == "selection":
        inner = pick(("conv_lstm", "conv_pool_lstm", "covariance"))
        n_select = random.randint(1, n_channels)
        return {"n_select": n_select, "network": {"kind": inner, **_sizes(random, inner, n_select, is_wide)}}
    return {
        "conv_lstm": {"hop": hop, "kernel": hop + pick((0, 1, 7, 24)), "filters": filters, "units": units},
        "lstm_tagger": {"hop": hop, "units": units * pick((1, 2))},
        "spatial_conv_lstm": {"kernel": random.randint(1, min(n_channels, 4)), "filters": filters, "units": units},
        "shared_conv_lstm": {
            "hop": 2 * hop, "stride": pick((1, 2)), "kernel": pick((2, 9)), "filters": filters, "waves": filters,
            "features": filters, "span": pick((1, 3)), "baseline_hops": pick((1, 7)), "units": units,
        },
        "stacked_lstm": {"units": units, "window": window},
        "channel_lstm": {"units": units, "channel_units": pick((1, 2)), "window": window},
        "small_lstm": {"window": window},
        "conv_pool_lstm": {
            "filters": filters, "kernel": 4, "pool": 3, "units": units, "window": window,
            **pick(({}, {"n_classes": window})),
        },
        "msfbcnn": {"window": pick((100, 256)), "pool": 20, "pool_hop": 10, "kernels": (17, 9)},
        "covariance": {"window": window, "means": (8, 4), "taps": 9},
        "bidirectional": {"hop": hop, "units": units, "bidirectional": True},
        "same": {"hop": 1, "kernel": 7, "filters": filters, "units": units, "padding": "same"},
    }[kind]  # fmt: skip


def piece_sizes(random: Random, kind: str, stream: Stream) -> list[int]:
    """Sizes of pieces: as an engine reads them, as `tag` does, or ragged with empties among them."""
    n = len(stream.times())
    if kind == "ragged":
        return [random.choice((0, 1, 1, 2, 7, 8, 16, 33, 64, 256, random.randint(0, 4096))) for _ in range(60)]
    size = {"singles": 1, "whole": n, "tag": round(2 * stream.sfreq), "fixed": random.randint(2, 300)}[kind]
    return [size] * (n // size)
