"""What the terminal and `--json` say of an engine that says nothing."""

from types import SimpleNamespace

import pytest

from rtbci.cli import watch
from rtbci.monitor.messages import AlarmLine, WarningLine


@pytest.mark.parametrize("show", ["json", "view", "none"])
def test_a_warning_and_an_alarm_reach_the_person_on_standard_error(
    show: str, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [kind(wall=1.0, text="night.tsv\x1b") for kind in (WarningLine, AlarmLine)]
    reader = SimpleNamespace(status=lambda: None, new_log=lambda: lines)
    engine = SimpleNamespace(reader=reader, alive=True, command=lambda _: None)
    watched = watch.Watch(engine, "title", show=show)  # type: ignore[arg-type]
    watched._update()
    said = capsys.readouterr()
    assert said.err == "warning: night.tsv\\x1b\n\aALARM: night.tsv\\x1b\n"
    assert "warning" not in said.out
