"""Alarms of the signal: the states of FHIR's DeviceAlert, burden and status by ACNS 2021, and what a restart keeps."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rtbci.engine.alerts.alert import Moment
from rtbci.engine.alerts.board import AlertBoard
from rtbci.engine.alerts.conditions import BURDEN, EVENT, STATUS, ConditionChanged, Conditions
from rtbci.engine.alerts.config import AlarmConfig, alarm_config
from rtbci.engine.alerts.store import AlertStore
from rtbci.engine.alerts.watch import AlertWatch
from rtbci.errors import ConfigError
from rtbci.monitor.alerts import Acknowledge, PauseSound
from rtbci.pipeline.config import PipelineConfig
from rtbci.stages.burden import SeizureBurden, level_of
from rtbci.stages.decision import Decision, DecisionConfig, alarm_labels
from rtbci.types import AlertChanged, Chunk, Detection, Event, OperatorVerdict, Scores, SessionInfo, Signals, StreamInfo

HOP_S = 1.0
SEIZURE = Event(10.0, 20.0, "seizure", 0.9)
STARTED = Event(10.0, 3.0, "seizure", 0.7)


def at(seconds: float) -> Moment:
    return Moment(seconds, 1000.0 + seconds, 1.7e9 + seconds)


def began(event: Event = STARTED) -> ConditionChanged:
    return ConditionChanged(EVENT, event.label, True, event.onset + event.duration, event.onset, event=event)


def ended(event: Event = SEIZURE) -> ConditionChanged:
    return ConditionChanged(EVENT, event.label, False, event.onset + event.duration, event.onset, event=event)


def presences(board: AlertBoard) -> list[tuple[str, str]]:
    return [(state.condition, state.presence) for state in board.states([])]


def told(changes: list[AlertChanged]) -> list[tuple[str, str]]:
    return [(one.change, one.presence) for one in changes]


# -- the state machine --------------------------------------------------------------------------------------------


def test_an_alarm_is_on_then_latched_until_a_person_acknowledges_it() -> None:
    board = AlertBoard(0.0)
    assert told(board.take(began(), at(13))) == [("began", "on")]
    assert told(board.take(ended(), at(32))) == [("ended", "latched")]
    (changed,) = board.acknowledge("anna@bed-3", at(40))
    assert (changed.change, changed.presence, changed.by) == ("acknowledged", "off", "anna@bed-3")
    assert (changed.time, changed.stamp, changed.wall) == (40.0, 1040.0, 1.7e9 + 40)
    assert board.states([]) == ()


def test_an_alarm_that_is_acknowledged_while_it_is_present_is_off_with_its_end() -> None:
    board = AlertBoard(0.0)
    board.take(began(), at(13))
    assert told(board.acknowledge("anna", at(14))) == [("acknowledged", "ack")]
    (state,) = board.states([])
    assert (state.by, state.acknowledged, state.count) == ("anna", 1.7e9 + 14, 0)
    assert told(board.take(ended(), at(32))) == [("ended", "off")]
    assert told(board.take(began(replace(STARTED, onset=60.0)), at(63))) == [("began", "on")]


def test_acknowledging_nothing_says_nothing() -> None:
    board = AlertBoard(0.0)
    assert board.acknowledge("anna", at(1)) == []
    board.take(began(), at(13))
    board.acknowledge("anna", at(14))
    assert board.acknowledge("ben", at(15)) == []
    assert board.states([])[0].by == "anna"


@pytest.mark.parametrize("over", [False, True])
def test_a_rejected_event_takes_its_alarm_away_and_a_withdrawn_rejection_brings_it_back(over: bool) -> None:
    board = AlertBoard(0.0)
    board.take(began(), at(13))
    if over:
        board.take(ended(), at(32))
    assert told(board.review("seizure", 10.0, is_rejected=True, now=at(33))) == [("rejected", "off")]
    back = "latched" if over else "on"
    assert told(board.review("seizure", 10.0, is_rejected=False, now=at(34))) == [("restored", back)]
    assert board.review("seizure", 10.0, is_rejected=False, now=at(35)) == []  # confirmed: it stays


def test_of_two_events_that_wait_a_rejection_takes_one() -> None:
    board = AlertBoard(0.0)
    for onset in (10.0, 60.0):
        board.take(began(replace(STARTED, onset=onset)), at(onset + 3))
        board.take(ended(replace(SEIZURE, onset=onset)), at(onset + 25))
    assert board.states([])[0].count == 2
    assert board.review("seizure", 60.0, is_rejected=True, now=at(90)) == []
    (state,) = board.states([])
    assert (state.presence, state.count, state.onset) == ("latched", 1, 10.0)


def test_an_event_has_one_duration_and_one_peak_the_running_ones_then_the_final_ones() -> None:
    board = AlertBoard(0.0)
    board.take(began(), at(13))
    (state,) = board.states([Event(10.0, 7.5, "seizure", 0.8)])
    assert (state.is_running, state.duration, state.confidence) == (True, 7.5, 0.8)
    board.take(ended(), at(32))
    (state,) = board.states([])
    assert (state.is_running, state.duration, state.confidence) == (False, 20.0, 0.9)


def test_an_alarm_that_waits_too_long_is_of_high_priority_until_it_is_acknowledged() -> None:
    board = AlertBoard(60.0)
    board.take(began(), at(13))
    assert board.tick(at(72)) == []
    (changed,) = board.tick(at(73))
    assert (changed.change, changed.priority) == ("escalated", "high")
    assert board.tick(at(80)) == []
    board.acknowledge("anna", at(81))
    assert board.states([])[0].priority == "medium"


def test_a_burden_that_reaches_a_higher_class_rings_again_though_it_was_acknowledged() -> None:
    board = AlertBoard(0.0)
    burden = ConditionChanged(BURDEN, "seizure", True, 400.0, level="frequent")
    assert told(board.take(burden, at(400))) == [("began", "on")]
    board.acknowledge("anna", at(401))
    (changed,) = board.take(replace(burden, level="abundant"), at(2000))
    assert (changed.change, changed.presence, changed.priority) == ("raised", "on", "high")
    board.acknowledge("anna", at(2001))
    (changed,) = board.take(replace(burden, level="frequent"), at(4000))
    assert (changed.presence, changed.level) == ("ack", "frequent")


def test_a_pause_of_the_sound_has_an_end() -> None:
    board = AlertBoard(0.0)
    board.pause_sound(120.0, at(0))
    assert board.sound_paused_s(at(28).stamp) == 92.0
    assert not board.pause_is_over(at(119).stamp)
    assert board.pause_is_over(at(120).stamp)
    assert not board.pause_is_over(at(121).stamp)
    assert board.sound_paused_s(at(121).stamp) == 0.0


def test_what_waits_comes_before_what_was_seen_and_the_more_pressing_first() -> None:
    board = AlertBoard(0.0)
    board.take(began(), at(13))
    board.acknowledge("anna", at(14))
    board.take(ConditionChanged(BURDEN, "seizure", True, 400.0, level="frequent"), at(400))
    board.take(ConditionChanged(STATUS, "seizure", True, 610.0), at(610))
    assert presences(board) == [("status", "on"), ("burden", "on"), ("event", "ack")]


# -- conditions, from the messages of a session --------------------------------------------------------------------


def test_the_classes_of_a_burden_are_those_of_acns_2021() -> None:
    shares = (0.0, 0.005, 0.01, 0.1, 0.499, 0.5, 0.9, 1.0)
    assert [level_of(share) for share in shares] == [
        "", "rare", "occasional", "frequent", "frequent", "abundant", "continuous", "continuous",
    ]  # fmt: skip


def test_a_burden_counts_the_last_hour_alone_and_no_rejected_event() -> None:
    burden = SeizureBurden()
    burden.begin(100.0)
    assert burden.share(460.0) == pytest.approx(0.1)
    burden.end(100.0, 360.0)
    assert burden.share(3700.0 + 180.0) == pytest.approx(0.05)
    burden.reject(100.0, is_rejected=True)
    assert burden.share(460.0) == 0.0
    burden.reject(100.0, is_rejected=False)
    assert burden.share(4061.0) == 0.0
    burden.forget(4061.0)
    assert not burden


def probabilities(*spans: tuple[float, float], until: float) -> Chunk:
    """1 inside the spans (s), else 0, at each hop."""
    times = np.arange(1, round(until / HOP_S) + 1) * HOP_S
    inside = np.any([(times > start) & (times <= stop) for start, stop in spans], axis=0)
    return Chunk(inside.astype(np.float32)[:, None], times)


def conditions_of(scores: Chunk, cuts: list[int], config: AlarmConfig) -> list[ConditionChanged]:
    """Through decision and conditions, cut where it is said, as a session passes its messages."""
    decision = Decision(DecisionConfig(smoothing_s=0.0, min_duration_s=2.0, merge_s=2.0), ("seizure",), HOP_S)
    watch, changes = Conditions(("seizure",), config), []
    for start, stop in zip([0, *cuts], [*cuts, len(scores)], strict=True):
        part = scores[start:stop]
        messages: list[object] = []
        if len(part):
            messages = [Scores(part, part.times), *decision.process(part)]
        for message in (*messages, Signals(part)):
            changes += watch.take(message)
    for message in (*decision.flush(), Signals(scores[:0])):
        changes += watch.take(message)
    return changes


def test_alarms_and_their_times_do_not_depend_on_how_a_session_is_cut() -> None:
    spans = [(60.0 * k, 60.0 * k + 31) for k in range(1, 40)] + [(2500.0, 3250.0), (3400.0, 3900.0)]
    scores = probabilities(*spans, until=7600.0)
    whole = conditions_of(scores, [], AlarmConfig())
    kinds = [(c.condition, c.present, c.level) for c in whole if c.condition != EVENT]
    assert kinds[:3] == [("burden", True, "frequent"), ("status", True, ""), ("burden", True, "abundant")]
    assert kinds[-1] == ("burden", False, "")
    rng = np.random.default_rng(0)
    ragged = sorted(rng.integers(0, len(scores), 900).tolist())
    assert conditions_of(scores, ragged, AlarmConfig()) == whole
    assert conditions_of(scores, list(range(1, len(scores))), AlarmConfig()) == whole


def test_alarms_up_to_a_time_do_not_depend_on_what_comes_later() -> None:
    spans = [(100.0, 900.0), (1000.0, 1200.0)]
    early = conditions_of(probabilities(*spans[:1], until=950.0), [], AlarmConfig())
    late = conditions_of(probabilities(*spans, until=1300.0), [], AlarmConfig())
    assert late[: len(early)] == early


def test_ten_minutes_at_a_stretch_are_status_epilepticus_and_nine_are_not() -> None:
    config = AlarmConfig(status_share=0.0)
    found = [c for c in conditions_of(probabilities((100.0, 640.0), until=800.0), [], config) if c.condition == STATUS]
    assert found == []
    found = [c for c in conditions_of(probabilities((100.0, 720.0), until=800.0), [], config) if c.condition == STATUS]
    assert [(c.present, c.time) for c in found] == [(True, 701.0), (False, 723.0)]


def test_a_fifth_of_an_hour_in_short_seizures_is_status_epilepticus() -> None:
    spans = [(100.0 * k, 100.0 * k + 30) for k in range(1, 31)]
    found = [c for c in conditions_of(probabilities(*spans, until=3600.0), [], AlarmConfig()) if c.condition == STATUS]
    # 24 seizures of 29 s are 696 s of the 720 that are a fifth of the hour: it is reached 24 s after the onset of the 25th.
    assert [(c.present, c.time) for c in found] == [(True, 2501.0 + 24)]


def test_a_rule_that_is_off_never_alarms() -> None:
    config = AlarmConfig(burden="off", status_stretch_s=0, status_share=0)
    changes = conditions_of(probabilities((10.0, 3000.0), until=3100.0), [], config)
    assert {change.condition for change in changes} == {EVENT}


# -- which classes alarm -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("classes", "alarms", "expected"),
    [
        (("seizure",), None, ("seizure",)),
        (("background", "seizure"), None, ("seizure",)),
        (("fnsz", "gnsz", "bckg"), None, ("fnsz", "gnsz")),
        (("left", "right"), None, ()),
        (("left", "right"), ("right",), ("right",)),
        (("seizure",), (), ()),
    ],
)
def test_seizures_alarm_and_motor_imagery_does_not_unless_the_pipeline_says_so(
    classes: tuple[str, ...], alarms: tuple[str, ...] | None, expected: tuple[str, ...]
) -> None:
    assert alarm_labels(DecisionConfig(alarms=alarms), classes) == expected


def test_only_a_class_that_becomes_events_may_alarm() -> None:
    about = {"name": "x", "sfreq": 128, "montage": {"channels": ["C3"]}, "model": {"kind": "lstm_tagger"}}
    config = {**about, "classes": ["left", "rest"], "decision": {"alarms": ["rest"]}}
    with pytest.raises(ValueError, match="decision.alarms: 'rest' is not among left"):
        PipelineConfig.model_validate_json(json.dumps(config))


# -- the engine's side ---------------------------------------------------------------------------------------------


def session(stream: str = "bed 3") -> SessionInfo:
    info = StreamInfo(stream, 256.0, ("C3",))
    return SessionInfo(info, "demo", ("seizure",), ("seizure",), ("C3",), 256.0, HOP_S, alarms=("seizure",))


def found(watch: AlertWatch, event: Event, *, closed: bool) -> None:
    end = event.onset + event.duration
    scores = Scores(Chunk(np.ones((1, 1), np.float32), np.array([end])), np.array([end]))
    for message in (scores, Detection(end, event, closed), Signals(scores.chunk)):
        watch.take(message)


def begun(watch: AlertWatch, stream: str = "bed 3") -> list[object]:
    """What its first samples tell."""
    watch.begin(session(stream), 1)
    return list(watch.take(Signals(Chunk.empty(1))))


@pytest.fixture
def state_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "rtbci"


def test_an_alarm_that_nobody_acknowledged_is_latched_in_the_next_run_as_one_of_an_earlier_run(
    state_folder: Path,
) -> None:
    before = AlertWatch(("seizure",), AlarmConfig())
    begun(before)
    found(before, STARTED, closed=False)
    before.keep()  # and then it was killed
    after = AlertWatch(("seizure",), AlarmConfig())
    (recalled,) = begun(after)
    assert isinstance(recalled, AlertChanged)
    assert (recalled.change, recalled.presence) == ("recalled", "latched")
    (state,) = after.states([])
    assert (state.is_earlier, state.onset, state.count) == (True, 10.0, 1)
    assert state.since == before.states([])[0].since
    assert begun(AlertWatch(("seizure",), AlarmConfig()), "bed 4") == []
    after.acknowledge(Acknowledge(by="anna"))
    after.keep()
    assert list(state_folder.glob("alarms-*")) == []
    assert begun(AlertWatch(("seizure",), AlarmConfig())) == []


def test_a_seek_ends_the_alarms_of_the_last_hour(state_folder: Path) -> None:
    watch = AlertWatch(("seizure",), AlarmConfig())
    found(watch, Event(10.0, 900.0, "seizure", 0.9), closed=True)
    assert {state.presence for state in watch.states([])} == {"on"}
    assert [(one.condition, one.presence) for one in watch.sought()] == [("burden", "latched"), ("status", "latched")]  # type: ignore[union-attr]
    assert watch.burdens()["seizure"].level == ""


def test_an_event_of_the_same_onset_stands_beside_the_one_of_an_earlier_run(state_folder: Path) -> None:
    before = AlertWatch(("seizure",), AlarmConfig())
    begun(before)
    found(before, STARTED, closed=False)
    before.keep()
    after = AlertWatch(("seizure",), AlarmConfig())
    begun(after)
    found(after, STARTED, closed=False)
    (state,) = after.states([])
    assert (state.presence, state.count, state.is_earlier, state.is_running) == ("on", 2, False, True)


@pytest.mark.parametrize("content", [b"", b"{", b'{"kind": "rtbci-alarms", "stream": 1}', b"\xff" * 99])
def test_a_damaged_file_of_earlier_alarms_is_set_aside_and_told(state_folder: Path, content: bytes) -> None:
    store = AlertStore(session(), 1)
    assert store.path is not None
    store.path.write_bytes(content)
    earlier, warning = AlertStore(session(), 1).load(0.0)
    assert earlier == []
    assert warning.startswith("the alarms of earlier runs cannot be read (it is damaged): ")
    assert store.path.with_suffix(".damaged").read_bytes() == content


def test_a_rejected_event_takes_the_alarms_of_its_burden_and_of_its_status_away(state_folder: Path) -> None:
    watch = AlertWatch(("seizure",), AlarmConfig())
    found(watch, STARTED, closed=False)
    found(watch, Event(10.0, 900.0, "seizure", 0.9), closed=True)
    assert {state.condition for state in watch.states([])} == {"event", "burden", "status"}
    changes = watch.take(OperatorVerdict("seizure", 10.0, "rejected", ""))
    assert told(changes) == [("rejected", "off")] * 3  # type: ignore[arg-type]
    assert watch.states([]) == ()
    assert watch.burdens()["seizure"].share == 0.0
    assert watch.is_rejected(STARTED)


def test_who_acknowledges_and_pauses_is_one_short_line() -> None:
    watch = AlertWatch(("seizure",), AlarmConfig())
    found(watch, STARTED, closed=False)
    (changed,) = watch.acknowledge(Acknowledge(by="an\nna\x1b[2J" + "x" * 999))
    assert changed.by.isprintable()  # type: ignore[union-attr]
    assert len(changed.by) == 200  # type: ignore[union-attr]
    (paused,) = watch.pause_sound(PauseSound(seconds=300.0, by="anna"))
    assert (paused.seconds, paused.by) == (300.0, "anna")  # type: ignore[union-attr]
    assert 299 < watch.sound_paused_s <= 300


def test_a_rule_that_is_misspelt_is_named() -> None:
    assert alarm_config(["escalate_s=30", "burden=abundant"]) == AlarmConfig(escalate_s=30, burden="abundant")
    with pytest.raises(ConfigError, match="--alarm: unknown key 'escalate'; did you mean 'escalate_s'"):
        alarm_config(["escalate=30"])
    with pytest.raises(ConfigError, match="--alarm wants key=value, got 'burden'"):
        alarm_config(["burden"])
