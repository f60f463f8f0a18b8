"""`rtbci train`: a config in, a pipeline file out, with a progress bar, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import ConfigDict
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from rtbci.cli.terminal import MinuteLines, Terminal
from rtbci.errors import ConfigError
from rtbci.evaluation import trial_scores
from rtbci.evaluation.annotations import Annotations
from rtbci.files import free
from rtbci.models.step import check_device
from rtbci.pipeline.pipeline import Pipeline
from rtbci.results import Json, Result, Text, print_json
from rtbci.training import distributed
from rtbci.training.checkpoint import checkpoint_path
from rtbci.training.config import read_train_config
from rtbci.training.crossval.final import train_final
from rtbci.training.crossval.notes import read_notes
from rtbci.training.learning_curve import EpochFigures
from rtbci.training.train import train


class TrainReport(Result):
    """The notes of the pipeline file that was written."""

    model_config = ConfigDict(extra="allow")

    pipeline: Text
    """Path of the file."""
    trained_on: list[Json]
    """Recordings: `recording`, `source`, `licence`, `held_out`; `earlier`: of the pipeline that the fit began with."""
    started_from: Json | None = None
    """What the fit began with: `pipeline`, `file`, `sha256`, `layers`, and its own `held_out_loss`; null: random weights."""
    annotations: Annotations | None = None
    """What the annotations of all recordings came to."""
    synthetic: Json | None = None
    """What was made up, as configured; null where nothing was."""
    training: Json
    """As configured, and `finished`, `epochs_run`, `best_epoch`, `best`."""
    scores: Json
    """By kind of what was held out, `cross_validated` those of every fold; `selection` of an electrode selection."""
    selection: Json | None = None
    """Of an electrode selection: what the search came to."""
    crossval: Json | None = None
    """Of a final fit: how the recipe did in the folds, as `inspect PIPELINE` has it."""
    search: Json | None = None
    """Of an electrode selection: as configured."""


def train_from_file(
    config: Path,
    out: Path,
    settings: list[str],
    *,
    resume: bool,
    json: bool,
    crossval: Path | None = None,
    start_from: Path | None = None,
    datasets: Sequence[str] = (),
) -> None:
    """Train as a TOML file says, `settings` over it; with `crossval`, the final fit of what that folder judged; with
    `start_from`, a pipeline is trained further. Raises ConfigError where both are given."""
    console = Terminal(stderr=True)
    if crossval is not None and start_from is not None:
        raise ConfigError(
            "--crossval and --from: the folds judged a fit that begins with random weights; leave one out"
        )
    parsed = read_train_config(config, settings, datasets)
    check_device(parsed.training.device)
    path = checkpoint_path(out)
    if path.exists() and not resume and distributed.leads():
        console.print(
            f"{path} of an unfinished run is kept as {free(path).name}; `--resume` goes on from one", soft_wrap=True
        )
    with _bar(console, quiet=json or not distributed.leads() or not console.is_terminal) as bar:
        task = bar.add_task("reading", total=None, figures="")

        lines = MinuteLines(console, quiet=json or not distributed.leads())
        figures = [""]

        def show(what: str, done: float, total: float, row: EpochFigures | None) -> None:
            figures[0] = _figures(row) if row else figures[0] if what == "training" else ""
            bar.update(task, description=what, completed=done, total=total, figures=figures[0])
            lines.say(f"{what}, {done:.3g} of {total:g}{', ' if figures[0] else ''}{figures[0]}")

        def warned(line: str) -> None:
            if distributed.leads():
                console.print(f"warning: {line}", soft_wrap=True)

        if crossval is None:
            pipeline = train(parsed, out, show, resume=resume, on_warning=warned, start_from=start_from)
        else:
            pipeline = train_final(parsed, crossval, out, show, resume=resume, on_warning=warned)
    if not distributed.leads():
        return
    if json:
        notes = {key: value for key, value in pipeline.notes.items() if key not in ("commit", "versions", "warnings")}
        return print_json(TrainReport(pipeline=str(out), **notes), pipeline.notes.get("warnings", ()))
    for line in summary(pipeline, out):
        console.print(line, soft_wrap=True)


def summary(pipeline: Pipeline, out: Path) -> list[str]:
    """What came of a training, in a few lines."""
    training, scores = pipeline.notes["training"], pipeline.notes["scores"]
    lines = [f"{out}: {training['epochs_run']} epochs, the weights of epoch {training['best_epoch']}"]
    if annotations := pipeline.notes.get("annotations"):
        lines.append(Annotations(**annotations).line())
    if not training["finished"]:
        lines.append(f"stopped before its end; `--resume` goes on from {checkpoint_path(out).name}")
    parts = [("held out, " + kind, scores[kind]) for kind in ("real", "synthetic") if kind in scores]
    crossed = scores.get("cross_validated", {})
    if "real" in crossed:
        parts.append(("cross-validated", crossed["real"]))
    lines += [f"{what}: {_summary_text(figures)}" for what, figures in parts]
    for what, part in (("held out", scores), ("cross-validated", crossed)):
        if "trials" in part:
            parts.append((what, part["trials"]))
            lines.append(f"{what}: {trial_scores.summary_line(part['trials'])}")
    if (crossval := read_notes(pipeline.notes)) is not None:
        total, point = crossval.total, crossval.operating_point
        how, units = ("by patient", "patients") if crossval.by == "subject" else ("within patients", "recordings")
        return [
            *lines,
            f"threshold {point.threshold:g}, at least {point.min_duration_s:g} s: chosen on the scores of the folds",
            f"the recipe, cross-validated {how}: {total.found} of {total.seizures} seizures of {total.patients} {units} "
            f"found; `rtbci inspect {out}` prints the table",
        ]
    if not parts:
        lines.append("nothing was held out: how well it does on other recordings is not known")
    return lines


def _summary_text(one: Json) -> str:
    auroc = "-" if one["sample_auroc"] is None else f"{one['sample_auroc']:.3f}"
    already = sum(figures["already_alarmed"] for figures in one["classes"].values())
    return (
        f"{one['detected']} of {one['labelled']} labelled events detected, "
        f"{one['false_alarms']} false alarms in "
        f"{one['background_s']:.0f} s of background, AUROC of samples {auroc}, in {one['n_recordings']} recordings"
        + (f"; during {already} of the events an alarm had been on for more than 30 s" if already else "")
    )


def _figures(row: EpochFigures) -> str:
    held = "" if row.held_out_loss is None else f" · held out {row.held_out_loss:.4f}"
    auroc = "" if row.held_out_auroc is None else f" · AUROC {row.held_out_auroc:.3f}"
    shown = "".join(f" · {name} in {share:.2g} of the steps" for name, share in row.shown.items())
    return f"loss {row.train_loss:.4f}{held}{auroc}{shown}"


def _bar(console: Terminal, *, quiet: bool) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.1f}/{task.total:.0f}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[figures]}"),
        console=console,
        disable=quiet,
    )
