"""Answers to single trials and their accuracy, with its interval and the confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rtbci.files import SHARED, atomic_write
from rtbci.types import Samples


@dataclass(frozen=True)
class Answers:
    """Answers to trials.

    Parameters
    ----------
    probabilities
        (n, n_classes).
    truth
        (n,), index of the class; -1 for background.
    groups
        (n,), what is never split between fit and test.
    """

    probabilities: Samples
    truth: npt.NDArray[np.int64]
    groups: tuple[str, ...]

    @classmethod
    def join(cls, parts: Sequence[Answers]) -> Answers:
        return cls(
            np.concatenate([part.probabilities for part in parts]),
            np.concatenate([part.truth for part in parts]),
            tuple(group for part in parts for group in part.groups),
        )

    @property
    def predicted(self) -> npt.NDArray[np.int64]:
        """The most probable class (n,); with a single class, -1 below one half."""
        return decided(self.probabilities)


def decided(probabilities: Samples) -> npt.NDArray[np.int64]:
    """(n, n_classes) to (n,): the most probable class; with a single class, -1 (background) below one half."""
    if probabilities.shape[1] == 1:
        return np.where(probabilities[:, 0] >= 0.5, 0, -1)
    best: npt.NDArray[np.int64] = probabilities.argmax(1)
    return best


def report(answers: Answers, classes: tuple[str, ...], repeats: int = 1) -> dict[str, Any]:
    """Accuracy with its intervals, and the confusion matrix.

    Parameters
    ----------
    answers
        All answers.
    classes
        Names of the classes.
    repeats
        How often each trial was answered, by independent fits; it counts once for the intervals.

    Returns
    -------
    dict
        Plain JSON. confusion: rows are the truth, columns the predicted class. Wilson's interval holds for independent
        trials; the bootstrap draws whole groups, since trials of one recording are more alike than others.
    """
    names = classes if len(classes) > 1 else ("background", *classes)
    shift = 0 if len(classes) > 1 else 1
    confusion = np.zeros((len(names), len(names)), int)
    np.add.at(confusion, (answers.truth + shift, answers.predicted + shift), 1)
    right = (answers.truth == answers.predicted).astype(float)
    accuracy, n = float(right.mean()), len(right) // repeats
    drawn = bootstrap(right, np.array(answers.groups))
    recalls = [row[i] / row.sum() for i, row in enumerate(confusion) if row.sum()]
    return {
        "n_trials": n,
        "n_groups": len(set(answers.groups)),
        "accuracy": round(accuracy, 4),
        "accuracy_wilson_95": [round(edge, 4) for edge in wilson(accuracy, n)],
        "accuracy_bootstrap_95": None if drawn is None else [round(edge, 4) for edge in drawn],
        "balanced_accuracy": round(float(np.mean(recalls)), 4),
        "classes": list(names),
        "confusion": confusion.tolist(),
        "repeats": repeats,
    }


def draw_confusion(scores: dict[str, Any], path: Path) -> None:
    """The confusion matrix of a report, as a PNG."""
    from matplotlib.figure import Figure

    confusion, names = np.array(scores["confusion"]), scores["classes"]
    figure = Figure(figsize=(1.6 + 0.9 * len(names), 1.2 + 0.9 * len(names)), layout="constrained")
    axis = figure.add_subplot()
    axis.imshow(confusion / np.maximum(confusion.sum(1, keepdims=True), 1), cmap="Blues", vmin=0, vmax=1)
    for row, counts in enumerate(confusion):
        for column, count in enumerate(counts):
            shade = "white" if 2 * count > counts.sum() else "black"
            axis.text(column, row, str(count), ha="center", va="center", color=shade)
    low, high = scores["accuracy_wilson_95"]
    axis.set(
        xticks=range(len(names)), yticks=range(len(names)), xlabel="predicted", ylabel="true",
        xticklabels=names, yticklabels=names, title=f"{scores['accuracy']:.3f} ({low:.3f}–{high:.3f})",
    )  # fmt: skip
    atomic_write(path, lambda file: figure.savefig(file, format="png", dpi=120), SHARED)


def summary_line(scores: dict[str, Any]) -> str:
    """A report in one line."""
    low, high = scores["accuracy_wilson_95"]
    line = f"accuracy {scores['accuracy']:.3f} (95 %: {low:.3f}–{high:.3f}, Wilson) of {scores['n_trials']} trials"
    if scores["accuracy_bootstrap_95"] and scores["n_groups"] < scores["n_trials"]:
        low, high = scores["accuracy_bootstrap_95"]
        line += f"; {low:.3f}–{high:.3f} by bootstrap over {scores['n_groups']} groups"
    return line


def wilson(share: float, n: int, level: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of a proportion of n independent trials; a mean over repeats is rounded to whole trials.

    References
    ----------
    E. Wilson, JASA 22, 1927.
    """
    from scipy import stats  # half a second that `tag` need not wait for

    interval = stats.binomtest(round(share * n), n).proportion_ci(level, method="wilson")
    return float(interval.low), float(interval.high)


def mcnemar_p(only_first: int, only_second: int) -> float:
    """Two-sided p of McNemar's exact test: trials that only one of two methods answered rightly.

    References
    ----------
    Q. McNemar, Psychometrika 12, 1947; exact by the binomial distribution.
    """
    from scipy import stats

    differing = only_first + only_second
    return float(stats.binomtest(only_first, differing, 0.5).pvalue) if differing else 1.0


def least_above_chance(chance: float, n: int, level: float = 0.05) -> int:
    """Right answers of n independent trials from which on guessing with this chance is refused at p < `level`, one-sided.

    References
    ----------
    E. Combrisson, K. Jerbi, J. Neuroscience Methods 250, 2015.
    """
    from scipy import stats

    return int(stats.binom.isf(level, n, chance)) + 1


def kappa(truth: npt.NDArray[np.int64], predicted: npt.NDArray[np.int64]) -> float | None:
    """Cohen's; None where there is one class only."""
    from sklearn.metrics import cohen_kappa_score

    return float(cohen_kappa_score(truth, predicted)) if len(set(truth.tolist())) > 1 else None


def bootstrap(
    values: npt.NDArray[np.float64], groups: npt.NDArray[np.generic], level: float = 0.95, n_draws: int = 2000
) -> tuple[float, float] | None:
    """Percentile interval of the mean of values (n,), resampling whole groups (n,); None for a single group."""
    _, index = np.unique(groups, return_inverse=True)
    if index.max() == 0:
        return None
    from scipy import stats

    drawn = stats.bootstrap(
        (np.bincount(index, values), np.bincount(index)),
        lambda totals, counts, axis: totals.sum(axis) / counts.sum(axis),
        paired=True, n_resamples=n_draws, confidence_level=level, method="percentile", rng=np.random.default_rng(0),
    )  # fmt: skip
    return float(drawn.confidence_interval.low), float(drawn.confidence_interval.high)
