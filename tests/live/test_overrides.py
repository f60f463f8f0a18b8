"""What a person says of a stream: live, in its recording, and in `tag` on that recording, to the last bit."""

import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing.synchronize import Event
from pathlib import Path

import numpy as np
import pylsl
import pytest
import pyxdf
from commands import mistake
from cutting import SFREQ, eeg, make_pipeline

from rtbci.bundled import PIPELINE
from rtbci.lsl.discovery import find_stream

NAMES = ("Fp1", "F7", "T7", "P7", "O1")
Fields = tuple[tuple[str, str], ...]


def amplifier(name: str, form: str, per_uv: float, channels: tuple[Fields, ...], n_values: int, over: Event) -> None:
    """Sends something like EEG in the format and the unit of a stream, described as it is told, until it is over."""
    info = pylsl.StreamInfo(name, "EEG", n_values, SFREQ, form, name)
    described = info.desc().append_child("channels")
    for fields in channels:
        channel = described.append_child("channel")
        for key, value in fields:
            channel.append_child_value(key, value)
    rows = eeg(20_000, n_values).data.astype(np.float64) * per_uv
    rows = (
        np.round(rows).astype(np.int16) if form == "int16" else rows.astype({"float32": "f4", "double64": "f8"}[form])
    )
    outlet, began, n = pylsl.StreamOutlet(info), pylsl.local_clock(), 0
    while not over.wait(0.005):
        while began + (n + 10) / SFREQ < pylsl.local_clock():
            outlet.push_chunk(rows[n : n + 10], [began + (n + k) / SFREQ for k in range(10)])
            n += 10


@contextmanager
def sending(form: str, per_uv: float, channels: tuple[Fields, ...], n_values: int = 5) -> Iterator[str]:
    """The name of a stream that is being sent."""
    name = f"told-{os.getpid()}-{time.monotonic_ns()}"
    context = multiprocessing.get_context("spawn")
    over = context.Event()
    process = context.Process(target=amplifier, args=(name, form, per_uv, channels, n_values, over), daemon=True)
    process.start()
    try:
        assert find_stream({"name": name}, 20.0)
        yield name
    finally:
        over.set()
        process.join(10)
        process.kill()


def labelled(*labels: str, **fields: str) -> tuple[Fields, ...]:
    return tuple((("label", label), *fields.items()) for label in labels)


HEADS = labelled(*(f"{name}_{k}" for k in (1, 2) for name in NAMES), unit="V")
TOLD = {
    "names in order": ("float32", 1.0, labelled("Trigger", *NAMES), 5, ["--channels", ",".join(NAMES)]),
    "a pattern, and a unit that wins": ("double64", 1e-3, HEADS, 10, ["--channels", "*_2=*", "--unit", "mV"]),
    "numbers, a gain and a reference": (
        *("int16", 7.0, (), 4),
        ["--channels", "1=Fp1,2=F7,3=P7,4=O1", "--gain", "0.1428", "--reference", "T3"],
    ),
    "nothing": ("int16", 8.0, labelled(*NAMES, unit="microvolts", scaling_factor="0.125"), 5, []),
}


@pytest.fixture(scope="module")
def tagged(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Path]]:
    """The recording of a live run of each kind, all at once, and what one `tag` on all of them made of it."""
    folder = tmp_path_factory.mktemp("told")
    make_pipeline().save(folder / "small.rtbci")
    command, live = [sys.executable, "-m", "rtbci.cli.app"], [str(folder / "small.rtbci"), "--json", "--seconds", "4"]
    with ExitStack() as stack:
        runs = {}
        for kind, (form, per_uv, channels, n_values, options) in TOLD.items():
            name = stack.enter_context(sending(form, per_uv, channels, n_values))
            (folder / "recordings" / kind).mkdir(parents=True)
            told = ["--stream", f"name={name}", "--record", str(folder / "recordings" / kind), *options]
            runs[kind] = subprocess.Popen(
                [*command, "run", *live, *told], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
            )
        for run in runs.values():
            _, said = run.communicate(timeout=120)
            assert run.returncode == 0, said
    recordings = {kind: next((folder / "recordings" / kind).glob("*.xdf")) for kind in TOLD}
    for xdf in recordings.values():
        _wait_until_closed(xdf)
    done = subprocess.run(
        [*command, "tag", str(folder / "small.rtbci"), str(folder / "recordings"), "--out", str(folder / "tagged")],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return {kind: (xdf, folder / "tagged" / kind / f"{xdf.stem}_scores.npz") for kind, xdf in recordings.items()}


@pytest.mark.parametrize("kind", TOLD)
def test_what_is_told_live_holds_for_the_recording_which_gives_the_live_answers_to_the_bit(
    tagged: dict[str, tuple[Path, Path]], kind: str
) -> None:
    xdf, scores = tagged[kind]
    streams, _ = pyxdf.load_xdf(xdf, dejitter_timestamps=False)
    (answers,) = [s["time_series"] for s in streams if s["info"]["type"] == ["Probability"]]
    assert len(answers) > 50
    np.testing.assert_array_equal(np.load(scores)["probabilities"], answers)


def _wait_until_closed(xdf: Path) -> None:
    """Until the recorder has closed its file: nothing is added for a second."""
    deadline, size, since = time.monotonic() + 30, -1, time.monotonic()
    while time.monotonic() < deadline and time.monotonic() - since < 1.0:
        if xdf.stat().st_size != size:
            size, since = xdf.stat().st_size, time.monotonic()
        time.sleep(0.05)


REFUSED = {
    "more described than sent": (labelled("Trigger", *NAMES), "give the 5 names in their order with --channels"),
    "counts": (labelled(*NAMES, unit="counts"), "unknown unit 'counts'; wanted V, mV, µV or nV: say it with --unit"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_a_refusal_names_the_option_that_helps(tmp_path: Path, kind: str) -> None:
    channels, says = REFUSED[kind]
    make_pipeline().save(tmp_path / "small.rtbci")
    with sending("int16", 1.0, channels) as name:
        said = mistake("run", tmp_path / "small.rtbci", "--stream", f"name={name}", "--headless", "--wait", "20")
    assert says in said


@pytest.mark.parametrize(
    ("option", "says"),
    [
        (["--unit", "counts"], "--unit 'counts' is not known; wanted V, mV, uV or nV"),
        (["--gain", "0"], "gain: input should be greater than 0"),
        (["--sfreq", "-5"], "sfreq: input should be greater than 0"),
        (["--reference", "nose"], "--reference 'nose' is no electrode"),
        (["--channels", "Fp1,F3,Fp1"], "--channels: 'Fp1' is given to 2 channels"),
        (["--channels", "there/is/none.tsv"], "there is no such file"),
    ],
)
def test_an_option_that_cannot_be_meant_is_refused_before_anything_starts(option: list[str], says: str) -> None:
    assert says in mistake("run", PIPELINE, "--stream", "name=nobody", "--headless", "--wait", "1", *option)
