"""Which markers are cues: numbers, blanks, case and fields, and what a person is told of the others."""

import pytest

from rtbci.stages.cue_labels import CueAccount, CueLabels


@pytest.mark.parametrize(
    ("labels", "text", "label"),
    [
        (("left", "right"), "left", "left"),
        (("left", "right"), " right \t", "right"),
        (("left", "right"), "LEFT", "left"),
        (("left hand", "rest"), "Left  Hand", "left hand"),
        (("left", "right"), "lefty", ""),
        (("left", "right"), "", ""),
        (("1", "2"), "1.0", "1"),
        (("1.0", "2.0"), "2", "2.0"),
        (("1", "2"), "+1e0", "1"),
        (("1", "2"), "01", "1"),
        (("0.1",), "0.10", "0.1"),
        (("1", "2"), "1.5", ""),
        (("1", "2"), "nan", ""),
        (("9007199254740993",), "9007199254740992", ""),
        (("S  1", "S  2"), "Stimulus/S  1", "S  1"),
        (("S 1", "S 2"), "Stimulus/S  1", "S 1"),
        (("S1",), "S  1", "S1"),
        (("left/hand", "hand"), "left/hand", "left/hand"),
        (("left", "right"), "left/right", ""),  # two cues at once are neither
        (("left",), "left/left", "left"),
        (("Übung",), "U\u0308bung", "Übung"),
        (("Go", "go"), "go", "go"),
        (("Go", "go"), "GO", ""),  # which of the two is not known
        (("1", "1.0"), "1.0", "1.0"),
        (("1", "1.0"), "1.00", ""),
        (("left", "right"), '{"event": "Left", "trial": 3, "block": null}', "left"),
        (("left", "right"), '["right ", 1]', "right"),
        (("left", "right"), '"left"', "left"),
        (("left", "right"), '{"from": "left", "to": "right"}', ""),
        (("1", "2"), '{"event": "go", "trial": 1}', ""),  # a number beside a text is no cue
        (("1", "2"), '{"code": 2.0}', "2"),
        (("1", "2"), "[true]", ""),
        (("left",), '{"event": "left"', ""),
        (("left",), "[" * 100_000, ""),
        (('{"event": "left"}', "left"), '{"event": "left"}', '{"event": "left"}'),
        ((), " blink ", "blink"),
        ((), " ", ""),
    ],
)
def test_a_marker_is_the_cue_that_it_equals_or_the_only_one_that_it_resembles(
    labels: tuple[str, ...], text: str, label: str
) -> None:
    assert CueLabels(labels).match(text) == label


def test_each_text_that_is_no_cue_is_told_of_once_with_how_many_came() -> None:
    account = CueAccount(("left", "right"))
    labels = CueLabels(("left", "right"))
    for text in ["rest", "left", "rest", "bl\x1bink"]:
        account.add(text, labels.match(text))
    assert account.news() == ["3 markers are no cues of this pipeline: 'rest', 'bl\\x1bink'; wanted left, right"]
    account.add("rest", "")
    assert account.news() == []
    account.add("pause", "")
    assert account.news() == ["5 markers are no cues of this pipeline: 'pause'; wanted left, right"]


def test_a_cue_that_was_recognised_though_it_differs_is_told_of_once_and_a_number_never() -> None:
    account = CueAccount(("left", "1"))
    labels = CueLabels(("left", "1"))
    for text in ["Left", "Left", "left", "1.0"]:
        account.add(text, labels.match(text))
    assert account.news() == ["markers are taken for cues that differ in case, blanks or fields: 'Left' as 'left'"]
    account.add("Left", "left")
    assert not account.has_news


def test_a_million_texts_take_no_more_room_than_a_hundred() -> None:
    account = CueAccount(("left",))
    for k in range(100_000):
        account.add(f"text {k}", "")
    (line,) = account.news()
    assert line.startswith("100000 markers are no cues of this pipeline: 'text 0', ")
    assert len(line) < 800
    account.add("one more", "")
    assert account.news() == []
    assert account.n_others == 100_001
