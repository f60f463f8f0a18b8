"""A pipeline file of a stranger: zips and weights that lie, sizes beyond any machine, words for the terminal, and memory."""

import json
import struct
import subprocess
import sys
import time
import zipfile
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from cutting import INFO, eeg, make_pipeline

from rtbci.config import parse
from rtbci.engine.trust import measured_auroc, trust_of
from rtbci.errors import ConfigError, PipelineFileError
from rtbci.models import from_config
from rtbci.pipeline.config import PipelineConfig
from rtbci.pipeline.file import MAX_HEADER, MEMORY_BYTES
from rtbci.pipeline.pipeline import Pipeline
from rtbci.stages.bad_channels import MaskConfig
from rtbci.stages.network import scored

GIB = 1 << 30


@pytest.fixture
def members(tmp_path: Path) -> dict[str, bytes]:
    make_pipeline().save(tmp_path / "whole.rtbci")
    with zipfile.ZipFile(tmp_path / "whole.rtbci") as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def refused(path: Path) -> str:
    with pytest.raises(PipelineFileError) as error:
        Pipeline.load(path)
    assert str(error.value).isprintable()
    return str(error.value)


def zipped(path: Path, members: dict[str, bytes], packed: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", packed) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


# -- the zip ------------------------------------------------------------------------------------------------------


def test_a_member_that_says_it_is_smaller_than_it_is_is_refused(tmp_path: Path, members: dict[str, bytes]) -> None:
    path = zipped(tmp_path / "x.rtbci", members, zipfile.ZIP_DEFLATED)
    content = path.read_bytes()
    size = struct.pack("<I", len(members["weights.safetensors"]))
    path.write_bytes(content.replace(size, struct.pack("<I", 100)))
    assert "x.rtbci: " in refused(path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_that_is_there_twice_is_refused(tmp_path: Path, members: dict[str, bytes]) -> None:
    path = zipped(tmp_path / "x.rtbci", members)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("pipeline.json", members["pipeline.json"])
    assert "alone; this one holds 'pipeline.json', 'weights.safetensors', 'pipeline.json'" in refused(path)


@pytest.mark.parametrize("name", ["/etc/passwd", "../../outside", "weights.safetensors/../x", "C:\\x", "\x1b[2J"])
def test_a_member_of_any_other_name_is_refused(tmp_path: Path, members: dict[str, bytes], name: str) -> None:
    assert "alone" in refused(zipped(tmp_path / "x.rtbci", members | {name: b""}))


def test_a_link_is_read_as_the_bytes_that_it_is(tmp_path: Path, members: dict[str, bytes]) -> None:
    link = zipfile.ZipInfo("weights.safetensors")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "x.rtbci", "w") as archive:
        archive.writestr("pipeline.json", members["pipeline.json"])
        archive.writestr(link, "/etc/passwd")
    assert "weights.safetensors is damaged" in refused(tmp_path / "x.rtbci")


@pytest.mark.parametrize("packed", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_a_packing_that_takes_the_memory_it_says_is_refused(
    tmp_path: Path, members: dict[str, bytes], packed: int
) -> None:
    assert "packed in another way than stored or deflated" in refused(zipped(tmp_path / "x.rtbci", members, packed))


def test_a_million_members_are_refused_before_they_are_looked_at(tmp_path: Path, members: dict[str, bytes]) -> None:
    content = bytearray(zipped(tmp_path / "x.rtbci", members).read_bytes())
    content[-14:-10] = struct.pack("<HH", 65535, 65535)
    (tmp_path / "x.rtbci").write_bytes(content)
    assert "holds far more" in refused(tmp_path / "x.rtbci")
    with_locator = bytes(content[:-22]) + b"PK\6\7" + bytes(16) + bytes(content[-22:])
    (tmp_path / "x.rtbci").write_bytes(with_locator)
    assert "holds far more" in refused(tmp_path / "x.rtbci")


@pytest.mark.parametrize("at", ["first", "last"])
def test_a_name_that_is_no_text_is_refused(tmp_path: Path, members: dict[str, bytes], at: str) -> None:
    content = bytearray(zipped(tmp_path / "x.rtbci", members).read_bytes())
    where = content.index(b"weights") if at == "first" else content.rindex(b"weights")
    content[where] = 0xFF
    flags = where - 24 if at == "first" else where - 38
    content[flags + 1] |= 8  # the name says it is UTF-8
    (tmp_path / "x.rtbci").write_bytes(content)
    assert "not a complete pipeline file ('utf-8' codec" in refused(tmp_path / "x.rtbci")


# -- the weights --------------------------------------------------------------------------------------------------


def tensors(header: dict[str, Any], data: bytes = bytes(16)) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def tensor(shape: list[int], begin: int, end: int, dtype: str = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


@pytest.mark.parametrize(
    "weights",
    [
        b"",
        b"\xff" * 8,
        struct.pack("<Q", 2**63) + b"{}",
        struct.pack("<Q", MAX_HEADER + 1) + b" " * (MAX_HEADER + 1),
        tensors({"a": tensor([2], 0, 8), "b": tensor([2], 4, 12)}),
        tensors({"a": tensor([2], 0, 2**62)}),
        tensors({"a": tensor([2], 8, 0)}),
        tensors({"a": tensor([-4], 0, 16)}),
        tensors({"a": tensor([2**40, 2**40], 0, 16)}),
        tensors({"a": tensor([4], 0, 16, "PICKLE")}),
        tensors({"a": tensor([1.5], 0, 16)}),
        b"[" * 100_000,
    ],
    ids=["empty", "ff", "2**63", "header", "overlap", "beyond", "backwards", "negative", "overflow", "dtype", "half", "deep"],
)  # fmt: skip
def test_weights_that_lie_are_refused(tmp_path: Path, members: dict[str, bytes], weights: bytes) -> None:
    path = zipped(tmp_path / "x.rtbci", members | {"weights.safetensors": weights})
    assert "weights.safetensors is damaged" in refused(path)


def test_whole_numbers_in_place_of_weights_are_refused(tmp_path: Path, members: dict[str, bytes]) -> None:
    whole = {k: v.long() for k, v in safetensors.torch.load(members["weights.safetensors"]).items()}
    path = zipped(tmp_path / "x.rtbci", members | {"weights.safetensors": safetensors.torch.save(whole)})
    assert "is torch.int64, wanted torch.float32" in refused(path)


@pytest.mark.parametrize(("value", "says"), [(float("nan"), "not finite"), (3e38, "holds values beyond 1e+15")])
def test_weights_that_no_training_gives_are_refused(
    tmp_path: Path, members: dict[str, bytes], value: float, says: str
) -> None:
    some = {k: torch.full_like(v, value) for k, v in safetensors.torch.load(members["weights.safetensors"]).items()}
    path = zipped(tmp_path / "x.rtbci", members | {"weights.safetensors": safetensors.torch.save(some)})
    assert says in refused(path)


def test_an_answer_that_is_no_number_is_not_valid_and_decides_nothing() -> None:
    scores = np.array([[0.2], [np.nan], [0.9]], np.float32)
    told = scored(scores, np.arange(3.0), np.array([True, True, False]))
    np.testing.assert_array_equal(told.data, np.float32([[0.2], [0], [0.9]]))
    assert told.valid.tolist() == [True, False, False]


# -- the config ---------------------------------------------------------------------------------------------------


def config(**changes: Any) -> dict[str, Any]:
    values = make_pipeline().config.model_dump(mode="json")
    for key, value in changes.items():
        values[key] = {**values[key], **value} if isinstance(value, dict) and isinstance(values[key], dict) else value
    return values


MANY = {"channels": [f"c{k}" for k in range(4096)]}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"model": {"filters": 10**9}}, "model.conv_lstm.filters: input should be less than or equal to 65536"),
        ({"model": {"units": [10**9]}}, "less than or equal to 65536"),
        ({"model": {"hop": 0}}, "model.conv_lstm.hop: input should be greater than or equal to 1"),
        ({"model": {"hop": 10**6, "kernel": 10**6, "n_channels": None}, "montage": MANY}, "model.hop = 1000000 samples of 4096"),
        ({"model": {"kind": "lstm_tagger", "hop": 9000, "units": [8], "n_channels": None, "filters": None}}, "model"),
        ({"window_hop": 20_000_000}, "window_hop = 20000000 samples of 4 channels"),
        ({"window_hop": 10**400}, "window_hop"),
        ({"scaling": {"block_s": 60}, "sfreq": 1e5}, "scaling.block_s = 6000000 samples of 4 channels"),
        ({"scaling": {"start_uv": 1e-300}}, "scaling.running.start_uv"),
        ({"gaps": {"max_fill_s": 1e9}}, "gaps.max_fill_s"),
        ({"decision": {"min_duration_s": 1e308}}, "decision.min_duration_s"),
        ({"filters": {"low_hz": 1e-12}}, "filters.low_hz = 1e-12 Hz is less than a millionth of sfreq"),
        ({"filters": {"high_hz": 63.99999999999999}}, "is not below half of sfreq"),
        ({"filters": {"notch_hz": [50] * 8, "notch_harmonics": 50}}, "make more than 64 notches"),
        ({"filters": {"notch_q": 1e300}}, "filters.notch_q"),
        ({"sfreq": 1e-300}, "sfreq"),
        ({"sfreq": 1e300}, "sfreq"),
        ({"name": "\x1b]0;owned\x07"}, "name: holds a control character"),
        ({"classes": ["a\nb"]}, "classes.0: holds a control character"),
        ({"montage": {"channels": ["C3\u202e"]}}, "montage.channels.0: holds a control character"),
        ({"montage": {"channels": ["x"] * 5000}}, "montage.channels"),
        ({"model": {"kind": "channel_lstm", "window": 10, "channel_units": 2000, "units": [1]}}, "model"),
    ],
)  # fmt: skip
def test_a_config_beyond_bounds_is_refused_before_anything_is_built(changes: dict[str, Any], says: str) -> None:
    values = config(**changes)
    with pytest.raises(ConfigError) as error:
        parse(PipelineConfig, values, "x")
    assert says in str(error.value)


@pytest.mark.parametrize(
    "model",
    [
        {"kind": "conv_pool_lstm", "filters": 65_536, "window": 60_000, "n_classes": 60_000, "units": [1]},
        {"kind": "channel_lstm", "channel_units": 1000, "window": 10},
        {"kind": "msfbcnn", "window": 200_000, "filters": 100},
        {"kind": "stacked_lstm", "window": 1_000_000, "units": [64]},
        {"kind": "covariance", "window": 1_000_000, "taps": 4095},
        {"kind": "lstm_tagger", "hop": 1_000_000, "units": [64]},
        {"kind": "selection", "n_select": 4, "network": {"kind": "stacked_lstm", "window": 1_000_000, "units": [64]}},
    ],
    ids=lambda model: model["kind"],
)
def test_a_network_of_few_weights_and_gigabytes_of_values_is_refused(model: dict[str, Any]) -> None:
    values = config() | {"model": {"n_channels": 4, "n_classes": 1} | model}
    with pytest.raises(ConfigError, match="values to give one answer; at most 50000000"):
        parse(PipelineConfig, values, "x")


def test_a_scaling_that_was_never_learned_is_refused(tmp_path: Path, members: dict[str, bytes]) -> None:
    for scaling in ({"kind": "running"}, {"kind": "constant"}, {"kind": "constant", "scale_uv": [1.0] * 4}):
        about = json.loads(members["pipeline.json"])
        about["config"]["scaling"] = scaling
        path = zipped(tmp_path / "x.rtbci", members | {"pipeline.json": json.dumps(about).encode()})
        assert "its scaling has no constants; training learns them" in refused(path)


@pytest.mark.parametrize(
    "notes",
    [{"trained_on": 3}, {"trained_on": ["x", None]}, {"scores": []}, {"scores": {"cross_validated": 1}}, {"a": "[/b]"}],
)
def test_inspect_tells_notes_of_any_shape(
    tmp_path: Path, members: dict[str, bytes], notes: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    from rtbci.cli.inspect import inspect_file

    about = json.loads(members["pipeline.json"]) | {"notes": notes}
    path = zipped(tmp_path / "x.rtbci", members | {"pipeline.json": json.dumps(about).encode()})
    for as_json in (False, True):
        inspect_file(path, None, json=as_json)
    assert "small" in capsys.readouterr().out


SHARE = {"mean": 0.9, "low": 0.8, "high": 1.0, "subjects": 1}
ROW = {
    "subject": "chb01", "seizures": 3, "found": 2, "median_delay_s": 4.5, "auroc": 0.9, "share_above": 0.1,
    "alarms": {"seizures": 1},
}  # fmt: skip
CROSSVAL: dict[str, Any] = {
    "rows": [ROW],
    "rows_left_out": 0,
    "total": ROW | {"patients": 1, "sensitivity": SHARE, "auroc": SHARE},
    "groups": {
        "seizures": {
            "recordings": 3, "seizures": 3, "found": 2, "alarms": 1, "recordings_with_alarms": 1, "seconds": 90.0,
            "seconds_above": 9.0,
        }
    },
    "epoch": 3,
    "epochs_of_folds": [3],
    "operating_point": {
        "threshold": 0.5, "release": 0.4, "min_duration_s": 2.0, "seizures": 3, "found": 2, "median_delay_s": 4.5,
        "alarms_where_none_is_wanted": 0, "alarms_elsewhere": 1,
    },
    "rule": {"thresholds": [0.5], "min_duration_s": [], "no_alarm_in": ["quiet"]},
    "not_in_final_fit": ["chb02"],
    "not_in_folds": [],
    "seeds": {"crossval": 0, "training": 0},
    "digest": "0",
    "made_by": ["1.0"],
}  # fmt: skip
NO_TABLES: list[Any] = [
    *(None, 1, "x", [], {}, {"rows": 1}, {"rows": [None], "total": []}),
    *(CROSSVAL | {key: value} for key in CROSSVAL for value in (None, "x" * 81, [[]], {"x": {}})),
    CROSSVAL | {"rows": [ROW | {"auroc": 10**400}]},
    CROSSVAL | {"rows": [ROW] * 201},
    CROSSVAL | {"rows": [ROW | {"alarms": {str(n): n for n in range(21)}}]},
    CROSSVAL | {"rows": [ROW | {"subject": "x" * 81}]},
]
TABLES: list[Any] = [
    CROSSVAL,
    CROSSVAL | {"rows": [ROW | {"subject": "[red]\x1b[2J\n\u202e", "auroc": 1e308, "found": -(10**4000)}]},
    CROSSVAL | {"rows": [ROW | {"alarms": {f"{n}[/b]": n for n in range(20)}}] * 200},
    CROSSVAL | {"rows": [], "groups": {}, "total": CROSSVAL["total"] | {"alarms": {f"{n}[/b]": n for n in range(20)}}},
    CROSSVAL | {"later": reduce(lambda inner, _: [inner], range(200), [])},
    CROSSVAL | {"total": CROSSVAL["total"] | {"auroc": SHARE | {"low": None}, "median_delay_s": None}},
]


def test_a_table_by_patient_of_any_shape_is_shown_or_not(
    tmp_path: Path, members: dict[str, bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    from rtbci.cli.inspect import inspect_file

    for value in (*NO_TABLES, *TABLES):
        about = json.loads(members["pipeline.json"]) | {"notes": {"crossval": value}}
        path = zipped(tmp_path / "x.rtbci", members | {"pipeline.json": json.dumps(about).encode()})
        inspect_file(path, None, json=False)
        out = capsys.readouterr().out
        assert ("no rate a day" in out) == (value in TABLES)
        assert "\x1b" not in out and "\u202e" not in out
        inspect_file(path, None, json=True)
        assert (json.loads(capsys.readouterr().out)["crossval"] is not None) == (value in TABLES)


@pytest.mark.parametrize(
    "notes",
    [
        {"scores": []},
        {"scores": {"masked": 3}},
        {"scores": {"masked": [3, {"masked": "1"}, {"masked": 1, "held_out_auroc": None}]}},
        {"scores": {"masked": [{"masked": n, "held_out_auroc": 10**400} for n in range(3)]}},
    ],
)
def test_notes_of_any_shape_leave_the_live_state_alone(notes: dict[str, Any]) -> None:
    live = make_pipeline(mask=MaskConfig(most=2)).start(INFO)
    live.process(eeg(4000))
    trust = trust_of(live, {}, INFO.channels, notes)
    assert trust.level == "full"
    assert measured_auroc(notes, 1) == {}


def test_a_number_beyond_numbers_in_the_notes_is_refused(tmp_path: Path, members: dict[str, bytes]) -> None:
    text = members["pipeline.json"].replace(b'"notes": {', b'"notes": {"a": 1e999, ')
    assert "1e999 is not allowed" in refused(zipped(tmp_path / "x.rtbci", members | {"pipeline.json": text}))


@pytest.mark.parametrize("fill", [b'{"k%d":0}', b'"%d"'], ids=["unknown keys", "texts for numbers"])
def test_megabytes_of_mistakes_are_refused_soon(tmp_path: Path, members: dict[str, bytes], fill: bytes) -> None:
    about = json.loads(members["pipeline.json"])
    if b"k" in fill:
        about["config"] |= {f"k{n}": 0 for n in range(100_000)}
    else:
        about["config"]["scaling"] = {"kind": "constant", "center_uv": [str(n) for n in range(150_000)]}
    text = json.dumps(about).encode()
    assert len(text) < 4 << 20
    path = zipped(tmp_path / "x.rtbci", members | {"pipeline.json": text})
    began = time.process_time()
    assert refused(path)
    assert time.process_time() - began < 5


# -- memory -------------------------------------------------------------------------------------------------------

_TAKES = """
import sys
from pathlib import Path
import numpy as np
import safetensors.torch, scipy.signal, torch
import rtbci.models.lstm, rtbci.models.gumbel_selector, rtbci.models.step, rtbci.stages.filters, scipy.signal
from rtbci.pipeline.pipeline import Pipeline
from rtbci.types import Chunk, StreamInfo

def kilobytes(key):
    return int(Path("/proc/self/status").read_text().split(key)[1].split()[0])

def use(path):
    pipeline = Pipeline.load(path)
    n_channels = len(pipeline.channels)
    live = pipeline.start(StreamInfo("x", pipeline.sfreq, pipeline.channels, ("uV",) * n_channels))
    n = max(int(pipeline.network.window or 0), pipeline.hop)
    for at in range(0, n, 4096):
        times = np.arange(at, min(at + 4096, n)) / pipeline.sfreq
        live.process(Chunk(np.zeros((len(times), n_channels), np.float32), times))

torch.set_num_threads(1)
for path in sys.argv[1:]:
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = kilobytes("VmRSS:")
    use(path)
    print((kilobytes("VmHWM:") - before) << 10)
"""


def _save(path: Path, model: dict[str, Any], n_channels: int) -> None:
    values = config() | {
        "model": model | {"n_channels": n_channels},
        "montage": {"channels": [f"c{k}" for k in range(n_channels)]},
    }
    parsed = parse(PipelineConfig, values, "x")
    with torch.device("meta"):
        network = from_config(parsed.model)
    network = network.to_empty(device="cpu")
    for weight in network.state_dict().values():
        weight.zero_()
    Pipeline(parsed, network).save(path)


LARGEST = (
    ({"kind": "lstm_tagger", "units": [2700], "hop": 16}, 64),  # 120 MiB of weights
    ({"kind": "stacked_lstm", "n_classes": 1, "units": [1], "window": 4000}, 4096),  # a long window of many channels
    ({"kind": "spatial_conv_lstm", "units": [1], "kernel": 64, "filters": 1400}, 256),  # few weights, wide within
)


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux how much memory it was")
def test_a_pipeline_at_every_bound_takes_no_more_than_is_said(tmp_path: Path) -> None:
    paths = [tmp_path / f"{k}.rtbci" for k in range(len(LARGEST))]
    for path, (model, n_channels) in zip(paths, LARGEST, strict=True):
        _save(path, model, n_channels)
    command = [sys.executable, "-c", _TAKES, *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    taken = [int(line) for line in done.stdout.splitlines()]
    assert len(taken) == len(LARGEST)
    assert max(taken) < MEMORY_BYTES == 2 * GIB
    assert min(taken[:2]) > 50 << 20, taken  # what was measured is what they take
