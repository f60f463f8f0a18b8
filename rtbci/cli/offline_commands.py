"""The commands of the laboratory, on recordings: one thin function each."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from rtbci.cli.options import (
    Channels,
    ClockOption,
    Cluster,
    Datasets,
    Device,
    Gain,
    Jobs,
    Json,
    PipelineFile,
    Plugins,
    Reference,
    Sfreq,
    StreamOption,
    Threshold,
    Unit,
)
from rtbci.cli.root import app


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
    from_: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="PIPELINE",
            help="A pipeline to train further: the fit begins with its weights, and with its scaling where the config sets "
            "none. Rate, classes, channels and network must be the same. --set training.layers=last trains its last layer "
            "alone. Not with --crossval; --resume wants the same PIPELINE again.",
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue from the checkpoint of an interrupted run.")
    ] = False,
    dataset: Datasets = None,
    plugin: Plugins = None,
    json: Json = False,
) -> None:
    """Train a pipeline from recordings and their annotations.

    From random weights, or, with --from, from those of a pipeline: then a tenth of the learning rate is a beginning
    (docs/adaptation.md).

        rtbci train configs/siena.toml --dataset siena=/data/siena --out siena.rtbci

        rtbci train configs/siena.toml --dataset siena=/data/siena --from siena.rtbci --set training.lr=3e-4 --out new.rtbci
    """
    from rtbci.bundled import bundled
    from rtbci.cli.train import train_from_file

    train_from_file(
        config, out, set_ or [], resume=resume, json=json, crossval=crossval, datasets=dataset or (),
        start_from=None if from_ is None else Path(bundled(from_)),
    )  # fmt: skip


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
    jobs: Jobs = None,
    cluster: Cluster = "",
    against: Annotated[
        Path | None,
        typer.Option(
            help="For trials: folder of another complete run, to compare with trial by trial (McNemar's test)."
        ),
    ] = None,
    dataset: Datasets = None,
    plugin: Plugins = None,
    json: Json = False,
) -> None:
    """Leave one patient out, nested: how well a recipe does on patients that no fit and no choice has seen.

    For each fold, inner folds among the other patients choose the epoch, the threshold and the minimum duration; one refit
    on all of these patients is then scored on the patient that was left out. The same seed gives the same results to the
    bit, whatever --jobs is. After Ctrl-C or a crash the same command goes on; only the fold under way is lost.

    crossval.by says what is left out: "subject", "recording", or "trial": parts of each recording, for networks of trials
    (motor imagery), which have accuracy, kappa and confusion in place of seizures, and no threshold. crossval.within =
    "subject" makes each subject a problem of its own.

    In the folder: results.tsv (a row a recording), subjects.tsv (a row a subject), summary.json (totals with intervals),
    and of each fold its pipeline fold-NAME.rtbci with its own threshold, the scores fold-NAME_scores.npz, and
    fold-NAME.json (the choice, and all that it was chosen from). docs/crossval.md describes every column.

        rtbci crossval configs/seizure_crossval.toml --set data.root=DATA --out results --jobs 2
        rtbci crossval configs/motor_imagery.toml --set data.root=DATA --set crossval.by=trial --out results
    """
    from rtbci.cli.crossval import crossval_from_file

    settings = [*(set_ or []), *(["crossval.baseline=true"] if baseline else [])]
    crossval_from_file(
        config, out, settings, jobs=jobs, cluster=cluster, json=json, against=against, datasets=dataset or ()
    )


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
    jobs: Jobs = None,
    cluster: Cluster = "",
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
            config, ks, out, set_ or [], jobs=jobs, cluster=cluster, json=json, datasets=dataset or ()
        )
    if jobs is not None or cluster:
        option = "--cluster" if cluster else "--jobs"
        raise ConfigError(f"{option} is for --by-patient; training.threads says how many threads a selection has")
    from rtbci.cli.select import select_from_file

    select_from_file(config, ks, out, set_ or [], json, dataset or ())


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
    trends: Annotated[
        bool,
        typer.Option(
            "--trends",
            help="Write the trends too, a row each ten seconds, into NAME_scores.npz: spectra of both hemispheres, aEEG, "
            "asymmetry, probability, burden (docs/trends.md).",
        ),
    ] = False,
    threshold: Threshold = None,
    stream: StreamOption = None,
    channels: Channels = None,
    unit: Unit = "",
    gain: Gain = None,
    sfreq: Sfreq = None,
    reference: Reference = "",
    clock: ClockOption = "lsl",
    jobs: Jobs = None,
    cluster: Cluster = "",
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
    from rtbci.workers.side_by_side import Workers

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
            workers=Workers(jobs, cluster),
            trends=trends,
        )
    )


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
            help="Write recordings.tsv, subjects.tsv, seizures.tsv, curve.tsv and evaluation.json there, and below answers/ "
            "what each recording was answered: the same command goes on from there after Ctrl-C.",
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
    jobs: Jobs = None,
    cluster: Cluster = "",
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
    from rtbci.workers.side_by_side import Workers

    told = told_by(channels, unit, gain, sfreq, reference, clock)
    raise typer.Exit(
        evaluate_files(
            bundled(pipeline), recordings or [], label or [], stream=stream, told=told, device=device, json=json, out=out,
            against=None if against is None else bundled(against), threshold=threshold, at=at, save=save,
            background=background or (), subject_pattern=subject_pattern,
            datasets=dataset or (),
            reports=report or (),
            workers=Workers(jobs, cluster),
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
