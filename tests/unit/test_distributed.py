"""Two processes on a CPU learn what one learns, and one of them writes."""

import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from test_training import CONFIG, example, write_recording

from rtbci.models import build
from rtbci.training import distributed
from rtbci.training.batches import Batch, StatefulBatches
from rtbci.training.config import TrainingConfig
from rtbci.training.fit import Fit
from rtbci.training.losses import masked_binary

LOSS = partial(masked_binary, weights=torch.tensor([3.0]))
KINDS = ("conv_lstm", "stacked_lstm")


def torchrun(*arguments: str | Path, cwd: Path) -> str:
    """Two processes of a module or a file; what they print."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", *arguments]
    here = Path(__file__).parent
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join(map(str, (here.parents[1], here))),
    }
    done = subprocess.run(
        [str(a) for a in command], cwd=cwd, env=environment, capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def fit_of(kind: str) -> tuple[Fit, list[Batch]]:
    """Stateful batches of unequal recordings with carried state, or trials whose last batch has fewer rows than processes."""
    torch.manual_seed(3)
    training = TrainingConfig(rows=3, lr=0.01, epochs=3)
    if kind == "conv_lstm":
        network = build("conv_lstm", n_channels=1, filters=3, kernel=4, hop=2, units=[4])
        batches = list(StatefulBatches([example("a", 9), example("b", 4), example("c", 7)], rows=3, steps=3))
        batches = [Batch((b.x % 100) / 10, b.y * (b.x[:, ::2] % 2), b.known, b.fresh) for b in batches]
    else:
        network = build("stacked_lstm", n_channels=2, n_classes=1, units=[5], window=12)
        x = torch.randn(7, 12, 2)
        y = (x.mean((1, 2)) > 0).float()[:, None, None]
        parts = [slice(0, 3), slice(3, 6), slice(6, 7)]
        batches = [Batch(x[p], y[p], torch.ones(len(x[p]), 1).bool(), torch.ones(len(x[p])).bool()) for p in parts]
    return Fit(network, LOSS, training, "cpu"), batches


def learned(kind: str) -> dict[str, torch.Tensor]:
    """After two epochs: the weights, the newest gradients and the losses."""
    fit, batches = fit_of(kind)
    rows = [fit.run_epoch(batches, batches) for _ in range(2)]
    grads = {f"grad {n}": p.grad for n, p in fit.network.named_parameters() if p.grad is not None}
    losses = torch.tensor([(row.train_loss, row.held_out_loss) for row in rows])
    return {**fit.network.state_dict(), **grads, "losses": losses}


@pytest.fixture(scope="module")
def of_two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("two")
    torchrun(Path(__file__), folder, cwd=folder)
    return folder


@pytest.mark.parametrize("kind", KINDS)
def test_two_processes_have_the_gradients_and_weights_of_one(kind: str, of_two: Path) -> None:
    wanted, got = learned(kind), torch.load(of_two / f"{kind}.pt", weights_only=True)
    assert got.keys() == wanted.keys()
    for name, value in wanted.items():
        torch.testing.assert_close(got[name], value, rtol=1e-4, atol=1e-6, msg=lambda m, name=name: f"{name}: {m}")


def test_only_the_lead_writes_and_the_result_is_that_of_one_process(tmp_path: Path) -> None:
    root = tmp_path / "data"
    root.mkdir()
    for seed, name in enumerate("abcd"):
        write_recording(root / f"{name}.edf", seed, [(8.0 + seed, 10.0)], seconds=30)
    (root / "train.toml").write_text(CONFIG.replace("\n[pipeline.extra]\n", ""))
    settings = ("--set", "training.epochs=3", "--json")
    out = torchrun(
        "--no-python", sys.executable, "-m", "rtbci.cli.app", "train", root / "train.toml", "--out", tmp_path / "two.rtbci",
        *settings, cwd=tmp_path,
    )  # fmt: skip
    two = json.loads(out)  # the lead alone speaks
    alone = [
        sys.executable,
        "-m",
        "rtbci.cli.app",
        "train",
        root / "train.toml",
        "--out",
        tmp_path / "one.rtbci",
        *settings,
    ]
    one = json.loads(subprocess.run(alone, capture_output=True, text=True, timeout=200, check=True).stdout)
    best_of_one, best_of_two = (notes["training"]["best"] for notes in (one, two))
    assert best_of_two.pop("shown") == best_of_one.pop("shown")
    assert best_of_two == pytest.approx(best_of_one, rel=1e-3)
    names = {p.name for p in tmp_path.iterdir()}
    assert {"one.rtbci", "two.rtbci", "two_curves.png"} <= names
    assert "two.checkpoint" not in names


def test_alone_nothing_is_shared_out() -> None:
    batch = Batch(torch.zeros(3, 2, 1), torch.zeros(3, 2, 1), torch.ones(3, 2).bool(), torch.ones(3).bool())
    network = torch.nn.Linear(1, 1)
    with distributed.joined("cpu"):
        assert distributed.own_rows(batch) is batch
        assert distributed.parallel(network) is network
        assert distributed.leads()
    assert np.allclose(distributed.summed(torch.tensor(2.0), torch.tensor(3.0)), [2, 3])


if __name__ == "__main__":
    torch.set_num_threads(1)
    with distributed.joined("cpu"):
        for _kind in KINDS:
            _result = learned(_kind)
            if distributed.leads():
                torch.save(_result, Path(sys.argv[1]) / f"{_kind}.pt")
