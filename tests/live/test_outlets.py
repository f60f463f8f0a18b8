"""The outlets of engines: names and source ids that no two of them share, and that a restarted engine has again."""

from collections.abc import Iterator

import pylsl
import pytest
from cutting import INFO, make_pipeline

from rtbci.lsl.outlets import Outlets
from rtbci.pipeline.pipeline import Pipeline
from rtbci.pipeline.stream import session_info
from rtbci.types import StreamInfo


@pytest.fixture
def opened() -> Iterator[list[Outlets]]:
    outlets: list[Outlets] = []
    yield outlets
    for one in outlets:
        one.close()


def begin(opened: list[Outlets], pipeline: Pipeline, info: StreamInfo = INFO) -> Outlets:
    outlets = Outlets()
    opened.append(outlets)
    outlets.begin(session_info(pipeline, info))
    return outlets


def names(outlets: Outlets) -> list[str]:
    return [outlet.get_info().name() for outlet in (outlets._probability, outlets._events) if outlet is not None]


def named(name: str) -> Pipeline:
    pipeline = make_pipeline()
    return Pipeline(pipeline.config.model_copy(update={"name": name}), pipeline.network)


def test_two_pipelines_on_one_stream_have_outlets_of_two_names(opened: list[Outlets]) -> None:
    one, other = (begin(opened, named(name)) for name in ("seizure", "spikes"))
    assert names(one) == ["test-seizure-probability", "test-seizure-events"]
    assert names(other) == ["test-spikes-probability", "test-spikes-events"]
    assert one.take_notices() == other.take_notices() == []


def test_a_second_engine_of_one_pipeline_on_one_stream_has_names_and_ids_of_its_own(opened: list[Outlets]) -> None:
    one, other = (begin(opened, named("seizure")) for _ in range(2))
    assert names(other) == ["test-seizure-2-probability", "test-seizure-2-events"]
    assert not set(one.source_ids) & set(other.source_ids)
    assert other.take_notices() == [
        "seizure runs on test already: the outlets of this engine are named test-seizure-2-…"
    ]
    assert other.take_notices() == []


def test_an_engine_that_is_started_again_has_the_ids_of_before(opened: list[Outlets]) -> None:
    one, other = (begin(opened, named("seizure")) for _ in range(2))
    before = one.source_ids, other.source_ids
    one.close()
    assert begin(opened, named("seizure")).source_ids == before[0]
    other.close()
    assert begin(opened, named("seizure")).source_ids == before[1]


def test_a_name_of_any_kind_becomes_a_name_that_can_be_searched_for(opened: list[Outlets]) -> None:
    hostile = StreamInfo(f"a'b\"c\x1b[2J\n{'x' * 10_000}", 200.0, INFO.channels, INFO.units, "EEG", "")
    outlets = begin(opened, named("seizure"), hostile)
    name = names(outlets)[0]
    assert name.startswith(r"a_b_c\x1b[2J xxx") and name.endswith("x-seizure-probability")
    assert len(name) < 240
    (found,) = pylsl.resolve_byprop("source_id", outlets.source_ids[0], 1, 10)
    assert found.name() == name
