"""Broken and hostile input to each parser of ours: an error of ours with a line to read, or a sane answer; nothing else."""

import string
import tomllib
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pylsl
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from rtbci.config import parse
from rtbci.errors import ConfigError, RecordingError, RtbciError, StreamMismatch, StreamNotFound
from rtbci.lsl.discovery import MAX_CHANNELS, parse_query, predicate, read_description
from rtbci.lsl.inlet import Inlet
from rtbci.pipeline.config import PipelineConfig
from rtbci.recordings.event_table import read_events
from rtbci.recordings.open import open_recording
from rtbci.recordings.stream_reader import believed
from rtbci.replay.faults import Faults
from rtbci.types import StreamInfo

few = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
many = settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))

leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
trees = st.recursive(leaves, lambda c: st.lists(c, max_size=4) | st.dictionaries(st.text(max_size=10), c, max_size=4))
keys = st.sampled_from([*PipelineConfig.model_fields, "jitter_ms", "drop", "gaps", "chunk_range"]) | st.text(max_size=8)


@many
@given(st.dictionaries(keys, trees, max_size=8))
@example({"sfreq": float("nan")})
@example({"gaps": [[0, float("inf")]]})
def test_a_config_of_anything_is_parsed_or_refused_in_words(content: dict[str, Any]) -> None:
    for kind in (PipelineConfig, Faults):
        try:
            parsed = parse(kind, content, "x.toml")
        except (ConfigError, ValidationError) as error:
            assert str(error)
        else:
            assert isinstance(parsed, kind)


@many
@given(st.text(max_size=300))
def test_toml_that_is_none_is_told_from_toml_that_is(text: str) -> None:
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    with pytest.raises((ConfigError, ValidationError)):
        parse(PipelineConfig, content, "x.toml")


cells = st.sampled_from(["onset", "duration", "eventType", "confidence", "n/a", "nan", "inf", "1e999", "-1", "3.5", ""])
rows = st.lists(cells | st.text(max_size=8), max_size=8).map("\t".join)


@many
@given(
    st.binary(max_size=400) | st.lists(rows, max_size=8).map(lambda lines: "\n".join(lines).encode("utf-8", "replace"))
)
@example(b"onset\tduration\teventType\n" + b"9" * 5000 + b"\t1\tsz\n")
@example(b"\xff\xfe\x00")
def test_an_event_table_of_anything_is_read_or_refused_in_words(tmp_path_factory: Any, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "hostile_events.tsv"
    path.write_bytes(content)
    try:
        events = read_events(path)
    except RecordingError as error:
        assert path.name in str(error)
    else:
        assert all(np.isfinite([e.onset, e.duration, e.confidence]).all() for e in events)
        assert all(e.duration >= 0 for e in events)


@many
@given(st.text(max_size=60))
@example("name='x' or '1'='1'")
@example("name=a\"b'c")
def test_a_query_of_anything_becomes_a_predicate_or_is_refused(text: str) -> None:
    try:
        query = parse_query(text)
        found = predicate(query)
    except StreamNotFound as error:
        assert str(error)
    else:
        assert found.count(" and ") >= len(query) - 1
        assert set(query) <= {"name", "type", "source_id", "hostname", "uid"}


@few
@given(st.binary(max_size=2000), st.sampled_from([".xdf", ".edf", ".bdf"]))
def test_a_recording_of_anything_is_refused_in_words(tmp_path_factory: Any, content: bytes, suffix: str) -> None:
    magic = {".xdf": b"XDF:", ".edf": b"0       ", ".bdf": b"\xffBIOSEMI"}[suffix]
    path: Path = tmp_path_factory.getbasetemp() / f"hostile{suffix}"
    path.write_bytes(magic + content)
    with pytest.raises(RecordingError, match="hostile"):
        open_recording(path)


class _Inlet:
    """An inlet whose description is what it was given, without a network."""

    def __init__(self, info: pylsl.StreamInfo) -> None:
        self._info = info

    def info(self, timeout: float) -> pylsl.StreamInfo:
        return self._info


def stream(n_channels: int, sfreq: float, labels: list[str]) -> pylsl.StreamInfo:
    info = pylsl.StreamInfo("hostile", "EEG", n_channels, sfreq, "float32", uuid.uuid4().hex)
    channels = info.desc().append_child("channels")
    for label in labels:
        channels.append_child("channel").append_child_value("label", label).append_child_value("unit", "uV")
    return info


printable = st.text(string.printable, max_size=40)


@few
@given(st.integers(1, 40), st.lists(printable | st.text(max_size=20), max_size=60))
@example(2, ["<label>&amp;]]>", "</channel></channels></desc>"])
@example(1, ["x" * 1_000_000])
def test_a_description_of_anything_gives_a_label_and_a_unit_for_each_channel_or_is_refused(
    n_channels: int, labels: list[str]
) -> None:
    usable = [label.replace("\0", "").encode("utf-8", "ignore").decode() for label in labels]
    described, speed, is_replay = read_description(_Inlet(stream(n_channels, 100.0, usable)))
    if len(usable) in (0, n_channels):
        info = believed(described).info
        assert len(info.channels) == len(info.units) == len(info.channel_types) == n_channels
        assert all(info.channels)
    else:
        with pytest.raises(StreamMismatch, match=f"names {len(usable)} channels? .* a sample has {n_channels} values"):
            believed(described)
    assert (speed, is_replay) == (1.0, False)


@few
@given(st.text(string.printable, max_size=30))
@example("nan")
@example("-1")
@example("1e400")
def test_a_replay_that_lies_about_its_speed_is_taken_at_a_sane_one(speed: str) -> None:
    info = stream(1, 100.0, ["a"])
    info.desc().append_child("replay").append_child_value("speed", speed)
    _, found, _ = read_description(_Inlet(info))
    assert np.isfinite(found)
    assert found >= 0


def test_ten_thousand_channels_are_refused_before_they_are_opened() -> None:
    with pytest.raises(StreamMismatch, match=f"10000 channels; at most {MAX_CHANNELS}"):
        Inlet(stream(10_000, 100.0, []), 16)


@pytest.mark.parametrize("sfreq", [float("nan"), float("inf"), 0.0, -5.0, 1e-30])
def test_a_rate_that_is_none_is_refused(sfreq: float) -> None:
    from cutting import CHANNELS, make_pipeline

    from rtbci.pipeline.pipeline import check_rate

    pipeline = make_pipeline()
    with pytest.raises(RtbciError):
        check_rate(pipeline.config, StreamInfo("hostile", sfreq, CHANNELS, ("uV",) * len(CHANNELS)))
