import numpy as np
import pytest

from rtbci.stages.gap_guard import GapConfig, GapGuard
from rtbci.types import Chunk, Gap

SFREQ = 256.0


def stamps(n: int = 20_000) -> np.ndarray:
    return 1e5 + np.arange(n) / SFREQ


def guard(
    times: np.ndarray, chunk: int = 8, config: GapConfig | None = None, data: np.ndarray | None = None
) -> tuple[Chunk, list[Gap]]:
    data = np.arange(len(times), dtype=np.float32)[:, None] if data is None else data
    stage = GapGuard(config or GapConfig(), SFREQ)
    items = []
    for at in range(0, len(times), chunk):
        items += stage.process(Chunk(data[at : at + chunk], times[at : at + chunk]))
    items += stage.flush()
    return Chunk.join([i for i in items if isinstance(i, Chunk)]), [i for i in items if isinstance(i, Gap)]


def test_clean_stamps_pass_untouched() -> None:
    out, gaps = guard(stamps())
    assert gaps == []
    np.testing.assert_array_equal(out.times, stamps())


@pytest.mark.parametrize("lost", [1, 8, 51])
def test_a_short_loss_is_counted_exactly_filled_and_marked(lost: int) -> None:
    keep = np.delete(np.arange(20_000), np.arange(9000, 9000 + lost))
    out, gaps = guard(stamps()[keep])
    assert [(g.n_missing, g.filled) for g in gaps] == [(lost, True)]
    assert len(out) == 20_000
    assert np.flatnonzero(~out.valid).tolist() == list(range(9000, 9000 + lost))
    np.testing.assert_allclose(out.times, stamps(), atol=1e-6)


@pytest.mark.filterwarnings("error")
def test_a_loss_beside_an_infinite_sample_is_filled_without_a_word_of_numpy() -> None:
    keep = np.delete(np.arange(20_000), np.arange(9000, 9008))
    data = np.zeros((len(keep), 1), np.float32)
    data[8999:9001] = np.inf
    out, gaps = guard(stamps()[keep], data=data)
    assert [gap.n_missing for gap in gaps] == [8]
    assert not np.isfinite(out.data[8999:9009]).any()
    assert not out.valid[9000:9008].any()


def test_a_long_loss_is_a_break_with_the_samples_counted() -> None:
    keep = np.delete(np.arange(20_000), np.arange(9000, 9000 + 1000))
    out, gaps = guard(stamps()[keep])
    assert [(g.n_missing, g.filled) for g in gaps] == [(1000, False)]
    assert gaps[0].end - gaps[0].start == pytest.approx(1001 / SFREQ)
    assert len(out) == 19_000
    assert out.valid.all()


@pytest.mark.parametrize("ppm", [-200, -50, 50, 200])
def test_drift_is_no_loss(ppm: float) -> None:
    _, gaps = guard(1e5 + np.arange(400_000) / SFREQ * (1 + ppm * 1e-6))
    assert gaps == []


@pytest.mark.parametrize("jitter_ms", [0.1, 1.0, 5.0])
def test_jitter_is_no_loss(jitter_ms: float) -> None:
    noise = np.repeat(np.random.default_rng(0).normal(0, jitter_ms / 1e3, 2500), 8)
    _, gaps = guard(stamps() + noise)
    assert gaps == []


def test_a_sawtooth_of_one_stamp_a_chunk_is_no_loss() -> None:
    # Every sample of a chunk bears the time at which the chunk was read.
    sawtooth = np.repeat(stamps()[15::16], 16)
    out, gaps = guard(sawtooth)
    assert gaps == []
    assert np.all(np.diff(out.times) > 0)


def test_a_late_chunk_that_catches_up_is_no_loss() -> None:
    times = stamps()
    times[8000:8016] += 0.3  # a stall of the driver: read late, nothing lost
    out, gaps = guard(times)
    assert gaps == []
    assert len(out) == 20_000


def test_a_loss_within_jitter_is_found_once_it_is_larger_than_six_times_that() -> None:
    noise = np.random.default_rng(0).normal(0, 0.5e-3, 20_000)
    keep = np.delete(np.arange(20_000), np.arange(9000, 9008))
    _, gaps = guard((stamps() + noise)[keep])
    assert [g.n_missing for g in gaps] == [8]


def test_a_clock_that_goes_back_loses_nothing_and_is_told() -> None:
    times = stamps()
    times[10_000:] -= 5.0
    out, gaps = guard(times)
    assert [(g.n_missing, g.cause) for g in gaps] == [(0, "the stream's clock went back")]
    assert len(out) == 20_000
    assert np.all(np.diff(out.times) > 0)


@pytest.mark.parametrize("n_before", range(1000, 1000 + 130))
def test_a_clock_may_go_back_at_any_sample_between_two_looks(n_before: int) -> None:
    times = stamps(2000)
    times[n_before:] -= 6.5
    out, gaps = guard(times)
    assert [(g.n_missing, g.cause) for g in gaps] == [(0, "the stream's clock went back")]
    assert len(out) == len(times)


def test_stamps_that_stand_still_do_not_stop_the_stream() -> None:
    times = stamps()
    times[5000:5100] = times[5000]
    out, _ = guard(times)
    assert np.flatnonzero(np.isin(out.data[:, 0], [4999, 5000, 5050, 5100])).size == 4


def test_every_single_loss_is_found_once_there_was_a_stretch_without_jitter() -> None:
    rng = np.random.default_rng(3)
    lost = np.sort(rng.choice(np.arange(2560, 19_900), 174, replace=False))
    keep = np.delete(np.arange(20_000), lost)
    wanted = guard(stamps()[keep], 20_000)[1]
    assert sum(g.n_missing for g in wanted) == 174
    for chunk in (1, 3, 64):
        assert guard(stamps()[keep], chunk)[1] == wanted


def sent(order: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Stamps and values of samples 0 to 19,999 in the order in which they are sent."""
    return stamps()[order], order.astype(np.float32)[:, None]


def moved(start: int, length: int, behind: int) -> np.ndarray:
    """All samples in order, but `length` of them from `start` on come behind the `behind` samples after them."""
    order = np.arange(20_000)
    order[start : start + length + behind] = np.roll(order[start : start + length + behind], -length)
    return order


@pytest.mark.parametrize("length", [1, 8, 64, 300])
@pytest.mark.parametrize("chunk", [1, 7, 20_000])
def test_samples_sent_twice_are_left_out_and_told(length: int, chunk: int) -> None:
    order = np.insert(np.arange(20_000), 9000, np.arange(9000 - length, 9000))
    times, data = sent(order)
    out, gaps = guard(times, chunk, data=data)
    assert [(g.n_missing, g.n_extra, g.filled) for g in gaps] == [(0, length, True)]
    np.testing.assert_array_equal(out.data[:, 0], np.arange(20_000))
    np.testing.assert_array_equal(out.times, stamps())


def test_the_same_values_at_new_times_are_no_repeat() -> None:
    rows = np.tile(np.random.default_rng(0).normal(size=(8, 1)), (2500, 1)).astype(np.float32)
    out, gaps = guard(stamps(), data=rows)
    assert gaps == []
    assert len(out) == 20_000


@pytest.mark.parametrize("value", [0.0, np.nan])
def test_a_flat_stream_that_is_stamped_by_the_chunk_repeats_nothing(value: float) -> None:
    sawtooth = np.repeat(stamps()[15::16], 16)
    out, gaps = guard(sawtooth, data=np.full((20_000, 1), value, np.float32))
    assert gaps == []
    assert len(out) == 20_000


@pytest.mark.parametrize("chunk", [1, 7, 20_000])
def test_a_chunk_that_is_overtaken_by_the_next_is_put_in_its_place(chunk: int) -> None:
    times, data = sent(moved(9000, 8, 8))
    out, gaps = guard(times, chunk, data=data)
    assert gaps == []
    np.testing.assert_array_equal(out.data[:, 0], np.arange(20_000))
    np.testing.assert_array_equal(out.times, stamps())


@pytest.mark.parametrize("chunk", [1, 7, 20_000])
@pytest.mark.parametrize("length", [20, 64])
def test_a_chunk_that_comes_after_it_was_declared_lost_is_left_out(chunk: int, length: int) -> None:
    times, data = sent(moved(9000, length, 64))
    out, gaps = guard(times, chunk, data=data)
    assert [(g.n_missing, g.n_extra) for g in gaps] == [(length, 0), (0, length)]
    kept = out.data[out.valid, 0]
    np.testing.assert_array_equal(kept, np.delete(np.arange(20_000), np.arange(9000, 9000 + length)))


def arriving(times: np.ndarray, arrivals: np.ndarray) -> tuple[Chunk, list[Gap]]:
    """Chunks of 8, each with the time at which its last sample came."""
    stage, items = GapGuard(GapConfig(), SFREQ), []
    for at in range(0, len(times), 8):
        chunk = Chunk(np.arange(at, at + 8, dtype=np.float32)[:, None], times[at : at + 8])
        items += stage.process(chunk, float(arrivals[at + 7]))
    items += stage.flush()
    return Chunk.join([i for i in items if isinstance(i, Chunk)]), [i for i in items if isinstance(i, Gap)]


@pytest.mark.parametrize("offset", [0.0, -4e5])
def test_a_clock_that_goes_forward_is_told_from_a_loss_by_when_its_samples_came(offset: float) -> None:
    times, arrivals = stamps(), stamps() + 0.01 + offset
    times[10_000:] += 5.0
    out, gaps = arriving(times, arrivals)
    assert [(g.n_missing, g.cause) for g in gaps] == [(0, "the stream's clock went forward")]
    np.testing.assert_array_equal(out.data[:, 0], np.arange(20_000))


def test_a_loss_within_samples_that_come_all_at_once_is_a_loss() -> None:
    # The consumer slept for 30 s: what waited for it has a hole of 4 s in it.
    keep = np.delete(np.arange(20_000), np.arange(9000, 9000 + 1024))
    times = np.concatenate([stamps()[keep], 1e5 + (20_000 + np.arange(8)) / SFREQ])[: len(keep) // 8 * 8]
    arrivals = np.maximum(times + 0.01, np.where(times > times[5000], times[5000] + 30, 0))
    _, gaps = arriving(times, arrivals)
    assert [(g.n_missing, g.cause) for g in gaps] == [(1024, "samples lost")]


def test_a_loss_is_a_loss_where_the_stream_comes_back_over_a_faster_connection() -> None:
    stage, items = GapGuard(GapConfig(), SFREQ), []
    for first, delay in ((0, 0.4), (3328, 0.01)):  # 3 s are missing
        stage.connected_anew()
        for at in range(first, first + 2560, 8):
            times = 1e5 + np.arange(at, at + 8) / SFREQ
            items += stage.process(Chunk(np.arange(at, at + 8, dtype=np.float32)[:, None], times), times[-1] + delay)
    assert [(g.n_missing, g.cause) for g in items if isinstance(g, Gap)] == [(768, "samples lost")]


@pytest.mark.parametrize(
    ("losses", "wanted"),
    [
        (((6.5, 1.0), (17.0, 3.0)), [250, 750]),
        (((6.0, 0.12), (17.0, 3.0)), [30, 750]),
        (((6.0, 0.12), (8.0, 1.0), (17.0, 3.0)), [280, 750]),  # the second comes before the first is certain
    ],
)
def test_losses_between_two_steps_of_a_devices_clock_are_counted_whole(
    losses: tuple[tuple[float, float], ...], wanted: list[int]
) -> None:
    sfreq, chunk, n = 250.0, 10, 15_000
    at = np.arange(n) / sfreq
    steps = np.random.default_rng(0).normal(0, 2e-5, n // 1250 + 1)  # every 5 s, by what a measured offset is off
    times = 1e3 + at + np.repeat(steps, 1250)[:n]
    first = at[::chunk].repeat(chunk)
    lost = np.any([(first >= start) & (first < start + length) for start, length in losses], axis=0)
    stage, gaps = GapGuard(GapConfig(), sfreq), []
    for part in np.split(times[~lost], np.arange(chunk, np.count_nonzero(~lost), chunk)):
        gaps += [g for g in stage.process(Chunk(np.zeros((len(part), 1), np.float32), part)) if isinstance(g, Gap)]
    assert [gap.n_missing for gap in gaps] == wanted


@pytest.mark.parametrize("chunk", [1, 7, 1000])
@pytest.mark.parametrize("stamped", ["by a device", "by a device whose clock is measured anew", "at the push"])
def test_losses_that_follow_each_other_are_counted_whole_and_no_sample_more(stamped: str, chunk: int) -> None:
    sfreq, n_pushed, n, rng = 125.0, 12, 5000, np.random.default_rng(1)
    times, numbers = 1e4 + np.arange(n) / sfreq, np.arange(n) // n_pushed
    if stamped == "at the push":
        times += np.abs(rng.normal(0, 4e-4, n))[numbers * n_pushed]
    if stamped.endswith("anew"):
        times += np.where(numbers > 125, 2e-5, 0.0)
    kept = ~np.isin(numbers, [125, 130, 136, 137, 145])
    stage, items = GapGuard(GapConfig(), sfreq), []
    for part in np.split(times[kept], np.arange(chunk, np.count_nonzero(kept), chunk)):
        items += stage.process(Chunk(np.zeros((len(part), 1), np.float32), part))
    assert sum(gap.n_missing for gap in items if isinstance(gap, Gap)) == 5 * n_pushed


@pytest.mark.parametrize("ppm", [-120, 0, 60])
@pytest.mark.parametrize("chunk", [1, 7, 1000])
@pytest.mark.parametrize(
    "losses", [((0.2, 0.2),), ((1.0, 0.04), (2.4, 3.0)), tuple((k + 0.5, 0.08) for k in range(12))]
)
def test_losses_of_the_first_seconds_are_told_once_it_is_known_that_a_device_stamps_its_samples(
    losses: tuple[tuple[float, float], ...], chunk: int, ppm: float
) -> None:
    sfreq, n = 250.0, 5000
    at = np.arange(n) / sfreq
    lost = np.any([(at >= start) & (at < start + length) for start, length in losses], axis=0)
    kept = np.flatnonzero(~lost)
    times = 1e4 + at[kept] * (1 + ppm * 1e-6)
    stage, items = GapGuard(GapConfig(), sfreq), []
    for part in np.split(np.arange(len(kept)), np.arange(chunk, len(kept), chunk)):
        items += stage.process(Chunk(kept[part].astype(np.float32)[:, None], times[part]))
    gaps = [item for item in items if isinstance(item, Gap)]
    assert sum(gap.n_missing for gap in gaps) == np.count_nonzero(lost)
    out = Chunk.join([item for item in items if isinstance(item, Chunk)])
    np.testing.assert_array_equal(out.data[out.valid, 0], kept)


@pytest.mark.parametrize("late_s", [0.004, 0.2])
def test_a_late_push_among_the_first_that_another_clock_rounds_is_no_loss(late_s: float) -> None:
    # Stamps of whole milliseconds, as of some hosts: every step between two pushes is one of whole periods.
    sfreq, n_pushed = 250.0, 250
    times = np.repeat(1e4 + np.arange(20) * 1.0, n_pushed) + np.tile(np.arange(n_pushed) / sfreq, 20)
    times[2 * n_pushed : 3 * n_pushed] += late_s
    stage = GapGuard(GapConfig(), sfreq)
    assert not [i for i in stage.process(Chunk(np.zeros((len(times), 1), np.float32), times)) if isinstance(i, Gap)]


@pytest.mark.parametrize("chunk", [1, 10, 30])
def test_the_first_samples_of_a_stream_may_come_twice(chunk: int) -> None:
    times = np.concatenate([stamps(10), stamps(3000)])
    data = np.random.default_rng(0).normal(size=(3000, 2)).astype(np.float32)
    out, gaps = guard(times, chunk, data=np.concatenate([data[:10], data]))
    assert [(gap.n_missing, gap.n_extra) for gap in gaps] == [(0, 10)]
    np.testing.assert_array_equal(out.data, data)


@pytest.mark.parametrize("n_before", [20, 300])
@pytest.mark.parametrize("n_each", [1, 8])
def test_packets_that_come_out_of_order_in_the_first_seconds_are_no_loss(n_before: int, n_each: int) -> None:
    order = np.arange(3000)
    order[n_before : n_before + 2 * n_each] = np.roll(order[n_before : n_before + 2 * n_each], n_each)
    _, gaps = guard(stamps(3000)[order], data=order.astype(np.float32)[:, None])
    assert [gap.n_missing for gap in gaps] == []
