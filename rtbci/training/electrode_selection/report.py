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
from rtbci.files import atomic_write
from rtbci.training.electrode_selection.comparison import ALL, RANDOM, Score
from rtbci.training.electrode_selection.search import Selected

COLUMNS = ("method", "k", "accuracy", "low", "high", "lowest", "highest", "n_sets", "n_pieces", "electrodes")
NOTE = (
    "accuracy: pooled over folds, each tested on recordings that it never saw; low and high: 95 % interval (Wilson) for "
    "n_pieces independent pieces; lowest and highest: of the sets, where several were drawn. mutual information: nearest-"
    "neighbour estimate (Ross 2014) with log band power; backward elimination: leave-one-out error of a ridge regression "
    "on log band powers, a stand-in for the network. Every set but that of 'gumbel', whose network comes from the search "
    "and was fine-tuned, is fitted from random weights."
)


def row_of(score: Score) -> dict[str, Any]:
    """One row of the table; `electrodes` one entry a fold, none for random sets."""
    low, high = score.interval
    return {
        "method": score.method,
        "k": score.k,
        "accuracy": round(score.accuracy, 4),
        "low": round(low, 4),
        "high": round(high, 4),
        "lowest": round(min(score.accuracies), 4),
        "highest": round(max(score.accuracies), 4),
        "n_sets": len(score.accuracies),
        "n_pieces": score.n_pieces,
        "electrodes": [] if score.method == ALL else [list(names) for names in score.electrodes],
    }


def described(selected: Selected, channels: Sequence[str]) -> dict[str, Any]:
    """A search in plain JSON: electrodes, ranking, entropies, and which selectors had to give way."""
    return {
        "electrodes": [channels[e] for e in selected.electrodes],
        "ranking": [channels[e] for e in selected.ranking],
        "moved": [{"selector": m.selector, "wanted": channels[m.wanted], "got": channels[m.got]}
                  for m in selected.resolution.moves],
        "converged": selected.converged,
        "epochs": [{key: round(value, 6) for key, value in asdict(epoch).items()} for epoch in selected.epochs],
    }  # fmt: skip


def write_report(folder: Path, name: str, report: dict[str, Any]) -> list[Path]:
    """NAME_selection.tsv, .json and .png in `folder`, each whole or not at all; report: `rows` and `searches` by K."""
    table = io.StringIO()
    writer = csv.DictWriter(table, COLUMNS, delimiter="\t", lineterminator="\n")
    writer.writeheader()
    for row in report["rows"]:
        writer.writerow({**row, "electrodes": " | ".join(" ".join(names) for names in row["electrodes"])})
    paths = _paths(folder, name)
    # The JSON first: it tells the next run that all three are a selection's.
    atomic_write(paths[1], json.dumps(report, indent=1, allow_nan=False))
    atomic_write(paths[0], table.getvalue())
    atomic_write(paths[2], draw(report))
    return paths


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


def draw(report: dict[str, Any]) -> bytes:
    """Accuracy against the number of electrodes on the left, the entropy of each search on the right; a PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    _draw_accuracies(left, report["rows"])
    for k, search in report["searches"].items():
        entropy = [epoch["entropy"] for epoch in search["epochs"]]
        right.plot(range(1, len(entropy) + 1), entropy, label=f"K = {k}")
    right.axhline(report["converged_entropy"], color="grey", linewidth=0.8, linestyle=":")
    right.set(xlabel="epoch", ylabel="mean normalised entropy", ylim=(0, 1.02), title="how decided the selectors are")
    if report["searches"]:
        right.legend(frameon=False)
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=120)
    return image.getvalue()


def _draw_accuracies(axis: Any, rows: list[dict[str, Any]]) -> None:
    methods = list(dict.fromkeys(row["method"] for row in rows if row["method"] != ALL))
    for number, method in enumerate(methods):
        own = [row for row in rows if row["method"] == method]
        # Beside one another, so that the intervals can be told apart.
        at = [row["k"] * 2 ** (0.06 * (number - len(methods) / 2)) for row in own]
        ends = ("lowest", "highest") if method == RANDOM else ("low", "high")
        bars = [[abs(row[end] - row["accuracy"]) for row in own] for end in ends]
        label = f"{method} (mean and range)" if method == RANDOM else method
        axis.errorbar(at, [row["accuracy"] for row in own], bars, marker="o", markersize=4, capsize=2, label=label)
    for row in rows:
        if row["method"] == ALL:
            axis.axhline(row["accuracy"], color="black", linewidth=1, label=f"{ALL} ({row['k']})")
            axis.axhspan(row["low"], row["high"], color="black", alpha=0.07)
    ks = sorted({row["k"] for row in rows if row["method"] != ALL})
    axis.set_xscale("log", base=2)
    axis.set_xticks(ks, [str(k) for k in ks])
    axis.set(
        xlabel="electrodes", ylabel="accuracy, recordings not seen", ylim=(0, 1), title="what fewer electrodes cost"
    )
    axis.legend(frameon=False, fontsize="small", loc="lower right")
