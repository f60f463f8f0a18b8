"""A pipeline file from a stranger can be wrong; it cannot run code or take the machine's memory."""

import io
import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from cutting import INFO, eeg, make_pipeline
from hypothesis import given, settings
from hypothesis import strategies as st

from rtbci.errors import NotCausal, PipelineFileError, StreamMismatch
from rtbci.pipeline.pipeline import Pipeline
from rtbci.types import StreamInfo


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    path = tmp_path / "small.rtbci"
    make_pipeline().save(path)
    return path


def rewrite(path: Path, json_change: Callable[[dict[str, Any]], None] | None = None, **members: bytes) -> None:
    with zipfile.ZipFile(path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    if json_change:
        about = json.loads(contents["pipeline.json"])
        json_change(about)
        contents["pipeline.json"] = json.dumps(about).encode()
    contents |= {name.replace("__", "."): content for name, content in members.items()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)


def weights(path: Path) -> dict[str, torch.Tensor]:
    with zipfile.ZipFile(path) as archive:
        return safetensors.torch.load(archive.read("weights.safetensors"))


def refused(path: Path) -> str:
    with pytest.raises(PipelineFileError) as error:
        Pipeline.load(path)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_what_was_saved_answers_the_same(whole: Path, tmp_path: Path) -> None:
    first, loaded = make_pipeline(), Pipeline.load(whole)
    assert loaded.config == first.config
    answers = [p.start(INFO).process(eeg(2000)).data for p in (first, loaded)]
    np.testing.assert_array_equal(*answers)
    loaded.save(tmp_path / "again.rtbci")
    assert (tmp_path / "again.rtbci").read_bytes() == whole.read_bytes()


def test_saving_leaves_no_crumbs_and_keeps_the_old_file_if_it_fails(
    whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = whole.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OSError, match="No space left"):
        make_pipeline().save(whole)
    assert whole.read_bytes() == before
    assert [p.name for p in whole.parent.iterdir()] == ["small.rtbci"]


def test_a_file_that_is_not_there_names_its_neighbour(whole: Path) -> None:
    assert "no such file; did you mean 'small.rtbci'" in refused(whole.with_name("smal.rtbci"))


@pytest.mark.parametrize("keep", [0, 1, 100, 5000, -1])
def test_a_file_that_is_cut_short_is_refused(whole: Path, keep: int) -> None:
    whole.write_bytes(whole.read_bytes()[:keep])
    assert "not a complete pipeline file" in refused(whole)


def test_a_flipped_bit_in_the_weights_is_noticed(whole: Path) -> None:
    content = bytearray(whole.read_bytes())
    content[len(content) // 2] ^= 1
    whole.write_bytes(content)
    assert "Bad CRC" in refused(whole)


def test_a_pipeline_file_with_a_pickle_inside_is_refused(whole: Path) -> None:
    class Hostile:
        def __reduce__(self) -> tuple[Any, ...]:
            return (pytest.fail, ("code of the file ran",))

    rewrite(whole, **{"data__pkl": pickle.dumps(Hostile())})
    assert "holds pipeline.json and weights.safetensors alone" in refused(whole)
    make_pipeline().save(whole)
    rewrite(whole, weights__safetensors=pickle.dumps(Hostile()))
    assert "weights.safetensors is damaged" in refused(whole)
    buffer = io.BytesIO()
    torch.save(Hostile(), buffer)
    whole.write_bytes(buffer.getvalue())
    assert "alone" in refused(whole)


def test_a_name_that_would_write_outside_is_refused(whole: Path) -> None:
    rewrite(whole, **{"../../outside": b"x"})
    assert "alone" in refused(whole)


def test_a_zip_bomb_is_refused_before_it_is_unpacked(whole: Path) -> None:
    rewrite(whole, pipeline__json=b" " * (64 << 20))
    assert whole.stat().st_size < 1 << 20
    assert "larger than the 4 MiB" in refused(whole)


def test_weights_of_another_shape_are_refused(whole: Path) -> None:
    rewrite(whole, lambda about: about["config"]["model"].update(units=[13]))
    assert "has shape (48, 8), wanted (52, 8)" in refused(whole)


def test_weights_that_are_missing_or_too_many_are_refused(whole: Path) -> None:
    some = weights(whole)
    first = next(iter(some))
    rewrite(whole, weights__safetensors=safetensors.torch.save({k: v for k, v in some.items() if k != first}))
    assert f"{first!r} has shape none" in refused(whole)
    rewrite(whole, weights__safetensors=safetensors.torch.save({**some, "extra": torch.zeros(2)}))
    assert "'extra' has shape (2,), wanted none" in refused(whole)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(whole: Path, value: float) -> None:
    some = weights(whole)
    next(iter(some.values())).flatten()[0] = value
    rewrite(whole, weights__safetensors=safetensors.torch.save(some))
    assert "not finite" in refused(whole)


def test_weights_of_another_type_are_refused(whole: Path) -> None:
    some = {name: value.double() for name, value in weights(whole).items()}
    rewrite(whole, weights__safetensors=safetensors.torch.save(some))
    assert "is torch.float64, wanted torch.float32" in refused(whole)


def test_a_newer_schema_is_refused_and_says_to_update(whole: Path) -> None:
    rewrite(whole, lambda about: about.update(schema=2))
    assert "schema 2 is newer than this program's 1" in refused(whole)


@pytest.mark.parametrize("schema", [0, -1, "1", None, True, 1.5])
def test_a_schema_that_is_no_number_is_refused(whole: Path, schema: object) -> None:
    rewrite(whole, lambda about: about.update(schema=schema))
    assert "schema is" in refused(whole)


def test_a_misspelt_key_in_the_file_is_refused(whole: Path) -> None:
    rewrite(whole, lambda about: about["config"].update(sfrq=3))
    assert "unknown key 'sfrq'; did you mean 'sfreq'" in refused(whole)


@pytest.mark.parametrize("text", [b"", b"[]", b"{", b"[" * 100_000, b'{"kind": NaN}', b"\xff\xfe"])
def test_json_that_is_none_is_refused(whole: Path, text: bytes) -> None:
    rewrite(whole, pipeline__json=text)
    assert "pipeline.json" in refused(whole)


def test_a_network_of_terabytes_costs_nothing(whole: Path) -> None:
    rewrite(whole, lambda about: about["config"]["model"].update(units=[65_536] * 16))
    assert "wanted" in refused(whole)
    rewrite(whole, lambda about: about["config"]["model"].update(units=[10_000_000]))
    assert "less than or equal to 65536" in refused(whole)


def test_a_window_of_gigabytes_is_refused(whole: Path) -> None:
    model = {"kind": "stacked_lstm", "window": 900_000, "n_classes": 1}
    montage = {"channels": [f"ch{k}" for k in range(100)]}
    rewrite(whole, lambda about: about["config"].update(model=model, montage=montage))
    assert "model.window = 900000 samples of 100 channels are more than 20000000 values" in refused(whole)


def test_sizes_that_disagree_with_the_channels_are_refused(whole: Path) -> None:
    rewrite(whole, lambda about: about["config"]["model"].update(n_channels=5))
    assert "model.n_channels = 5, but there are 4 channels" in refused(whole)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300), st.integers(0, 10_000))
def test_no_damage_ends_in_anything_but_a_clear_refusal(tmp_path_factory: Any, noise: bytes, at: int) -> None:
    path = tmp_path_factory.mktemp("noise") / "small.rtbci"
    make_pipeline().save(path)
    content = bytearray(path.read_bytes())
    at %= len(content)
    content[at : at + len(noise)] = noise
    path.write_bytes(content)
    try:
        Pipeline.load(path)
    except PipelineFileError as error:
        assert "\n" not in str(error)


def test_a_stream_that_is_too_slow_is_refused_with_both_rates() -> None:
    slow = StreamInfo("amp", 100.0, INFO.channels, INFO.units)
    with pytest.raises(StreamMismatch, match=r"'amp' runs at 100 Hz, too slow .* trained at 128 Hz"):
        make_pipeline().start(slow)


def test_a_network_that_sees_the_future_is_refused_live_with_the_reason() -> None:
    with pytest.raises(NotCausal, match="bidirectional: its backward pass starts at the recording's end"):
        make_pipeline("lstm_tagger", sizes={"units": (4,), "bidirectional": True}).start(INFO)
    with pytest.raises(NotCausal, match="'same' padding: 4 samples ahead"):
        make_pipeline(sizes={"hop": 1, "kernel": 8, "padding": "same"}).start(INFO)
