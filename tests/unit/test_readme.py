"""What the README shows works as pasted."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).parents[2] / "README.md"
pytestmark = pytest.mark.skipif(not README.exists(), reason="needs the README, which is not installed")


def blocks() -> list[str]:
    """The commands and the Python of the README: lines that are indented by four."""
    return [m[0] for m in re.finditer(r"(?:^    .*\n|^\n(?=    ))+", README.read_text(), re.MULTILINE)]


def commands() -> list[list[str]]:
    lines = [line.split("  #")[0].strip() for block in blocks() for line in block.splitlines()]
    return [shlex.split(line) for line in lines if line.startswith("rtbci ")]


def test_the_two_commands_are_there() -> None:
    text = README.read_text()
    assert "\n    pip install . && rtbci demo\n" in text
    assert "\n    pip install '.[test]' && pytest\n" in text


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_every_option_that_is_shown_exists(command: list[str]) -> None:
    import inspect

    from rtbci.cli import app

    known = {
        c.callback.__name__.rstrip("_"): c.callback
        for c in (*app.app.registered_commands, *app.bench.registered_commands)
        if c.callback
    }
    name = f"bench_{command[2]}" if command[1] == "bench" else command[1]
    accepted = {parameter.rstrip("_") for parameter in inspect.signature(known[name]).parameters}  # set_, from_
    shown = {word[2:].split("=")[0].replace("-", "_") for word in command if word.startswith("--")}
    assert shown <= accepted


@pytest.mark.parametrize("name", ["tag", "evaluate", "inspect"])
def test_the_commands_on_the_bundled_files_work_as_pasted(name: str, tmp_path: Path) -> None:
    command = next(c for c in commands() if c[1] == name)
    arguments = [str(README.parent / word) if word.endswith(".edf") else word for word in command[1:]]
    done = subprocess.run(
        [sys.executable, "-m", "rtbci.cli.app", *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr


def test_the_python_example_works_as_pasted(tmp_path: Path) -> None:
    from rtbci.bundled import PIPELINE, RECORDING

    example = next(block for block in blocks() if "import rtbci" in block)
    (tmp_path / "my.rtbci").write_bytes(PIPELINE.read_bytes())
    (tmp_path / "night.edf").write_bytes(RECORDING.read_bytes())
    code = "\n".join(line[4:] for line in example.splitlines())
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
