"""Several processes: results in order, one file's failure is its own, that of its process too, and nothing is left behind."""

import json
import multiprocessing
from functools import partial
from pathlib import Path

import pytest
from commands import rtbci_here
from doubler import Doubler
from test_evaluate import recording

from rtbci.errors import RtbciError
from rtbci.evaluation.workers import Failed, side_by_side


def test_results_come_in_the_order_of_the_jobs():
    assert list(side_by_side(Doubler, list(range(7)), 3)) == [0, 2, 4, 6, 8, 10, 12]
    assert list(side_by_side(Doubler, [], 3)) == []


def test_a_file_that_fails_and_a_process_that_is_killed_stop_no_other():
    found = list(side_by_side(Doubler, [1, "fail", "die", 2, "die", 3], 2))
    assert [one for one in found if not isinstance(one, Failed)] == [2, 4, 6]
    assert [one.reason for one in found if isinstance(one, Failed)] == [
        "fail.edf: is damaged",
        *["its process was ended (exit code 7), perhaps for want of memory"] * 2,
    ]
    assert isinstance(found[1], Failed)


def test_what_cannot_begin_and_a_mistake_of_ours_end_it_all_and_leave_no_process():
    with pytest.raises(RtbciError, match="no pipeline"):
        list(side_by_side(partial(Doubler, True), [1, 2, 3], 2))
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        list(side_by_side(Doubler, [1, "bug", 2, 3], 2))
    some = side_by_side(Doubler, [1, 2, 3], 2)
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
