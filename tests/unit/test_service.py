"""The unit for systemd is one that systemd understands, and its command one that rtbci does."""

import shutil
import subprocess
from pathlib import Path

import pytest

UNIT = Path(__file__).parents[2] / "tools" / "rtbci.service"


def test_the_unit_is_understood_by_systemd(tmp_path: Path) -> None:
    if not shutil.which("systemd-analyze"):
        pytest.skip("needs systemd-analyze")
    unit = tmp_path / "rtbci.service"
    # The program and the account are the reader's own; systemd wants to see them.
    unit.write_text(UNIT.read_text().replace("/opt/rtbci/bin/rtbci", "/bin/true").replace("User=rtbci", "User=root"))
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, timeout=60)
    said = [line for line in done.stderr.splitlines() if "rtbci.service" in line]
    assert said == []


def test_the_options_of_the_unit_are_those_of_rtbci_run() -> None:
    from typer.main import get_command

    from rtbci.cli.app import app

    text = UNIT.read_text().replace("\\\n", " ")
    (command,) = [line for line in text.splitlines() if line.startswith("ExecStart=")]
    known = {o for p in get_command(app).commands["run"].params for o in p.opts}  # type: ignore[attr-defined]
    assert {word for word in command.split() if word.startswith("--")} <= known
