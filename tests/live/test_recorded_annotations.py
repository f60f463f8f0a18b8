"""The annotations of a replay in a recording: its own, whoever else sends some under their name; or why they are not in it."""

import signal
import subprocess
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import pylsl
import pytest
from live_run import RTBCI
from replay_kit import SFREQ, played

import rtbci
from rtbci.bundled import RECORDING
from rtbci.engine.recording import predicates
from rtbci.lsl.recorded_source import RecordedSource
from rtbci.monitor.messages import ArmingState
from rtbci.recordings.xdf_recorder import XdfRecorder

Wait = Callable[..., None]
SOURCE_ID = f"rtbci-replay-{'0' * 16}"


def stranger(name: str, source_id: str) -> pylsl.StreamOutlet:
    return pylsl.StreamOutlet(pylsl.StreamInfo(f"{name}-annotations", "Markers", 1, 0, "string", source_id))


@pytest.mark.parametrize("copies_the_id", [False, True])
def test_a_replay_has_its_own_annotations_or_it_is_told_why_not(
    copies_the_id: bool, tmp_path: Path, wait_until: Wait
) -> None:
    name = f"noted-{uuid.uuid4().hex[:8]}"
    with played(name, speed=16.0, wait_for_consumer=True) as playback:
        own_id = f"{playback.players[0].track.info.source_id}-annotations"
        theirs = stranger(name, own_id if copies_the_id else "theirs")
        command = [*RTBCI, "record", "--stream", f"name={name}", "--out", str(tmp_path)]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as recording:
            wait_until(lambda: theirs.push_sample(["theirs"]) or playback.n_sent == 82 * SFREQ)
            recording.send_signal(signal.SIGINT)
            _, said = recording.communicate(timeout=30)
    (file,) = tmp_path.glob("*.xdf")
    found = [event.label for event in rtbci.open_recording(file).annotations]
    refused = "ALARM: markers are not recorded: 2 streams match"
    if copies_the_id:
        assert (found, said.count(refused)) == ([], 1)
    else:
        assert (found, "ALARM" in said) == (
            [event.label for event in rtbci.open_recording(RECORDING).annotations],
            False,
        )


def test_markers_beside_an_amplifier_are_not_its_annotations(tmp_path: Path, wait_until: Wait) -> None:
    name = f"amp-{uuid.uuid4().hex[:8]}"
    signal = pylsl.StreamOutlet(pylsl.StreamInfo(name, "EEG", 2, SFREQ, "float32", "amp"))
    theirs = stranger(name, "amp-annotations")
    recorder = XdfRecorder(tmp_path)
    source, began, n = RecordedSource(recorder, {"name": name}), pylsl.local_clock(), 0
    while source._stream.n_received < 3 * SFREQ:
        while began + n / SFREQ < pylsl.local_clock():
            signal.push_sample([0.0, 1.0], began + n / SFREQ)
            n += 1
        theirs.push_sample(["theirs"])
        source.read(0.01)
        time.sleep(0.005)
    source.close()
    assert recorder.close(20.0)
    (file,) = tmp_path.glob("*.xdf")
    assert rtbci.open_recording(file).annotations == ()


def test_labrecorder_is_told_of_no_other_annotations_either() -> None:
    beside = predicates(ArmingState(name="Amp", source_id="amp-1", type="EEG"), ())
    assert beside == ["name='Amp' and source_id='amp-1' and type='EEG'"]
    (replay,) = predicates(ArmingState(name="Amp", source_id=SOURCE_ID, type="EEG"), ())
    assert replay.endswith(f"or (name='Amp-annotations' and type='Markers' and source_id='{SOURCE_ID}-annotations')")
