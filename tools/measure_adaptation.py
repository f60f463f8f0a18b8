"""Whether a patient's first seizure helps with the later ones: the pipelines of a cross-validation, adapted by `rtbci adapt`.

    python tools/measure_adaptation.py RESULTS DATA_ROOT [--config configs/seizure_crossval.toml]

RESULTS is the folder of a `rtbci crossval` by patient. For each patient, the fold's pipeline, which never saw the patient, is
adapted to the first seizure and to the first recording of what followed one; all other recordings of the patient are scored, by
the original and by the adapted pipelines, with the threshold of the fold. Prints a table, and the totals.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rtbci.errors import ConfigError
from rtbci.models.threads import torch_threads
from rtbci.pipeline.pipeline import Pipeline
from rtbci.training.adaptation.adapt import Level, Worse, adapt
from rtbci.training.config import read_train_config
from rtbci.training.crossval.fold import answered_by
from rtbci.training.crossval.plan import Fold
from rtbci.training.crossval.results import RecordingRow, SubjectRow
from rtbci.training.crossval.run import prepared, sources_and_folds
from rtbci.training.crossval.totals import recording_row, subject_row
from rtbci.training.source import Source

LEVELS: tuple[Level, ...] = ("calibration", "last-layer", "all-layers")
HOME = Path(__file__).parent.parent


def main() -> None:
    """Each patient in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("data_root", type=Path)
    parser.add_argument("--config", type=Path, default=HOME / "configs" / "seizure_crossval.toml")
    options = parser.parse_args()
    settings = [f"data.root={str(options.data_root.resolve())!r}"]
    config, _ = prepared(read_train_config(options.config, settings))
    sources, folds = sources_and_folds(config, lambda _: None)
    totals: dict[str, list[tuple[SubjectRow, list[RecordingRow]]]] = {}
    with torch_threads(1):
        for fold in folds:
            own = [source for source in sources if source.subject in fold.tested]
            path = options.results / f"fold-{fold.name}.rtbci"
            if path.exists():
                for name, figures in of_patient(fold, Pipeline.load(path), own).items():
                    totals.setdefault(name, []).append(figures)
    for name, rows in totals.items():
        print(f"{name}: {line([row for row, _ in rows], [one for _, many in rows for one in many])}")


def of_patient(
    fold: Fold, pipeline: Pipeline, own: Sequence[Source]
) -> dict[str, tuple[SubjectRow, list[RecordingRow]]]:
    """Figures on the later recordings, of the original and of each level; none where there is too little."""
    seizures = sorted((s for s in own if s.stretches), key=lambda s: s.name)
    after = sorted((s for s in own if not s.stretches), key=lambda s: s.name)
    if len(seizures) < 2 or len(after) < 2:
        print(f"{fold.name}: {len(seizures)} seizures, {len(after)} recordings after one; left out")
        return {}
    first = [seizures[0], after[0]]
    later = [source for source in own if source not in first]
    found = {"as it was": figures_of(fold, pipeline, later)}
    for level in LEVELS:
        try:
            adapted, _ = adapt(pipeline, first, level)
        except Worse:
            adapted = pipeline
            print(f"{fold.name}, {level}: not handed out; the original stands for it")
        except ConfigError as error:
            print(f"{fold.name}: {error}")
            return {}
        found[level] = figures_of(fold, adapted, later)
    for name, (row, rows) in found.items():
        print(f"{fold.name}, {name}: {line([row], rows)}", flush=True)
    return found


def figures_of(fold: Fold, pipeline: Pipeline, sources: Sequence[Source]) -> tuple[SubjectRow, list[RecordingRow]]:
    """Those of the cross-validation, on some recordings."""
    answers = answered_by(pipeline, sources, lambda *_: None)
    rows = [recording_row(fold, pipeline.config, pipeline.hop_s, *answer) for answer in answers]
    return subject_row(fold.tested[0], fold, answers, rows), rows


def line(subjects: Sequence[SubjectRow], rows: Sequence[RecordingRow]) -> str:
    """Totals, in words."""
    areas = [row.auroc for row in subjects if row.auroc is not None]
    delays = [delay for row in rows for delay in row.delays_s if delay is not None]
    quiet = [row for row in rows if not row.seizures]
    n_alarmed = sum(row.alarms > 0 for row in quiet)
    return (
        f"{sum(row.found for row in rows)} of {sum(row.seizures for row in rows)} seizures, AUROC {np.mean(areas):.3f}, "
        f"delay {np.median(delays) if delays else np.nan:.1f} s, alarms in {n_alarmed} of {len(quiet)} recordings after seizures"
    )


if __name__ == "__main__":
    main()
