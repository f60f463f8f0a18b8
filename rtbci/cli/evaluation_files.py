"""What `rtbci evaluate` writes: the folder of `--out`, and reports; nothing that it did not write is replaced."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rtbci.errors import ConfigError
from rtbci.evaluation.chosen_point import ChosenPoint
from rtbci.evaluation.comparison import Comparison
from rtbci.evaluation.curve import CurvePoint
from rtbci.evaluation.evaluation import Evaluation
from rtbci.evaluation.rows import RecordingRow, SeizureRow, SubjectRow
from rtbci.evaluation.scoring import EventScores
from rtbci.evaluation.tables import cells, columns_of, table
from rtbci.files import atomic_write
from rtbci.report.contents import Contents
from rtbci.results import Result, about
from rtbci.text import json_text

RECORDINGS, SUBJECTS, SEIZURES, CURVE, SUMMARY = (
    "recordings.tsv", "subjects.tsv", "seizures.tsv", "curve.tsv", "evaluation.json",
)  # fmt: skip
ANSWERS = "answers"  # the folder of what each recording was answered, which the same command does not do again
_BEGINNINGS = {".html": b"<!doctype html>", ".pdf": b"%PDF"}


class EvaluationReport(Evaluation):
    """What `rtbci evaluate` says."""

    against: Evaluation | None
    """The other pipeline on the same recordings; null without `--against`."""
    comparison: Comparison | None
    chosen: ChosenPoint | None
    """null without `--at`."""


class ReportFolder:
    """The folder of `--out`: tables and JSON; other people's files of these names are not replaced.

    Raises
    ------
    ConfigError
        If it is a file, or holds a file of one of these names that `evaluate` did not write.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if path.exists() and not path.is_dir():
            raise ConfigError(f"--out {path} is a file; wanted a folder")
        for name, header in self._headers().items():
            file = path / name
            if file.exists() and not file.read_bytes().startswith(header.encode()):
                raise ConfigError(f"{file}: was not written by `rtbci evaluate`; name another folder with --out")

    @staticmethod
    def _headers() -> dict[str, str]:
        tables = {name: table(columns, []) for name, (columns, _) in _tables(()).items()}
        return tables | {SUMMARY: '{\n "event": '}

    def write(self, report: EvaluationReport, warnings: Sequence[str]) -> None:
        """Write all tables and the JSON."""
        self.path.mkdir(parents=True, exist_ok=True)
        for name, (columns, rows) in _tables((report,)).items():
            atomic_write(self.path / name, table(columns, [cells(row) for row in rows]))
        atomic_write(self.path / SUMMARY, json_text(report.plain() | about(warnings).plain(), indent=1))


def _tables(reports: Sequence[EvaluationReport]) -> dict[str, tuple[list[str], list[Result]]]:
    """(columns, rows) of each table, by file name."""
    return {
        RECORDINGS: (
            columns_of(RecordingRow, ("subject", "recording"), EventScores.model_fields),
            [row for report in reports for row in report.rows],
        ),
        SUBJECTS: (
            columns_of(SubjectRow, ("subject",), ("event", "sample")),
            [row for report in reports for row in report.subject_rows],
        ),
        SEIZURES: (
            columns_of(SeizureRow, ("subject", "recording", "label")),
            [row for report in reports for row in report.seizure_rows],
        ),
        CURVE: (columns_of(CurvePoint, ("threshold",)), [row for report in reports for row in report.curve.points]),
    }


def check_report(path: Path) -> None:
    """Raise ConfigError for a report that cannot be written, or would replace what is none."""
    beginning = _BEGINNINGS.get(path.suffix.lower())
    if beginning is None:
        raise ConfigError(f"--report {path}: wanted a name that ends in .html or .pdf")
    if not path.absolute().parent.is_dir():
        raise ConfigError(f"--report {path}: there is no folder {path.absolute().parent}")
    if path.exists() and (not path.is_file() or not path.read_bytes().startswith(beginning)):
        raise ConfigError(f"--report {path}: is something else than a report; name another file")


def write_report(path: Path, contents: Contents) -> None:
    """Write a report as HTML or PDF, by its name."""
    if path.suffix.lower() == ".pdf":
        from rtbci.report.pdf import pdf

        atomic_write(path, pdf(contents))
        return
    from rtbci.report.html import page

    atomic_write(path, page(contents))
