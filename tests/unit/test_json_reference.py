"""The page of the keys is that of the models, and what was promised is in it."""

import sys
from pathlib import Path
from typing import get_args

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))

from json_reference import COMMANDS, keys, reference

from rtbci.monitor.messages import EngineState, KnownLine
from rtbci.results import Provenance

PAGE = Path(__file__).parents[2] / "docs" / "json.md"

# Stable: programs of others read them.
PROMISED = {
    "demo": "seizures_annotated seizures_detected detection_delay_s false_alarms samples_expected samples_received "
    "samples_filled latency_ms.p50 latency_ms.p99 latency_ms.max real_data recording pipeline",
    "bench latency": "transport_ms.p50 transport_ms.p99 end_to_end_ms.p50 end_to_end_ms.p99",
    "bench tag": "times_real_time read_and_filter_times_real_time peak_rss_mb",
    "bench gui": "frame_ms.p50 frame_ms.p95 set_data_ms.p50 set_data_ms.p95 channels sfreq page_s",
    "bench step": "rows[].backend rows[].samples rows[].us_p50",
    "evaluate": "event.sensitivity event.precision event.f1 event.false_alarms_per_24h sample.sensitivity sample.precision "
    "sample.f1 sample.false_alarms_per_24h detection_delay_s.p50 detection_delay_s.p90 scorer.name scorer.version "
    "scorer.parameters",
    "crossval": "event.sensitivity sample.sensitivity detection_delay_s.p50 scorer.name rows[].fold rows[].recording "
    "rows[].event.sensitivity rows[].event.false_alarms_per_24h rows[].detection_delay_s.p50 chosen_on",
}


def test_the_page_is_what_the_models_give() -> None:
    assert PAGE.read_text("utf-8") == reference(), "run: python tools/json_reference.py > docs/json.md"


@pytest.mark.parametrize("command", PROMISED)
def test_promised_keys_are_there(command: str) -> None:
    assert set(PROMISED[command].split()) <= set(keys(COMMANDS[command]))


def test_every_answer_ends_with_where_it_was_made() -> None:
    assert keys(Provenance) == ["machine", "versions", "commit", "warnings"]


def test_every_key_has_a_meaning() -> None:
    assert not [row for row in reference().splitlines() if row.startswith("| `") and row.endswith("|  |")]


def test_no_result_has_a_key_of_the_provenance_but_its_own_warnings() -> None:
    for name, model in COMMANDS.items():
        shared = set(model.model_fields) & set(Provenance.model_fields)
        assert shared <= ({"warnings"} if name == "inspect RECORDING" else set())


def test_each_kind_of_line_has_its_own_name() -> None:
    kinds = [get_args(line.model_fields["kind"].annotation)[0] for line in get_args(get_args(KnownLine)[0])]
    assert len(set(kinds)) == len(kinds)
    assert "state" not in kinds  # the journal's own
    assert "engine_silent_s" in keys(EngineState)
