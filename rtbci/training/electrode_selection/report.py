"""What came of a selection: a table (TSV and JSON) and a figure, accuracy against electrodes and entropy curves."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rtbci.errors import ConfigError
from rtbci.evaluation.annotations import Annotations
from rtbci.files import SHARED, atomic_write
from rtbci.recordings.spreadsheet import text_cell
from rtbci.results import Result, Text, Texts
from rtbci.text import json_text
from rtbci.training.electrode_selection.comparison import ALL, RANDOM, Score
from rtbci.training.electrode_selection.search import Selected

COLUMNS = ("method", "k", "accuracy", "low", "high", "lowest", "highest", "n_sets", "n_pieces", "electrodes")
NOTE = (
    "accuracy: pooled over folds, each tested on recordings that it never saw; low and high: 95 % interval (Wilson) for "
    "n_pieces independent segments; lowest and highest: of the sets, where several were drawn. mutual information: nearest-"
    "neighbour estimate (Ross 2014) with log band power; backward elimination: leave-one-out error of a ridge regression "
    "on log band powers, a stand-in for the network. Every set but that of 'gumbel', whose network comes from the search "
    "and was fine-tuned, is fitted from random weights."
)


class MethodRow(Result):
    """How well a method did with K electrodes."""

    method: str
    """How the electrodes were chosen."""
    k: int
    """Electrodes."""
    accuracy: float
    """Pooled over folds, each tested on recordings that it never saw."""
    low: float
    """Of the 95 % interval (Wilson) for `n_pieces` independent pieces."""
    high: float
    """Of the same."""
    lowest: float
    """Of the sets, where several were drawn."""
    highest: float
    """Of the sets."""
    n_sets: int
    """Sets of electrodes that were scored."""
    n_pieces: int
    """Segments of recordings that were scored."""
    electrodes: tuple[Texts, ...]
    """One list a fold; none for random sets and for all electrodes."""


class MovedSelector(Result):
    """A selector that had to give way to another one that wanted the same electrode."""

    selector: int
    """Its number, from 0."""
    wanted: Text
    """Electrode that went to another selector."""
    got: Text
    """Electrode that it was given."""


class EpochRow(Result):
    """One epoch of a search."""

    temperature: float
    """Of the Gumbel softmax."""
    tau: float
    """Threshold of the penalty on selectors that want the same electrode."""
    train_loss: float
    """Without the recordings held out."""
    held_out_loss: float
    """Of the recordings held out."""
    entropy: float
    """Mean over selectors: 1 undecided, 0 decided."""


class Search(Result):
    """What a search came to."""

    electrodes: Texts
    """Chosen, one a selector."""
    ranking: Texts
    """Every electrode, the chosen ones first."""
    moved: tuple[MovedSelector, ...]
    converged: bool
    """Every selector had decided."""
    epochs: tuple[EpochRow, ...]


class FoldNames(Result):
    """Which recordings a fold leaves out."""

    test: Texts
    """Recordings to score."""
    held_out: Texts
    """To stop by."""


class SelectionReport(Result):
    """Which few electrodes are enough, beside the baselines."""

    pipeline: Text
    """Its name."""
    pieces: dict[Text, int]
    """By recording."""
    folds: tuple[FoldNames, ...]
    converged_entropy: float
    """Below it a search counts as decided."""
    rows: tuple[MethodRow, ...]
    searches: dict[str, Search]
    """By K: of the pipeline file."""
    searches_of_folds: dict[str, tuple[Search, ...]]
    """By K: of each fold."""
    files: Texts
    """Paths of what was written."""
    annotations: Annotations
    note: str
    """How to read the figures."""


def row_of(score: Score) -> MethodRow:
    """One row of the table; `electrodes` has one entry for each fold, none for random sets."""
    low, high = score.interval
    return MethodRow(
        method=score.method,
        k=score.k,
        accuracy=round(score.accuracy, 4),
        low=round(low, 4),
        high=round(high, 4),
        lowest=round(min(score.accuracies), 4),
        highest=round(max(score.accuracies), 4),
        n_sets=len(score.accuracies),
        n_pieces=score.n_segments,
        electrodes=() if score.method == ALL else tuple(tuple(names) for names in score.electrodes),
    )


def described(selected: Selected, channels: Sequence[str]) -> Search:
    """A search, by the names of its electrodes."""
    moves = selected.resolution.reassignments
    return Search(
        electrodes=tuple(channels[e] for e in selected.electrodes),
        ranking=tuple(channels[e] for e in selected.ranking),
        moved=tuple(MovedSelector(selector=m.selector, wanted=channels[m.wanted], got=channels[m.got]) for m in moves),
        converged=selected.converged,
        epochs=tuple(
            EpochRow(**{key: round(value, 6) for key, value in asdict(epoch).items()}) for epoch in selected.epochs
        ),
    )


def write_report(folder: Path, name: str, report: SelectionReport) -> list[Path]:
    """NAME_selection.tsv, .json and .png in `folder`, each whole or not at all."""
    table = io.StringIO()
    writer = csv.DictWriter(table, COLUMNS, delimiter="\t", lineterminator="\n")
    writer.writeheader()
    for row in report.rows:
        writer.writerow({**row.plain(), "electrodes": text_cell(_electrodes(row))})
    paths = _paths(folder, name)
    # The JSON first: by it the next run recognises all three as a selection's.
    atomic_write(paths[1], json_text(report.plain(), indent=1), SHARED)
    atomic_write(paths[0], table.getvalue(), SHARED)
    atomic_write(paths[2], draw(report), SHARED)
    return paths


def _electrodes(row: MethodRow) -> str:
    return " | ".join(" ".join(names) for names in row.electrodes)


def check_report(folder: Path, name: str) -> None:
    """Raise ConfigError where files of the report's names are there that no selection wrote."""
    found = [path for path in _paths(folder, name) if path.exists()]
    try:
        report = json.loads(_paths(folder, name)[1].read_bytes())
        ours = isinstance(report, dict) and {"rows", "searches", "converged_entropy"} <= set(report)
    except (OSError, ValueError, RecursionError):
        ours = False
    if found and not ours:
        raise ConfigError(
            f"{found[0]}: was not written by a selection; name another folder with --out, or move it away"
        )


def _paths(folder: Path, name: str) -> list[Path]:
    return [folder / f"{name}_selection{suffix}" for suffix in (".tsv", ".json", ".png")]


def draw(report: SelectionReport) -> bytes:
    """Accuracy against the number of electrodes on the left, the entropy of each search on the right; a PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    _draw_accuracies(left, report.rows)
    for k, search in report.searches.items():
        entropy = [epoch.entropy for epoch in search.epochs]
        right.plot(range(1, len(entropy) + 1), entropy, label=f"K = {k}")
    right.axhline(report.converged_entropy, color="grey", linewidth=0.8, linestyle=":")
    right.set(xlabel="epoch", ylabel="mean normalised entropy", ylim=(0, 1.02), title="how decided the selectors are")
    if report.searches:
        right.legend(frameon=False)
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=120)
    return image.getvalue()


def _draw_accuracies(axis: Any, rows: tuple[MethodRow, ...]) -> None:
    methods = list(dict.fromkeys(row.method for row in rows if row.method != ALL))
    for number, method in enumerate(methods):
        own = [row for row in rows if row.method == method]
        # Shifted sideways, so that the intervals do not overlap.
        at = [row.k * 2 ** (0.06 * (number - len(methods) / 2)) for row in own]
        ends = ("lowest", "highest") if method == RANDOM else ("low", "high")
        bars = [[abs(getattr(row, end) - row.accuracy) for row in own] for end in ends]
        label = f"{method} (mean and range)" if method == RANDOM else method
        axis.errorbar(at, [row.accuracy for row in own], bars, marker="o", markersize=4, capsize=2, label=label)
    for row in rows:
        if row.method == ALL:
            axis.axhline(row.accuracy, color="black", linewidth=1, label=f"{ALL} ({row.k})")
            axis.axhspan(row.low, row.high, color="black", alpha=0.07)
    ks = sorted({row.k for row in rows if row.method != ALL})
    axis.set_xscale("log", base=2)
    axis.set_xticks(ks, [str(k) for k in ks])
    axis.set(
        xlabel="electrodes", ylabel="accuracy, recordings not seen", ylim=(0, 1), title="what fewer electrodes cost"
    )
    axis.legend(frameon=False, fontsize="small", loc="lower right")
