"""Options that several commands share: names, metavars and help."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

StreamOption = Annotated[
    str | None,
    typer.Option(
        "--stream", metavar="NAME|NUMBER", help="Which stream of an XDF file; the only EEG stream by default."
    ),
]
Channels = Annotated[
    str | None,
    typer.Option(
        "--channels",
        metavar="NAMES|MAP|FILE",
        help="What the channels are: names in order (Fp1,F3,-), a map by name or number (A1=Fp1,'*_2=*'), or a file with a "
        "name or a pair on each line.",
    ),
]
Unit = Annotated[
    str,
    typer.Option(
        help="Unit of the values, whatever the stream says: V, mV, uV, nV, or '0.1 uV' (default: the stream's)."
    ),
]
Gain = Annotated[
    float | None,
    typer.Option(
        metavar="FACTOR", help="By what values are multiplied to be in that unit, or in µV where there is none."
    ),
]
Sfreq = Annotated[
    float | None, typer.Option(metavar="HZ", help="Sampling rate, where the stream says none or a wrong one.")
]
Reference = Annotated[
    str,
    typer.Option(metavar="ELECTRODE", help="What the others are recorded against and is no channel: zero everywhere."),
]
ClockOption = Annotated[
    Literal["lsl", "arrival"],
    typer.Option("--clock", help="arrival: stamp samples as they arrive, where the stream's own stamps are of no use."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on standard output, and nothing else.")]
Jobs = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="How many at once, each in a process of one thread; by default one, and on a cluster all it has room for.",
        show_default=False,
    ),
]
Cluster = Annotated[
    str,
    typer.Option(
        metavar="ADDRESS",
        help="Do the work on a Ray cluster of yours (docs/cluster.md): auto, the one of this machine; HOST:PORT; "
        "ray://HOST:PORT; or local, one of this machine alone for as long as the command runs.",
        show_default=False,
    ),
]
Device = Annotated[str, typer.Option(help="cpu, cuda, or auto (the faster of both, measured).")]
Recorder = Annotated[
    str,
    typer.Option(metavar="own|labrecorder", help="What records: rtbci what it reads itself, or LabRecorder beside it."),
]
Headless = Annotated[bool, typer.Option("--headless", help="Show a terminal view instead of the dashboard.")]


def _register(named: list[str] | None) -> list[str] | None:
    from rtbci.plugins import plugin

    for one in named or ():
        plugin(one)
    return named


Plugins = Annotated[
    list[str] | None,
    typer.Option(
        "--plugin",
        metavar="MODULE:NAME",
        callback=_register,
        help="A network or dataset reader of your own that files may name: module:Name or path/to/file.py:Name; repeatable.",
    ),
]
ShareAnnotations = Annotated[
    bool,
    typer.Option(
        "--share-annotations",
        help="Send the texts of annotations onto the network too; where LSL stays on this machine, they are sent anyway.",
    ),
]
Datasets = Annotated[
    list[str] | None,
    typer.Option(
        "--dataset",
        metavar="NAME=FOLDER",
        help="A dataset by its name, as chbmit=/data/chbmit (docs/datasets.md); repeatable.",
    ),
]
Threshold = Annotated[
    float | None,
    typer.Option(
        metavar="P",
        help="Probability at which an event begins, in place of the pipeline's; release keeps its distance.",
    ),
]
PipelineFile = Annotated[str, typer.Argument(help="A pipeline file NAME.rtbci; 'demo' is the bundled one.")]
