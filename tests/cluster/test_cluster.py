"""A real Ray cluster of two nodes: the same answers as without one, and what happens to whoever is killed."""

import importlib.util
import json
import logging
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import pytest
from commands import mistake_here, rtbci_here
from crossval_kit import config_of, write_patients
from doubler import Doubler

if importlib.util.find_spec("ray") is None:
    pytest.skip("Ray is not installed (pip install '.[cluster]')", allow_module_level=True)

from ray_kit import TwoNodes, free_port, two_nodes

from rtbci.bundled import RECORDING
from rtbci.errors import ConfigError
from rtbci.training.crossval.run import crossval
from rtbci.training.crossval.watch import Watch
from rtbci.workers import cluster as cluster_module
from rtbci.workers import needs as needs_module
from rtbci.workers.needs import Needs
from rtbci.workers.side_by_side import Workers, in_order, side_by_side
from rtbci.workers.work import Done, Failed

HEADER = "onset\tduration\teventType\n"
TWO = ("crossval.folds=2", "crossval.inner=2")
Result = TypeVar("Result")


@pytest.fixture(scope="module")
def two() -> Iterator[TwoNodes]:
    with two_nodes() as cluster:
        yield cluster


@pytest.fixture(scope="module")
def joined(two: TwoNodes) -> Iterator[TwoNodes]:
    """Joined once for several tests, which saves each the wait for nodes to load PyTorch."""
    import ray

    ray.init(two.address, log_to_driver=False, logging_level=logging.CRITICAL)
    yield two
    ray.shutdown()


def recording(folder: Path, name: str = "a", rows: str = "42.0\t40.0\tsz\n") -> Path:
    """The bundled recording, with a table of these rows."""
    (folder / f"{name}_events.tsv").write_text(HEADER + rows)
    return Path(shutil.copy(RECORDING, folder / f"{name}.edf"))


def while_a_task_is_killed(two: TwoNodes, work: Callable[[], Result]) -> Result:
    with ThreadPoolExecutor(1) as pool:
        killed = pool.submit(two.kill_a_task)
        result = work()
        assert killed.result() > 0
    return result


class Told(Watch):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def warned(self, line: str) -> None:
        self.lines.append(line)


def test_where_no_cluster_is_one_line_says_so_within_seconds(tmp_path, monkeypatch):
    monkeypatch.setattr(cluster_module, "JOINED_WITHIN_S", 4.0)
    path, began = recording(tmp_path), time.monotonic()

    def said(address: str) -> str:
        return mistake_here("tag", "demo", path, "--out", tmp_path, "--cluster", address)

    assert "nothing answers there" in said(f"127.0.0.1:{free_port()}")
    with socket.create_server(("127.0.0.1", 0)) as other:
        assert "what answers there is no Ray cluster" in said(f"127.0.0.1:{other.getsockname()[1]}")
    assert "wanted auto, local, HOST:PORT or ray://HOST:PORT" in said("somewhere")
    assert "--cluster: device 'auto'; wanted cpu" in mistake_here(
        "evaluate", "demo", path, "--cluster", "auto", "--device", "auto"
    )
    assert time.monotonic() - began < 20


def test_tag_on_a_cluster_says_the_same_though_a_task_is_killed(two, tmp_path, capsys):
    paths = [recording(tmp_path, name) for name in "ab"]
    broken = tmp_path / "c.edf"
    broken.write_bytes(b"no header")

    def tagged(out: Path, *place: str) -> dict:
        done = rtbci_here("tag", "demo", *paths, broken, "--out", out, "--json", *place)
        assert done.returncode == 2
        said = json.loads(done.stdout)
        rows = [(row["recording"], row["events"]) for row in said["recordings"]]
        files = {path.name: path.read_bytes() for path in sorted(out.iterdir()) if path.suffix == ".tsv"}
        return {"rows": rows, "failed": said["failed"], "files": files, "warnings": said["warnings"]}

    here = tagged(tmp_path / "here")
    there = while_a_task_is_killed(two, lambda: tagged(tmp_path / "there", "--cluster", two.address))
    assert there.pop("warnings")[0].endswith("perhaps for want of memory; it is done again")
    here.pop("warnings")
    assert there == here
    assert capsys.readouterr() == ("", "")  # nothing of Ray's own


def test_evaluate_on_a_cluster_says_the_same_and_keeps_its_answers(joined, tmp_path):
    paths = [recording(tmp_path, name, rows) for name, rows in (("a", "42.0\t40.0\tsz\n"), ("b", ""))]
    here, there, again = (
        json.loads(rtbci_here("evaluate", "demo", *paths, "--json", *place).stdout)
        for place in ([], *[["--cluster", joined.address, "--out", tmp_path / "out"]] * 2)
    )
    assert there == again == here
    assert len([*(tmp_path / "out").glob("answers/*/*_scores.npz")]) == 2


def test_a_job_that_kills_its_process_is_done_again_and_given_up_after_three_times(joined, tmp_path, capsys):
    told, progress = [], []
    needs = Needs(out=tmp_path / "out", on_warning=told.append)
    outcomes = side_by_side(
        Doubler,
        [1, "fail", "die", 2],
        Workers(None, joined.address),
        on_report=lambda *what: progress.append(what),
        needs=needs,
    )
    found = list(in_order(outcomes))
    assert [one.result for one in found if isinstance(one, Done)] == [2, 4]
    assert found[1] == Failed("fail.edf: is damaged")
    here = socket.gethostname()
    assert found[2] == Failed(f"its process on {here} was ended, 3 times, perhaps for want of memory", ended=True)
    assert told == [f"job 2: its process on {here} was ended, perhaps for want of memory; it is done again"] * 2
    assert (0, "half of 1") in progress
    assert list((tmp_path / "out").iterdir()) == []  # nor a marker
    assert capsys.readouterr() == ("", "")  # nothing of Ray's own


def test_crossval_gives_the_same_folds_though_one_is_killed_in_the_middle(joined, tmp_path):
    write_patients(tmp_path / "data")
    config, told = config_of(tmp_path / "data", *TWO, "training.epochs=1"), Told()
    crossval(config, tmp_path / "here")
    while_a_task_is_killed(joined, lambda: crossval(config, tmp_path / "there", cluster=joined.address, watch=told))
    here, there = (
        {path.name: path.read_bytes() for path in sorted((tmp_path / place).iterdir()) if path.name != "summary.json"}
        for place in ("here", "there")
    )
    assert here == there
    (line,) = (line for line in told.lines if line.endswith("it is done again"))
    assert line.startswith("fold 0")


def test_a_node_with_another_rtbci_or_without_the_folders_is_named(joined, tmp_path, monkeypatch):
    def trouble(needs: Needs) -> str:
        with pytest.raises(ConfigError) as error:
            list(side_by_side(Doubler, [1], Workers(1, joined.address), needs=needs))
        return str(error.value)

    elsewhere = tmp_path / "of another disk"
    node = f"--cluster {joined.address}: node {socket.gethostname()} ("
    assert trouble(Needs(folders=[elsewhere])).startswith(node)
    assert f"): it lacks {elsewhere}, or has another folder of that name; recordings" in trouble(
        Needs(folders=[elsewhere])
    )
    monkeypatch.setattr(needs_module, "_version", lambda: "0.0.9 (abc)")
    assert trouble(Needs()).endswith(", not 0.0.9 (abc)")
    monkeypatch.undo()
    assert "no node has a GPU to give; use --device cpu" in trouble(Needs(gpu=True))
