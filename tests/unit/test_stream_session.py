"""One stream's session: the same messages however its samples are cut, and every sample accounted for."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
import pytest
from cutting import INFO, SFREQ, assert_same, cut, eeg, make_pipeline, singles

from rtbci.pipeline.stream import StreamMessage, StreamSession
from rtbci.stages.bad_channels import MaskConfig
from rtbci.types import Chunk, ClockMoved, Detection, Gap, Scores, Seen, SpanBegan, SpanEnded, StreamInfo


def stamped_stream() -> Chunk:
    """EEG whose stamps begin at 500 s, with 10 samples lost (filled), 200 lost (a break), and an electrode off."""
    whole = eeg(6000)
    whole = Chunk(np.where(np.arange(6000)[:, None] // 900 == 4, 0, whole.data), whole.times + 500)
    kept = np.r_[0:1000, 1010:3000, 3200:6000]
    return Chunk(whole.data[kept], whole.times[kept])


def messages(session: StreamSession, pieces: Iterable[Chunk]) -> Iterator[StreamMessage]:
    for piece in pieces:
        yield from session.samples(piece)
    yield from session.close()


def told(heard: list[StreamMessage]) -> list[object]:
    """What does not depend on how many chunks there were: no chunks."""
    return [message for message in heard if not hasattr(message, "chunk")]


def joined(heard: list[StreamMessage], kind: type[Scores] | type[Seen]) -> Chunk:
    return Chunk.join([message.chunk for message in heard if isinstance(message, kind)])


@pytest.mark.parametrize("mask", [None, MaskConfig(most=1)])
@pytest.mark.parametrize("seed", range(8))
def test_messages_do_not_depend_on_the_cut(seed: int, mask: MaskConfig | None) -> None:
    pipeline, stream = make_pipeline(mask=mask), stamped_stream()
    wanted = list(messages(StreamSession(pipeline, INFO), [stream]))
    pieces = singles(stream) if seed == 0 else cut(stream, seed)
    got = list(messages(StreamSession(pipeline, INFO), pieces))
    assert told(got) == told(wanted)
    for kind in (Scores, Seen):
        assert_same(joined(got, kind), joined(wanted, kind))
    assert sum(isinstance(message, Detection) for message in got) > 3


@pytest.mark.parametrize("seed", [1, 2])
def test_chunks_that_are_given_again_together_give_what_each_gave(seed: int) -> None:
    pieces = list(cut(stamped_stream(), seed))
    arrived = [float(piece.times[-1]) + 0.02 if len(piece) else np.nan for piece in pieces]
    one_by_one, together = StreamSession(make_pipeline(), INFO), StreamSession(make_pipeline(), INFO)
    wanted = [m for piece, at in zip(pieces, arrived, strict=True) for m in one_by_one.samples(piece, at)]
    stops = np.cumsum([len(piece) for piece in pieces])
    half = len(pieces) // 2
    joined_up = Chunk.join(pieces)
    got = list(together.samples_as_read(joined_up[: stops[half - 1]], stops[:half].tolist(), arrived[:half]))
    rest = joined_up[stops[half - 1] :]
    got += together.samples_as_read(rest, (stops[half:] - stops[half - 1]).tolist(), arrived[half:])
    assert_same(joined([*got, *together.close()], Scores), joined([*wanted, *one_by_one.close()], Scores))
    assert together.tally == one_by_one.tally
    assert [m for m in got if isinstance(m, Detection)] == [m for m in wanted if isinstance(m, Detection)]


def test_every_sample_is_accounted_for() -> None:
    session, stream = StreamSession(make_pipeline(), INFO), stamped_stream()
    gaps = [message for message in messages(session, cut(stream, 3)) if isinstance(message, Gap)]
    assert [(gap.n_missing, gap.filled) for gap in gaps] == [(10, True), (200, False)]
    tally = session.tally
    assert (tally.received, tally.filled, tally.lost, tally.gaps, tally.extra) == (5790, 10, 200, 2, 0)
    assert session.next_index == 6000 == tally.received + tally.filled + tally.lost


def test_samples_that_came_twice_are_known_at_once_though_they_are_told_with_the_next_one() -> None:
    session, stream = StreamSession(make_pipeline(), INFO), stamped_stream()
    list(session.samples(stream[:600]))
    list(session.samples(stream[580:600]))
    assert (session.n_left_out, session.tally.extra) == (20, 0)
    list(session.samples(stream[600:610]))
    assert (session.n_left_out, session.tally.extra) == (20, 20)


def test_scores_are_told_before_what_is_decided_on_them_and_both_clocks_agree() -> None:
    heard = list(messages(StreamSession(make_pipeline(), INFO), cut(stamped_stream(), 5)))
    newest = None
    for message in heard:
        if isinstance(message, Scores):
            newest = message
            np.testing.assert_allclose(message.at_s, message.chunk.times - 500, atol=1e-9)
        elif isinstance(message, Detection) and not message.closed:
            assert newest is not None
            assert message.time in newest.at_s
            assert message.stamp == newest.chunk.times[np.searchsorted(newest.at_s, message.time)]


def test_a_stretch_begins_with_its_first_stamp_and_ends_with_its_last() -> None:
    heard = list(messages(StreamSession(make_pipeline(), INFO), cut(stamped_stream(), 2)))
    assert heard[0] == SpanBegan(500.0, 1.0) or heard[1] == SpanBegan(500.0, 1.0)
    ended = [message for message in heard if isinstance(message, SpanEnded)]
    assert ended == [SpanEnded(pytest.approx(500 + 5999 / SFREQ), 6000 / SFREQ)]


def test_closing_twice_tells_nothing_new() -> None:
    session = StreamSession(make_pipeline(), INFO)
    assert [m for m in messages(session, [stamped_stream()]) if isinstance(m, SpanEnded)]
    assert list(session.close()) == []


def test_what_a_network_of_whole_recordings_held_back_before_a_break_is_told() -> None:
    """It was lost with the reset."""
    pipeline = make_pipeline("lstm_tagger", sizes={"units": (6,), "bidirectional": True})
    stream = stamped_stream()
    got = list(messages(StreamSession(pipeline, INFO, offline=True), cut(stream, 4)))
    at_s = np.concatenate([message.at_s for message in got if isinstance(message, Scores)])
    assert at_s[0] < 0.01
    assert (np.diff(at_s) > 0).all()
    in_gap = (at_s > 3000 / SFREQ) & (at_s < 3199 / SFREQ)
    assert not in_gap.any()
    assert ((at_s >= 14) & (at_s < 15)).sum() == 128  # just before the break
    wanted = list(messages(StreamSession(pipeline, INFO, offline=True), [stream]))
    assert_same(joined(got, Scores), joined(wanted, Scores))


def test_a_stream_that_follows_another_counts_the_time_between_as_lost() -> None:
    first = StreamSession(make_pipeline(), INFO)
    stream = eeg(1000)
    list(messages(first, [stream]))
    # Another rate, so it cannot simply go on; 2 s away.
    second = StreamSession(
        make_pipeline(), replace(INFO, sfreq=400.0), begins_s=first.recording_s, away_since=first.newest_stamp,
        tally=first.tally,
    )  # fmt: skip
    later = eeg(800, sfreq=400.0)
    begun = next(m for m in second.samples(Chunk(later.data, later.times + 7.0)) if isinstance(m, Gap))
    assert (begun.n_missing, begun.cause) == (round((7.0 - 999 / 200) * 400) - 1, "the stream was away")
    assert first.tally.lost == begun.n_missing


def test_a_pause_moves_the_clock_and_loses_nothing() -> None:
    pipeline, whole = make_pipeline(), eeg(4000)
    wanted = list(messages(StreamSession(pipeline, INFO), [whole]))
    session = StreamSession(pipeline, INFO)
    heard = list(session.samples(whole[:2000]))
    heard += session.go_on(10.0, 40.0, 1.0)  # the sample that was due at 10 s comes at 40 s
    rest = whole[2000:]
    heard += session.samples(Chunk(rest.data, rest.times + 30.0))
    heard += session.close()
    assert ClockMoved(40.0, 10.0, 1.0, resumed=True) in heard
    assert session.tally.gaps == 0
    np.testing.assert_array_equal(joined(heard, Scores).data, joined(wanted, Scores).data)
    events = [[m.event for m in some if isinstance(m, Detection) and m.closed] for some in (heard, wanted)]
    assert events[0] == events[1]


def test_a_seek_starts_afresh_in_seconds_of_the_recording() -> None:
    pipeline, whole = make_pipeline(), eeg(4000)
    session = StreamSession(pipeline, INFO)
    list(session.samples(whole[:1000]))
    assert isinstance(list(session.seek(15.0, 1.0))[-1], SpanEnded)
    rest = whole[3000:]
    got = [*session.samples(Chunk(rest.data, rest.times + 100)), *session.close()]
    fresh = StreamSession(pipeline, INFO, begins_s=15.0)
    wanted = [*fresh.samples(rest), *fresh.close()]
    np.testing.assert_array_equal(joined(got, Scores).data, joined(wanted, Scores).data)
    assert [m.event for m in got if isinstance(m, Detection)] == [m.event for m in wanted if isinstance(m, Detection)]


def test_a_stream_is_like_another_by_rate_channels_units_and_speed() -> None:
    session = StreamSession(make_pipeline(), INFO)
    assert session.is_like(StreamInfo("another", SFREQ, INFO.channels, INFO.units, source_id="x"), 1.0)
    assert not session.is_like(replace(INFO, units=("mV",) * 5), 1.0)
    assert not session.is_like(INFO, 4.0)
