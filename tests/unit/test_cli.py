"""The commands as a user types them: one clear line and exit code 2 for a mistake, never a traceback."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from commands import mistake, rtbci_command
from cutting import make_pipeline

import rtbci
import rtbci.cli
from rtbci.bundled import PIPELINE, RECORDING

Wait = Callable[..., None]


@pytest.fixture
def pipeline(tmp_path: Path) -> Path:
    make_pipeline().save(tmp_path / "small.rtbci")
    return tmp_path / "small.rtbci"


HEAVY = {"torch", "mne", "PyQt6", "pyqtgraph", "scipy", "sklearn"}


def test_importing_rtbci_loads_neither_torch_nor_qt_nor_mne() -> None:
    assert not HEAVY & modules_after("import rtbci, rtbci.cli")


def test_live_scores_and_a_training_config_need_no_scikit_learn() -> None:
    demo = f"rtbci.tag(rtbci.Pipeline.load({str(PIPELINE)!r}), rtbci.open_recording({str(RECORDING)!r}))"
    loaded = modules_after(f"import rtbci, rtbci.engine.engine, rtbci.training.config; {demo}")
    assert "torch" in loaded
    assert "sklearn" not in loaded


def modules_after(code: str) -> set[str]:
    """The packages that a fresh interpreter has loaded after it."""
    show = "import sys; print(*{name.partition('.')[0] for name in sys.modules})"
    command = [sys.executable, "-c", f"{code}; {show}"]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


def test_the_public_names_are_shown_and_each_is_found() -> None:
    names = set(dir(rtbci))
    assert {"Chunk", "Pipeline", "open_recording", "tag", "models", "__version__"} <= names
    assert names == set(rtbci.__all__)
    assert all(getattr(rtbci, name) is not None for name in names)
    assert rtbci.models.build("conv_lstm", n_channels=2).n_classes == 1
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = rtbci.no_such_name


def test_nothing_outside_the_dashboard_imports_qt() -> None:
    package = Path(rtbci.__file__).parent
    offenders = [
        path.name
        for path in package.rglob("*.py")
        if "dashboard" not in path.parts
        and any(word in path.read_text() for word in ("import PyQt6", "from PyQt6", "pyqtgraph as"))
    ]
    assert offenders == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run", "absent.rtbci", "--stream", "name=x"], "absent.rtbci: no such file"),
        (["run", "demo"], "Missing option '--stream'"),
        (["runn"], "No such command 'runn'"),
        (["tag", "demo", "nowhere.edf", "--out", "."], "nowhere.edf: there is no such file"),
        (["inspect", "nowhere.edf"], "nowhere.edf: there is no such file"),
        (["replay", "nowhere.edf"], "nowhere.edf: there is no such file"),
        (["replay", str(RECORDING), "--gap", "ten"], "--gap wants AT:LEN"),
        (["replay", str(RECORDING), "--drop", "2"], "'--drop'"),
        (["train", "absent.toml", "--out", "x.rtbci"], "absent.toml: no such file"),
        (["record", "--stream", "Amp", "--stream", "name=Amp", "--out", "."], "two --stream are the same"),
        (["streams", "--wait", "soon"], "unable to parse string as a number"),
    ],
)
def test_a_mistake_is_one_clear_line(arguments: list[str], says: str) -> None:
    assert says in mistake(*arguments)


@pytest.mark.parametrize("small_disk", ["100m"], indirect=True)
def test_what_cannot_be_written_at_the_start_is_a_mistake(small_disk: Path) -> None:
    run = ["run", PIPELINE, "--stream", "name=nobody", "--headless", "--wait", "1"]
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    for option, path in (("--events", small_disk / "e.tsv"), ("--log", small_disk / "log")):
        assert f"{option} {path}: may not be written, or its disk is read-only" in mistake(*run, option, path)
        assert f"{option}: there is no folder {small_disk / 'no'}" in mistake(*run, option, small_disk / "no" / "file")
    for command in ([*run, "--record"], ["record", "--stream", "name=nobody", "--wait", "1", "--out"]):
        assert f"{small_disk}: may not be written, or its disk is read-only" in mistake(*command, small_disk)
        assert f"{PIPELINE}: is no folder; name one" in mistake(*command, PIPELINE)


def test_ctrl_c_while_a_command_is_still_imported_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    class Imported(ModuleType):
        def __getattr__(self, name: str) -> Any:
            raise KeyboardInterrupt

    monkeypatch.setitem(sys.modules, "rtbci.cli.app", Imported("rtbci.cli.app"))
    with pytest.raises(SystemExit, match="130"):
        rtbci.cli.main()


def test_a_pipeline_that_does_not_fit_the_recording_is_one_clear_line(pipeline: Path, tmp_path: Path) -> None:
    motor = tmp_path / "motor.edf"
    import edfio

    edfio.Edf([edfio.EdfSignal(np.zeros(512), 256, label="C3")]).write(motor)
    assert "lacks 4 of the 4 channels" in mistake("tag", pipeline, motor, "--out", tmp_path)


def test_an_event_table_must_be_a_file_of_its_own(pipeline: Path, tmp_path: Path) -> None:
    run = ["run", pipeline, "--stream", "name=nobody", "--headless"]
    assert "is a folder or a device; wanted a file" in mistake(*run, "--events", tmp_path)
    assert "both name" in mistake(*run, "--events", tmp_path / "a", "--log", tmp_path / "a")
    (tmp_path / "night.tsv").write_text("onset\tduration\n")
    assert "night.tsv: is no log of rtbci" in mistake(*run, "--log", tmp_path / "night.tsv")


def test_tag_writes_the_table_and_the_scores(pipeline: Path, tmp_path: Path) -> None:
    done = rtbci_command("tag", pipeline, RECORDING, "--out", tmp_path / "out", "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert {"machine", "versions", "commit", "warnings"} <= set(said)
    scores = np.load(tmp_path / "out" / "chb01_03_demo_scores.npz", allow_pickle=False)
    assert set(scores.files) == {"times", "probabilities", "valid", "classes"}
    wanted = rtbci.tag(rtbci.Pipeline.load(pipeline), rtbci.open_recording(RECORDING))
    np.testing.assert_array_equal(scores["probabilities"], wanted.scores.data)
    np.testing.assert_array_equal(scores["times"], wanted.scores.times)
    table = (tmp_path / "out" / "chb01_03_demo_events.tsv").read_text().splitlines()
    assert table[0] == "onset\tduration\teventType\tconfidence\tchannels\tdateTime\trecordingDuration"
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "chb01_03_demo_events.tsv",
        "chb01_03_demo_scores.npz",
    ]


def test_evaluate_prints_the_agreed_keys(pipeline: Path) -> None:
    said = json.loads(rtbci_command("evaluate", pipeline, RECORDING, "--json").stdout)
    for by in ("event", "sample"):
        assert {"sensitivity", "precision", "f1", "false_alarms_per_24h"} <= set(said[by])
    assert set(said["detection_delay_s"]) == {"p50", "p90"}
    assert said["scorer"]["name"] == "timescoring"
    assert {"machine", "versions", "commit", "warnings"} <= set(said)


def test_evaluate_without_any_annotation_says_so(pipeline: Path, tmp_path: Path) -> None:
    import edfio

    plain = tmp_path / "plain.edf"
    edfio.Edf([edfio.EdfSignal(np.zeros(512), 256, label="C3")]).write(plain)
    assert "none of the 1 recordings has an annotation" in mistake("evaluate", pipeline, plain)


def test_inspect_says_what_a_pipeline_and_a_recording_are(pipeline: Path) -> None:
    said = json.loads(rtbci_command("inspect", pipeline, "--sfreq", "256", "--json").stdout)
    assert said["group_delay_ms"]["resampler"] == pytest.approx(78.12)
    assert said["channels"] == ["Fp1-F7", "F7-T7", "T7-P7", "P7-O1"]
    said = json.loads(rtbci_command("inspect", RECORDING, "--json").stdout)
    assert (said["sfreq"], said["n_samples"], said["annotations"]["seizure"]) == (256.0, 20992, 1)
    assert said["warnings"] == []


def test_what_is_odd_about_a_recording_is_in_the_json(tmp_path: Path) -> None:
    import edfio

    odd = tmp_path / "odd.edf"
    signals = [
        edfio.EdfSignal(np.zeros(2 * rate), rate, label=label, physical_dimension="uV")
        for rate, label in ((256, "C3"), (64, "Temp"))
    ]
    edfio.Edf(signals).write(odd)
    said = json.loads(rtbci_command("inspect", odd, "--json").stdout)
    assert said["warnings"] == ["left out, for their other sampling rate: Temp (64 Hz); read at 256 Hz"]
