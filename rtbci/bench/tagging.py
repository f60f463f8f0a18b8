"""`rtbci bench tag`: a long recording through a pipeline offline: how fast on one core, and in how much memory."""

from __future__ import annotations

import io
import multiprocessing
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import edfio
import numpy as np
from rich.console import Console

from rtbci import plugins
from rtbci.results import Result, print_json
from rtbci.stages.montage import DOUBLE_BANANA

SFREQ = 256
EXTRA = ("P7-T7", "T7-FT9", "FT9-FT10", "FT10-T8", "T8-P8")  # the rest of a CHB-MIT montage: 23 in all


class TaggingReport(Result):
    """A made-up recording through a pipeline, offline, on one core."""

    times_real_time: float
    """Reading, filtering, network and decision."""
    read_and_filter_times_real_time: float
    """Reading and filtering alone."""
    peak_rss_mb: float
    """Resident memory at most."""
    hop: int
    """Samples between two answers."""
    model: str
    """Kind of the network."""
    hours: float
    """Length of the recording."""
    channels: int
    """How many."""
    sfreq: int
    """Rate of the recording."""
    cores: int
    """That were used."""


def tagging_report(hours: float, pipeline: str, *, json: bool) -> None:
    """Write `hours` of noise as EDF, tag it in a process of its own, print the ratio to real time and the memory."""
    with tempfile.TemporaryDirectory() as folder:
        recording = Path(folder) / "long.edf"
        write_noise(recording, hours)
        measured = _in_own_process(measure, str(recording), pipeline, plugins.named())
    result = TaggingReport(**measured, hours=hours, channels=23, sfreq=SFREQ, cores=1)
    if json:
        return print_json(result)
    Console(highlight=False).print(
        f"{hours:g} h of 23 channels at {SFREQ} Hz on one core: {result.times_real_time:.0f} times real time "
        f"(reading and filtering alone {result.read_and_filter_times_real_time:.0f}), "
        f"at most {result.peak_rss_mb:.0f} MB resident"
    )


def write_noise(path: Path, hours: float) -> None:
    """23 bipolar channels of 16-bit noise: a minute of it, over and over, and never the whole in memory."""
    n_records = max(1, round(hours * 3600))
    header, records = _minute_of_noise()
    record_bytes = len(records) // 60
    with open(path, "wb") as file:
        file.write(header[:236] + f"{n_records:<8}".encode() + header[244:])  # EDF's number of data records
        for start in range(0, n_records, 60):
            file.write(records[: (n_records - start) * record_bytes])


def _minute_of_noise() -> tuple[bytes, bytes]:
    """An EDF file's header, and its 60 data records of a second."""
    labels = (*DOUBLE_BANANA, *EXTRA)
    noise = np.random.default_rng(0).normal(0, 300, (60, len(labels), SFREQ)).astype(np.int16)
    signals = [
        edfio.EdfSignal.from_digital(
            noise[:, i].ravel(), SFREQ, label=label, physical_dimension="uV",
            physical_range=(-3276.8, 3276.7), digital_range=(-32768, 32767),
        )
        for i, label in enumerate(labels)
    ]  # fmt: skip
    minute, content = edfio.Edf(signals, data_record_duration=1), io.BytesIO()
    minute.write(content)
    whole, n_header = content.getvalue(), minute.bytes_in_header_record
    return whole[:n_header], whole[n_header:]


def _in_own_process(target: Any, *arguments: Any) -> dict[str, Any]:
    from rtbci.engine.threads import one_thread_each

    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=target, args=(*arguments, theirs))
    with one_thread_each():
        process.start()
    theirs.close()
    try:
        result: dict[str, Any] = ours.recv()
    finally:
        process.join()
    return result


def measure(recording_path: str, pipeline_path: str, named: tuple[str, ...], answer: Connection) -> None:
    """In a fresh process, so that the peak of its memory is that of tagging."""
    import resource
    import sys

    import torch

    from rtbci.evaluation.tagging import PIECE_S, tag
    from rtbci.pipeline.pipeline import Pipeline
    from rtbci.recordings.open import open_recording

    torch.set_num_threads(1)
    for one in named:
        plugins.plugin(one)
    pipeline, recording = Pipeline.load(pipeline_path), open_recording(recording_path)
    began = time.perf_counter()
    stages = pipeline.preprocessor(recording.info)
    for chunk in recording.chunks(round(PIECE_S * recording.info.sfreq)):
        stages.process(chunk)
    between = time.perf_counter()
    tag(pipeline, recording)
    ended = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 if sys.platform != "darwin" else 1024)
    answer.send(
        {
            "times_real_time": recording.duration_s / (ended - between),
            "read_and_filter_times_real_time": recording.duration_s / (between - began),
            "peak_rss_mb": peak / 1024,
            "hop": pipeline.hop,
            "model": pipeline.config.model.kind,
        }
    )
