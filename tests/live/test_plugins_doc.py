"""What docs/plugins.md shows is what examples/ has, and works as pasted."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from plugin_kit import EXAMPLES

from rtbci.bundled import RECORDING

DOC = EXAMPLES.parent / "docs" / "plugins.md"
pytestmark = pytest.mark.skipif(not DOC.exists(), reason="needs the repository's docs, which are not installed")
SHOWN = ["network_plugin.py", "network_plugin.toml", "dataset_plugin.py", "dataset_plugin.toml", "web_hook.py"]
# The files are what the documentation shows; here they are trained for no longer than it takes to see that they work.
SHORTER = {
    "train network_plugin.toml": ["--set", "training.epochs=1", "--set", "data.synthetic.n_recordings=8"],
    "train dataset_plugin.toml": ["--set", "training.epochs=1"],
    "run conv_gru.rtbci": ["--seconds", "3"],
}


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", DOC.read_text(), re.MULTILINE | re.DOTALL)


def run(*words: str, cwd: Path) -> None:
    done = subprocess.run([sys.executable, *words], cwd=cwd, capture_output=True, text=True, timeout=250)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", SHOWN)
def test_the_documentation_shows_the_examples_as_they_are(name: str) -> None:
    assert (EXAMPLES / name).read_text() in blocks("python" if name.endswith(".py") else "toml")


def test_the_documentation_works_as_pasted_in_its_order(tmp_path: Path) -> None:
    for name in SHOWN:
        shutil.copy(EXAMPLES / name, tmp_path)
    shutil.copy(RECORDING, tmp_path / "night.edf")
    code = [block for block in blocks("python") if block not in [(EXAMPLES / name).read_text() for name in SHOWN]]
    commands = [line for block in blocks("bash") for line in block.splitlines()]
    assert len(code) == 2
    assert [line.split()[1] for line in commands] == ["train", "inspect", "tag", "replay", "run", "train"]
    making, using = sorted(code, key=lambda block: "import rtbci" in block)
    run("-c", making, cwd=tmp_path)
    replay = None
    try:
        for line in commands:
            told = shlex.split(line)[1:]
            words = ["-m", "rtbci.cli.app", *told, *SHORTER.get(" ".join(told[:2]), [])]
            if words[-1] == "&":
                replay = subprocess.Popen([sys.executable, *words[:-1]], cwd=tmp_path, stderr=subprocess.DEVNULL)
            else:
                run(*words, cwd=tmp_path)
    finally:
        if replay is not None:
            replay.terminate()
            replay.wait(10)
    run("-c", using, cwd=tmp_path)
    assert (tmp_path / "tagged" / "night_events.tsv").exists()
