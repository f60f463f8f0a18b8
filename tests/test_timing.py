import numpy as np
import pytest

from rtbci.config import GapConfig
from rtbci.timing import GapGuard
from rtbci.types import Chunk, Gap

SFREQ = 256.0


def stamps(n: int = 20_000) -> np.ndarray:
    return 1e5 + np.arange(n) / SFREQ


def guard(times: np.ndarray, chunk: int = 8, config: GapConfig | None = None) -> tuple[Chunk, list[Gap]]:
    data = np.arange(len(times), dtype=np.float32)[:, None]
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
