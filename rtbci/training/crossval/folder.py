"""The folder of a cross-validation: finished folds are kept and not done again; results of another config are refused."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from pydantic import ValidationError

from rtbci.config import parse
from rtbci.errors import ConfigError
from rtbci.evaluation.scoring import EventScores
from rtbci.files import atomic_write, locked, make_private_folder
from rtbci.pipeline.file import check_target
from rtbci.recordings.content import content_digest
from rtbci.recordings.spreadsheet import text_cell
from rtbci.results import Result, about
from rtbci.text import json_text, listing
from rtbci.training.config import TrainConfig
from rtbci.training.crossval.fold import Fitted
from rtbci.training.crossval.results import CrossvalReport, FoldResult, RecordingRow, SubjectRow
from rtbci.training.crossval.totals import groups_of
from rtbci.training.source import Source
from rtbci.types import Chunk

KIND = "rtbci-crossval"
MANIFEST, RESULTS, SUBJECTS, SUMMARY = "crossval.json", "results.tsv", "subjects.tsv", "summary.json"
NOTHING = "n/a"  # in a cell, as in BIDS


@dataclass(frozen=True)
class Manifest:
    """What results depend on: the config, and a digest of each recording with its labels."""

    config: Mapping[str, Any]
    recordings: Mapping[str, str]

    @classmethod
    def of(cls, config: TrainConfig, sources: Sequence[Source]) -> Manifest:
        """Reads every recording to its end; where they lie does not count."""
        values = config.model_dump(mode="json")
        values["data"].pop("root")
        return cls(values, {source.name: _digest_of(source) for source in sources})

    @property
    def digest(self) -> str:
        """Of all of it."""
        return hashlib.sha256(json.dumps([self.config, self.recordings], sort_keys=True).encode()).hexdigest()

    def train_config(self, where: str) -> TrainConfig:
        """The config, with the defaults of this version for keys that it is too old to have. Raises ConfigError."""
        return parse(TrainConfig, dict(self.config), where)

    def plain(self) -> dict[str, Any]:
        """Plain JSON."""
        return {"kind": KIND, "digest": self.digest, "config": self.config, "recordings": self.recordings}

    def difference(self, other: Mapping[str, Any]) -> str:
        """The first thing in which another one, as JSON, differs."""
        pairs = zip((self.config, self.recordings), (other.get("config"), other.get("recordings")), strict=True)
        for what, (mine, theirs) in zip(("config", "data"), pairs, strict=True):
            here, there = flat(mine), flat(theirs)
            for key in sorted({*here, *there}):
                if here.get(key) != there.get(key):
                    return (
                        f"{key} is {there.get(key)} there, {here.get(key)} here"
                        if what == "config"
                        else f"{key} differs"
                    )
        return "it is damaged"


class Folder:
    """Where a cross-validation writes.

    Parameters
    ----------
    path
        The folder.
    digest
        Of the config and the data of this run.
    """

    def __init__(self, path: Path, digest: str) -> None:
        self.path = path
        self.digest = digest
        self._lock: IO[bytes] | None = None

    def claim(self, manifest: Manifest) -> None:
        """Make the folder this run's own, until it is closed; it is made where it is not there.

        Raises
        ------
        ConfigError
            If it holds results of another config or other data, files of something else, or another run is at work.
        """
        if self.path.exists() and not self.path.is_dir():
            raise ConfigError(f"--out {self.path} is a file; wanted a folder")
        make_private_folder(self.path)
        file = self.path / MANIFEST
        if not file.exists():
            foreign = [name for name in (RESULTS, SUBJECTS, SUMMARY) if (self.path / name).exists()]
            foreign += sorted(path.name for path in self.path.glob("fold-*"))
            if foreign:
                raise ConfigError(
                    f"{self.path / foreign[0]}: was not written by this cross-validation, and is not replaced; name another "
                    "folder with --out"
                )
            atomic_write(file, json_text(manifest.plain(), indent=1))
        self._lock = file.open("rb")
        if not locked(self._lock):
            self.close()
            raise ConfigError(f"{self.path}: another cross-validation is writing to it")
        found = _read_json(file)
        if found.get("kind") != KIND or found.get("digest") != self.digest:
            self.close()
            raise ConfigError(
                f"{self.path}: holds results of another config or other data ({manifest.difference(found)}); name "
                "another folder with --out"
            )

    def close(self) -> None:
        """Let another run claim it."""
        if self._lock is not None:
            self._lock.close()

    def finished(self, name: str) -> FoldResult | None:
        """The result of a fold whose files are all there, as they were written; None where it is to be done."""
        try:
            content = _read_json(self._fold(name))
            result = FoldResult.model_validate(content.get("result"))
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

    def scores(self, name: str) -> dict[str, Chunk]:
        """The scores of what a fold left out, by recording."""
        with np.load(self.scores_file(name)) as kept:
            parts = [kept[key] for key in ("probabilities", "times", "valid")]
            ends = np.cumsum(kept["hops"])[:-1]
            chunks = map(Chunk, *(np.split(part, ends) for part in parts))
            return dict(zip(map(str, kept["recordings"]), chunks, strict=True))

    def _fold(self, name: str) -> Path:
        return self.path / f"fold-{name}.json"

    def write_tables(self, folds: Sequence[FoldResult], report: CrossvalReport, warnings: Sequence[str]) -> None:
        """Write the tables and the summary of the finished folds."""
        rows = [row for fold in folds for row in fold.recordings]
        groups = groups_of(rows)
        subjects = [row for fold in folds for row in fold.subjects]
        columns = [key for key in RecordingRow.model_fields if key not in EventScores.model_fields]
        atomic_write(self.path / RESULTS, _table(columns, [_cells(row) for row in rows]))
        columns = [key for key in SubjectRow.model_fields if key != "alarms"] + [_of_group(group) for group in groups]
        atomic_write(self.path / SUBJECTS, _table(columns, [_subject_cells(row, groups) for row in subjects]))
        atomic_write(self.path / SUMMARY, json_text(report.plain() | about(warnings).plain(), indent=1))


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
    if not (path / MANIFEST).is_file():
        raise ConfigError(f"{path}: holds no cross-validation; `rtbci crossval CONFIG --out {path}` makes one")
    found = _read_json(path / MANIFEST)
    config, recordings = found.get("config"), found.get("recordings")
    if found.get("kind") != KIND or not isinstance(config, dict) or not isinstance(recordings, dict):
        raise ConfigError(f"{path / MANIFEST}: is not that of a cross-validation, or damaged")
    manifest = Manifest(config, recordings)
    if manifest.digest != found.get("digest"):
        raise ConfigError(f"{path / MANIFEST}: is not as it was written")
    folder = Folder(path, manifest.digest)
    names = [file.stem.removeprefix("fold-") for file in path.glob("fold-*.json")]
    results = {name: folder.finished(name) for name in _in_order(names, _read_json(path / SUMMARY).get("folds"))}
    done = [result for result in results.values() if result is not None]
    _require_all(path, done, [name for name, result in results.items() if result is None])
    return manifest, done


def _in_order(names: Sequence[str], listed: object) -> list[str]:
    """The order counts: the bootstrap of the intervals draws by it."""
    order = [one.get("fold") for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    return sorted(names, key=lambda name: (order.index(name) if name in order else len(order), name))


def _require_all(path: Path, done: Sequence[FoldResult], damaged: Sequence[str]) -> None:
    go_on = "the same `rtbci crossval` goes on from there"
    if not done:
        raise ConfigError(f"{path}: no fold is finished; {go_on}")
    answered = {subject for fold in done for subject in (*fold.tested, *fold.others)}
    missing = sorted({subject for part in done[0].inner for subject in part} - answered)
    if missing:
        why = "".join(f"; fold {name} is not as it was written" for name in damaged[:3])
        raise ConfigError(
            f"{path}: folds are missing: none that is finished has answered {listing(missing)}{why}; {go_on}"
        )


def _of_group(group: str) -> str:
    return f"alarms, {group}"


def _cells(row: Result) -> dict[str, str]:
    return {key: _cell(value) for key, value in row.plain().items()}


def _subject_cells(row: SubjectRow, groups: Sequence[str]) -> dict[str, str]:
    return _cells(row) | {_of_group(group): _cell(row.alarms.get(group)) for group in groups}


def _cell(value: object) -> str:
    if isinstance(value, list):
        return ",".join(map(_cell, value)) or NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    return NOTHING if value is None else text_cell(str(value))


def _table(columns: Sequence[str], rows: Sequence[Mapping[str, str]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, delimiter="\t", lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _digest_of(source: Source) -> str:
    """Of a recording's samples, and of all that the config makes of it."""
    facts = (
        content_digest(source.recording), source.recording.info.channels, source.recording.info.units,
        source.stretches, source.elsewhere, source.repeats, source.subject, source.category,
    )  # fmt: skip
    return hashlib.sha256(repr(facts).encode("utf-8", "surrogatepass")).hexdigest()


def _read_json(path: Path) -> dict[str, Any]:
    """An object; empty where the file is none."""
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def flat(value: Any, before: str = "") -> dict[str, Any]:
    """Values by their dotted keys."""
    if isinstance(value, dict) and value:
        return {k: v for key, one in value.items() for k, v in flat(one, f"{before}.{key}" if before else key).items()}
    return {before: value}
