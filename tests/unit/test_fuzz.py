"""What fuzzing found stays mended; each target takes its seeds, and a few hundred inputs made of them, always the same."""

import gc
import json
import random
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

TOOLS = Path(__file__).parents[2] / "tools"
sys.path.insert(0, str(TOOLS))

import fuzz  # noqa: E402
from fuzz import mutated  # noqa: E402
from fuzzing.contract import Fault, Target, check, scratch  # noqa: E402
from fuzzing.targets import TARGETS  # noqa: E402

from rtbci.errors import ConfigError, RtbciError  # noqa: E402

FAULTS = sorted((Path(__file__).parent / "faults").iterdir())
SLOW = {"pipeline_zip", "pipeline_json", "pipeline_run", "pipeline_weights", "recording", "arguments"}


@pytest.mark.parametrize("path", FAULTS, ids=lambda path: path.name)
def test_an_input_that_was_a_fault_is_none_any_more(path: Path) -> None:
    target = TARGETS[path.name.rpartition("-")[0]]
    with suppress(RtbciError):
        target.run(next(iter(target.seeds())))  # what is loaded at first use is no fault of the input
    check(target, path.read_bytes())


@pytest.mark.parametrize("name", TARGETS)
def test_inputs_made_of_the_seeds_give_a_value_or_an_error_in_one_line(name: str) -> None:
    target, draw = TARGETS[name], random.Random(name)
    seeds = list(target.seeds())
    assert any(_is_taken(target, seed) for seed in seeds)  # what starts from refusals stays at the door
    for _ in range(10 if name in SLOW else 100):
        check(target, _bent(draw.choice(seeds), target, draw))


def _is_taken(target: Target, seed: bytes) -> bool:
    check(target, seed)
    try:
        target.run(seed)
    except RtbciError:
        return False
    return True


def _bent(seed: bytes, target: Target, draw: random.Random) -> bytes:
    if target.tree:
        return mutated(seed, draw)
    data = bytearray(seed)
    for _ in range(draw.choice((1, 1, 2, 5))):
        at = draw.randrange(len(data) + 1)
        piece = draw.choice(
            (b"", b"\0", b"\xff", b"9" * 30, b"nan", draw.randbytes(4), bytes(data[: draw.randrange(20)]))
        )
        data[at : at + draw.choice((0, 1, 8))] = piece
    return bytes(data)


def nothing(data: bytes) -> None:
    """Keeps every promise."""


def broken(data: bytes) -> None:
    raise KeyError("a parser's own mistake")


def refused(data: bytes) -> None:
    raise ConfigError(f"x.toml: what is {data.decode()}?\n\x1b[2J")


def wordless(data: bytes) -> None:
    raise RtbciError("")


def endless(data: bytes) -> None:
    while True:
        try:
            len(data)
        except Exception:
            continue


def greedy(data: bytes) -> None:
    bytearray(192 << 20)[::4096] = b"x" * (192 << 8)


def busy(data: bytes) -> None:
    subprocess.run(["true"], check=True)


def writing(data: bytes) -> None:
    (TOOLS / "made.txt").touch()
    (TOOLS / "made.txt").unlink()


@pytest.mark.parametrize(
    ("run", "says"),
    [
        (broken, 'KeyError: "a parser\'s own mistake"'),
        (wordless, "an error of 0 lines"),
        (endless, "no end after 0.2 s"),
        (greedy, "MiB for 1 bytes"),
        (busy, "did more than to read: subprocess.Popen"),
        (writing, "did more than to read: open"),
    ],
)
def test_a_promise_that_is_broken_is_noticed(run, says: str) -> None:
    gc.collect()  # or what others leave to be freed meanwhile would hide what this one takes
    if (peak := Path("/proc/self/clear_refs")).exists():
        peak.write_text("5")  # whatever was held before this test
    with pytest.raises(Fault) as fault:
        check(Target(run, lambda: [b""], limit_s=0.1 if run is endless else 2.0), b"x")
    assert says in str(fault.value)


def test_a_value_an_error_of_ours_and_a_file_in_the_scratch_folder_are_no_fault() -> None:
    for run in (nothing, refused, lambda data: scratch("own", data)):
        check(Target(run, lambda: [b""]), b"x")


def test_mutations_of_json_are_json_and_each_differs() -> None:
    seed, draw = json.dumps({"a": [1, 2.5, "x"], "b": {"c": None}}).encode(), random.Random(1)
    found = {mutated(seed, draw) for _ in range(200)}
    assert all(isinstance(json.loads(text), object) for text in found)
    assert len(found) > 100
    assert mutated(b"{", draw) == b""


def test_the_tool_says_what_is_wrong_with_a_call_and_runs_one_input_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def tool(*arguments: str | Path) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["fuzz.py", *map(str, arguments)])
        code = fuzz.main()
        said = capsys.readouterr()
        return code, said.out + said.err

    (tmp_path / "input").write_bytes(b"onset\tduration\n")
    assert tool("events", "--input", tmp_path / "input") == (0, "kept: a value, or an error in one line\n")
    code, said = tool("event")
    assert (code, said.startswith("error: there is no target 'event'; there are pipeline_zip, ")) == (2, True)
    monkeypatch.setitem(sys.modules, "atheris", None)
    wanted = "error: atheris is not installed: pip install '.[fuzz]' (Linux and macOS)\n"
    assert tool("events", "--seconds", "1") == (2, wanted)
