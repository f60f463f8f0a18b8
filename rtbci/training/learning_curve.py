"""Learning curves: one row for each epoch, as CSV, as PNG, and in TensorBoard where that is installed."""

from __future__ import annotations

import csv
import io
from dataclasses import asdict, dataclass, field
from pathlib import Path

from rtbci.files import SHARED, atomic_write


@dataclass(frozen=True)
class EpochFigures:
    """Figures of one epoch; those of held-out recordings are None where there are none, or only one class is known.

    `shown`: of each class, at which share of the steps with a known label it held.
    """

    epoch: int
    lr: float
    train_loss: float
    held_out_loss: float | None = None
    held_out_auroc: float | None = None
    shown: dict[str, float] = field(default_factory=dict)

    def flat(self) -> dict[str, float | None]:
        """By column: numbers alone, `shown_NAME` of a class."""
        values = asdict(self)
        shown = values.pop("shown")
        return values | {f"shown_{name}": share for name, share in shown.items()}


def save_curves(rows: list[EpochFigures], out: Path) -> None:
    """Write NAME_curves.csv and NAME_curves.png beside `out`, and NAME_tensorboard/."""
    table = io.StringIO()
    writer = csv.DictWriter(table, list(rows[-1].flat()), lineterminator="\n")
    writer.writeheader()
    writer.writerows(row.flat() for row in rows)
    atomic_write(out.with_name(f"{out.stem}_curves.csv"), table.getvalue(), SHARED)
    _draw(rows, out.with_name(f"{out.stem}_curves.png"))
    _to_tensorboard(rows, out.with_name(f"{out.stem}_tensorboard"))


def _draw(rows: list[EpochFigures], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    left = figure.add_subplot()
    right = left.twinx()
    epochs = [row.epoch for row in rows]
    left.plot(epochs, [row.train_loss for row in rows], label="loss, training")
    for axis, name, label, style in (
        (left, "held_out_loss", "loss, held out", "-"),
        (right, "held_out_auroc", "AUROC, held out", ":"),
    ):
        values = [(row.epoch, value) for row in rows if (value := getattr(row, name)) is not None]
        if values:
            axis.plot(*zip(*values, strict=True), style, color="C1", label=label)
    left.set(xlabel="epoch", ylabel="loss", ylim=(0, None))
    right.set(ylabel="AUROC", ylim=(0, 1))
    figure.legend(loc="outside upper center", ncols=3, frameon=False)
    atomic_write(path, lambda file: figure.savefig(file, format="png", dpi=120), SHARED)


def _to_tensorboard(rows: list[EpochFigures], folder: Path) -> None:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return
    with SummaryWriter(str(folder)) as writer:
        for row in rows:
            for name, value in row.flat().items():
                if name != "epoch" and value is not None:
                    writer.add_scalar(name, value, row.epoch)
