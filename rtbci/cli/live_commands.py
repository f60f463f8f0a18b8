"""The commands of live work: one thin function each."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from rtbci.cli.options import (
    Channels,
    ClockOption,
    Device,
    Gain,
    Headless,
    Json,
    PipelineFile,
    Plugins,
    Recorder,
    Reference,
    Sfreq,
    ShareAnnotations,
    StreamOption,
    Threshold,
    Unit,
)
from rtbci.cli.root import app


@app.command()
def demo(
    seconds: Annotated[
        float | None, typer.Option(min=1, help="Play only the first N seconds of the recording.")
    ] = None,
    speed: Annotated[float, typer.Option(min=0, help="Times real time; 0: as fast as the engine can read.")] = 1.0,
    headless: Headless = False,
    json: Json = False,
    device: Device = "cpu",
) -> None:
    """Replay a real seizure over LSL, tag it live with the bundled pipeline, and print how well it did."""
    from rich.console import Console

    from rtbci.cli import demo as play
    from rtbci.lsl.config import on_this_machine
    from rtbci.results import print_json

    with on_this_machine():
        on_summary = print_json if json else lambda result, _: play.print_summary(result, Console())
        code = play.demo(seconds, speed, device, show=_show(headless, json), on_summary=on_summary)
    raise typer.Exit(code)


def _show(headless: bool, json: bool) -> str:
    """What a command shows: nothing beside its JSON, the dashboard if there is a display, else the terminal view."""
    if json:
        return "none"
    return "view" if headless or not _display() else "dashboard"


def _display() -> bool:
    import os

    if sys.platform.startswith(("win", "darwin")):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


@app.command()
def streams(
    wait: Annotated[float, typer.Option(min=0.1, help="Seconds to listen.")] = 2.0,
    json: Json = False,
) -> None:
    """List the LSL streams on the network."""
    from rtbci.lsl.config import quiet_lsl

    quiet_lsl()
    from rtbci.cli.streams import show_streams

    show_streams(wait, json=json)


@app.command()
def run(
    pipeline: PipelineFile,
    stream: Annotated[
        str, typer.Option(help="Which stream: name=…, type=…, source_id=… or hostname=…; combine with commas.")
    ],
    headless: Headless = False,
    events: Annotated[Path | None, typer.Option(help="Write the event table (SzCORE TSV) here.")] = None,
    wait: Annotated[
        float, typer.Option(min=0, help="Seconds to wait for the stream at the start; 0: without limit.")
    ] = 60.0,
    seconds: Annotated[float | None, typer.Option(min=0, help="End after N seconds of the stream.")] = None,
    record: Annotated[
        Path | None, typer.Option(help="Record stream, answers and events to XDF in this folder.")
    ] = None,
    recorder: Recorder = "own",
    cues: Annotated[
        str | None, typer.Option(help="Marker stream whose cues are answered: name=… or source_id=…")
    ] = None,
    log: Annotated[Path | None, typer.Option(help="Write a log here, as JSON lines; rotates at 10 MB.")] = None,
    share_annotations: ShareAnnotations = False,
    channels: Channels = None,
    unit: Unit = "",
    gain: Gain = None,
    sfreq: Sfreq = None,
    reference: Reference = "",
    clock: ClockOption = "lsl",
    sink: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MODULE:CLASS",
            help="A sink of your own (docs/plugins.md): FILE.py:CLASS, or the name of an installed one; repeatable.",
        ),
    ] = None,
    threshold: Threshold = None,
    alarm: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE",
            help="A rule of the alarms (docs/alarms.md): escalate_s=120, burden=frequent|abundant|continuous|off, "
            "status_stretch_s=600, status_share=0.2, remember_s=86400; repeatable.",
        ),
    ] = None,
    device: Device = "cpu",
    plugin: Plugins = None,
    json: Annotated[bool, typer.Option("--json", help="Print the state as one line of JSON per second.")] = False,
) -> None:
    """Run a pipeline on a live LSL stream; publish probabilities and events. Ctrl-C or SIGTERM ends it."""
    from rtbci.bundled import bundled
    from rtbci.cli.output import never_wait_for_output
    from rtbci.cli.overrides import told_by
    from rtbci.cli.run import run_live

    never_wait_for_output()
    code = run_live(
        bundled(pipeline), stream, show="json" if json else _show(headless, json=False), events=events,
        wait_s=wait or None, seconds=seconds, overrides=told_by(channels, unit, gain, sfreq, reference, clock),
        device=device, cues=cues, record=record, recorder=recorder, log=log, sinks=tuple(sink or ()),
        share_annotations=share_annotations, threshold=threshold, alarms=tuple(alarm or ()),
    )  # fmt: skip
    raise typer.Exit(code)


@app.command()
def replay(
    recordings: Annotated[
        list[Path], typer.Argument(help="Recordings: EDF, BDF, GDF, BrainVision, EEGLAB, FIF, XDF …")
    ],
    name: Annotated[
        str | None,
        typer.Option(
            help="Name of the stream; by default the file's name where LSL stays on this machine, else rtbci-replay."
        ),
    ] = None,
    speed: Annotated[float, typer.Option(min=0, help="Times real time; 0: as fast as the consumer reads.")] = 1.0,
    loop: Annotated[bool, typer.Option("--loop", help="Start again at the end.")] = False,
    start: Annotated[float, typer.Option(min=0, help="Start at this second of the recording.")] = 0.0,
    seconds: Annotated[float | None, typer.Option(min=0, help="Play only this many seconds.")] = None,
    chunk: Annotated[int, typer.Option(min=1, help="Samples per chunk.")] = 8,
    wait: Annotated[bool, typer.Option("--wait", help="Start when a consumer has connected.")] = False,
    together: Annotated[
        bool, typer.Option("--together", help="Each file is a stream of its own; all start together, on one clock.")
    ] = False,
    all_streams: Annotated[
        bool, typer.Option("--all-streams", help="Replay every stream of an XDF file, including markers, as recorded.")
    ] = False,
    stream: StreamOption = None,
    channels: Channels = None,
    unit: Unit = "",
    gain: Gain = None,
    reference: Reference = "",
    share_annotations: ShareAnnotations = False,
    stdin: Annotated[
        bool,
        typer.Option(
            "--stdin", help="Read commands from standard input: pause, resume, seek 120, seek -10, speed 4, quit."
        ),
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the faults.")] = 0,
    jitter_ms: Annotated[
        float, typer.Option(min=0, help="Standard deviation of the jitter of each chunk's stamps.")
    ] = 0.0,
    drop: Annotated[float, typer.Option(min=0, max=1, help="Probability that a chunk is lost.")] = 0.0,
    duplicate: Annotated[float, typer.Option(min=0, max=1, help="Probability that a chunk is sent twice.")] = 0.0,
    late: Annotated[float, typer.Option(min=0, max=1, help="Probability that a chunk comes after the next one.")] = 0.0,
    chunk_range: Annotated[
        str | None, typer.Option(metavar="FEWEST:MOST", help="Chunks of that many samples, as 8:64.")
    ] = None,
    gap: Annotated[
        list[str] | None, typer.Option(metavar="AT:LEN", help="Seconds that are not sent, as 60:5; repeatable.")
    ] = None,
    drift_ppm: Annotated[
        float, typer.Option(help="Drift of the source's clock; 1000: samples come 0.1 % too slowly, -1000: too fast.")
    ] = 0.0,
    clock_reset: Annotated[
        list[str] | None,
        typer.Option(metavar="AT:SHIFT", help="Shift all stamps by seconds from then on, as 60:-2.5; repeatable."),
    ] = None,
    reconnect: Annotated[
        list[float] | None,
        typer.Option(metavar="AT", help="Disconnect at this second and reconnect 1 s later; repeatable."),
    ] = None,
    bad: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CHANNEL:KIND:AT:LEN",
            help="A channel, by its name or number (from 1), is flat, saturated, nan, or swapped with the next one for "
            "that many seconds, as Fp1-F7:flat:10:5; repeatable.",
        ),
    ] = None,
) -> None:
    """Stream a recording as if it were an amplifier, with faults on request. Ctrl-C ends it.

    On a terminal: space pauses, the arrow keys seek by 10 s or a minute, + and - change the speed, q quits. The faults'
    seconds count from the start of what is played.
    """
    from rtbci.cli.overrides import told_by
    from rtbci.cli.replay import replay_files

    replay_files(
        recordings, name=name, speed=speed, loop=loop, start_s=start, duration_s=seconds, chunk=chunk,
        wait_for_consumer=wait, seed=seed, together=together, all_streams=all_streams, stream=stream, lines=stdin,
        share_annotations=share_annotations,
        told=told_by(channels, unit, gain, reference=reference),
        faults={"jitter_ms": jitter_ms, "drop": drop, "duplicate": duplicate, "late": late, "drift_ppm": drift_ppm,
                "chunk_range": chunk_range, "gap": gap or [], "clock_reset": clock_reset or [], "bad": bad or [],
                "reconnect_at_s": reconnect or []},
    )  # fmt: skip


@app.command()
def record(
    stream: Annotated[
        list[str],
        typer.Option(
            help="Which stream: name=…, type=…, source_id=… or hostname=…; combine with commas. Repeatable: each selects "
            "one, and all are in one file."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the recording, STREAM_YYYYmmdd-HHMMSS.xdf.")],
    seconds: Annotated[float | None, typer.Option(min=0, help="End after N seconds.")] = None,
    wait: Annotated[
        float, typer.Option(min=0, help="Seconds to wait for the stream at the start; 0: without limit.")
    ] = 60.0,
    recorder: Recorder = "own",
    json: Annotated[bool, typer.Option("--json", help="Print the state as one line of JSON per second.")] = False,
) -> None:
    """Record LSL streams to XDF, by a process of its own. Ctrl-C or SIGTERM ends it."""
    from rtbci.lsl.config import responsive_lsl

    responsive_lsl()
    from rtbci.cli.output import never_wait_for_output
    from rtbci.cli.record import record_streams
    from rtbci.lsl.discovery import parse_query

    never_wait_for_output()
    queries = [parse_query(one) for one in stream]
    record_streams(queries, out, seconds, json=json, wait_s=wait or None, recorder=recorder)


@app.command()
def dashboard(
    list_engines: Annotated[
        bool, typer.Option("--list", help="List the engines of this user that run, oldest first, and open nothing.")
    ] = False,
    new: Annotated[
        bool, typer.Option("--new", help="Choose a stream and a pipeline, though an engine runs already.")
    ] = False,
    process: Annotated[
        int | None,
        typer.Option(min=1, help="Watch the engine of the command with this process id, as --list names it."),
    ] = None,
    channels: Channels = None,
    unit: Unit = "",
    gain: Gain = None,
    sfreq: Sfreq = None,
    reference: Reference = "",
    clock: ClockOption = "lsl",
    plugin: Plugins = None,
) -> None:
    """Open a window on an engine that runs, or, where none does, on a stream and a pipeline that are chosen in it.

    An engine whose window was closed or killed is found again; closing this window ends only what was started in it, and
    asks before.
    """
    from rtbci.cli.open_dashboard import list_running, open_dashboard
    from rtbci.cli.overrides import told_by
    from rtbci.errors import ConfigError
    from rtbci.lsl.config import quiet_lsl

    if list_engines:
        list_running()
        return
    if not _display():
        raise ConfigError("there is no display to open a window on; `rtbci run … --headless` is the terminal view")
    quiet_lsl()
    told = told_by(channels, unit, gain, sfreq, reference, clock)
    raise typer.Exit(open_dashboard(told, new=new, process=process))


@app.command()
def doctor(json: Json = False) -> None:
    """Check this machine for what rtbci needs, and how to solve problems."""
    from rtbci.cli.doctor import doctor_report
    from rtbci.lsl.config import quiet_lsl

    quiet_lsl()
    raise typer.Exit(doctor_report(json))
