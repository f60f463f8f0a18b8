"""The streams of the picker: which are offered, how they read, and what the choice of one asks for."""

from rtbci.dashboard.model.stream_choice import choice_text, offered, query_for
from rtbci.lsl.discovery import FoundStream


def stream(name: str = "Muse", type: str = "EEG", **other: str) -> FoundStream:
    about = {"format": "float32", "hostname": "lab", "source_id": "muse-1", "uid": "u1"} | other
    return FoundStream(name, type, 4, 256.0, **about)


def test_streams_of_numbers_are_offered_also_without_a_rate_and_markers_are_not() -> None:
    rateless = FoundStream("RDA", "EEG", 32, 0.0, "float32", "lab", "", "u2")
    keys = FoundStream("keys", "Markers", 1, 0.0, "int32", "lab", "", "u3")
    texts = FoundStream("notes", "EEG", 1, 0.0, "string", "lab", "", "u4")
    assert offered([stream(), rateless, keys, texts]) == [stream(), rateless]
    assert choice_text(rateless) == "RDA  ·  EEG\n32 channels, says no rate, on lab"


def test_a_name_adds_no_line() -> None:
    text = choice_text(stream("Muse\n32 channels, 500 Hz, on amp-1\x1b[2J", "\n", hostname="a\nb"))
    assert text == "Muse 32 channels, 500 Hz, on amp-1\\x1b[2J  ·  no type\n4 channels, 256 Hz, on a b"


def test_a_choice_asks_for_no_more_than_tells_it_apart() -> None:
    chosen = stream()
    assert query_for(chosen, [chosen]) == {"name": "Muse", "type": "EEG"}
    assert query_for(chosen, [chosen, stream(type="PPG", uid="u2")]) == {"name": "Muse", "type": "EEG"}
    elsewhere = stream(hostname="ward", uid="u2")
    assert query_for(chosen, [chosen, elsewhere]) == {"name": "Muse", "type": "EEG", "hostname": "lab"}
    other = stream(source_id="muse-2", uid="u2")
    assert query_for(other, [chosen, other])["source_id"] == "muse-2"
    twin = stream(uid="u2")
    assert query_for(twin, [chosen, twin])["uid"] == "u2"
    assert query_for(stream("", ""), [stream("", "")]) == {"uid": "u1"}
