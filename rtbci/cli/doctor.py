"""`rtbci doctor`: checks of what rtbci needs on this machine, one line each, with a remedy for each problem."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict

from rich.text import Text as RichText

from rtbci.cli.terminal import Terminal
from rtbci.doctor import machine, network
from rtbci.doctor.machine import Finding, Level
from rtbci.results import Result, Text, print_json
from rtbci.text import one_line

_STYLES = {"ok": "green", "warning": "yellow", "problem": "bold red"}
CHECKS: tuple[Callable[[], Iterable[Finding]], ...] = (
    network.check_liblsl, network.check_ports, network.check_multicast, network.check_discovery, network.check_streams,
    machine.check_torch, machine.check_qt, machine.check_recorder, machine.check_disk,
)  # fmt: skip


class FindingRow(Result):
    """One check."""

    name: Text
    """What was checked."""
    level: Level
    """Severity."""
    text: Text
    """Result."""
    todo: Text
    """Remedy; empty if there is no problem."""


class DoctorReport(Result):
    """The checks of this machine."""

    findings: tuple[FindingRow, ...]
    problems: int
    """Findings that are problems; the exit code is 1 if there are any."""


def doctor_report(json: bool) -> int:
    """Run every check; returns the exit code: 1 if there is a problem, else 0."""
    console = Terminal(soft_wrap=True)
    findings: list[Finding] = []
    for check in CHECKS:
        for finding in check():
            findings.append(finding)
            if not json:
                _print(finding, console)
    n_problems = sum(f.level == "problem" for f in findings)
    if json:
        rows = tuple(FindingRow(**asdict(f)) for f in findings)
        warned = (f"{f.name}: {f.text}" for f in findings if f.level != "ok")
        print_json(DoctorReport(findings=rows, problems=n_problems), warned)
    return int(n_problems > 0)


def _print(finding: Finding, console: Terminal) -> None:
    level = RichText(f"{finding.level:8}", _STYLES[finding.level])
    console.print(level + RichText(f" {finding.name:12} {one_line(finding.text)}"))
    if finding.todo:
        console.print(f"{'':21} → {finding.todo}")
