"""Archives by name: the true folder and file names with small content, the typing errors of their lists, and `--dataset`."""

import json
from pathlib import Path

import numpy as np
import pytest
from archives import write_dataset, write_edf, write_session
from commands import mistake_here, rtbci_here
from real_data import find_data
from scipy.io import savemat

from rtbci.datasets import open_dataset
from rtbci.datasets.bnci_2a import CHANNELS
from rtbci.datasets.dataset import Dataset
from rtbci.datasets.helsinki_neonatal import read_mat_votes, read_votes
from rtbci.datasets.named import missing_line, parse_dataset
from rtbci.datasets.siena import read_list
from rtbci.errors import ConfigError, DatasetError
from rtbci.recordings.labelling import labels_of
from rtbci.recordings.listing import in_folder
from rtbci.training.config import read_train_config, with_datasets


def spans(dataset: Dataset) -> dict[str, list[tuple[float, float, str]]]:
    """(onset, end, label) of each annotation, by member."""
    return {
        member.name: [(e.onset, e.onset + e.duration, e.label) for e in member.recording.annotations]
        for member in dataset.members
    }


# Siena

LIST = """PN01

Seizure n 1
File name: PN01.edf
Registration start time: 19.00.44
Registration end time: 08.13.23

Seizure n 1
Start time: 21:51:02
End time: 21:51:56
Seizure n 2
Start time: 07:53:17
End time: 07:54:31
"""


def test_sienas_clock_times_become_seconds_of_the_record_over_midnight_too(tmp_path):
    write_edf(tmp_path / "PN01" / "PN01-1.edf")
    (tmp_path / "PN01" / "Seizures-list-PN01.txt").write_text(LIST)
    dataset = open_dataset("siena", tmp_path)
    assert spans(dataset) == {"PN01-1": [(10218, 10272, "seizure"), (46353, 46427, "seizure")]}
    (member,) = dataset.members
    assert member.subject == "PN01"
    assert "its list names a seizure beyond its end" in member.recording.warnings


@pytest.mark.parametrize(
    ("named", "record"),
    [("PN01.edf", "pn01-1"), ("PNO6-2.edf", "pn06-2"), ("PN11-.edf", "pn11-1"), ("PN10-7.8.9.edf", "pn10-7.8.9")],
)
def test_the_names_in_sienas_lists_are_those_of_its_files(tmp_path, named, record):
    text = "File name: {}\nRegistration start time:1 6.49.25\nRegistration end time: 18.00.00\nSeizure start time: 16.50.25\n"
    (tmp_path / "list.txt").write_text(text.format(named) + "Seizure end time:16.51.25\n")
    found = read_list(tmp_path / "list.txt")
    assert {name: one.seizures for name, one in found.items()} == {record: ((60, 120),)}


def test_a_second_seizure_of_a_file_needs_no_second_registration(tmp_path):
    block = "File name: PN12-1.2.edf\n{}Seizure start time: {}\nSeizure end time: {}\n"
    registered = "Registration start time: 15.51.31\nRegistration end time: 17.43.39\n"
    text = block.format(registered, "16.13.23", "16.14.26") + block.format("", "17.31.02", "17.32.09")
    (tmp_path / "list.txt").write_text(text)
    assert read_list(tmp_path / "list.txt")["pn12-1.2"].seizures == ((1312, 1375), (5971, 6038))


def test_the_hour_too_much_in_the_published_list_is_corrected_and_told(tmp_path):
    path = find_data("archive_trees/siena/PN00/Seizures-list-PN00.txt")
    found = read_list(path)
    assert found["pn00-3"].seizures == ((765, 825),)
    assert found["pn00-3"].corrected == ("its list has 19.29.29 as the end of a seizure; 18.29.29 is meant",)
    assert [name for name, one in found.items() if one.corrected] == ["pn00-3"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("nothing", "names no record"),
        ("File name: PN00-1.edf\nSeizure start time: 1.00.00\n", "has no registration start and end time"),
        (
            "File name: PN00-1.edf\nRegistration start time: 1.00.00\nRegistration end time: 2.00.00\n"
            "Seizure start time: 1.30.00\n",
            "has a seizure without a start before its end",
        ),
        ("File name: PN00-1.edf\nRegistration start time: 1.00\n", "wanted hours.minutes.seconds"),
    ],
)
def test_a_list_that_cannot_be_understood_is_refused(tmp_path, text, line):
    (tmp_path / "list.txt").write_text(text)
    with pytest.raises(DatasetError, match=line):
        read_list(tmp_path / "list.txt")


# TUSZ

BI = "# version = csv_v1.0.0\n# bname = x\n# duration = 8.0 secs\n#\nchannel,start_time,stop_time,label,confidence\n"


def test_tusz_has_its_parts_references_and_what_is_there_in_part(tmp_path):
    for place in (
        "train/aaaaaaac/s001_2002/02_tcp_le/aaaaaaac_s001_t000",
        "eval/aaaaaaaq/s007_2014/01_tcp_ar/aaaaaaaq_s007_t000",
    ):
        write_edf(tmp_path / f"{place}.edf")
        (tmp_path / f"{place}.csv_bi").write_text(BI + "TERM,0.0,2.0,bckg,1.0\nTERM,2.0,5.0,seiz,1.0\n")
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev" / "aaaaaabb_s001_t000.csv_bi").write_text(BI)
    write_edf(tmp_path / "dev" / "aaaaaacc_s001_t000.edf")
    (tmp_path / "dev" / "aaaaaadd_s001_t000.edf").write_bytes(b"damaged")
    (tmp_path / "dev" / "aaaaaadd_s001_t000.csv_bi").write_text(BI + "TERM,0.0,2.0,bckg,1.0\n")
    dataset = open_dataset("tusz", tmp_path)
    assert [(member.subject, member.part) for member in dataset.members] == [
        ("aaaaaaaq", "test"),
        ("aaaaaaac", "train"),
    ]
    assert all(found == [(2.0, 5.0, "seiz")] for found in spans(dataset).values())
    assert dataset.missing[:2] == ("dev/aaaaaabb_s001_t000.edf", "the event table of dev/aaaaaacc_s001_t000.edf")
    assert dataset.missing[2].startswith("aaaaaadd_s001_t000.edf: cannot be read")


# SeizeIT


def test_seizeit2_is_the_eeg_of_each_run_alone(tmp_path):
    run = tmp_path / "sub-001" / "ses-01" / "{0}" / "sub-001_ses-01_task-szMonitoring_run-01_{0}"
    for kind in ("eeg", "ecg", "emg", "mov"):
        write_edf(Path(f"{str(run).format(kind)}.edf"))
    table = Path(str(run).format("eeg")).parent / "sub-001_ses-01_task-szMonitoring_run-01_events.tsv"
    table.write_text("onset\tduration\teventType\n1\t2\tsz_foc_ia_nm\n4\t1\timpd\n5\t3\tbckg\n")
    dataset = open_dataset("seizeit2", tmp_path)
    assert len(dataset.members) == 1
    found = labels_of(dataset.members[0].recording, {"sz_foc_ia_nm": "seizure"}.get)
    assert [(e.onset, e.duration, e.label) for e in found.events] == [(1.0, 2.0, "seizure")]
    assert [path.name for path in in_folder(tmp_path)] == ["sub-001_ses-01_task-szMonitoring_run-01_eeg.edf"]


def test_a_seizure_of_seizeit1_without_an_end_stays_one(tmp_path):
    write_edf(tmp_path / "P_ID64" / "P_ID64_r1.edf")
    write_edf(tmp_path / "P_ID64" / "P_ID64_r2.edf")
    (tmp_path / "P_ID64" / "P_ID64_r1_a1.tsv").write_text(
        "# Source: SeizeIt1\n \n1\t3\tFIA\tHem:L\n5\tNone\tF-BTC\tHem:R\n"
    )
    (tmp_path / "P_ID64" / "P_ID64_r2_a1.tsv").write_text("# Source: SeizeIt1\n")
    dataset = open_dataset("seizeit1", tmp_path)
    assert spans(dataset) == {"P_ID64_r1": [(1, 3, "FIA"), (5, 5, "F-BTC")], "P_ID64_r2": []}
    open_ended, quiet = (labels_of(m.recording, lambda _: "seizure") for m in dataset.members)
    assert open_ended.unknown == ((5.0, 8.0),)
    assert quiet.background == ((0.0, 8.0),)
    (tmp_path / "P_ID64" / "P_ID64_r2_a1.tsv").write_text("soon\tlater\n")
    with pytest.raises(DatasetError, match="P_ID64_r2_a1.tsv, line 1: 'soon.*' has no start and end"):
        open_dataset("seizeit1", tmp_path)


# Helsinki


def test_a_second_on_which_the_experts_of_helsinki_disagree_is_neither(tmp_path):
    write_edf(tmp_path / "eeg1.edf")
    for expert, marks in (("A", "01110000"), ("B", "00110000"), ("C", "00111000")):
        rows = "".join(f"{mark},{'1' if second < 2 else ''}\n" for second, mark in enumerate(marks))
        (tmp_path / f"annotations_2017_{expert}_fixed.csv").write_text(f"1,2\n{rows}")
    dataset = open_dataset("helsinki_neonatal", tmp_path)
    assert spans(dataset) == {"eeg1": [(2, 4, "seizure"), (1, 2, "seizure?"), (4, 5, "seizure?")]}
    assert dataset.missing == ("eeg2.edf",)
    found = labels_of(dataset.members[0].recording, {"seizure": "seizure"}.get)
    assert found.unknown == ((1.0, 2.0), (4.0, 5.0))
    (tmp_path / "annotations_2017_A_fixed.csv").write_text("1,2\n0,2\n")
    with pytest.raises(DatasetError, match="the column of newborn 2 holds more than 0 and 1"):
        read_votes(tmp_path / "annotations_2017_A_fixed.csv")


def test_the_mat_file_of_helsinki_says_the_same_as_its_tables(tmp_path):
    write_dataset("helsinki_neonatal", tmp_path, ())
    tables = sorted(tmp_path.glob("*.csv"))
    wanted = spans(open_dataset("helsinki_neonatal", tmp_path))
    votes = [read_votes(table) for table in tables]
    cells = np.empty((1, 5), object)  # the fifth newborn has no record
    for number in range(5):
        cells[0, number] = np.array([one[min(number, 3) + 1] for one in votes], float)
    savemat(tmp_path / "annotations_2017.mat", {"annotat_new": cells})
    for table in tables:
        table.unlink()
    dataset = open_dataset("helsinki_neonatal", tmp_path)
    assert spans(dataset) == wanted
    assert wanted["eeg4"] == [(10, 16, "seizure"), (8, 10, "seizure?")]
    assert dataset.missing == ("eeg5.edf",)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ({"other": 1}, "holds no annotat_new that can be read"),
        ({"annotat_new": np.zeros((3, 9))}, "newborn 1 has one value.s.; wanted a row"),
        (
            {"annotat_new": np.array([[np.full((3, 4), 2), None]], object)[:, :1]},
            "newborn 1 has 3 × 4 value.s.; wanted",
        ),
    ],
)
def test_another_mat_file_is_refused(tmp_path, content, line):
    savemat(tmp_path / "annotations_2017.mat", content)
    with pytest.raises(DatasetError, match=line):
        read_mat_votes(tmp_path / "annotations_2017.mat")
    (tmp_path / "annotations_2017.mat").write_bytes(b"no mat file")
    with pytest.raises(DatasetError, match="holds no annotat_new that can be read"):
        read_mat_votes(tmp_path / "annotations_2017.mat")


# BCI Competition IV, 2a


def test_the_cues_of_set_2a_have_the_classes_of_the_test_and_no_rejected_trial(tmp_path):
    trials = [(0, 768), (2, 769), (3, 768), (3, 1023), (5, 770), (5.5, 768), (6, 772)]
    others = [(0, 276), (0, 32766), (1, 1072)]  # idling, start of a run, eye movements
    write_session(tmp_path / "A01T.gdf", [(at, kind, 1.252) for at, kind in sorted([*others, *trials])], seconds=8)
    hidden = [(at, 783 if kind in (769, 770, 772) else kind, 1.252) for at, kind in trials]
    write_session(tmp_path / "A01E.gdf", hidden, seconds=8)
    assert open_dataset("bnci_2a", tmp_path).missing == ("A01E.mat, the classes of A01E.gdf",)
    savemat(tmp_path / "A01E.mat", {"classlabel": np.array([[3], [1], [2]])})
    dataset = open_dataset("bnci_2a", tmp_path)
    assert spans(dataset) == {
        "A01E": [(2, 3.252, "feet"), (6, 7.252, "right")],
        "A01T": [(2, 3.252, "left"), (6, 7.252, "tongue")],
    }
    assert [(m.name, m.subject, m.part) for m in dataset.members] == [("A01E", "A01", "test"), ("A01T", "A01", "train")]
    recording = dataset.members[0].recording
    assert (recording.info.channels, recording.info.sfreq, set(recording.info.units)) == (CHANNELS, 250, {"uV"})
    savemat(tmp_path / "A01E.mat", {"classlabel": np.array([[3], [1]])})
    with pytest.raises(DatasetError, match="has 2 classes in `classlabel` for 3 cues"):
        open_dataset("bnci_2a", tmp_path)


# The published trees


@pytest.mark.parametrize(
    ("name", "folder", "members"),
    [("siena", "siena", 1), ("tusz", "tuh", 6), ("seizeit1", "seizeit", 2), ("chbmit", "chbmit", 5)],
)
def test_the_published_trees_are_read(name, folder, members):
    root = find_data("archive_trees/LICENSE").parent
    assert len(open_dataset(name, root / folder).members) == members


def test_a_broken_record_stops_none_of_the_others(tmp_path):
    write_edf(tmp_path / "chb05" / "chb05_01.edf")
    (tmp_path / "chb05" / "chb05_02.edf").write_bytes(b"damaged")
    blocks = "".join(f"File Name: chb05_0{n}.edf\nNumber of Seizures in File: 0\n\n" for n in (1, 2))
    (tmp_path / "chb05" / "chb05-summary.txt").write_text(blocks)
    dataset = open_dataset("chbmit", tmp_path)
    assert [member.name for member in dataset.members] == ["chb05_01"]
    assert "chb05_02.edf: cannot be read" in missing_line(dataset)


# On the command line


def test_a_dataset_on_the_command_line_is_found_or_added_in_the_config(tmp_path):
    one = with_datasets({"data": {"dataset": {"name": "siena", "folder": "old"}}}, [f"siena={tmp_path}"])
    assert one["data"]["dataset"] == {"name": "siena", "folder": str(tmp_path)}
    two = with_datasets(one, [f"chbmit={tmp_path}"])
    assert [table["name"] for table in two["data"]["dataset"]] == ["siena", "chbmit"]
    assert with_datasets({}, [f"tusz={tmp_path}"])["data"]["dataset"] == {"name": "tusz", "folder": str(tmp_path)}
    assert parse_dataset(f"siena={tmp_path}") == ("siena", tmp_path)
    for text, line in (("siena", "wanted NAME=FOLDER"), (f"siena={tmp_path}/no", "there is no folder")):
        with pytest.raises(ConfigError, match=line):
            parse_dataset(text)


def test_several_datasets_may_be_in_a_config(tmp_path):
    text = (
        (Path(__file__).parents[2] / "configs" / "bci2_iv.toml")
        .read_text()
        .replace("[data.dataset]", "[[data.dataset]]")
    )
    (tmp_path / "two.toml").write_text(text + '\n[[data.dataset]]\nname = "szcore"\n')
    config = read_train_config(tmp_path / "two.toml", [f"data.root={tmp_path}"])
    assert [(one.name, where) for one, where in config.data.datasets()] == [
        ("bci2_iv", "data.dataset.0"), ("szcore", "data.dataset.1"),
    ]  # fmt: skip


def test_tag_and_evaluate_take_a_dataset(tmp_path):
    names = [
        "Fp1",
        "F7",
        "T7",
        "P7",
        "O1",
        "F3",
        "C3",
        "P3",
        "Fz",
        "Cz",
        "Pz",
        "Fp2",
        "F4",
        "C4",
        "P4",
        "O2",
        "F8",
        "T8",
        "P8",
    ]
    write_edf(tmp_path / "PN00" / "PN00-1.edf", names, seconds=20, sfreq=128)
    (tmp_path / "PN00" / "Seizures-list-PN00.txt").write_text(
        "File name: PN00-1.edf\nRegistration start time: 00.00.00\nRegistration end time: 00.00.20\n"
        "Seizure start time: 00.00.05\nSeizure end time: 00.00.15\n"
    )
    done = rtbci_here("evaluate", "demo", "--dataset", f"siena={tmp_path}", "--json")
    found = json.loads(done.stdout)
    assert (found["recordings"], found["event"]["counts"]["true"]) == (1, 1)
    assert found["subject_rows"][0]["subject"] == "PN00"
    done = rtbci_here("evaluate", "demo", "--dataset", f"siena={tmp_path}", "--jobs", 2, "--json")
    assert json.loads(done.stdout) == found
    done = rtbci_here("tag", "demo", "--dataset", f"siena={tmp_path}", "--out", tmp_path / "out", "--json")
    (row,) = json.loads(done.stdout)["recordings"]
    assert Path(row["events_tsv"]) == tmp_path / "out" / "PN00" / "PN00-1_events.tsv"
    assert "no recording was named" in mistake_here("tag", "demo", "--out", tmp_path)
    assert "no recording was named" in mistake_here("evaluate", "demo")
