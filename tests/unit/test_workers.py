"""Several processes: results in order, one file's failure is its own, that of its process too, and nothing is left behind."""

import json
import multiprocessing
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from commands import mistake_here, rtbci_here
from doubler import Doubler
from test_evaluate import recording

from rtbci.bundled import RECORDING
from rtbci.errors import RtbciError
from rtbci.workers import needs
from rtbci.workers.needs import Needs, lacking, looked_for
from rtbci.workers.side_by_side import HERE, Workers, in_order, side_by_side
from rtbci.workers.work import Done, Failed

TWO, THREE = Workers(2), Workers(3)


def results(outcomes: Iterator[Done | Failed]) -> list[object]:
    return [outcome.result if isinstance(outcome, Done) else outcome for outcome in outcomes]


@pytest.mark.parametrize("workers", [HERE, THREE])
def test_results_come_in_the_order_of_the_jobs_and_progress_with_their_numbers(workers):
    told = []
    outcomes = side_by_side(Doubler, list(range(7)), workers, on_report=lambda *what: told.append(what))
    assert results(in_order(outcomes)) == [0, 2, 4, 6, 8, 10, 12]
    assert sorted(told) == [(number, f"half of {number}") for number in range(7)]
    assert list(side_by_side(Doubler, [], workers)) == []


def test_a_file_that_fails_and_a_process_that_is_killed_stop_no_other():
    found = results(in_order(side_by_side(Doubler, [1, "fail", "die", 2, "die", 3], TWO)))
    assert [one for one in found if not isinstance(one, Failed)] == [2, 4, 6]
    killed = Failed("its process was ended (exit code 7), perhaps for want of memory", ended=True)
    assert [one for one in found if isinstance(one, Failed)] == [Failed("fail.edf: is damaged"), killed, killed]
    assert found[1] == Failed("fail.edf: is damaged")
    assert results(in_order(side_by_side(Doubler, [1, "fail", 2], HERE))) == [2, found[1], 4]


def test_what_cannot_begin_and_a_mistake_of_ours_end_it_all_and_leave_no_process():
    with pytest.raises(RtbciError, match="no pipeline"):
        list(side_by_side(partial(Doubler, True), [1, 2, 3], TWO))
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        list(side_by_side(Doubler, [1, "bug", 2, 3], TWO))
    some = side_by_side(Doubler, [1, 2, 3], TWO)
    next(some)
    some.close()
    assert multiprocessing.active_children() == []


def test_tag_and_evaluate_say_the_same_with_several_processes(tmp_path: Path):
    paths = [recording(tmp_path, name, rows) for name, rows in (("a", "42.0\t40.0\tsz\n"), ("b", ""))]
    broken = tmp_path / "c.edf"
    broken.write_bytes(b"no header")
    (tmp_path / "c_events.tsv").write_text("onset\tduration\teventType\n")
    said = []
    for jobs in (1, 2):
        out = tmp_path / f"out{jobs}"
        done = rtbci_here("tag", "demo", *paths, broken, "--out", out, "--jobs", jobs, "--json")
        assert done.returncode == 2
        tagged = json.loads(done.stdout)
        done = rtbci_here("evaluate", "demo", *paths, broken, "--jobs", jobs, "--json")
        assert done.returncode == 2
        files = {path.name: path.read_bytes() for path in sorted(out.iterdir()) if path.suffix == ".tsv"}
        said.append(([row["events"] for row in tagged["recordings"]], tagged["failed"], files, json.loads(done.stdout)))
    assert said[0] == said[1]
    assert len(said[0][0]) == 2


def test_without_ray_a_cluster_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    for command in (["tag", "demo", RECORDING, "--out", tmp_path], ["evaluate", "demo", RECORDING]):
        line = rtbci_here(*command, "--cluster", "auto").stderr.splitlines()[-1]
        assert line == "error: --cluster auto: Ray is not installed; install it with: pip install 'rtbci[cluster]'"
    assert "--cluster is for --by-patient" in mistake_here("select", "x.toml", "--out", tmp_path, "--cluster", "auto")


def test_what_a_node_lacks_is_said(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(needs, "MARKER_S", 0.0)
    pipeline = tmp_path / "small.rtbci"
    pipeline.write_bytes(b"one")
    with looked_for(Needs(tmp_path / "out", [tmp_path], [pipeline])) as wanted:
        assert lacking(wanted) == ""
        pipeline.write_bytes(b"other")
        assert lacking(wanted) == f"{pipeline} is not there, or another file than here"
        Path(wanted["marker"]).write_text("of another disk")
        assert lacking(wanted).startswith(
            f"it lacks {tmp_path / 'out'}, or has another folder of that name; recordings and"
        )
        monkeypatch.setattr(needs, "_version", lambda: "0.0.9 (abc)")
        assert lacking(wanted).startswith("it has rtbci 0.0.9 (abc), not ")
    assert list((tmp_path / "out").iterdir()) == []
