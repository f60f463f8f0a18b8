"""What computed an answer stands beside it, so that answers of other machines are told apart."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from cutting import PAIRS, eeg, make_pipeline
from xdf_kit import XdfStream, write_xdf

import rtbci
from rtbci.evaluation.batch import Batch
from rtbci.evaluation.outputs import Outputs
from rtbci.provenance import kernels

CHOSEN = {"OPENBLAS_CORETYPE": "Nehalem", "ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41"}


def test_the_kernels_name_processor_and_libraries() -> None:
    words = kernels()
    for library in ("numpy", "scipy", "torch"):
        assert f"; {library} {sys.modules[library].__version__}" in words
    assert "\n" not in words


def named(**chosen: str) -> str:
    """The kernels in a process of its own."""
    command = [sys.executable, "-c", "from rtbci.provenance import kernels; print(kernels())"]
    environment = {key: value for key, value in os.environ.items() if key not in CHOSEN}
    return subprocess.run(command, capture_output=True, text=True, check=True, env=environment | chosen).stdout


def test_other_kernels_have_another_name() -> None:
    names = [named(), *(named(**{name: value}) for name, value in CHOSEN.items())]
    assert len(set(names)) == len(names)


def recorded_live(folder: Path, *computed_with: str) -> Path:
    """A recording with the begin marks of engines, by what computed them."""
    return recorded(folder, *({"state": "begin", "stamp": 0.0, "kernels": one} for one in computed_with))


def recorded(folder: Path, *about: dict[str, object]) -> Path:
    """A recording with marks of engines."""
    whole = eeg(2000)
    channels = "".join(f"<channel><label>{name}</label><unit>uV</unit></channel>" for name in (*PAIRS, "Fz-Cz"))
    signal = XdfStream("amp", "EEG", whole.data, whole.times, sfreq=200.0, source_id="amp1",
                       description=f"<channels>{channels}</channels>")  # fmt: skip
    ours = "<manufacturer>rtbci</manufacturer><input>amp</input><input_source_id>amp1</input_source_id>"
    begun = [[json.dumps(one)] for one in about]
    marks = XdfStream("amp-events", "Markers", begun, np.zeros(len(begun)), "string", description=ours)
    return write_xdf(folder / "a.xdf", signal, marks)


def answer_to(recording: Path, folder: Path) -> tuple[str, ...]:
    """The warnings of `rtbci tag`."""
    make_pipeline().save(folder / "small.rtbci")
    return Batch(folder / "small.rtbci").answer(recording, Outputs.of(recording, folder / "out")).warnings


@pytest.mark.parametrize(
    ("computed_with", "told"),
    [
        ((kernels(),), None),
        ((), None),
        (("abacus 1.0",), f"were computed with abacus 1.0; here with {kernels()}: their last bits may differ"),
        ((kernels(), "a\nb"), f"{kernels()} and with a b; here with {kernels()}"),
    ],
)
def test_live_answers_of_another_machine_are_told(
    computed_with: tuple[str, ...], told: str | None, tmp_path: Path
) -> None:
    recording = recorded_live(tmp_path, *computed_with)
    assert rtbci.open_recording(recording).kernels == computed_with
    found = [line for line in answer_to(recording, tmp_path) if "computed with" in line]
    assert len(found) == (told is not None)
    assert told is None or told in found[0]


def test_the_scores_say_what_computed_them(tmp_path: Path) -> None:
    answer_to(recorded_live(tmp_path), tmp_path)
    with zipfile.ZipFile(tmp_path / "out" / "a_scores.npz") as archive:
        assert json.loads(archive.comment)["made_from"]["kernels"] == kernels()


@pytest.mark.parametrize(
    ("marks", "thresholds", "told"),
    [
        ([("begin", 0.5)], (0.5,), None),
        ([], (), None),
        ([("begin", 0.25)], (0.25,), "the threshold 0.25, here with 0.5; --threshold 0.25 decides as then"),
        (
            [("begin", 0.5), ("threshold", 0.75)],
            (0.5, 0.75),
            "the threshold was changed (0.5, 0.75), and here it is 0.5",
        ),
        ([("begin", 7.0), ("threshold", "high")], (), None),
    ],
)
def test_live_events_of_another_threshold_are_told(
    marks: list[tuple[str, object]], thresholds: tuple[float, ...], told: str | None, tmp_path: Path
) -> None:
    recording = recorded(tmp_path, *({"state": state, "stamp": 0.0, "threshold": value} for state, value in marks))
    assert rtbci.open_recording(recording).thresholds == thresholds
    found = [line for line in answer_to(recording, tmp_path) if "threshold" in line]
    assert len(found) == (told is not None)
    assert told is None or told in found[0]
