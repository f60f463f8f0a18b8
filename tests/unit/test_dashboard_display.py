"""What the dashboard computes before it draws: columns, history, timeline, montages, state text."""

from __future__ import annotations

import numpy as np
import pytest

from rtbci.bench.synthetic_monitor import SyntheticMonitor
from rtbci.dashboard.model.channel_kinds import kind_of
from rtbci.dashboard.model.column_extents import column_extents
from rtbci.dashboard.model.history import History
from rtbci.dashboard.model.montages import (
    AS_RECORDED,
    AVERAGE,
    BANANA,
    BY_REGION,
    EARS,
    LAPLACIAN,
    MONTAGES,
    TRANSVERSE,
    display_montage,
    montage_choices,
)
from rtbci.dashboard.model.sensitivity import AutoClock, Sensitivity, typical_spreads
from rtbci.dashboard.model.state_text import Fact, state_facts, state_sentence
from rtbci.dashboard.model.stream_channels import Channels
from rtbci.dashboard.model.timeline import Timeline
from rtbci.dashboard.model.trace_rows import ALL, TraceRows
from rtbci.monitor.describe import describe
from rtbci.monitor.messages import AnnotationLine, EngineState, LostLine, StreamState, TrustState
from rtbci.simulation.scalp import ELECTRODES
from rtbci.stages.montage import DOUBLE_BANANA


def flat(values: list[float]) -> np.ndarray:
    return np.array(values, np.float32)[:, None]


# -- columns ------------------------------------------------------------------------------------------------------


def test_a_column_spans_what_the_line_does_within_it():
    found = column_extents(np.array([0.5, 1.5, 2.5]), flat([0, 10, 0]), 0, 3, gap=2)
    assert found.columns.tolist() == [0, 1, 2]
    assert found.low[:, 0].tolist() == [0, 5, 0]
    assert found.high[:, 0].tolist() == [5, 10, 5]


def test_sparse_samples_are_joined_through_the_columns_between():
    found = column_extents(np.array([0.0, 4.0]), flat([0, 8]), 0, 5, gap=10)
    assert found.columns.tolist() == [0, 1, 2, 3, 4]
    assert found.low[:, 0].tolist() == [0, 2, 4, 6, 8]
    assert found.high[:, 0].tolist() == [2, 4, 6, 8, 8]


def test_a_gap_is_left_empty():
    found = column_extents(np.array([0.2, 0.8, 7.2, 7.8]), flat([1, 2, 3, 4]), 0, 10, gap=3)
    assert found.columns.tolist() == [0, 7]
    assert found.high[:, 0].tolist() == [2, 4]


def test_columns_do_not_depend_on_how_they_are_asked_for():
    rng = np.random.default_rng(0)
    x = np.cumsum(rng.uniform(0.01, 2.5, 400))
    data = rng.normal(size=(400, 3)).astype(np.float32)
    whole = column_extents(x, data, 0, 300, gap=2)
    for k in whole.columns.tolist():
        lo, hi = np.searchsorted(x, k) - 1, np.searchsorted(x, k + 1) + 1
        one = column_extents(x[max(lo, 0) : hi], data[max(lo, 0) : hi], k, k + 1, gap=2)
        at = np.searchsorted(whole.columns, k)
        np.testing.assert_array_equal(one.low[0], whole.low[at])
        np.testing.assert_array_equal(one.high[0], whole.high[at])


# -- history ------------------------------------------------------------------------------------------------------


def test_history_keeps_the_newest_and_finds_by_time():
    history = History(1, 10.0, keep_s=10)
    for k in range(30):
        x = (k * 10 + np.arange(10)) / 10
        history.append(x, x[:, None].astype(np.float32), np.ones(10, bool))
    assert (history.n, history.first) == (300, 300 - history.capacity)
    x, data, valid = history.rows(history.find(25.0), history.find(26.0))
    np.testing.assert_allclose(x, np.arange(250, 260) / 10)
    np.testing.assert_allclose(data[:, 0], x, rtol=1e-6)
    assert valid.all()
    assert history.find(0.0) == history.first
    assert history.newest_x == pytest.approx(29.9)


def test_history_holds_ten_minutes_of_128_channels_at_1000_hz():
    history = History(128, 1000.0)
    assert history.capacity >= 600 * 1000


def test_jitter_never_turns_a_trace_back():
    history = History(1, 10.0, keep_s=10)
    history.append(np.array([1.0, 0.9, 1.2]), np.zeros((3, 1), np.float32), np.ones(3, bool))
    history.append(np.array([1.1, 1.3]), np.zeros((2, 1), np.float32), np.ones(2, bool))
    assert history.rows(0, 5)[0].tolist() == [1.0, 1.0, 1.2, 1.2, 1.3]


# -- timeline -----------------------------------------------------------------------------------------------------


@pytest.fixture
def timeline() -> Timeline:
    made = Timeline()
    made.width, made.page_s, made.head = 100, 10.0, 23.55
    return made


def test_a_sweep_shows_the_new_page_left_of_the_head_and_the_old_one_right(timeline):
    assert timeline.pixel(23.5) == 35
    assert timeline.pixel(20.0) == 0
    assert timeline.pixel(19.95) == 99
    assert timeline.pixel(13.6) is None  # the blank ahead of the head
    assert timeline.x_at(0) == pytest.approx(20.05)
    assert timeline.x_at(99) == pytest.approx(19.95)


def test_scrolling_shows_the_newest_at_the_right(timeline):
    timeline.set_sweep(False)
    assert timeline.pixel(23.55) == 99
    assert timeline.pixel(13.65) == 0


def test_a_frozen_page_stays_while_data_come(timeline):
    timeline.freeze()
    timeline.head = 60.0
    assert timeline.pixel(23.55) == 99
    assert timeline.pixel(59.0) is None


def test_scrolling_back_freezes_and_on_past_the_newest_goes_live(timeline):
    timeline.scroll(-5.0, oldest=0.0)
    assert timeline.end == pytest.approx(18.55)
    timeline.scroll(-100.0, oldest=2.0)
    assert timeline.end == pytest.approx(12.0)
    timeline.scroll(100.0, oldest=2.0)
    assert not timeline.frozen


def test_a_jump_puts_the_moment_a_quarter_into_the_page(timeline):
    timeline.jump(12.0)
    assert timeline.pixel(12.0) == pytest.approx(25, abs=1)


# -- montages ---------------------------------------------------------------------------------------------------------

OLD = {"T7": "T3", "T8": "T4", "P7": "T5", "P8": "T6"}
NINETEEN = tuple(f"EEG {OLD.get(name, name)}-Ref" for name in ELECTRODES)


def montage(name, labels, own=None):
    return display_montage(name, Channels.of(labels), own)


def test_a_double_banana_is_derived_from_electrodes_under_any_spelling():
    made = montage(BANANA, NINETEEN)
    assert set(made.names) == set(DOUBLE_BANANA)
    data = np.arange(19, dtype=np.float32)[None, :]
    row = made.names.index("F7-T7")
    assert made.derive(data)[0, row] == ELECTRODES.index("F7") - ELECTRODES.index("T7")
    assert made.regions[row] == "left"


def test_a_pair_that_is_recorded_the_other_way_round_is_turned():
    made = montage(BANANA, ("C3-F3", "ECG"))
    assert made.names == ("F3-C3",)
    assert made.derive(np.array([[5, 1]], np.float32)).tolist() == [[-5]]
    assert len(made.missing) == 17


def test_a_common_average_takes_the_mean_of_all_electrodes_away_and_leaves_the_heart_alone():
    made = montage(AVERAGE, (*NINETEEN, "ECG"))
    data = np.random.default_rng(0).normal(size=(5, 20)).astype(np.float32)
    found = made.derive(data)
    np.testing.assert_allclose(found[:, :19].mean(axis=1), 0, atol=1e-6)
    np.testing.assert_array_equal(found[:, made.names.index("ECG")], data[:, 19])


def test_an_electrode_is_shown_against_the_ear_of_its_side_and_the_midline_against_both():
    made = montage(EARS, ("C3", "C4", "Cz", "A1", "A2"))
    assert made.names == ("C3-A1", "C4-A2", "Cz-LE")
    assert made.derive(np.array([[10, 20, 30, 1, 3]], np.float32)).tolist() == [[9, 17, 28]]


def test_a_laplacian_of_a_field_that_is_everywhere_the_same_is_flat():
    made = montage(LAPLACIAN, NINETEEN)
    assert "Cz Lap" in made.names
    np.testing.assert_allclose(made.derive(np.full((3, 19), 7, np.float32)), 0, atol=1e-5)
    # Cz among Fz, Pz, C3 and C4, all equally far: their mean is taken away, less what the true distances change.
    data = np.zeros((1, 19), np.float32)
    data[0, ELECTRODES.index("Cz")] = 8
    assert made.derive(data)[0, made.names.index("Cz Lap")] == 8


def test_any_electrode_may_be_the_reference_and_is_then_no_row():
    made = montage("Reference Pz", ("C3", "Pz", "ECG"))
    assert made.names == ("C3-Pz", "ECG")
    assert made.derive(np.array([[5, 2, 9]], np.float32)).tolist() == [[3, 9]]


def test_montages_that_cannot_be_derived_say_what_they_need():
    there = {choice.name: choice.reason for choice in montage_choices(Channels.of(("C3", "C4", "Cz", "Pz", "ECG")))}
    assert set(there) == set(MONTAGES)
    assert there[AVERAGE] == there[AS_RECORDED] == ""
    assert there[EARS] == "needs A1 and A2, not in the stream"
    assert there[LAPLACIAN] == "a Laplacian needs 5 electrodes against one reference, the stream has 4"
    mixed = {c.name: c.reason for c in montage_choices(Channels.of(("C3-Cz", "C4-LE", "P3-Ref", "P4-Ref", "O1-Ref")))}
    assert mixed[AVERAGE] == "the electrodes have several references (REF, linked ears)"
    assert montage_choices(Channels.of(("ECG", "EMG")))[2].reason.startswith(
        "needs electrodes that are not there: C3, C4"
    )


def test_a_montage_of_ones_own_keeps_its_order_and_names_what_is_not_there():
    own = {"Mine": ("C4-C3", "ECG1-ECG2", "Cz", "O1-O2")}
    made = montage("Mine", ("C3", "C4", "Cz", "ECG1", "ECG2"), own)
    assert made.names == ("C4-C3", "ECG1-ECG2", "Cz")
    assert made.kinds == ("EEG", "ECG", "EEG")
    assert made.missing == ("O1-O2",)
    assert made.derive(np.array([[1, 5, 7, 10, 4]], np.float32)).tolist() == [[4, 6, 7]]


def test_a_transverse_montage_goes_from_left_to_right():
    made = montage(TRANSVERSE, NINETEEN)
    assert made.names[:3] == ("F7-Fp1", "Fp1-Fp2", "Fp2-F8")
    assert made.missing == ("A1-T7", "T8-A2")


def test_rows_by_region_keep_their_values_and_rows_as_recorded_their_order():
    labels = ("O1", "Fp1", "ECG", "T3")
    made = montage(BY_REGION, labels)
    assert made.names == ("Fp1", "T7", "O1", "ECG")
    assert made.derive(np.array([[1, 2, 3, 4]], np.float32))[0].tolist() == [2, 4, 1, 3]
    assert montage(AS_RECORDED, labels).names == labels


def test_twin_names_are_kept_apart():
    labels = ("T8-P8", "C3", "T8-P8")
    assert montage(AS_RECORDED, labels).names == ("T8-P8-0", "C3", "T8-P8-1")
    assert montage(BY_REGION, ("T8-P8-0", "C3", "T8-P8-1")).names == ("C3", "T8-P8-0", "T8-P8-1")


def test_a_fault_of_a_channel_is_one_of_the_rows_that_are_made_of_it():
    rows = TraceRows()
    rows.set_channels(("EEG F7-Ref", "EEG T3-Ref", "EEG T5-Ref"), (), fixed=False)
    rows.montage = BANANA
    rows.arrange(99)
    assert rows.faults({"EEG F7-Ref": "flat"}) == {"F7-T7": "flat"}


def test_channels_that_have_no_room_are_on_further_pages():
    rows = TraceRows()
    rows.set_channels([f"E{k}" for k in range(128)], (), fixed=False)
    rows.arrange(40)
    assert rows.page_text() == "1–40 of 128"
    rows.first = 1000
    rows.arrange(40)
    assert rows.page_text() == "89–128 of 128"
    rows.per_page = ALL
    rows.arrange(40)
    assert (len(rows.shown), rows.page_text()) == (128, "")


# -- sensitivity ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("label", "content_type", "kind"),
    [
        ("EEG Fp1-Ref", "", "EEG"), ("EEG EKG-Ref", "EEG", "ECG"), ("ECG1", "", "ECG"), ("LOC", "", "EOG"),
        ("Chin1-Chin2", "", "EMG"), ("AUX1", "EMG", "EMG"), ("HEOG", "EEG", "EOG"), ("E17", "EEG", "EEG"), ("SpO2", "", "other"),
    ],
)  # fmt: skip
def test_a_channel_is_of_the_kind_that_its_label_or_its_type_says(label, content_type, kind):
    assert kind_of(label, content_type) == kind


def test_what_is_usual_is_not_what_an_event_was():
    history = History(1, 100.0, keep_s=60)
    x = np.arange(4000) / 100
    data = np.sin(2 * np.pi * 5 * x) * np.where(x < 30, 200, 20)  # a seizure of 30 s, then 10 s without
    history.append(x, data[:, None].astype(np.float32), np.ones(4000, bool))
    read = lambda a, b: history.rows(history.find(a), history.find(b))  # noqa: E731
    spread = typical_spreads(history, read, 1, lambda a, b: a < 30)[0]
    assert spread == pytest.approx(2 * 20 * np.sin(np.pi / 2 * 0.9), rel=0.05)


def test_auto_leaves_what_a_hand_chose_and_little_differences_alone():
    sensitivity = Sensitivity()
    assert sensitivity.find("EEG", 350.0, lane_mm=10)
    assert sensitivity.per_mm["EEG"] == 30.0
    assert not sensitivity.find("EEG", 210.0, lane_mm=10, tolerance=1)
    sensitivity.choose("EEG", 5.0)
    assert not sensitivity.find("EEG", 350.0, lane_mm=10)
    assert sensitivity.per_mm["EEG"] == 5.0


def test_auto_looks_anew_ever_more_seldom_but_for_ever():
    clock = AutoClock()
    due = [s for s in range(1200) if clock.due(s + 0.5)]
    assert due == [1, 4, 15, 60, 240, 540, 840, 1140]


# -- state text -------------------------------------------------------------------------------------------------------


def test_what_is_wrong_says_so_in_words():
    stream = StreamState(name="EEG", hostname="amp-1", channels=8, sfreq=256.0, speed=1.0)
    lost = EngineState(state="lost", silent_s=3.2, query={"name": "EEG"}, stream=stream)
    assert state_sentence(lost) == ("No data for 3.2 s, waiting for name EEG from host amp-1", True)
    stale = lost | EngineState(state="stale", staleness_s=3.3)
    assert state_sentence(stale).text.startswith("No data for 3.2 s")
    assert state_sentence(stale | EngineState(silent_s=0.0)) == ("Behind by 3.3 s, catching up", True)
    assert state_sentence(EngineState(state="running")) == ("Live", False)
    assert state_sentence(EngineState(state="running"), dead_s=4.0).wrong


def test_a_stream_of_any_name_is_one_line_without_control_characters():
    name = "amp\n\x1b[2J12:00:00  ALARM\u202e"
    stream = StreamState(name=name, hostname=name, channels=8, sfreq=256.0, speed=1.0)
    state = EngineState(state="lost", query={"name": name}, stream=stream, quality={name: "flat"})
    texts = [state_sentence(state).text, *(fact.text for fact in state_facts(state).values())]
    texts += [describe(LostLine(reason=name)), describe(AnnotationLine(label=name, onset=1, duration=0, stamp=1))]
    assert all(text.isprintable() for text in texts)
    assert sum("amp \\x1b[2J12:00:00 ALARM\\u202e" in text for text in texts) == 5


def test_facts_turn_red_where_they_are_wrong(tmp_path):
    fake = SyntheticMonitor(tmp_path, 8)
    fake.close()
    state = fake.state
    assert not any(fact.wrong for fact in state_facts(state).values())
    state |= EngineState(
        rate_hz=200.0, staleness_s=4.0, quality={"O1": "flat"}, samples=state.samples.model_copy(update={"lost": 7})
    )
    wrong = {name for name, fact in state_facts(state).items() if fact.wrong}
    assert wrong == {"Rate", "Newest", "Missing", "Channels"}
    assert state_facts(state)["Channels"].text == "O1 flat"


def test_a_rate_that_is_off_is_shown_by_stamps_with_what_it_does_to_the_trust(tmp_path):
    fake = SyntheticMonitor(tmp_path, 8)
    fake.close()
    nominal = fake.state.stream.sfreq
    right = fake.state | EngineState(rate_by_stamps_hz=nominal * 1.004)
    assert not state_facts(right)["Rate"].wrong
    trust = TrustState(level="reduced", masked=(), inputs=4, words="taken as 250 Hz, but sends 253 Hz")
    off = fake.state | EngineState(rate_by_stamps_hz=nominal * 1.012, trust=trust)
    assert state_facts(off)["Rate"] == Fact(f"{nominal * 1.012:.1f} of {nominal:g} Hz by its stamps", True)
    assert state_facts(off)["Trust"] == Fact("reduced: taken as 250 Hz, but sends 253 Hz", True)
