"""What labels tell only together: another scheme than 10-20, or several heads."""

import pytest

from rtbci.recordings.label_sets import heads, other_scheme

TEN_TWENTY = [
    "Fp1",
    "F3",
    "C3",
    "P3",
    "F7",
    "T7",
    "P7",
    "O1",
    "Fz",
    "Cz",
    "Pz",
    "Fp2",
    "F4",
    "C4",
    "P4",
    "F8",
    "T8",
    "P8",
    "O2",
]
BIOSEMI = [f"{bank}{k}" for bank in "ABCD" for k in range(1, 33)]


@pytest.mark.parametrize(
    ("labels", "name"),
    [
        (BIOSEMI, "BioSemi's A1 … D32"),
        ([*BIOSEMI[:32], "EXG1", "Status"], "BioSemi's A1 … D32"),
        (["A1", "A5", "A12", "B3", "B20", "C17", "D4"], "BioSemi's A1 … D32"),
        ([f"{shaft}{k}" for shaft in "OPF" for k in range(1, 13)], "depth electrodes"),
        ([*(f"E{k}" for k in range(1, 129)), "Cz"], "EGI's E1 … E256"),
        ([str(k) for k in range(1, 65)], "plain numbers"),
        ([f"EEG {k:03d}" for k in range(1, 60)], "plain numbers"),
    ],
)
def test_another_scheme_is_told_from_the_whole_set(labels: list[str], name: str) -> None:
    scheme = other_scheme(tuple(labels))
    assert scheme is not None
    assert scheme.name == name


@pytest.mark.parametrize(
    "labels",
    [
        TEN_TWENTY,
        [*TEN_TWENTY, "A1", "A2", "X1", "X2", "X3", "T1", "T2"],
        ["F3", "F4", "C3", "C4", "O1", "O2", "M1", "M2", "E1", "E2"],
        [
            "Fp1",
            "AF3",
            "F7",
            "F3",
            "FC1",
            "FC5",
            "T7",
            "C3",
            "CP1",
            "CP5",
            "P7",
            "P3",
            "Pz",
            "PO3",
            "O1",
            "Oz",
            "F1",
            "F5",
            "C1",
            "C5",
            "P1",
            "P5",
        ],
        ["Fp1-F7", "F7-T7", "C3-P3"],
        ["Steps"],
        [],
    ],
)
def test_labels_of_the_10_20_system_are_of_no_other(labels: list[str]) -> None:
    assert other_scheme(tuple(labels)) is None


@pytest.mark.parametrize(
    "form",
    ["{name}_{k}", "P{k}_{name}", "S{k}-{name}", "{name}.S{k}", "{name} ({k})", "sub-0{k}_{name}", "{name}_P{k}"],
)
def test_the_electrodes_of_two_heads_are_told_apart(form: str) -> None:
    labels = [form.format(name=name, k=k) for k in (1, 2) for name in TEN_TWENTY]
    found = heads(tuple(labels))
    assert list(found) == [form.format(name="*", k=k) for k in (1, 2)]
    assert [[*group.values()] for group in found.values()] == [TEN_TWENTY] * 2
    assert [i for group in found.values() for i in group] == [*range(38)]


def test_a_head_without_a_mark_is_one_too() -> None:
    assert [*heads((*TEN_TWENTY, *(f"{name}_B" for name in TEN_TWENTY)))] == ["*", "*_B"]


@pytest.mark.parametrize(
    "labels",
    [
        TEN_TWENTY,
        [f"{name}-0" for name in TEN_TWENTY],
        ["T8-P8-0", "Fp1-F7", "F7-T7", "T8-P8-1"],
        ["Fp1-F7", "F7-T7", "T7-P7", "P7-O1", "Fp1-F3", "F3-C3"],
        ["C3-A1", "C4-A1", "C3-A2", "C4-A2"],
        [*(f"{name}-REF" for name in TEN_TWENTY), *(f"{name}-AVG" for name in TEN_TWENTY)],
        ["Fp1-Cz", "Fp2-Cz", "Fp1-Pz", "Fp2-Pz"],
        ["C3", "C4", "C3_2"],
        ["", " ", "_1", "()", "C3_"],
    ],
)
def test_one_head_is_not_taken_for_several(labels: list[str]) -> None:
    assert heads(tuple(labels)) == {}
