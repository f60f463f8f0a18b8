"""`rtbci bench latency`: LSL transport alone, and stamp to published probability through the real engine, in turn."""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from rtbci.lsl.config import on_this_machine
from rtbci.pipeline.config import PipelineConfig
from rtbci.results import Result, print_json
from rtbci.stages.filters import FilterConfig
from rtbci.stages.montage import MontageConfig

ROUNDS = 2
SKIP = 20  # first chunks of each round, as warm-up


class Percentiles(Result):
    """Of all chunks."""

    p50: float
    """Median."""
    p99: float
    """99th percentile."""


class LatencyReport(Result):
    """Milliseconds from the time stamp of a chunk, in turn."""

    transport_ms: Percentiles
    """To its samples in hand: LSL alone."""
    end_to_end_ms: Percentiles
    """To its published probability: LSL, filters, network and outlets."""
    channels: int
    """How many."""
    sfreq: float
    """Rate of the stream."""
    chunk: int
    """Samples a chunk."""
    network: str
    """In words."""


def latency_report(seconds: float, channels: int, sfreq: float, chunk: int, *, json: bool) -> None:
    """Measure and print milliseconds at p50 and p99 of both ways."""
    with on_this_machine(), tempfile.TemporaryDirectory() as folder:
        pipeline = Path(folder) / "bench.rtbci"
        make_pipeline(channels, sfreq).save(pipeline)
        ways: dict[str, list[float]] = {"transport": [], "end_to_end": []}
        for _ in range(ROUNDS):
            for way, found in ways.items():
                found += measure(way, str(pipeline), channels, sfreq, chunk, seconds / ROUNDS)
    result = LatencyReport(
        transport_ms=_percentiles(ways["transport"]),
        end_to_end_ms=_percentiles(ways["end_to_end"]),
        channels=channels,
        sfreq=sfreq,
        chunk=chunk,
        network="lstm_tagger 64-64, hop 1",
    )
    if json:
        return print_json(result)
    console = Console(highlight=False)
    console.print(f"{channels} channels, {sfreq:g} Hz, chunks of {chunk}; milliseconds from stamp")
    for way, ms in (("transport", result.transport_ms), ("end_to_end", result.end_to_end_ms)):
        console.print(f"{way.replace('_', ' '):12} p50 {ms.p50:.3f}  p99 {ms.p99:.3f}  ({len(ways[way])} chunks)")


def _percentiles(values: list[float]) -> Percentiles:
    p50, p99 = np.percentile(values, [50, 99])
    return Percentiles(p50=round(float(p50), 4), p99=round(float(p99), 4))


def make_pipeline(n_channels: int, sfreq: float) -> Any:
    """Notch, band-pass and a 2 x 64 LSTM that answers every sample; its weights are as they were drawn."""
    import torch

    from rtbci.models import build
    from rtbci.models.sizes import LSTMTaggerConfig
    from rtbci.pipeline.pipeline import Pipeline

    torch.manual_seed(0)
    model = LSTMTaggerConfig(n_channels=n_channels, units=(64, 64))
    config = PipelineConfig(
        name="bench",
        sfreq=sfreq,
        montage=MontageConfig(channels=tuple(f"ch{i + 1}" for i in range(n_channels))),
        filters=FilterConfig(low_hz=0.5, high_hz=40.0, order=4, notch_hz=(50.0,)),
        model=model,
    )
    return Pipeline(config, build("lstm_tagger", **model.model_dump(exclude={"kind"})))


def measure(way: str, pipeline: str, channels: int, sfreq: float, chunk: int, seconds: float) -> list[float]:
    """Milliseconds of each chunk, from its stamp to its data in hand (transport) or its answer published."""
    context = multiprocessing.get_context("spawn")
    name = f"rtbci-bench-{os.getpid()}-{time.monotonic_ns()}"
    ours, theirs = context.Pipe(duplex=False)
    listen = transport if way == "transport" else end_to_end
    listener = context.Process(target=listen, args=(name, pipeline, theirs))
    sender = context.Process(target=send, args=(name, channels, sfreq, chunk, seconds))
    listener.start()
    sender.start()
    theirs.close()
    try:
        found: list[float] = ours.recv()
    finally:
        for process in (sender, listener):
            process.join(10)
            process.kill()
    return found[SKIP:]


def send(name: str, channels: int, sfreq: float, chunk: int, seconds: float) -> None:
    """An amplifier: chunks of noise, each stamped when it is pushed."""
    import pylsl

    info = pylsl.StreamInfo(name, "EEG", channels, sfreq, "float32", name)
    described = info.desc().append_child("channels")
    for i in range(channels):
        channel = described.append_child("channel")
        channel.append_child_value("label", f"ch{i + 1}")
        channel.append_child_value("unit", "microvolts")
    outlet = pylsl.StreamOutlet(info, chunk_size=chunk)
    outlet.wait_for_consumers(60)
    time.sleep(1)
    noise = np.random.default_rng(0).normal(0, 20, (chunk, channels)).astype(np.float32)
    start = pylsl.local_clock()
    for k in range(round(seconds * sfreq / chunk)):
        due = start + k * chunk / sfreq
        while (left := due - pylsl.local_clock()) > 0:
            time.sleep(min(left, 0.001))
        outlet.push_chunk(noise, pylsl.local_clock())
    time.sleep(0.5)


def transport(name: str, _pipeline: str, answer: Connection) -> None:
    """The engine's inlet and nothing behind it."""
    from pylsl import local_clock

    from rtbci.lsl.border import RawSamples
    from rtbci.lsl.source import LslSource

    source = LslSource({"name": name}, accept=lambda _: None)
    took: list[float] = []
    began = time.monotonic()
    while not (took and source.silent_s > 1) and (took or time.monotonic() - began < 60):
        for item in source.read(0.02):
            if isinstance(item, RawSamples) and not item.held:
                took.append((local_clock() - float(item.stamps[-1])) * 1e3)
    answer.send(took)


def end_to_end(name: str, pipeline: str, answer: Connection) -> None:
    """The engine as `rtbci run` has it: the same loop, outlets and shared memory."""
    import gc

    import torch
    from pylsl import local_clock

    from rtbci.engine.engine import Engine
    from rtbci.engine.session import EngineSpec
    from rtbci.monitor.folder import monitor_folder, remove_monitor
    from rtbci.pipeline.pipeline import Pipeline

    torch.set_num_threads(1)
    folder = monitor_folder()
    engine = Engine(Pipeline.load(pipeline), EngineSpec(pipeline, {"name": name}, monitor=str(folder)))
    gc.collect()
    gc.freeze()
    took: list[float] = []
    engine.latency.add = lambda ms: took.append(ms)  # type: ignore[method-assign]
    heard = [local_clock()]

    def ended() -> None:
        if engine.tally.received and engine.source.silent_s > 1:
            engine.stop()
        if not engine.tally.received and local_clock() - heard[0] > 60:
            engine.stop()

    engine.run(ended)
    answer.send(took)
    remove_monitor(folder)
