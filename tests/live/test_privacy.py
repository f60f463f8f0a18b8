"""What goes onto a network unasked: no name of a file, no text that a person wrote."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pylsl
import pytest
from cutting import INFO, make_pipeline
from xdf_kit import XdfStream, write_xdf

from rtbci.cli.replay import seen_by_others
from rtbci.lsl.outlets import Outlets
from rtbci.pipeline.stream import session_info
from rtbci.recordings.open import open_recording
from rtbci.replay.playback import Playback
from rtbci.replay.replay import Replay
from rtbci.types import AlertChanged, OperatorAnnotation


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """A file with a patient's name, in it and outside."""
    times = np.arange(200) / 100
    return write_xdf(
        tmp_path / "mueller.xdf",
        XdfStream("Amp", "EEG", np.zeros((200, 2), np.float32), times, "float32", 100.0, "a"),
        XdfStream("Notes", "Markers", [["Mueller moves"]], np.array([1.0]), "string", 0.0, "n"),
    )


@pytest.fixture
def visible(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """rtbci takes LSL to be seen by a network; liblsl was set up before, and stays on the loopback."""
    (tmp_path / "lsl_api.cfg").write_text("[lab]\nSessionID = of-a-test\n")
    monkeypatch.setenv("LSLAPICFG", str(tmp_path / "lsl_api.cfg"))


@contextmanager
def opened(replay: Replay) -> Iterator[Playback]:
    playback = replay.playback()
    try:
        yield playback
    finally:
        playback.close()


def published(playback: Playback) -> str:
    """All that LSL tells of its streams."""
    outlets = [o for p in playback.players for o in (p.outlet, p._marker_outlet) if o is not None]
    return "".join(outlet.get_info().as_xml() for outlet in outlets)


@pytest.mark.usefixtures("visible")
def test_a_replay_that_a_network_sees_names_no_file_and_sends_no_annotation(recording: Path) -> None:
    with opened(Replay([recording])) as playback:
        (player,) = playback.players
        assert player.track.info.name == "rtbci-replay"
        assert player._marker_outlet is None
        assert "mueller" not in published(playback).casefold()
    assert seen_by_others(Replay([recording])) == (
        "the whole network sees the stream, no name of a file (--name gives one), "
        "and no annotations (--share-annotations sends them)"
    )


@pytest.mark.usefixtures("visible")
def test_what_was_asked_for_is_sent(recording: Path) -> None:
    replay = Replay([recording], name="bed 3", share_annotations=True)
    with opened(replay) as playback:
        assert playback.players[0].track.info.name == "bed 3"
        assert "<label>Mueller moves</label>" in published(playback)
        assert "mueller.xdf" not in published(playback)
    assert seen_by_others(replay) == "the whole network sees the stream, the name bed 3, and its annotations"


@pytest.mark.usefixtures("visible")
def test_several_files_are_numbered(recording: Path) -> None:
    for name in (None, "bed"):
        with opened(Replay([recording, recording], name=name, together=True)) as playback:
            base = name or "rtbci-replay"
            assert [p.track.info.name for p in playback.players] == [base, f"{base}-2"]
            assert "mueller" not in published(playback).casefold()


def test_on_this_machine_a_replay_has_the_name_of_its_file_and_sends_its_annotations(recording: Path) -> None:
    with opened(Replay([recording])) as playback:
        assert playback.players[0].track.info.name == open_recording(recording).info.name == "mueller"
        assert "<label>Mueller moves</label>" in published(playback)


def test_who_acknowledged_an_alarm_is_published_only_if_asked_for() -> None:
    seen = AlertChanged("acknowledged", "event", "seizure", "off", "medium", "", "Mueller@bed-3", 9.0, 1.0, 1.7e9)
    for share in (False, True):
        outlets = Outlets(share_annotations=share)
        sent: list[dict[str, object]] = []
        outlets.marker = lambda about, stamp, sent=sent: sent.append(about)  # type: ignore[method-assign]
        outlets.on(seen)
        (mark,) = sent
        assert ("by" in mark, mark["presence"], mark["time_s"]) == (share, "off", 9.0)


def test_the_text_of_an_operator_annotation_is_published_only_if_asked_for() -> None:
    for share, label in ((False, "note"), (True, "Mueller moves")):
        outlets = Outlets(share_annotations=share)
        sent: list[str] = []
        outlets.begin(session_info(make_pipeline(), INFO))
        outlets.marker = lambda about, stamp, sent=sent: sent.append(json.dumps(about))  # type: ignore[method-assign]
        outlets.on(OperatorAnnotation("Mueller moves", 1.0, 0.5, pylsl.local_clock()))
        (mark,) = map(json.loads, sent)
        assert (mark["label"], mark["state"], mark["onset_s"]) == (label, "annotation", 1.0)
        outlets.close()
