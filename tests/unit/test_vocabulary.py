"""What a label says: one vocabulary for training, scoring and datasets."""

from __future__ import annotations

import pytest

from rtbci.recordings.vocabulary import is_background, is_doubtful, is_seizure, limit_of, meaning_of, term_of


@pytest.mark.parametrize(
    ("label", "term"),
    [
        ("sz", "sz"),
        ("Seizure 3", "sz"),
        ("sz_foc_ia_nm_behavior", "sz_foc_ia_nm_behavior"),
        ("seiz", "sz"),
        ("fnsz", "sz_foc"),
        ("cpsz", "sz_foc_ia"),
        ("atsz", "sz_gen_m_atonic"),
        ("FIA", "sz_foc_ia"),
        ("FBTC", "sz_foc_f2b"),
        ("F-BTC", "sz_foc_f2b"),
        ("GTCS", "sz_gen_m_tonicclonic"),
        ("Focal impaired awareness seizure", "sz_foc_ia"),
        ("generalised tonic-clonic", "sz_gen_m_tonicclonic"),
        ("ictal", "sz"),
        ("seizure onset", "sz"),
    ],
)
def test_every_name_of_a_seizure_has_its_term(label: str, term: str) -> None:
    assert term_of(label) == term
    assert is_seizure(label)


@pytest.mark.parametrize(
    "label",
    [
        *("seizure free", "Seizure-free", "no seizure", "nonseizure", "non-seizure", "bckg", "interictal"),
        *("pre-ictal", "preictal", "post-ictal", "postictal", "after the seizure", "nesz", "non-epileptic seizure"),
        *("seizure end", "seizure button pressed", "seizure?", "possible seizure", "eyes open", "left", "impd", ""),
    ],
)
def test_a_label_that_marks_no_seizure_is_none(label: str) -> None:
    assert not is_seizure(label)


def test_that_there_is_no_seizure_can_be_said_in_several_ways() -> None:
    said = ("bckg", "background", "seizure free", "No SZ", "non-seizure", "absence of seizures")
    assert all(map(is_background, said))
    assert not any(map(is_background, ("absence seizure", "pre-ictal", "Seizure, no clinical correlate", "rest")))


def test_a_label_that_speaks_of_a_seizure_without_marking_one_is_doubtful() -> None:
    doubtful = ("seizure?", "possible seizure", "seizure-like", "Seizure, no clinical correlate")
    assert all(map(is_doubtful, doubtful))
    assert not any(map(is_doubtful, ("sz", "seizure free", "pre-ictal", "seizure end", "eyes open")))


def test_onset_and_end_are_limits_of_a_seizure() -> None:
    assert limit_of("Seizure onset") == limit_of("start of seizure") == ("onset", "sz")
    assert limit_of("FIA end") == ("end", "sz_foc_ia")
    assert limit_of("movement onset") is limit_of("end") is limit_of("seizure") is None


def test_a_term_covers_those_below_it_and_the_nearest_counts() -> None:
    meanings = {"sz_foc": "focal", "seizure": "other", "Left": "left"}
    labels = ("FIA", "fnsz", "gnsz", "sz", "SEIZURE", "left", "seizure free", "eyes open")
    assert [meaning_of(label, meanings) for label in labels] == [
        *("focal", "focal", "other", "other", "other", "left", None, None)
    ]


def test_a_number_is_part_of_a_name_where_the_map_has_one_and_else_it_counts() -> None:
    cues = {"T1": "left", "T2": "right"}
    assert [meaning_of(label, cues) for label in ("T0", "T1", "t2", "T 1", "T3", "T", "T11")] == [
        *(None, "left", "right", None, None, None, None)
    ]
    assert [
        meaning_of(label, {"blink": "eye", "Move2": "hand"}) for label in ("Blink3", "blink", "move2", "move1")
    ] == [*("eye", "eye", "hand", None)]
    assert meaning_of("Seizure12", {"seizure1": "sz"}) == "sz"
