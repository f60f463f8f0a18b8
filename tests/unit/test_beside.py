"""What lies beside a recording or in it besides its samples never makes it unreadable, and nothing of it is lost unsaid."""

from __future__ import annotations

from pathlib import Path

import edfio
import numpy as np
import pytest

from rtbci.recordings.labelling import labels_of
from rtbci.recordings.open import open_recording
from rtbci.types import Event

HEAD = "onset\tduration\teventType\n"


def edf(path: Path, *annotations: tuple[float, float | None, str], seconds: int = 30) -> Path:
    """An EDF+ file with one channel, and its annotations as they are."""
    noise = np.random.default_rng(1).normal(0, 30, 128 * seconds)
    signals = [edfio.EdfSignal(noise, 128, label="Fp1", physical_dimension="uV", physical_range=(-500, 500))]
    edfio.Edf(signals, annotations=[edfio.EdfAnnotation(*a) for a in annotations]).write(path)
    return path


def test_annotations_outside_the_recording_are_counted_and_told(tmp_path: Path) -> None:
    path = edf(tmp_path / "piece.edf", (5, 2, "sz"), (40, 5, "sz"), (100, 5, "sz"), (28, 20, "sz"))
    recording = open_recording(path)
    labels = labels_of(recording, {"sz": "seizure"}.get)
    assert labels.events == (Event(5.0, 2.0, "seizure"), Event(28.0, 2.0, "seizure"))
    assert labels.counts.outside == 2
    outside, cut = recording.warnings
    assert outside.startswith("2 annotations ")
    assert cut.startswith("1 annotation")


def test_events_of_a_table_outside_the_recording_are_told(tmp_path: Path) -> None:
    path = edf(tmp_path / "a.edf")
    (tmp_path / "a_events.tsv").write_text(f"{HEAD}5\t2\tsz\n30\t5\tsz\n-9\t9\tsz\n28\t20\tsz\n")
    assert open_recording(path).warnings == (
        "2 annotations before the start or after the end of the recording, and not used (0 … 30 s)",
        "1 annotation reaching beyond the recording, and used as far as it goes (0 … 30 s)",
    )


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "is empty"),
        (HEAD.encode() + b"42,0\t40,0\tsz\n", "line 2: onset is '42,0'; wanted a number of seconds, with a point"),
        (b"start\tlabel\n1\tsz\n", "line 1 lacks the column duration"),
        (b"PK\3\4\0\0", "is not UTF-8|line 1 lacks"),
    ],
)
def test_a_table_that_cannot_be_read_is_a_warning_and_no_table(tmp_path: Path, content: bytes, why: str) -> None:
    path = edf(tmp_path / "a.edf", (1, 2, "left"))
    (tmp_path / "a_events.tsv").write_bytes(content)
    recording = open_recording(path)
    assert recording.annotations == (Event(1.0, 2.0, "left"),)
    assert recording.table is None
    (warning,) = recording.warnings
    assert warning.startswith("the event table beside it was not read: ")
    assert any(part in warning for part in why.split("|"))


def test_no_table_is_not_a_table_without_events(tmp_path: Path) -> None:
    recording = open_recording(edf(tmp_path / "a.edf"))
    assert (recording.table, recording.is_annotated) == (None, False)
    (tmp_path / "a_events.tsv").write_text(f"{HEAD}0\t30\tbckg\n")
    recording = open_recording(tmp_path / "a.edf")
    assert recording.annotations == ()
    assert (recording.table, recording.is_annotated) == (tmp_path / "a_events.tsv", True)


def test_tables_of_tusz_beside_a_recording_are_read(tmp_path: Path) -> None:
    path = edf(tmp_path / "a_s001_t000.edf")
    head = "# version = csv_v1.0.0\n#\nchannel,start_time,stop_time,label,confidence\n"
    (tmp_path / "a_s001_t000.csv").write_text(f"{head}FP1-F7,2.0,9.0,fnsz,1.0\n")
    assert open_recording(path).annotations == (Event(2.0, 7.0, "fnsz", 1.0, ("FP1-F7",)),)
    (tmp_path / "a_s001_t000.csv_bi").write_text(f"{head}TERM,2.0,9.5,seiz,1.0\n")
    recording = open_recording(path)
    assert recording.annotations == (Event(2.0, 7.5, "seiz"),)
    assert recording.warnings == (
        "a_s001_t000.csv_bi was read, and not the .csv of the same name, which has types and channels",
    )


def test_seizures_beside_a_recording_of_chb_mit_are_read(tmp_path: Path) -> None:
    path = edf(tmp_path / "chb01_03.edf")
    words = [(32 << 10) | 512, (33 << 10) | 768, 0]  # an onset at 512 samples of 256 Hz, an end 768 later
    (tmp_path / "chb01_03.edf.seizures").write_bytes(b"".join(word.to_bytes(2, "little") for word in words))
    assert open_recording(path).annotations == (Event(2.0, 3.0, "seizure"),)
    (tmp_path / "chb01_03.edf.seizures").write_bytes(words[0].to_bytes(2, "little"))
    recording = open_recording(path)
    assert (recording.annotations, recording.table) == ((), None)
    assert "is not a complete annotation file" in recording.warnings[0]
