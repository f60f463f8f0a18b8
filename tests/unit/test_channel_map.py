"""The option --channels: names in order, a map, or a file of either."""

from pathlib import Path

import pytest

from rtbci.errors import ConfigError
from rtbci.recordings.channel_map import parse_channels


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Fp1,F3,C3", {"channels": ("Fp1", "F3", "C3")}),
        (" Fp1 , - ,C3", {"channels": ("Fp1", "", "C3")}),
        ("Fp1", {"channels": ("Fp1",)}),
        ("A1=Fp1,B2=F3", {"renamed": {"A1": "Fp1", "B2": "F3"}}),
        ("*_2=*", {"renamed": {"*_2": "*"}}),
        ("1 = Fp1 , 2=>F3", {"renamed": {"1": "Fp1", "2": "F3"}}),
    ],
)
def test_names_and_maps_are_given_inline(text: str, told: dict[str, object]) -> None:
    assert parse_channels(text) == told


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("A1\tFp1\nB2\tF3\n", {"renamed": {"A1": "Fp1", "B2": "F3"}}),
        ("# came, wanted\nA1,Fp1\n\nB2 , F3  # left\n", {"renamed": {"A1": "Fp1", "B2": "F3"}}),
        ("A1=Fp1\r\nB2 => F3", {"renamed": {"A1": "Fp1", "B2": "F3"}}),
        ("\ufeffFp1\nF3\n-\n", {"channels": ("Fp1", "F3", "")}),
        ("Fp1,F3,C3", {"channels": ("Fp1", "F3", "C3")}),
    ],
)
def test_a_file_has_a_name_or_a_pair_on_each_line(tmp_path: Path, content: str, told: dict[str, object]) -> None:
    path = tmp_path / "names.txt"
    path.write_text(content, "utf-8")
    assert parse_channels(str(path)) == told


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("A1\tFp1\nB2\n", "'B2' is no pair of names"),
        ("A1\tFp1\nA1\tF3\n", "'A1' is renamed twice"),
        ("A1\tFp1\nB2\tFp1\n", "'Fp1' is given to 2 channels"),
        ("Fp1\nFp1\n", "'Fp1' is given to 2 channels"),
        ("", "names no channel"),
        ("x" * 300 + "\nF3", "of more than 200 characters"),
        ("F3\n" * 400_000, "is larger than 1000 kB"),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused_in_words(tmp_path: Path, content: str, says: str) -> None:
    path = tmp_path / "names.txt"
    path.write_text(content)
    with pytest.raises(ConfigError, match=says):
        parse_channels(str(path))


def test_a_file_that_is_not_there_is_no_name() -> None:
    with pytest.raises(ConfigError, match="there is no such file"):
        parse_channels("maps/biosemi.tsv")
