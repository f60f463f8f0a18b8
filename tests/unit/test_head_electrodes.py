"""Which electrodes are chosen, missing or bad, whose names matter most, and how the choice is told."""

from cutting import INFO, PAIRS, make_pipeline

from rtbci.dashboard.model.electrodes import HeadElectrode, caption, electrodes, must_be_named, with_room
from rtbci.monitor.layout import Layout, layout_of
from rtbci.pipeline.config import ChosenElectrodes
from rtbci.pipeline.stream import session_info

MONTAGE = ("Fp1", "C3", "Cz", "C4", "O1")


def layout(inputs: tuple[str, ...] = MONTAGE, channels: tuple[str, ...] = MONTAGE, **more: object) -> Layout:
    return Layout(
        channels=channels, units=("uV",) * len(channels), sfreq=256.0, inputs=inputs, model_sfreq=256.0, montage=MONTAGE,
        classes=("seizure",), labels=("seizure",), hop_s=0.1, **more,
    )  # fmt: skip


def test_chosen_ones_are_told_from_those_that_are_merely_used() -> None:
    assert not any(e.chosen for e in electrodes(layout(), {}))
    assert [e.name for e in electrodes(layout(("C3", "Cz")), {}) if e.chosen] == ["C3", "Cz"]


def test_names_of_bad_missing_and_chosen_electrodes_are_wanted_at_every_size() -> None:
    found = electrodes(layout(("C3", "Cz"), ("Fp1", "Cz", "C4", "O1")), {"O1": "flat"})
    assert must_be_named(found) == {"C3", "Cz", "O1"}
    assert must_be_named(electrodes(layout(), {})) == set(MONTAGE)


def test_what_matters_more_has_its_room_first() -> None:
    plain, chosen, bad = (
        HeadElectrode("Fp1", 0.0, True),
        HeadElectrode("Fp2", 0.9, True, chosen=True),
        HeadElectrode("Fpz", 0.0, True, "flat"),
    )
    apart = {"Fp1": (0.0, 0.0, 9.0, 5.0), "Fpz": (10.0, 0.0, 19.0, 5.0), "Fp2": (20.0, 0.0, 29.0, 5.0)}
    assert with_room([plain, chosen, bad], apart) == {"Fp1", "Fpz", "Fp2"}
    close = {name: (left, top, right + 3, bottom) for name, (left, top, right, bottom) in apart.items()}
    assert with_room([plain, chosen, bad], close) == {"Fpz"}
    assert with_room([plain, chosen], close) == {"Fp1", "Fp2"}


def test_the_caption_says_how_many_of_how_many_and_how_good_the_choice_was() -> None:
    assert caption(None) == ""
    assert caption(layout()) == "all 5 channels used"
    chosen = layout(("C3", "Cz"), choice="accuracy 0.82 held out")
    assert caption(chosen) == "2 of 5 channels chosen  ·  accuracy 0.82 held out"


def test_the_score_is_that_of_the_search_for_as_many_electrodes() -> None:
    pipeline = make_pipeline(selection=ChosenElectrodes(channels=PAIRS[:2]))
    for notes, said in (
        ({}, ""),
        ({"scores": {"selection": [{"method": "gumbel", "k": 4, "accuracy": 0.9}]}}, ""),
        ({"scores": {"selection": ["?", {"method": "gumbel", "k": 2, "accuracy": 0.8158}]}}, "accuracy 0.82 held out"),
    ):
        pipeline.notes = notes
        assert layout_of(session_info(pipeline, INFO), pipeline).choice == said
