"""Texts of strangers are no formulas in a spreadsheet, numbers stay numbers, and what is read back is what was written."""

import tempfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtbci.evaluation.epochs import check_predictions, predictions_table
from rtbci.recordings.event_rows import cell_text
from rtbci.recordings.event_table import read_events, write_events
from rtbci.recordings.spreadsheet import text_cell, text_of
from rtbci.stages.cues import Cue, CueAnswer, table
from rtbci.types import Event

SIGNS = "'=+-@＝＋－＠"


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
        ("+T8", "'+T8"),
        ("-", "'-"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("＝1+1", "'＝1+1"),
        ("-2+3", "'-2+3"),
        ("'=1", "''=1"),
        ("-1", "-1"),
        ("+2.5e-3", "+2.5e-3"),
        ("'-1", "'-1"),
        ("'tis", "'tis"),
        ("spike=", "spike="),
        ("", ""),
    ],
)
def test_a_cell_is_escaped_where_it_would_be_a_formula(text: str, cell: str) -> None:
    assert text_cell(text) == cell
    assert text_of(cell) == text


@given(st.text(st.sampled_from([*SIGNS, "1", "a", ".", "e", " "]), max_size=8))
def test_every_text_comes_back(text: str) -> None:
    assert text_of(text_cell(text)) == text


@given(st.lists(st.text(st.sampled_from([*SIGNS, "1", "a", "\t", "\r", "\n"]), max_size=6), min_size=2, max_size=4))
def test_labels_and_channels_of_any_text_come_back_as_cells_hold_them(names: list[str]) -> None:
    events = (Event(-1.5, 2.0, names[0], 0.5, tuple(names[1:])),)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "e.tsv"
        write_events(path, events, None, 60.0)
        for cell in path.read_text().splitlines()[1].split("\t"):
            assert cell == "-1.5" or cell[0] not in SIGNS[1:] or cell.lstrip("+-").isdigit()
        (found,) = read_events(path)
    assert (found.onset, found.label) == (-1.5, cell_text(names[0]))
    assert found.channels in ((), tuple(map(cell_text, names[1:])))


def test_an_apostrophe_in_the_table_of_another_program_stays(tmp_path: Path) -> None:
    (tmp_path / "e.tsv").write_text("onset\tduration\ttrial_type\n1\t2\t'=x\n")
    assert read_events(tmp_path / "e.tsv")[0].label == "'=x"


def test_cues_and_classes_are_escaped_too(tmp_path: Path) -> None:
    rows = table([CueAnswer(Cue(1.0, "=1+1"), 1.0, (0.25, 0.75), True)], ("left", "@right")).splitlines()
    assert rows == ["onset\tcue\tvalid\tanswer\tleft\t'@right", "1.0000\t'=1+1\ttrue\t'@right\t0.250000\t0.750000"]


def test_predictions_of_such_classes_are_known_again(tmp_path: Path) -> None:
    config = SimpleNamespace(classes=("=left", "right"))
    text = predictions_table(np.array([[0.75, 0.25]], np.float32), config)  # type: ignore[arg-type]
    assert text == "trial\tlabel\t'=left\tright\n1\t'=left\t0.750000\t0.250000\n"
    (tmp_path / "p.tsv").write_text(text)
    check_predictions(tmp_path / "p.tsv")
