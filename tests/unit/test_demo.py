"""What the demo says at its end: the expert's seizure beside the answer."""

import io

import pytest
from rich.console import Console

from rtbci.bundled import RECORDING
from rtbci.cli.demo import SeizureFound, print_summary, summary
from rtbci.monitor.messages import EngineState, EventLine, LogLine, OnsetLine
from rtbci.recordings.open import open_recording


def line(kind: type, time: float, onset: float, duration: float) -> LogLine:
    return kind(
        label="seizure", onset=onset, duration=duration, confidence=0.9, time=time, wall=0.0, stamp=0.0, channels=()
    )


def shown(log: list[LogLine], seconds: float | None = None) -> tuple[list[SeizureFound], list[str]]:
    result = summary(open_recording(RECORDING), seconds, EngineState(state="running"), log)
    text = io.StringIO()
    print_summary(result, Console(file=text, width=100))
    return list(result.seizures), [" ".join(line.split()) for line in text.getvalue().splitlines()]


def test_truth_stands_beside_the_answer() -> None:
    log = [line(OnsetLine, 49.8, 46.9, 2.9), line(EventLine, 82.0, 46.9, 35.1)]
    seizures, lines = shown(log)
    assert [one.plain() for one in seizures] == [
        {
            "onset_s": 42.0,
            "offset_s": 82.0,
            "detected_onset_s": 46.9,
            "detected_offset_s": 82.0,
            "decided_s": 49.8,
            "delay_s": 7.8,
        }
    ]
    assert lines[:4] == [
        "seizures 1 of 1 found",
        "annotated 0:00:42.0 to 0:01:22.0, by an expert",
        "detected 0:00:46.9 to 0:01:22.0",
        "decided 0:00:49.8, 7.8 s after the annotated onset",
    ]


def test_a_seizure_that_is_not_found_is_told() -> None:
    (seizure,), lines = shown([line(EventLine, 12.0, 8.0, 4.0)])
    assert (seizure.detected_onset_s, seizure.decided_s, seizure.delay_s) == (None, None, None)
    assert lines[0] == "seizures 0 of 1 found"
    assert lines[2:4] == ["detected no", "false alarms 1"]


@pytest.mark.parametrize(
    ("onset", "decided", "says"),
    [
        (35.0, 38.0, "decided 0:00:38.0, 4.0 s before the annotated onset"),
        (2.0, 5.0, "decided long before the annotated onset"),
    ],
)
def test_an_early_alarm_is_told(onset: float, decided: float, says: str) -> None:
    log = [line(OnsetLine, decided, onset, 3.0), line(EventLine, 80.0, onset, 80.0 - onset)]
    assert shown(log)[1][3] == says


def test_a_part_without_a_seizure_says_so() -> None:
    seizures, lines = shown([], seconds=20.0)
    assert seizures == []
    assert lines[0] == "seizures none is annotated in the part that was played"
