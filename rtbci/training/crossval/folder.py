"""The folder of a cross-validation: finished folds are kept and not done again; results of another config are refused."""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
from pydantic import ValidationError

from rtbci.errors import ConfigError
from rtbci.evaluation.scoring import EventScores
from rtbci.evaluation.tables import cell, cells, columns_of, of_group, table
from rtbci.files import atomic_write
from rtbci.pipeline.file import check_target
from rtbci.results import about
from rtbci.text import json_text, listing
from rtbci.training.config import TrainConfig
from rtbci.training.crossval.claimed import ClaimedFolder, Manifest, read_json
from rtbci.training.crossval.fold import Fitted
from rtbci.training.crossval.results import (
    CrossvalReport,
    FoldChoice,
    FoldResult,
    FoldsReport,
    RecordingRow,
    SubjectRow,
)
from rtbci.training.crossval.totals import groups_of, summarise
from rtbci.types import Chunk

RESULTS, SUBJECTS, SUMMARY = "results.tsv", "subjects.tsv", "summary.json"


OfFold = TypeVar("OfFold", bound=FoldChoice)
OfAll = TypeVar("OfAll", bound=FoldsReport)


class FoldsFolder(ClaimedFolder, Generic[OfFold, OfAll]):
    """Where a cross-validation writes, of taggers or of trials.

    Attributes
    ----------
    RESULT
        What a fold comes to.
    """

    KIND = "rtbci-crossval"
    WHAT = "cross-validation"
    MANIFEST = "crossval.json"
    TABLES = (RESULTS, SUBJECTS, SUMMARY)
    RESULT: type[OfFold]

    @abstractmethod
    def report(self, folds: Sequence[OfFold], config: TrainConfig, planned: int) -> OfAll:
        """The totals of finished folds, of so many."""

    @abstractmethod
    def tables(self, folds: Sequence[OfFold], report: OfAll) -> dict[str, str]:
        """Tables by the name of their file."""

    def write_tables(self, folds: Sequence[OfFold], report: OfAll, warnings: Sequence[str]) -> None:
        """Write the tables and the summary of the finished folds."""
        for name, content in self.tables(folds, report).items():
            atomic_write(self.path / name, content)
        atomic_write(self.path / SUMMARY, json_text(report.plain() | about(warnings).plain(), indent=1))

    def finished(self, name: str) -> OfFold | None:
        """The result of a fold whose files are all there, as they were written; None where it is to be done."""
        try:
            content = read_json(self._fold(name))
            result = self.RESULT.model_validate(content.get("result"))
            same = content.get("digest") == self.digest and content.get("files") == {
                path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in self.files(name)
            }
        except (OSError, ValidationError):
            return None
        return result if same else None

    def is_there(self, name: str) -> bool:
        """Whether a fold was once finished."""
        return self._fold(name).exists()

    def save(self, fitted: Fitted) -> None:
        """Write a fold: what says that it is finished comes last."""
        name = fitted.result.fold
        pipeline, scores = self.pipeline_file(name), self.scores_file(name)
        check_target(pipeline)
        if fitted.pipeline is not None:
            fitted.pipeline.save(pipeline)
        atomic_write(scores, lambda file: np.savez(file, **fitted.scores))  # type: ignore[arg-type]
        files = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in self.files(name)}
        content = {"digest": self.digest, "files": files, "result": fitted.result.plain()}
        atomic_write(self._fold(name), json_text(content, indent=1))

    def pipeline_file(self, name: str) -> Path:
        """Of a fold; boosted trees have none."""
        return self.path / f"fold-{name}.rtbci"

    def scores_file(self, name: str) -> Path:
        """Of what a fold left out."""
        return self.path / f"fold-{name}_scores.npz"

    def files(self, name: str) -> list[Path]:
        """Those of a fold that are there: its pipeline, where it is one, and the scores of what it left out."""
        return [path for path in (self.pipeline_file(name), self.scores_file(name)) if path.exists()]

    def written(self, folds: Sequence[OfFold]) -> tuple[str, ...]:
        """Names of all files."""
        return (*self.TABLES, *(path.name for fold in folds for path in self.files(fold.fold)))

    def _fold(self, name: str) -> Path:
        return self.path / f"fold-{name}.json"


class Folder(FoldsFolder[FoldResult, CrossvalReport]):
    """Where the cross-validation of a tagger writes."""

    RESULT = FoldResult

    def report(self, folds: Sequence[FoldResult], config: TrainConfig, planned: int) -> CrossvalReport:
        """The totals of finished folds, of so many."""
        return summarise(
            folds,
            pipeline=config.pipeline.name,
            folder=str(self.path),
            planned=planned,
            seeds=seeds_of(config),
            digest=self.digest,
            files=self.written(folds),
        )

    def scores(self, name: str) -> dict[str, Chunk]:
        """The scores of what a fold left out, by recording."""
        with np.load(self.scores_file(name)) as kept:
            parts = [kept[key] for key in ("probabilities", "times", "valid")]
            ends = np.cumsum(kept["hops"])[:-1]
            chunks = map(Chunk, *(np.split(part, ends) for part in parts))
            return dict(zip(map(str, kept["recordings"]), chunks, strict=True))

    def tables(self, folds: Sequence[FoldResult], report: CrossvalReport) -> dict[str, str]:
        """A row a recording, and a row a subject."""
        rows = [row for fold in folds for row in fold.recordings]
        groups = groups_of(rows)
        subjects = [row for fold in folds for row in fold.subjects]
        of_recordings = columns_of(
            RecordingRow, ("fold", "subject", "tested", "recording", "group"), EventScores.model_fields
        )
        of_subjects = [
            *columns_of(SubjectRow, ("subject", "fold", "tested"), {"alarms"}),
            *(of_group(group) for group in groups),
        ]
        return {
            RESULTS: table(of_recordings, [cells(row) for row in rows]),
            SUBJECTS: table(of_subjects, [_subject_cells(row, groups) for row in subjects]),
        }


def seeds_of(config: TrainConfig) -> dict[str, int]:
    """Of the dealing, and of each fit."""
    return {"crossval": config.crossval.seed, "training": config.training.seed}


def read_finished(path: Path) -> tuple[Manifest, list[FoldResult]]:
    """A complete cross-validation; nothing is written.

    Parameters
    ----------
    path
        Its folder.

    Returns
    -------
    Manifest, list of FoldResult
        Its folds in the order of its summary.

    Raises
    ------
    ConfigError
        If there is none, it is damaged, or folds are missing.
    """
    manifest = read_manifest(path)
    return manifest, finished_folds(Folder(path, manifest.digest))


def read_manifest(path: Path) -> Manifest:
    """What a folder's results depend on. Raises ConfigError where there is none, or it is damaged."""
    if not (path / Folder.MANIFEST).is_file():
        raise ConfigError(f"{path}: holds no cross-validation; `rtbci crossval CONFIG --out {path}` makes one")
    found = read_json(path / Folder.MANIFEST)
    config, recordings = found.get("config"), found.get("recordings")
    if found.get("kind") != Folder.KIND or not isinstance(config, dict) or not isinstance(recordings, dict):
        raise ConfigError(f"{path / Folder.MANIFEST}: is not that of a cross-validation, or damaged")
    manifest = Manifest(config, recordings)
    if manifest.digest != found.get("digest"):
        raise ConfigError(f"{path / Folder.MANIFEST}: is not as it was written")
    return manifest


def finished_folds(folder: FoldsFolder[OfFold, OfAll]) -> list[OfFold]:
    """All folds, in the order of the summary. Raises ConfigError where one is missing."""
    names = [file.stem.removeprefix("fold-") for file in folder.path.glob("fold-*.json")]
    order = _in_order(names, read_json(folder.path / SUMMARY).get("folds"))
    results = {name: folder.finished(name) for name in order}
    done = [result for result in results.values() if result is not None]
    _require_all(folder.path, done, [name for name, result in results.items() if result is None])
    return done


def _in_order(names: Sequence[str], listed: object) -> list[str]:
    """The order counts: the bootstrap of the intervals draws by it."""
    order = [one.get("fold") for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    return sorted(names, key=lambda name: (order.index(name) if name in order else len(order), name))


def _require_all(path: Path, done: Sequence[FoldChoice], damaged: Sequence[str]) -> None:
    go_on = "the same `rtbci crossval` goes on from there"
    if not done:
        raise ConfigError(f"{path}: no fold is finished; {go_on}")
    answered = {subject for fold in done for subject in (*fold.tested, *fold.others)}
    missing = sorted({subject for fold in done for part in fold.inner for subject in part} - answered)
    if missing:
        why = "".join(f"; fold {name} is not as it was written" for name in damaged[:3])
        raise ConfigError(
            f"{path}: folds are missing: none that is finished has answered {listing(missing)}{why}; {go_on}"
        )


def _subject_cells(row: SubjectRow, groups: Sequence[str]) -> dict[str, str]:
    return cells(row) | {of_group(group): cell(row.alarms.get(group)) for group in groups}
