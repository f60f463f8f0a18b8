"""The reference of a config's keys: every key means something, and every key of a shipped config is in it."""

import json
import sys
import tomllib
from pathlib import Path

import pytest
from commands import mistake, rtbci_command

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))

from config_reference import page

from rtbci.errors import ConfigError
from rtbci.models.config import CONFIGS
from rtbci.training.config import TrainingConfig
from rtbci.training.config_keys import all_keys, attributes_of, matching, sections

ROOT = Path(__file__).parents[2]


def test_the_page_is_what_the_models_give() -> None:
    assert (ROOT / "docs" / "config.md").read_text("utf-8") == page(), (
        "run: python tools/config_reference.py > docs/config.md"
    )


@pytest.mark.parametrize("key", all_keys(), ids=lambda key: f"{key.key} {key.kind}")
def test_every_key_means_something(key) -> None:
    assert key.meaning.endswith((".", ")")), (
        f"{key.key} ({key.kind}) has no line in the section Attributes of its model"
    )
    assert key.type


def test_a_key_has_its_type_bounds_unit_and_default() -> None:
    (key,) = matching("pipeline.decision.threshold")
    assert (key.type, key.bounds, key.unit, key.default) == ("number", "from 0 to 1", "", "0.5")
    (key,) = matching("data.recordings.files")
    assert (key.key, key.type, key.default) == ("data.recordings[].files", "list (text)", "required")
    (key,) = matching("training.optimizer")
    assert (key.type, key.default) == ('"adam" or "nadam" or "radam"', '"adam"')
    (key,) = matching("gaps.max_fill_s")
    assert (key.unit, key.bounds) == ("s", "from 0 to 10")
    assert attributes_of(TrainingConfig)["lr"] == "Learning rate."


def test_each_network_has_its_own_sizes() -> None:
    kinds = {section.kind for section, _ in sections() if section.key == "pipeline.model"}
    assert kinds == {*CONFIGS, "plugin"}
    assert {key.key for key in matching("shared_conv_lstm")} >= {"pipeline.model.knee", "pipeline.model.units"}
    assert [key.kind for key in matching("pipeline.model.knee")] == ["shared_conv_lstm"]


def test_a_word_means_the_key_the_table_or_what_ends_in_it() -> None:
    assert {key.key for key in matching("training")} >= {"training.lr", "training.seed"}
    assert {key.key for key in matching("seed")} == {"data.synthetic.seed", "training.seed", "crossval.seed"}
    with pytest.raises(ConfigError, match="no key of a config is 'treshold'; did you mean 'threshold'"):
        matching("treshold")


def places(table: dict, place: str = "") -> list[str]:
    found = []
    for name, value in table.items():
        key = f"{place}.{name}" if place else name
        if isinstance(value, dict) and name not in ("labels", "shares"):
            found += places(value, key)
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            found += [one for part in value for one in places(part, key)]
        else:
            found.append(key)
    return found


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("*.toml")), ids=lambda path: path.stem)
def test_every_key_of_a_shipped_config_is_in_the_reference(path: Path) -> None:
    known = {key.key.replace("[]", "") for key in all_keys()}
    for place in places(tomllib.loads(path.read_text())):
        if not place.startswith("pipeline.model.network."):  # that of a selector, whose keys stand under pipeline.model
            assert place in known


def test_the_command_explains_tables_keys_and_mistakes() -> None:
    assert "pipeline.decision" in rtbci_command("config").stdout
    shown = rtbci_command("config", "training.lr").stdout
    assert "number, above 0, default: 0.001" in shown
    assert "Learning rate." in shown
    keys = json.loads(rtbci_command("config", "--json").stdout)["keys"]
    assert len(keys) == len(all_keys())
    assert "did you mean 'threshold'" in mistake("config", "treshold")
