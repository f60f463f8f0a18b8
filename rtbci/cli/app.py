"""The command line: one thin function per command."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from rtbci.cli.benches import bench
from rtbci.cli.commands import Commands
from rtbci.cli.options import (
    Channels,
    ClockOption,
    Datasets,
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
from rtbci.errors import EngineFailed, RtbciError
from rtbci.text import one_line

app = typer.Typer(
    cls=Commands,
    help="Real-time streaming BCI classifier: train on your recordings, go live on your amplifier, get the same answer.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from rtbci.provenance import __version__, commit

        sys.stdout.write(f"rtbci {__version__} {commit() or ''}".rstrip() + "\n")
        raise typer.Exit()


@app.callback()
def _root(
    _: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    pass


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
        play.demo(seconds, speed, device, show=_show(headless, json), on_summary=on_summary)


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
    run_live(
        bundled(pipeline), stream, show="json" if json else _show(headless, json=False), events=events,
        wait_s=wait or None, seconds=seconds, overrides=told_by(channels, unit, gain, sfreq, reference, clock),
        device=device, cues=cues, record=record, recorder=recorder, log=log, sinks=tuple(sink or ()),
        share_annotations=share_annotations, threshold=threshold,
    )  # fmt: skip


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
def train(
    config: Annotated[Path, typer.Argument(help="A configuration, like those in configs/.")],
    out: Annotated[Path, typer.Option(help="The pipeline file to write.")],
    set_: Annotated[list[str] | None, typer.Option("--set", help="Set a value: training.seed=7; repeatable.")] = None,
    crossval: Annotated[
        Path | None,
        typer.Option(
            help="Folder of a complete `rtbci crossval` of the same recipe: the final fit on all recordings, for as many "
            "epochs as its folds chose, with a threshold by its rule on their scores, and with its table by patient."
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue from the checkpoint of an interrupted run.")
    ] = False,
    dataset: Datasets = None,
    plugin: Plugins = None,
    json: Json = False,
) -> None:
    """Train a pipeline from recordings and their annotations."""
    from rtbci.cli.train import train_from_file

    train_from_file(config, out, set_ or [], resume=resume, json=json, crossval=crossval, datasets=dataset or ())


@app.command()
def crossval(
    config: Annotated[
        Path,
        typer.Argument(help="A configuration, like those for train; [crossval] says who is tested and how to choose."),
    ],
    out: Annotated[
        Path,
        typer.Option(
            help="Folder for the results. What is finished there is not done again; results of another config are refused."
        ),
    ],
    baseline: Annotated[
        bool, typer.Option("--baseline", help="Boosted trees on band powers and line length, in the same folds.")
    ] = False,
    set_: Annotated[list[str] | None, typer.Option("--set", help="Set a value: crossval.folds=5; repeatable.")] = None,
    jobs: Annotated[
        int, typer.Option(min=1, help="Processes, each of one thread and with the data in its memory.")
    ] = 1,
    dataset: Datasets = None,
    plugin: Plugins = None,
    json: Json = False,
) -> None:
    """Leave one patient out, nested: how well a recipe does on patients that no fit and no choice has seen.

    For each fold, inner folds among the other patients choose the epoch, the threshold and the minimum duration; one refit
    on all of these patients is then scored on the patient that was left out. The same seed gives the same results to the
    bit, whatever --jobs is. After Ctrl-C or a crash the same command goes on; only the fold under way is lost.

    In the folder: results.tsv (a row a recording), subjects.tsv (a row a subject), summary.json (totals with intervals),
    and of each fold its pipeline fold-NAME.rtbci with its own threshold, the scores fold-NAME_scores.npz, and
    fold-NAME.json (the choice, and all that it was chosen from). docs/crossval.md describes every column.

        rtbci crossval configs/seizure_crossval.toml --set data.root=DATA --out results --jobs 2
    """
    from rtbci.cli.crossval import crossval_from_file

    settings = [*(set_ or []), *(["crossval.baseline=true"] if baseline else [])]
    crossval_from_file(config, out, settings, jobs=jobs, json=json, datasets=dataset or ())


@app.command()
def select(
    config: Annotated[
        Path, typer.Argument(help="A configuration; without --by-patient, its model is an electrode selector.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for the pipelines, the table and the figure.")],
    k: Annotated[str, typer.Option("--k", help="How many electrodes: numbers with commas.")] = "1,2,4,8",
    by_patient: Annotated[
        bool, typer.Option("--by-patient", help="For taggers: leave each patient out, by [crossval] and [electrodes].")
    ] = False,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="With --by-patient: folds at once, each in a process of one thread.")
    ] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="Set a value: training.seed=7; repeatable.")] = None,
    dataset: Datasets = None,
    plugin: Plugins = None,
    json: Json = False,
) -> None:
    """Learn which few electrodes suffice; baselines: all, mutual information, elimination, random sets.

    With --by-patient, a tagger is searched, fitted and scored on patients that nothing of it has seen, beside the fixed sets of
    the config; what is finished in the folder is not done again. docs/electrodes.md describes it:

        rtbci select configs/seizure_electrodes.toml --by-patient --k 2,4,8 --set data.root=DATA --out results --jobs 2
    """
    from rtbci.errors import ConfigError

    if not all(part.strip().isdigit() for part in k.split(",")):
        raise ConfigError(f"--k wants numbers with commas, as 1,2,4,8, got {k!r}")
    ks = [int(part) for part in k.split(",")]
    if by_patient:
        from rtbci.cli.select_by_patient import select_by_patient_from_file

        return select_by_patient_from_file(
            config, ks, out, set_ or [], jobs=1 if jobs is None else jobs, json=json, datasets=dataset or ()
        )
    if jobs is not None:
        raise ConfigError("--jobs is for --by-patient; training.threads says how many threads a selection has")
    from rtbci.cli.select import select_from_file

    select_from_file(config, ks, out, set_ or [], json, dataset or ())


@app.command()
def tag(
    pipeline: PipelineFile,
    out: Annotated[
        Path,
        typer.Option(
            help="Folder for NAME_events.tsv and NAME_scores.npz; those of a folder or a BIDS tree keep their places below "
            "it. In a recording's own folder, where NAME_events.tsv is an expert's, the first is NAME_detections.tsv."
        ),
    ],
    recordings: Annotated[
        list[Path] | None, typer.Argument(help="Recordings to tag, or folders of them.", show_default=False)
    ] = None,
    dataset: Datasets = None,
    again: Annotated[
        bool, typer.Option("--again", help="Tag also what this pipeline has tagged into that folder before.")
    ] = False,
    threshold: Threshold = None,
    stream: StreamOption = None,
    channels: Channels = None,
    unit: Unit = "",
    gain: Gain = None,
    sfreq: Sfreq = None,
    reference: Reference = "",
    clock: ClockOption = "lsl",
    jobs: Annotated[int, typer.Option(min=1, help="Processes at once, each with a recording.")] = 1,
    device: Device = "cpu",
    plugin: Plugins = None,
    json: Json = False,
) -> None:
    """Tag recordings offline, with the stages of the live path, as fast as possible.

    A file that cannot be tagged stops none of the others, and is named at the end, with exit code 2.
    """
    from rtbci.bundled import bundled
    from rtbci.cli.overrides import told_by
    from rtbci.cli.tag import tag_files

    told = told_by(channels, unit, gain, sfreq, reference, clock)
    raise typer.Exit(
        tag_files(
            bundled(pipeline),
            recordings or [],
            out,
            stream=stream,
            device=device,
            json=json,
            again=again,
            told=told,
            threshold=threshold,
            datasets=dataset or (),
            n_processes=jobs,
        )
    )


@app.command()
def adapt(
    pipeline: PipelineFile,
    recordings: Annotated[
        list[Path], typer.Argument(help="Labelled recordings of the new patient, or of today, in the order of time.")
    ],
    out: Annotated[Path, typer.Option(help="The pipeline file to write; the original stays as it is.")],
    level: Annotated[
        Literal["calibration", "last-layer", "all-layers"],
        typer.Option(help="What may change: scale and shift of the answers, the last layer's weights, or all weights."),
    ] = "all-layers",
    background: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="A recording without an event; repeatable.")
    ] = None,
    label: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ANNOTATION[=CLASS]",
            help="What an annotation means: a class, background or unknown; by default as for `evaluate`; repeatable.",
        ),
    ] = None,
    start: Annotated[
        float | None,
        typer.Option(
            help="For networks of trials: from an annotation to the first sample of its trial, in seconds; by default as "
            "the pipeline answers at cues."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the fit of all layers.")] = 0,
    stream: StreamOption = None,
    channels: Channels = None,
    unit: Unit = "",
    gain: Gain = None,
    sfreq: Sfreq = None,
    reference: Reference = "",
    clock: ClockOption = "lsl",
    plugin: Plugins = None,
    json: Json = False,
) -> None:
    """Adapt a pipeline to minutes of a new patient, or to a calibration run of today.

    Of each kind of label the earlier two thirds adapt, and the last third is kept back. A pipeline that is worse there than
    the original is not written (exit code 2). The original is never changed.
    """
    from rtbci.bundled import bundled
    from rtbci.cli.adapt import adapt_from_files
    from rtbci.cli.overrides import told_by

    adapt_from_files(
        bundled(pipeline), recordings, out, background=background or [], labels=label or [], level=level, start_s=start,
        seed=seed, stream=stream, told=told_by(channels, unit, gain, sfreq, reference, clock), json=json,
    )  # fmt: skip


@app.command()
def evaluate(
    pipeline: PipelineFile,
    recordings: Annotated[
        list[Path] | None,
        typer.Argument(help="Recordings with annotated seizures, or folders of them.", show_default=False),
    ] = None,
    dataset: Datasets = None,
    against: Annotated[
        str | None,
        typer.Option(metavar="PIPELINE", help="Another pipeline, on the same recordings, subject by subject."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Write recordings.tsv, subjects.tsv, seizures.tsv, curve.tsv and evaluation.json there.",
        ),
    ] = None,
    report: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE.html|FILE.pdf", help="Write a report for people: figures, strips, tables; repeatable."
        ),
    ] = None,
    threshold: Threshold = None,
    at: Annotated[
        str | None,
        typer.Option(
            metavar="RULE",
            help="Choose a threshold on these recordings: the best that keeps a bound, as 'fa_per_h<=0.5' or "
            "'sensitivity>=0.9' (of sensitivity, precision, f1, fa_per_h, fa_per_24h, delay_s); 'f1': the highest F1.",
        ),
    ] = None,
    save: Annotated[
        Path | None, typer.Option(metavar="FILE", help="With --at: write the pipeline with that threshold here.")
    ] = None,
    label: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ANNOTATION[=CLASS]",
            help="What an annotation means: a class, background or unknown; by default those count that have the name of "
            "the class, or name a seizure; repeatable.",
        ),
    ] = None,
    background: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE|FOLDER", help="Recordings without an event, though nothing beside them says so; repeatable."
        ),
    ] = None,
    subject_pattern: Annotated[
        str,
        typer.Option(
            metavar="REGEX",
            help="Whose recording it is: the first group in its path, as '(P\\d+)_'; by default the names of BIDS and of known "
            "datasets tell.",
        ),
    ] = "",
    stream: StreamOption = None,
    channels: Channels = None,
    unit: Unit = "",
    gain: Gain = None,
    sfreq: Sfreq = None,
    reference: Reference = "",
    clock: ClockOption = "lsl",
    jobs: Annotated[int, typer.Option(min=1, help="Processes at once, each with a recording.")] = 1,
    device: Device = "cpu",
    plugin: Plugins = None,
    json: Json = False,
) -> None:
    """Score a pipeline against annotated recordings: SzCORE by event and by sample, false alarms, detection delay.

    Pooled, and as means over subjects with intervals; a row for each recording, subject and seizure; the curve over the
    threshold, chance level, calibration and seizure burden. docs/evaluation.md says how each is computed. A file that cannot be
    scored stops none of the others, and is named at the end, with exit code 2.

        rtbci evaluate my.rtbci archive/ --against demo --out results
    """
    from rtbci.bundled import bundled
    from rtbci.cli.evaluate import evaluate_files
    from rtbci.cli.overrides import told_by

    told = told_by(channels, unit, gain, sfreq, reference, clock)
    raise typer.Exit(
        evaluate_files(
            bundled(pipeline), recordings or [], label or [], stream=stream, told=told, device=device, json=json, out=out,
            against=None if against is None else bundled(against), threshold=threshold, at=at, save=save,
            background=background or (), subject_pattern=subject_pattern,
            datasets=dataset or (),
            reports=report or (),
            n_processes=jobs,
        )
    )  # fmt: skip


@app.command()
def inspect(
    file: Annotated[str, typer.Argument(help="A pipeline file or a recording.")],
    sfreq: Annotated[float | None, typer.Option(help="Show the filters' delay for a stream at this rate.")] = None,
    stream: StreamOption = None,
    channels: Channels = None,
    unit: Unit = "",
    gain: Gain = None,
    reference: Reference = "",
    plugin: Plugins = None,
    json: Json = False,
) -> None:
    """Describe a pipeline file or a recording."""
    from rtbci.bundled import bundled
    from rtbci.cli.inspect import inspect_file
    from rtbci.cli.overrides import told_by

    told = told_by(channels, unit, gain, reference=reference)
    inspect_file(Path(bundled(file)), sfreq, stream=stream, told=told, json=json)


@app.command()
def config(
    key: Annotated[
        str | None, typer.Argument(help="A key, a table, or a kind of network; without it, the tables.")
    ] = None,
    json: Json = False,
) -> None:
    """Explain the keys of a training config: what each means, its type, bounds, default and unit.

    rtbci config training.lr
    rtbci config pipeline.filters
    rtbci config shared_conv_lstm
    """
    from rtbci.cli.config import show_keys

    show_keys(key, json=json)


@app.command()
def dashboard(
    channels: Channels = None,
    unit: Unit = "",
    gain: Gain = None,
    sfreq: Sfreq = None,
    reference: Reference = "",
    clock: ClockOption = "lsl",
    plugin: Plugins = None,
) -> None:
    """Open the dashboard empty, with pickers for stream and pipeline."""
    from rtbci.cli.dashboard_process import open_empty
    from rtbci.cli.overrides import told_by
    from rtbci.errors import ConfigError
    from rtbci.lsl.config import quiet_lsl

    if not _display():
        raise ConfigError("there is no display to open a window on; `rtbci run … --headless` is the terminal view")
    quiet_lsl()
    raise typer.Exit(open_empty(told=told_by(channels, unit, gain, sfreq, reference, clock)))


@app.command()
def doctor(json: Json = False) -> None:
    """Check this machine for what rtbci needs, and how to solve problems."""
    from rtbci.cli.doctor import doctor_report
    from rtbci.lsl.config import quiet_lsl

    quiet_lsl()
    raise typer.Exit(doctor_report(json))


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


app.add_typer(bench, name="bench")


def main() -> None:
    """Run a command; a user's mistake is one line and exit code 2."""
    from rtbci.cli.output import keep_standard_descriptors

    keep_standard_descriptors()
    try:
        code: Any = app(standalone_mode=False)
    except RtbciError as error:
        _fail(str(error))
    except typer.TyperException as error:
        _fail(error.format_message())
    except EngineFailed as error:
        _say(f"error: {error}")
        sys.exit(1)
    except typer.Abort:
        sys.exit(130)
    except KeyboardInterrupt:
        _say("interrupted")
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(141)
    except OSError as error:
        _fail(f"{error.filename or 'system'}: {error.strerror or error}")
    else:
        sys.exit(code if isinstance(code, int) else 0)


def _fail(text: str) -> None:
    _say(f"error: {one_line(text)}")
    sys.exit(2)


def _say(text: str) -> None:
    if sys.stderr is not None:  # it was closed before the start
        sys.stderr.write(text + "\n")


if __name__ == "__main__":
    main()
