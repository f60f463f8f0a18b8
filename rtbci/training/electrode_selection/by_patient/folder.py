"""The folder of a selection by patient: a file for each set of each fold, the tables, and the summary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError

from rtbci.evaluation.tables import cell, cells, of_group, table
from rtbci.files import atomic_write
from rtbci.results import about
from rtbci.text import json_text
from rtbci.training.config import TrainConfig
from rtbci.training.crossval.claimed import ClaimedFolder, Manifest, read_json
from rtbci.training.crossval.results import SubjectRow
from rtbci.training.electrode_selection.by_patient.results import ElectrodesReport, MethodRow, SetResult
from rtbci.training.electrode_selection.by_patient.wanted import Wanted
from rtbci.training.source import Source

METHODS, SUBJECTS, DERIVATIONS, SUMMARY = "methods.tsv", "subjects.tsv", "derivations.tsv", "summary.json"


def manifest_of(config: TrainConfig, sources: Sequence[Source]) -> Manifest:
    """What each result depends on; not which sets are asked for, so that more of them can be added."""
    manifest = Manifest.of(config, sources)
    values = config.model_dump(mode="json", include={"electrodes"})["electrodes"]
    kept = {key: value for key, value in values.items() if key != "sets"}
    selection = {key: value for key, value in manifest.config["selection"].items() if key != "random_sets"}
    return replace(manifest, config={**manifest.config, "electrodes": kept, "selection": selection})


class ElectrodesFolder(ClaimedFolder):
    """Where a selection by patient writes."""

    KIND = "rtbci-electrodes"
    WHAT = "selection"
    MANIFEST = "electrodes.json"
    TABLES = (METHODS, SUBJECTS, DERIVATIONS, SUMMARY)

    def finished(self, fold: str, wanted: Wanted, channels: Sequence[str]) -> SetResult | None:
        """The result of a set that is finished, as it was written; None where it is to be done."""
        try:
            content = read_json(self._file(fold, wanted))
            result = SetResult.model_validate(content.get("result"))
        except (OSError, ValidationError):
            return None
        fixed = tuple(channels[i] for i in wanted.fixed)
        same = content.get("digest") == self.digest and (result.fold, *result.key) == (fold, *wanted.key)
        return result if same and fixed in ((), result.derivations) else None

    def save(self, wanted: Wanted, result: SetResult) -> None:
        """Write the result of a set."""
        content = {"digest": self.digest, "result": result.plain()}
        atomic_write(self._file(result.fold, wanted), json_text(content, indent=1))

    def _file(self, fold: str, wanted: Wanted) -> Path:
        return self.path / f"fold-{fold}_{wanted.file_name}.json"

    def write_tables(self, sets: Sequence[SetResult], report: ElectrodesReport, warnings: Sequence[str]) -> None:
        """Write the tables and the summary of what is finished."""
        groups = sorted({group for row in report.rows for group in row.groups})
        atomic_write(self.path / METHODS, table(_method_columns(groups), [_method(row, groups) for row in report.rows]))
        atomic_write(self.path / SUBJECTS, _subjects(sets, groups))
        atomic_write(self.path / DERIVATIONS, _derivations(report.rows))
        atomic_write(self.path / SUMMARY, json_text(report.plain() | about(warnings).plain(), indent=1))


def _method_columns(groups: Sequence[str]) -> list[str]:
    return [
        "method", "k", "folds", "subjects", "auroc", "auroc_low", "auroc_high", "auroc_above_all", "auroc_above_all_low",
        "auroc_above_all_high", "worst_subject", "worst_auroc", "seizures", "found", "median_delay_s", "alarms",
        *map(of_group, groups), "one_dropped", "one_dropped_worst", "overlap",
    ]  # fmt: skip


def _method(row: MethodRow, groups: Sequence[str]) -> dict[str, str]:
    values: dict[str, object] = {
        "subjects": row.auroc.subjects,
        "auroc": row.auroc.mean,
        "auroc_low": row.auroc.low,
        "auroc_high": row.auroc.high,
        "auroc_above_all": row.auroc_above_all.mean,
        "auroc_above_all_low": row.auroc_above_all.low,
        "auroc_above_all_high": row.auroc_above_all.high,
        "worst_subject": row.worst and row.worst.subject,
        "worst_auroc": row.worst and row.worst.auroc,
        "one_dropped": row.one_dropped.mean,
        "one_dropped_worst": row.one_dropped_worst.mean,
    }
    alarms = {of_group(group): cell(row.groups[group].alarms if group in row.groups else None) for group in groups}
    return cells(row) | alarms | {key: cell(value) for key, value in values.items()}


def _subjects(sets: Sequence[SetResult], groups: Sequence[str]) -> str:
    own = ["method", "k", "derivations", "one_dropped", "one_dropped_worst"]
    columns = [*own[:3], *(key for key in SubjectRow.model_fields if key != "alarms"), *own[3:], *map(of_group, groups)]
    rows = []
    for one in sets:
        for row in one.subjects:
            dropped = one.dropped_of(row.subject)
            mean = round(sum(dropped) / len(dropped), 4) if dropped else None
            values = (one.method, one.k, list(one.derivations), mean, min(dropped, default=None))
            alarms = {of_group(group): cell(row.alarms.get(group)) for group in groups}
            rows.append(cells(row) | alarms | {key: cell(value) for key, value in zip(own, values, strict=True)})
    return table(columns, rows)


def _derivations(rows: Sequence[MethodRow]) -> str:
    columns = ["method", "k", "derivation", "chosen_in", "folds"]
    lines = [
        {
            "method": cell(row.method),
            "k": cell(row.k),
            "derivation": cell(name),
            "chosen_in": cell(n),
            "folds": cell(row.folds),
        }
        for row in rows
        for name, n in row.chosen.items()
    ]
    return table(columns, lines)
