from pathlib import Path
from typing import Any

import pytest
from cutting import make_pipeline

from rtbci.config import override, parse, read_toml
from rtbci.errors import ConfigError
from rtbci.pipeline.config import PipelineConfig


def values() -> dict[str, Any]:
    return make_pipeline().config.model_dump(mode="json")


def refuse(change: dict[str, Any]) -> str:
    with pytest.raises(ConfigError) as error:
        parse(PipelineConfig, {**values(), **change}, "my.toml")
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_config_survives_json() -> None:
    config = make_pipeline().config
    assert parse(PipelineConfig, values(), "x") == config


def test_a_misspelt_key_names_the_nearest_right_one() -> None:
    assert refuse({"sfrq": 1}) == "my.toml: unknown key 'sfrq'; did you mean 'sfreq'?"
    assert "unknown key 'filters.low_hertz'" in refuse({"filters": {"low_hertz": 1}})


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"sfreq": -1}, "sfreq: input should be greater than"),
        ({"sfreq": "fast"}, "sfreq: input should be a valid number, got 'fast'"),
        ({"sfreq": float("nan")}, "finite"),
        ({"filters": {"high_hz": 90.0}}, "filters.high_hz = 90 Hz is not below half of sfreq = 128 Hz"),
        ({"filters": {"low_hz": 30.0, "high_hz": 10.0}}, "is not below filters.high_hz"),
        ({"montage": {"channels": []}}, "montage.channels"),
        ({"decision": {"threshold": 0.3, "release": 0.5}}, "release 0.5 is above threshold 0.3"),
        ({"decision": {"labels": ["seizur"]}}, "did you mean 'seizure'?"),
        ({"selection": {"channels": ["Fp1-F8"]}}, "did you mean 'Fp1-F7'?"),
        ({"model": {"kind": "transformer"}}, "model"),
    ],
)
def test_a_wrong_value_is_refused_in_one_line_that_says_why(change: dict[str, Any], says: str) -> None:
    assert says in refuse(change)


def test_a_missing_key_is_named() -> None:
    some = values()
    del some["montage"]
    with pytest.raises(ConfigError, match=r"my\.toml: montage is missing"):
        parse(PipelineConfig, some, "my.toml")


def test_a_setting_overrides_a_nested_value() -> None:
    assert override({"a": {"b": 1}}, ["a.b=2", "a.c=[1, 2]", "d=word"]) == {"a": {"b": 2, "c": [1, 2]}, "d": "word"}
    with pytest.raises(ConfigError, match="wants key=value"):
        override({}, ["a"])


def test_a_setting_reaches_a_table_of_a_list_by_its_number() -> None:
    values = {"data": {"dataset": [{"name": "siena"}, {"name": "tusz"}]}}
    changed = override(values, ["data.dataset.1.part='test'"])
    assert changed["data"]["dataset"] == [{"name": "siena"}, {"name": "tusz", "part": "test"}]
    for setting, says in (
        ("data.dataset.2.part=1", "'2' is none of the tables 0 to 1"),
        ("data.dataset.part='test'", "as data.dataset.0.KEY"),
        ("data.dataset.0.name.x=1", "'name' is not a table"),
    ):
        with pytest.raises(ConfigError, match=says):
            override(values, [setting])


def test_a_toml_file_that_is_broken_or_absent_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "seizure.toml").write_text("a = \n")
    with pytest.raises(ConfigError, match=r"seizure\.toml: .*line 1"):
        read_toml(tmp_path / "seizure.toml")
    with pytest.raises(ConfigError, match=r"no such file; did you mean 'seizure\.toml'"):
        read_toml(tmp_path / "seizures.toml")
