"""The table by patient of a cross-validation, as a pipeline file keeps it, and what its figures are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.box import HEAVY_HEAD
from rich.table import Table

from rtbci.cli.terminal import Terminal
from rtbci.evaluation.intervals import Interval
from rtbci.text import listing
from rtbci.training.crossval.notes import CrossvalNotes, PatientRow, PatientTotal
from rtbci.training.crossval.results import GroupTotals

PLAIN_WIDTH = 100  # where there is no terminal
MOST_COLUMNS = 3  # of groups; more of them share one
WITHIN_PATIENTS = (
    "Each recording was answered by the network and with the threshold of a fold that never saw it, but other recordings of its "
    "patient: this says nothing of new patients. The network of this file was fitted afterwards, by the same recipe, and has "
    "no figures of its own here. Alarms are counts in the recordings at hand, and no rate a day."
)
WHAT_IT_IS = (
    "Each patient was answered by the network and with the threshold of a fold that never saw that patient: epoch, threshold "
    "and duration were chosen on other patients. The network of this file was fitted afterwards, by the same recipe, and has "
    "no figures of its own here. Alarms are counts in the recordings at hand, and no rate a day."
)


def print_patients(notes: CrossvalNotes, console: Terminal, *, stale: bool = False) -> None:
    """Tables by patient and by group, and what they are."""
    plain = not console.is_terminal
    if plain:
        console.width = max(console.width, PLAIN_WIDTH)
    for title, table in (
        (_title(notes), patients_table(notes)),
        ("cross-validated, by group of recordings, of all subjects", groups_table(notes.groups)),
    ):
        table.box = None if plain else HEAVY_HEAD
        console.print(f"\n{title}")
        console.print(table)
    console.print()
    for line in sentences(notes, stale=stale):
        console.print(line)


def patients_table(notes: CrossvalNotes) -> Table:
    """A row a patient, and the total; above: share of the time with the probability at the threshold or above."""
    total = notes.total
    own = list(total.alarms)
    table = Table(
        "patient" if notes.by == "subject" else "recording", "seizures found", "median delay", "AUROC", "time above"
    )
    for group in own if len(own) <= MOST_COLUMNS else ["own recordings"]:
        table.add_column(f"alarms, {group}")
    for number, row in enumerate(notes.rows, 1):
        table.add_row(row.subject, *_cells(row, row.auroc, own), end_section=number == len(notes.rows))
    table.add_row(f"all {total.patients}", *_cells(total, total.auroc.mean, own))
    return table


def groups_table(groups: Mapping[str, GroupTotals]) -> Table:
    """The totals by group of recordings; alarms: how many, in how many recordings; above: share of time above the threshold."""
    table = Table("group", "recordings", "seizures found", "alarms", "seconds", "above")
    for name, group in groups.items():
        share = f"{100 * group.seconds_above / group.seconds:.1f} %" if group.seconds else "-"
        found = f"{group.found} of {group.seizures}" if group.seizures else ""
        alarms = f"{group.alarms} in {group.recordings_with_alarms}" if group.alarms else "0"
        table.add_row(name, str(group.recordings), found, alarms, f"{group.seconds:.0f}", share)
    return table


def _title(notes: CrossvalNotes) -> str:
    return "cross-validated, by patient" if notes.by == "subject" else "cross-validated within patients, by recording"


def _units(notes: CrossvalNotes) -> str:
    return "patients" if notes.by == "subject" else "recordings"


def sentences(notes: CrossvalNotes, *, stale: bool = False) -> list[str]:
    """What the figures are, and are not; stale: whether the file has another decision now."""
    whose = "that this file no longer has" if stale else "of this file"
    total, point = notes.total, notes.operating_point
    lines = [
        f"mean over {_units(notes)}: sensitivity {with_interval(total.sensitivity)}, AUROC of samples "
        f"{with_interval(total.auroc)}",
        f"threshold {point.threshold:g} and at least {point.min_duration_s:g} s {whose}: chosen by the rule of the folds on "
        f"their scores of what they left out, where it finds {point.found} of {point.seizures} seizures with "
        f"{point.alarms_where_none_is_wanted} alarms in {listing(notes.rule.no_alarm_in)} and {point.alarms_elsewhere} "
        f"elsewhere; epoch {notes.epoch}: the median of the folds",
    ]
    if notes.rows_left_out:
        lines.append(f"{notes.rows_left_out} more {_units(notes)} are in the totals, without a row")
    if notes.not_in_final_fit:
        lines.append(f"not in the fit of this file: {listing(notes.not_in_final_fit)}")
    if notes.not_in_folds:
        lines.append(f"in the fit of this file and in no fold: {listing(notes.not_in_folds)}")
    return [*lines, WHAT_IT_IS if notes.by == "subject" else WITHIN_PATIENTS]


def _cells(row: PatientRow | PatientTotal, auroc: float | None, groups: Sequence[str]) -> list[str]:
    return [
        f"{row.found} of {row.seizures}",
        "-" if row.median_delay_s is None else f"{row.median_delay_s:.1f} s",
        "-" if auroc is None else f"{auroc:.3f}",
        "-" if row.share_above is None else f"{100 * row.share_above:.1f} %",
        *_alarms(row.alarms, groups),
    ]


def _alarms(alarms: Mapping[str, int], groups: Sequence[str]) -> list[str]:
    """A cell a group, "-" where there is no such recording; of many groups, one cell that names those with alarms."""
    if len(groups) <= MOST_COLUMNS:
        return [str(alarms.get(group, "-")) for group in groups]
    return [", ".join(f"{n} {group}" for group, n in alarms.items() if n) or "0"]


def with_interval(one: Interval) -> str:
    """A mean over subjects and its interval; "-" where there is none."""
    if one.mean is None or one.low is None or one.high is None:
        return "-"
    return f"{one.mean:.3f} (95 % interval {one.low:.3f} to {one.high:.3f}, {one.subjects} subjects)"
