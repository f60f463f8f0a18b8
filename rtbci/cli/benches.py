"""The commands of `rtbci bench`."""

from __future__ import annotations

from typing import Annotated

import typer

from rtbci.cli.commands import Commands
from rtbci.cli.options import Json, PipelineFile, Plugins

bench = typer.Typer(
    cls=Commands, help="Measure speed on this machine, beside alternatives measured in turn.", no_args_is_help=True
)


@bench.command("latency")
def bench_latency(
    seconds: Annotated[float, typer.Option(min=2, help="Length of each of the two measurements.")] = 20.0,
    channels: Annotated[int, typer.Option(min=1)] = 32,
    sfreq: Annotated[float, typer.Option(min=1)] = 256.0,
    chunk: Annotated[int, typer.Option(min=1, help="Samples a chunk.")] = 8,
    json: Json = False,
) -> None:
    """LSL transport alone, and stamp to published probability (filters and a 2 x 64 LSTM), in turn."""
    from rtbci.bench.latency import latency_report

    latency_report(seconds, channels, sfreq, chunk, json=json)


@bench.command("tag")
def bench_tag(
    hours: Annotated[float, typer.Option(min=0.01, help="Length of the synthetic recording.")] = 24.0,
    pipeline: PipelineFile = "demo",
    plugin: Plugins = None,
    json: Json = False,
) -> None:
    """Tag a long 23-channel 256 Hz recording: times real time on one core, and memory."""
    from rtbci.bench.tagging import tagging_report
    from rtbci.bundled import bundled

    tagging_report(hours, bundled(pipeline), json=json)


@bench.command("step")
def bench_step(json: Json = False) -> None:
    """Microseconds to answer a few new samples, by each back end, and to recompute the whole window."""
    from rtbci.bench.step import step_report

    step_report(json=json)


@bench.command("train")
def bench_train(json: Json = False) -> None:
    """Trials per second in training, and of the same networks in Keras (extra `bench`), in turn."""
    from rtbci.bench.train import train_report

    train_report(json=json)


@bench.command("gui")
def bench_gui(
    channels: Annotated[int, typer.Option(min=1)] = 128,
    sfreq: Annotated[float, typer.Option(min=1)] = 1000.0,
    page_s: Annotated[float, typer.Option(min=1, help="Seconds on the screen.")] = 10.0,
    seconds: Annotated[float, typer.Option(min=1, help="Length of the measurement.")] = 10.0,
    width: Annotated[int, typer.Option(min=640)] = 1280,
    height: Annotated[int, typer.Option(min=480)] = 720,
    json: Json = False,
) -> None:
    """Milliseconds per frame of the whole window, without and with trends, and of plain pyqtgraph (setData), in turn."""
    from rtbci.bench.dashboard import gui_report

    gui_report(channels=channels, sfreq=sfreq, page_s=page_s, seconds=seconds, width=width, height=height, json=json)


@bench.command("soak")
def bench_soak(
    hours: Annotated[float, typer.Option(min=0.05, help="Hours of stream.")] = 24.0,
    seed: Annotated[int, typer.Option(help="Seed of the faults.")] = 0,
    json: Json = False,
) -> None:
    """Hours of stream over LSL with faults: counts of samples, memory, latency, events, drift. Exit code 1 if a check fails."""
    from rtbci.bench.soak import soak_report

    raise typer.Exit(soak_report(hours, seed, json=json))
