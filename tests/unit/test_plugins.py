"""A user's own networks: registered or refused before anything is imported, held to the contract, and live as any other."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from cutting import INFO, assert_same, cut, eeg, make_pipeline, singles
from plugin_kit import EXAMPLES, HEAD, fresh_registry, install

import rtbci
from rtbci.config import parse
from rtbci.datasets import open_dataset
from rtbci.errors import ConfigError, DatasetError, PipelineFileError, PluginError
from rtbci.models.config import CONFIGS
from rtbci.models.contract import check_before_training
from rtbci.models.sizes import BUILT_IN_KINDS
from rtbci.models.step import HopByHop, make_step
from rtbci.pipeline.file import read_config
from rtbci.training.config import TrainConfig
from rtbci.training.data import Data
from rtbci.types import Chunk

NOT_NAMED = ["os:system", "subprocess:Popen", "trap:Net", "antigravity:fly", "rtbci.models.conv_lstm:ConvLSTM"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The user's folder, with the example's network and a module that tells when it is imported; the current one."""
    shutil.copy(EXAMPLES / "network_plugin.py", tmp_path)
    (tmp_path / "trap.py").write_text(
        "from pathlib import Path\nPath(__file__).with_name('sprung').touch()\nNet = print\n"
    )
    monkeypatch.chdir(tmp_path)
    with fresh_registry(tmp_path):
        monkeypatch.syspath_prepend(tmp_path)
        yield tmp_path


@pytest.fixture
def own(folder: Path) -> str:
    return rtbci.plugin("network_plugin:ConvGRU")


def write(folder: Path, body: str, name: str = "net") -> str:
    """A file of one network `Net`, named; `body` in place of the example's parts."""
    (folder / f"{name}.py").write_text(HEAD + body)
    return rtbci.plugin(f"{folder / name}.py:Net")


def without_code(path: Path, kind: str) -> Path:
    """A pipeline file that asks for a network of this kind."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    about = json.loads(members["pipeline.json"])
    about["config"]["model"]["kind"] = kind
    members["pipeline.json"] = json.dumps(about).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def nothing_ran(folder: Path) -> bool:
    return not (folder / "sprung").exists() and not {"trap", "antigravity"} & set(sys.modules)


# -- who may be named ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", NOT_NAMED)
def test_a_strangers_pipeline_file_runs_no_importable_name(kind: str, own: str, folder: Path) -> None:
    make_pipeline(own, sizes={"n_classes": 1}).save(folder / "x.rtbci")
    path = without_code(folder / "x.rtbci", kind)
    for read in (rtbci.Pipeline.load, read_config):
        with pytest.raises(PipelineFileError, match=f"network '{kind}' is not registered; install .* --plugin {kind}"):
            read(path)
    assert nothing_ran(folder)


@pytest.mark.parametrize("kind", NOT_NAMED)
def test_a_strangers_config_runs_no_importable_name(kind: str, own: str, folder: Path) -> None:
    values = {"pipeline": {"name": "x", "sfreq": 64, "montage": {"channels": ["C3"]}, "model": {"kind": kind}},
              "data": {"synthetic": {"n_recordings": 4}}}  # fmt: skip
    with pytest.raises(ConfigError, match="is not registered"):
        parse(TrainConfig, values, "x.toml")
    with pytest.raises(ConfigError, match="is not registered"):
        rtbci.models.build("selection", n_channels=4, network={"kind": kind})
    with pytest.raises(PluginError, match="is not registered"):
        rtbci.models.build(kind, n_channels=4)
    with pytest.raises(DatasetError, match="is not registered"):
        open_dataset(kind, folder)
    assert nothing_ran(folder)


def test_naming_one_class_opens_no_other_of_its_module(own: str) -> None:
    with pytest.raises(PluginError, match="'network_plugin:Network' is not registered"):
        rtbci.models.build("network_plugin:Network", n_channels=4)


def test_a_name_that_is_none_says_which_there_are(own: str) -> None:
    with pytest.raises(
        ConfigError, match="unknown network 'conv_lst'; known are stacked_lstm.*did you mean 'conv_lstm'"
    ):
        rtbci.models.build("conv_lst")
    with pytest.raises(ConfigError, match="network_plugin:ConvGRU'"):
        rtbci.models.build("network_plugin:ConvGru")


def test_naming_a_plugin_imports_nothing_yet(folder: Path) -> None:
    assert rtbci.plugin("trap:Net") == "trap:Net"
    assert rtbci.plugin(f"{folder}/trap.py:Net") == "trap:Net"
    assert nothing_ran(folder)
    with pytest.raises(PluginError, match="network trap:Net is a builtin_function_or_method, wanted a class of torch"):
        rtbci.models.build("trap:Net", n_channels=4)


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("network_plugin", "is named module:Name or path/to/file.py:Name"),
        ("network_plugin.py", "is named module:Name or path/to/file.py:Name"),
        ("a b:Net", "is named module:Name"),
        (":Net", "is named module:Name"),
        ("nowhere_at_all:Net", "there is no module 'nowhere_at_all', neither installed nor in "),
        ("network_plugi.py:Net", "no such file; did you mean 'network_plugin.py'"),
        ("json.py:Net", "the name 'json' already means .*; rename the file"),
        ("my-net.py:Net", "is named module:Name"),
    ],
)
def test_a_mistake_in_naming_is_told_at_once(said: str, answer: str, folder: Path) -> None:
    for name in ("json.py", "my-net.py"):
        (folder / name).touch()
    with pytest.raises(PluginError, match=answer):
        rtbci.plugin(said)


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        ("1 / 0", r"module cannot be imported: ZeroDivisionError: division by zero \(net.py, line 5\)"),
        ("class Nett: ...", "has no 'Net'; did you mean 'Nett'"),
        ("Net = 3", "is a int, wanted a class of torch.nn.Module"),
        ("import nowhere_at_all", "No module named 'nowhere_at_all'"),
    ],
)
def test_code_that_is_not_there_is_told_in_one_line(body: str, answer: str, folder: Path) -> None:
    with pytest.raises(PluginError, match=answer):
        rtbci.models.build(write(folder, body), n_channels=4)


def test_an_installed_package_registers_its_network(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(folder / "site", "[rtbci.networks]\nconv_gru = network_plugin:ConvGRU\n")
    monkeypatch.syspath_prepend(folder / "site")
    pipeline = make_pipeline("conv_gru", sizes={"units": 6, "n_classes": 1})
    pipeline.save(folder / "x.rtbci")
    assert "network_plugin" in sys.modules
    assert rtbci.Pipeline.load(folder / "x.rtbci").config == pipeline.config
    # One that was trained with --plugin, before its code was a package.
    loaded = rtbci.Pipeline.load(without_code(folder / "x.rtbci", "network_plugin:ConvGRU"))
    assert type(loaded.network).__name__ == "ConvGRU"
    with pytest.raises(PipelineFileError, match="'trap:Net' is not registered"):
        rtbci.Pipeline.load(without_code(folder / "x.rtbci", "trap:Net"))
    assert nothing_ran(folder)


def test_two_packages_of_one_name_are_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(folder / "site", "[rtbci.networks]\ntheirs = a:Net\n", "one")
    install(folder / "site", "[rtbci.networks]\ntheirs = b:Net\n", "other")
    monkeypatch.syspath_prepend(folder / "site")
    with pytest.raises(PluginError, match="two installed packages register it as rtbci.networks, a:Net and b:Net"):
        rtbci.models.build("theirs", n_channels=4)


# -- what a network must keep -------------------------------------------------------------------------------------

PARTS = {
    "init": "super().__init__(n_channels, n_classes); self.hop = 4; self.dense = nn.Linear(n_channels, n_classes)",
    "forward": "return self.dense(x[:, 3::4]), ()",
}
BROKEN = {
    "is no Network": ({"base": "nn.Module", "init": "super().__init__()"}, "lacks hop, causal, lookahead, window"),
    "other channels": ({"init": "super().__init__(3, n_classes)"}, "its n_channels is 3, wanted 4"),
    "a hop of none": ({"init": PARTS["init"] + "; self.hop = 0"}, "its hop is 0, wanted a number of samples"),
    "a hop of gigabytes": ({"init": PARTS["init"] + "; self.hop = 10**8"}, "hop = 100000000 samples of 4 channels"),
    "nothing to learn": ({"init": "super().__init__(n_channels, n_classes)"}, "has no parameter to train"),
    "logits alone": ({"forward": "return self.dense(x[:, 3::4])"}, r"forward gives Tensor, wanted \(logits, state\)"),
    "an answer a sample": (
        {"forward": "return self.dense(x), ()"},
        r"logits for x \(2, 48, 4\) are \(2, 48, 1\), wanted \(2, 12, 1\)",
    ),
    "a state untold": (
        {"forward": "return self.dense(x[:, 3::4]), (x[:, 0],)"},
        r"its state has shapes \[\(2, 4\)\], by state_shapes\(\) wanted \[\]",
    ),
    "fails": ({"forward": "return self.nothing(x), ()"}, r"fails on noise .* AttributeError: .*\(net.py, line 9\)"),
    "forgets": (
        {"forward": "z = x.cumsum(1); return self.dense(z[:, 3::4]), ()"},
        r"the answer depends on how the samples are cut \(12 hops at once, or 1 \+ 1 .*carry in the state",
    ),
    "sees the future": (
        {"forward": "return self.dense((x + x.mean(1, keepdim=True))[:, 3::4]), ()"},
        "the answer depends on how the samples are cut",
    ),
    "draws": ({"forward": "return self.dense(x[:, 3::4]) + torch.rand(1), ()"}, "the same samples get another answer"),
    "keeps": (
        {"forward": "self.n = getattr(self, 'n', 0) + 1; return self.dense(x[:, 3::4]) + self.n, ()"},
        "the same samples get another answer",
    ),
    "mixes rows": (
        {"forward": "return self.dense(x[:, 3::4]) + x.mean(), ()"},
        "the answer to one recording changes with the others in its batch",
    ),
    "hides behind zeros": (
        {
            "init": PARTS["init"] + "; nn.init.zeros_(self.dense.weight)",
            "forward": "z = x.cumsum(1); return self.dense(z[:, 3::4]), ()",
        },
        "the answer depends on how the samples are cut",
    ),
    "breaks the gradient": (
        {"forward": "z = self.dense(x[:, 3::4].clone()).exp(); z += 1; return z, ()"},
        "cannot be trained: RuntimeError: .* modified by an inplace operation",
    ),
    "reads a value as it is built": (
        {"init": PARTS["init"] + "; self.edges = torch.linspace(0, 1, 3).tolist()"},
        "cannot be built: .*; it is built without values first, so its constants must come from numpy",
    ),
    "ties its weights": (
        {"init": PARTS["init"] + "; self.again = nn.Linear(n_channels, 1); self.again.weight = self.dense.weight"},
        "its weights cannot be saved: RuntimeError",
    ),
}  # fmt: skip


COUNTS_THREADS = """class Counting(Network):
    def train(self, mode=True):
        self.n_threads = torch.get_num_threads()
        return super().train(mode)
"""


def network(base: str = "Network", init: str = PARTS["init"], forward: str = PARTS["forward"]) -> str:
    return f"""class Net({base}):
    def __init__(self, n_channels, n_classes):
        {init}
    def forward(self, x, state=None):
        {forward}
"""


@pytest.mark.parametrize("name", BROKEN)
def test_a_network_that_breaks_the_contract_is_told_before_training(name: str, folder: Path) -> None:
    parts, answer = BROKEN[name]
    kind = write(folder, network(**parts))
    with pytest.raises(PluginError, match=answer) as error:
        check_before_training(rtbci.models.model_config(kind, n_channels=4, n_classes=1))
    assert str(error.value).startswith(f"network {kind}")


def test_a_network_whose_last_bits_depend_on_the_number_of_threads_is_refused(folder: Path) -> None:
    parts = {"base": "Counting", "forward": "return self.dense(x[:, 3::4]) * (1 + 1e-6 * self.n_threads), ()"}
    kind = write(folder, COUNTS_THREADS + network(**parts))
    with pytest.raises(
        PluginError, match=f"network {kind}: the answer depends on the number of threads; sum with torch"
    ):
        check_before_training(rtbci.models.model_config(kind, n_channels=4, n_classes=1))


def test_a_network_that_keeps_the_contract_is_not_touched_nor_the_seed(folder: Path) -> None:
    kind = write(folder, network())
    torch.manual_seed(5)
    check_before_training(rtbci.models.model_config(kind, n_channels=4))
    drawn = torch.rand(1)
    torch.manual_seed(5)
    assert torch.equal(drawn, torch.rand(1))


def test_a_network_that_begins_to_forget_is_refused_when_its_file_is_loaded(folder: Path) -> None:
    kind = write(folder, network())
    make_pipeline(kind, sizes={"n_classes": 1}).save(folder / "x.rtbci")
    with fresh_registry(folder):
        write(folder, network(forward="z = x.cumsum(1); return self.dense(z[:, 3::4]), ()"), "net2")
        with pytest.raises(PipelineFileError, match="x.rtbci: network net2:Net: the answer depends on how"):
            rtbci.Pipeline.load(without_code(folder / "x.rtbci", "net2:Net"))


def test_weights_of_another_class_are_refused(own: str, folder: Path) -> None:
    kind = write(folder, network())
    make_pipeline(own, sizes={"n_classes": 1}).save(folder / "x.rtbci")
    with pytest.raises(PipelineFileError, match="takes no 'filters'|weight .* has shape"):
        rtbci.Pipeline.load(without_code(folder / "x.rtbci", kind))


@pytest.mark.parametrize(
    ("sizes", "answer"),
    [
        (
            {"filter": 3},
            "takes no 'filter'; did you mean 'filters'.; it takes n_channels, n_classes, filters, units, hop",
        ),
        ({"units": [[3]]}, "units"),
        ({"units": float("nan")}, "units"),
        ({"units": 50_000}, "holds 7504000000 values|holds [0-9]+ values to give one answer; at most 50000000"),
        ({"filters": -1}, "cannot be built: RuntimeError"),
    ],
)
def test_options_are_the_keyword_arguments_of_the_class(sizes: dict[str, object], answer: str, own: str) -> None:
    with pytest.raises(ConfigError, match=answer):
        check_before_training(rtbci.models.model_config(own, n_channels=4, **sizes))


def test_an_option_without_a_default_is_asked_for(folder: Path) -> None:
    kind = write(folder, network().replace("n_classes):", "n_classes, width):"))
    with pytest.raises(PluginError, match="wants 'width', which has no default"):
        rtbci.models.build(kind, n_channels=4)


def test_a_file_of_a_network_of_terabytes_costs_nothing(own: str, folder: Path) -> None:
    make_pipeline(own, sizes={"n_classes": 1}).save(folder / "x.rtbci")
    with zipfile.ZipFile(folder / "x.rtbci") as archive:
        about, weights = archive.read("pipeline.json"), archive.read("weights.safetensors")
    about = about.replace(b'"n_classes": 1', b'"n_classes": 1, "units": 1000000')
    with zipfile.ZipFile(folder / "x.rtbci", "w") as archive:
        archive.writestr("pipeline.json", about)
        archive.writestr("weights.safetensors", weights)
    with pytest.raises(PipelineFileError, match="values to give one answer; at most 50000000"):
        rtbci.Pipeline.load(folder / "x.rtbci")


def test_a_class_may_say_what_it_holds(folder: Path) -> None:
    body = network() + "    def values(self, n_channels):\n        return 60_000_000 * n_channels\n"
    config = rtbci.models.model_config(write(folder, body), n_channels=4)
    assert config.values(2) == 120_000_000
    with pytest.raises(PluginError, match="holds 240000000 values"):
        check_before_training(config)


# -- as any other network -----------------------------------------------------------------------------------------

WINDOW = """class Net(Network):
    def __init__(self, n_channels, n_classes, window=64):
        super().__init__(n_channels, n_classes)
        self.window = window
        self.register_buffer("taper", torch.hann_window(window), persistent=False)
        self.dense = nn.Linear(n_channels, n_classes)
    def forward(self, x, state=None):
        return self.dense((x * self.taper[:, None]).std(1)), ()
"""


def test_a_plugin_does_not_depend_on_the_cutting(own: str, folder: Path) -> None:
    make_pipeline(own, sizes={"units": 6, "n_classes": 1}).save(folder / "x.rtbci")
    pipeline, whole = rtbci.Pipeline.load(folder / "x.rtbci"), eeg(4000)
    live = pipeline.start(INFO)
    wanted = live.process(whole)
    assert len(wanted) > 100
    for segments in (*(cut(whole, seed) for seed in range(10)), singles(whole)):
        live.reset()
        assert_same(Chunk.join([live.process(piece) for piece in segments]), wanted)


def test_a_plugin_of_windows_runs_over_a_sliding_window_and_answers_cues(folder: Path) -> None:
    kind = write(folder, WINDOW)
    make_pipeline(kind, sizes={"n_classes": 1}, window_hop=16).save(folder / "x.rtbci")
    pipeline, whole = rtbci.Pipeline.load(folder / "x.rtbci"), eeg(3000)
    assert pipeline.hop == 16
    live = pipeline.start(INFO)
    wanted = live.process(whole)
    assert np.isfinite(wanted.data).all()
    for seed in range(5):
        live.reset()
        assert_same(Chunk.join([live.process(piece) for piece in cut(whole, seed)]), wanted)


def test_cues_want_windows_of_a_plugin_too(own: str) -> None:
    from rtbci.stages.cues import CueConfig

    with pytest.raises(ConfigError, match="only a network of windows answers at cues"):
        make_pipeline(own, sizes={"n_classes": 1}, cues=CueConfig(labels=("go",)))


def test_a_class_that_is_derived_from_a_built_in_one_runs_its_own_forward(folder: Path) -> None:
    body = """from rtbci.models.lstm import LSTMTagger
class Net(LSTMTagger):
    def __init__(self, n_channels, n_classes):
        super().__init__(n_channels, n_classes, (5,), hop=2)
    def forward(self, x, state=None, lengths=None):
        return super().forward(-x, state, lengths)
"""
    made = rtbci.models.build(write(folder, body), n_channels=4).eval()
    step = make_step(made)
    assert isinstance(step, HopByHop)
    x = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
    logits, _ = step(x, step.initial_state())
    with torch.inference_mode():
        np.testing.assert_allclose(logits, made(torch.from_numpy(x)[None])[0][0].numpy(), atol=1e-5)


def test_a_selector_stands_in_front_of_a_plugin(own: str, folder: Path) -> None:
    sizes = {"n_select": 2, "n_classes": 1, "network": {"kind": own, "hop": 4}}
    pipeline = make_pipeline("selection", sizes=sizes)
    pipeline.save(folder / "x.rtbci")
    loaded = rtbci.Pipeline.load(folder / "x.rtbci")
    answers = [p.start(INFO).process(eeg(1000)) for p in (pipeline, loaded)]
    assert_same(*answers)


def test_folds_of_trials_want_windows_of_a_plugin_too(own: str) -> None:
    values = {"pipeline": {"name": "x", "sfreq": 64, "montage": {"channels": ["Fp1-F7"]}, "model": {"kind": own}},
              "data": {"synthetic": {"n_recordings": 4}, "validation": {"k_fold": 2}}}  # fmt: skip
    with pytest.raises(ConfigError, match="k_fold is for networks of trials"):
        Data.load(parse(TrainConfig, values, "x.toml"))


# -- the commands -------------------------------------------------------------------------------------------------

SMALL = (
    "--set",
    "training.epochs=1",
    "--set",
    "data.synthetic.n_recordings=6",
    "--set",
    "data.synthetic.duration_s=20.0",
)


def command(*words: str | Path, cwd: Path, code: int = 0) -> str:
    """What a command prints, or its one line where it is refused."""
    started = [sys.executable, "-m", "rtbci.cli.app", *map(str, words)]
    done = subprocess.run(started, cwd=cwd, capture_output=True, text=True, timeout=200, stdin=subprocess.DEVNULL)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr.strip().splitlines()[-1] if code else done.stdout


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example's folder, with what `rtbci train` made of it."""
    folder = tmp_path_factory.mktemp("own")
    for name in ("network_plugin.py", "network_plugin.toml"):
        shutil.copy(EXAMPLES / name, folder)
    plugin = ("--plugin", "network_plugin.py:ConvGRU")
    command("train", "network_plugin.toml", *plugin, "--out", "conv_gru.rtbci", *SMALL, cwd=folder)
    return folder


def test_what_was_trained_says_all_options_and_needs_its_code(trained: Path) -> None:
    with zipfile.ZipFile(trained / "conv_gru.rtbci") as archive:
        model = json.loads(archive.read("pipeline.json"))["config"]["model"]
    assert model == {
        "kind": "network_plugin:ConvGRU",
        "n_channels": 8,
        "n_classes": 1,
        "filters": 12,
        "units": 24,
        "hop": 16,
    }
    for words in (("inspect", "conv_gru.rtbci"), ("run", "conv_gru.rtbci", "--stream", "name=x", "--headless")):
        said = command(*words, cwd=trained, code=2)
        assert "network 'network_plugin:ConvGRU' is not registered" in said
        assert "--plugin network_plugin:ConvGRU" in said


def test_the_other_commands_take_it(trained: Path, tmp_path: Path) -> None:
    from rtbci.bundled import RECORDING

    plugin = ("--plugin", trained / "network_plugin.py:ConvGRU", "--json")
    pipeline = trained / "conv_gru.rtbci"
    facts = json.loads(command("inspect", pipeline, *plugin, cwd=tmp_path))
    assert (facts["hop"], facts["model"]["kind"]) == (16, "network_plugin:ConvGRU")
    tagged = json.loads(command("tag", pipeline, RECORDING, "--out", "tagged", *plugin, cwd=tmp_path))
    assert Path(tmp_path / tagged["recordings"][0]["events_tsv"]).exists()
    assert "event" in json.loads(command("evaluate", pipeline, RECORDING, *plugin, cwd=tmp_path))
    bench = json.loads(command("bench", "tag", "--hours", "0.02", pipeline, *plugin, cwd=tmp_path))
    assert bench["model"] == "network_plugin:ConvGRU"


def test_torchrun_trains_it(trained: Path, tmp_path: Path) -> None:
    words = ["train", trained / "network_plugin.toml", "--plugin", trained / "network_plugin.py:ConvGRU"]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    started = [*torchrun, "-m", "rtbci.cli.app", *words, "--out", tmp_path / "two.rtbci", *SMALL, "--json"]
    done = subprocess.run(
        list(map(str, started)), cwd=tmp_path, capture_output=True, text=True, timeout=200,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads(done.stdout)["training"]["epochs_run"] == 1


def test_broken_code_is_one_line_before_any_recording_is_read(trained: Path, tmp_path: Path) -> None:
    (tmp_path / "network_plugin.py").write_text(
        HEAD + network(forward="return self.nothing(x), ()").replace("Net(", "ConvGRU(")
    )
    text = (trained / "network_plugin.toml").read_text().replace("filters = 12\nunits = 24\nhop = 16\n", "")
    (tmp_path / "x.toml").write_text(text)
    said = command("train", "x.toml", "--plugin", "network_plugin:ConvGRU", "--out", "x.rtbci", cwd=tmp_path, code=2)
    assert "network network_plugin:ConvGRU: fails on noise of shape (2, 48, 8): AttributeError" in said


def test_the_built_in_kinds_that_an_error_lists_are_those_of_the_configs() -> None:
    assert tuple(CONFIGS) == BUILT_IN_KINDS
