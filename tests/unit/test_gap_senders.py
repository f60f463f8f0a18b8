"""The gap guard and every kind of sender: lateness is no loss, and a loss is one."""

import numpy as np
import pytest
from cutting import cut
from stamp_senders import STARTS_S, Sender, Sent, device, noisy_packets, packets, pushed, sent, stalling

from rtbci.stages.gap_guard import CLOCK_BACK, CLOCK_FORWARD, GapConfig, GapGuard
from rtbci.types import Chunk, Gap

BURSTS = {f"{s:g} s {how}": pushed(s, how) for s in (0.1, 0.2, 0.5, 1.0) for how in ("push", "equal", "chunk")}
LATE = {
    **{f"{s:g} s, one in 8 late": pushed(s, "chunk", late_s=0.02) for s in (0.04, 0.2, 1.0)},
    "0.04 s, one in 4 late by 1 to 50 ms": pushed(0.04, "chunk", late_s=0.001, most_s=0.05, one_in=4),
    "0.2 s, one in 50 late": pushed(0.2, "chunk", late_s=0.02, one_in=50),
    "packets of 8, one in 8 late": packets(8, "chunk", late_s=0.02),
    "0.04 s, host stalls": stalling(pushed(0.04, "chunk"), 10, (0.05, 1.0)),
    "packets of 8, host stalls": stalling(packets(8, "push"), 5, (0.05, 2.0)),
}
EXACT = {
    "device": device(),
    "device, 0.2 ms of noise": device(2e-4),
    "packets, 2 ms of noise": noisy_packets(8, 2e-3),
    "packets, 5 ms of noise": noisy_packets(8, 5e-3),
}
ALL = {**BURSTS, **LATE, **EXACT}


def guarded(
    got: Sent, sfreq: float, chunk: int = 2000, arriving: bool = False, rows: np.ndarray | None = None
) -> tuple[list[Gap], Chunk]:
    """The gaps and what is handed on; every sample is counted."""
    guard, items = GapGuard(GapConfig(), sfreq), []
    rows = np.arange(len(got.stamps), dtype=np.float32)[:, None] if rows is None else rows
    for at in range(0, len(got.stamps), chunk):
        part = slice(at, at + chunk)
        arrived = float(got.pushed[part][-1]) + 0.001 if arriving else None
        items += guard.process(Chunk(rows[part], got.stamps[part]), arrived)
    items += guard.flush()
    gaps, out = [i for i in items if isinstance(i, Gap)], Chunk.join([i for i in items if isinstance(i, Chunk)])
    assert out.valid.sum() == len(got.stamps) - sum(gap.n_extra for gap in gaps)
    assert (~out.valid).sum() == sum(gap.n_missing for gap in gaps if gap.filled)
    assert (np.diff(out.times) > 0).all()
    return gaps, out


@pytest.mark.parametrize(
    ("sfreq", "seconds", "ppm"), [(125.0, 60, 60), (250.0, 60, 0), (250.0, 60, 8_000), (2048.0, 15, -1200)]
)
@pytest.mark.parametrize("sender", ALL.values(), ids=ALL.keys())
def test_nothing_was_lost_and_nothing_is_told(sender: Sender, sfreq: float, seconds: float, ppm: float) -> None:
    assert guarded(sent(sender, sfreq, seconds, ppm), sfreq)[0] == []


@pytest.mark.parametrize("ppm", [-1200, 195, 8000])
@pytest.mark.parametrize("how", ["device", "0.2 s chunk", "0.5 s push"])
def test_a_rate_that_is_off_at_5_khz_loses_nothing(how: str, ppm: float) -> None:
    assert guarded(sent(ALL[how], 5000.0, 30, ppm), 5000.0, 20_000)[0] == []


@pytest.mark.parametrize("ppm", [0, 1000, -8000])
@pytest.mark.parametrize("n_lost", [1, 2, 12, 51, 600])
@pytest.mark.parametrize("sender", ["device", "device, 0.2 ms of noise"])
def test_a_loss_is_counted_exactly_where_stamps_are_the_samples_own(sender: str, n_lost: int, ppm: float) -> None:
    gaps, out = guarded(sent(EXACT[sender], 250.0, 60, ppm, losses=((5017, n_lost),)), 250.0)
    assert [(gap.n_missing, gap.filled) for gap in gaps] == [(n_lost, n_lost <= 50)]
    if 1 < n_lost <= 50:
        assert np.flatnonzero(~out.valid).tolist() == pytest.approx(range(5017, 5017 + n_lost), abs=1)


@pytest.mark.parametrize("n_lost", [16, 40, 250, 750])
@pytest.mark.parametrize(
    "sender", [*(s for s in BURSTS if s.endswith("chunk")), *(s for s in LATE if "stalls" not in s)]
)
def test_a_loss_above_the_jitter_is_told_to_the_sample_that_just_missed_a_push(sender: str, n_lost: int) -> None:
    gaps, _ = guarded(sent(ALL[sender], 250.0, 60, losses=((10_000, n_lost),)), 250.0)
    assert sum(gap.n_missing for gap in gaps) == pytest.approx(n_lost, abs=1)


@pytest.mark.parametrize("n_lost", [40, 250])
@pytest.mark.parametrize("sender", [s for s in BURSTS if s.endswith(("push", "equal"))])
def test_a_loss_within_a_burst_is_told_once_the_floor_of_bursts_shows_it(sender: str, n_lost: int) -> None:
    for seed in range(3):
        gaps, _ = guarded(sent(BURSTS[sender], 250.0, 180, losses=((20_000, n_lost),), seed=seed), 250.0)
        assert sum(gap.n_missing for gap in gaps) == pytest.approx(n_lost, abs=3)


def test_what_is_declared_in_the_long_run_is_what_was_lost() -> None:
    rng = np.random.default_rng(1)
    losses = tuple((int(at), int(rng.integers(4, 100))) for at in range(5000, 145_000, 2000))
    for sender in (device(2e-4), packets(8, "chunk"), noisy_packets(8, 2e-3), pushed(0.04, "chunk", late_s=0.02)):
        gaps, _ = guarded(sent(sender, 250.0, 600, 150, losses), 250.0)
        assert sum(g.n_missing for g in gaps) == pytest.approx(sum(n for _, n in losses), abs=10)  # 40 ms


@pytest.mark.parametrize("sender", ["0.2 s push", "1 s chunk", "0.04 s, host stalls", "device, 0.2 ms of noise"])
def test_the_verdict_on_a_sender_does_not_depend_on_the_cut(sender: str) -> None:
    got = sent(ALL[sender], 250.0, 60, 300, ((5000, 3), (8000, 25), (11_000, 700)), seed=4)
    rows = np.random.default_rng(0).normal(size=(len(got.stamps), 2)).astype(np.float32)
    whole = Chunk(rows, got.stamps)

    def run(pieces: list[Chunk]) -> tuple[list[Gap], Chunk]:
        guard = GapGuard(GapConfig(), 250.0)
        items = [i for piece in pieces for i in guard.process(piece)] + list(guard.flush())
        return [i for i in items if isinstance(i, Gap)], Chunk.join([i for i in items if isinstance(i, Chunk)])

    gaps, wanted = run([whole])
    assert gaps
    singles = [whole[k : k + 1] for k in range(len(whole))]
    for pieces in (singles, *(list(cut(whole, seed)) for seed in range(6))):
        found, out = run(pieces)
        assert found == gaps
        np.testing.assert_array_equal(out.times, wanted.times)
        np.testing.assert_array_equal(out.data, wanted.data)


def jumping(got: Sent, *jumps: tuple[float, float]) -> Sent:
    """Stamps of a clock that is set: (at, by) in seconds."""
    stamps = got.stamps.copy()
    for at, by in jumps:
        stamps[got.pushed >= STARTS_S + at] += by
    return Sent(got.times, stamps, got.pushed)


@pytest.mark.parametrize(
    "jumps",
    [((40, -120),), ((40, 3600), (60, -3600)), ((40, -120), (60, 120)), ((40, 3600), (40.4, -3600)), ((40, 5),)],
)
@pytest.mark.parametrize("sender", [*BURSTS, "0.2 s, one in 8 late", *EXACT])
def test_a_clock_that_jumps_loses_no_sample(sender: str, jumps: tuple[tuple[float, float], ...]) -> None:
    gaps, _ = guarded(jumping(sent(ALL[sender], 250.0, 90), *jumps), 250.0, 50, arriving=True)
    assert sum(gap.n_missing + gap.n_extra for gap in gaps) == 0
    assert {gap.cause for gap in gaps} <= {CLOCK_BACK, CLOCK_FORWARD}
    assert gaps


@pytest.mark.parametrize("sender", [*BURSTS, *EXACT])
def test_a_clock_that_returns_is_known_without_arrivals(sender: str) -> None:
    gaps, _ = guarded(jumping(sent(ALL[sender], 250.0, 90), (40, -120), (60, 120)), 250.0)
    assert sum(gap.n_missing + gap.n_extra for gap in gaps) == 0


def test_a_loss_of_about_the_time_that_the_clock_went_back_is_a_loss() -> None:
    """A stream that was away for 1 s, minutes after its clock had gone back by 0.93 s, was taken to have returned to it."""
    got = jumping(sent(noisy_packets(8, 1e-4), 256.0, 90, losses=((256 * 60, 256),)), (40, -0.93))
    gaps, _ = guarded(got, 256.0)
    assert [(gap.n_missing, gap.cause) for gap in gaps] == [(0, CLOCK_BACK), (256, "samples lost")]


def test_a_clock_that_went_forward_for_a_moment_leaves_out_nothing_when_it_returns() -> None:
    """What came within the stamps of a loss was left out for an hour."""
    gaps, out = guarded(jumping(sent(device(), 250.0, 90), (40, 3600), (40.4, -3600)), 250.0)
    assert [gap.cause for gap in gaps] == ["samples lost", CLOCK_BACK]
    assert len(out) == 90 * 250


@pytest.mark.parametrize("sender", ["device", "0.2 s chunk", "packets of 8, one in 8 late"])
def test_stamps_that_are_no_times_are_taken_to_be_on_time(sender: str) -> None:
    got = sent(ALL[sender], 250.0, 60, seed=2)
    stamps = got.stamps.copy()
    stamps[1 + np.random.default_rng(3).choice(len(stamps) - 1, 1500, replace=False)] = np.nan
    stamps[7000:7100] = np.nan
    assert guarded(Sent(got.times, stamps, got.pushed), 250.0)[0] == []


def test_samples_before_the_first_time_are_left_out_and_told() -> None:
    got = sent(device(), 250.0, 10)
    stamps = np.where(np.arange(len(got.stamps)) < 30, np.nan, got.stamps)
    for chunk in (1, 7, 2500):
        gaps, _ = guarded(Sent(got.times, stamps, got.pushed), 250.0, chunk)
        assert [(gap.n_missing, gap.n_extra) for gap in gaps] == [(0, 30)]


def test_a_first_connection_that_brings_what_had_waited_loses_nothing() -> None:
    got = sent(packets(8, "push"), 250.0, 60)
    stamps = np.maximum(got.stamps, STARTS_S + 5.0)
    assert guarded(Sent(got.times, stamps, got.pushed), 250.0)[0] == []


def repeating(n: int, every: int, length: int = 8) -> np.ndarray:
    """Rows of a radio link that sends its last packet again for one that it lost."""
    rows = np.random.default_rng(0).normal(size=(n, 2)).astype(np.float32)
    for at in range(every, n - length, every):
        rows[at : at + length] = rows[at - length : at]
    return rows


@pytest.mark.parametrize("every", [80, 400, 2000])
@pytest.mark.parametrize(
    "sender", ["device", "0.2 s, one in 8 late", "0.2 s push", "0.1 s equal", "packets of 8, one in 8 late"]
)
def test_a_packet_that_is_repeated_with_new_stamps_stands_for_samples(sender: str, every: int) -> None:
    got = sent(ALL[sender], 250.0, 60)
    assert guarded(got, 250.0, rows=repeating(len(got.stamps), every))[0] == []


def test_a_packet_that_is_repeated_where_stamps_overlap_by_lateness_stands_for_samples() -> None:
    got = sent(device(), 250.0, 60)
    stamps = got.stamps.copy()
    for at in range(4000, 14_000, 400):  # each late by exactly the packet that follows and repeats it
        stamps[at - 8 : at] += 8 / 250
    assert guarded(Sent(got.times, stamps, got.pushed), 250.0, rows=repeating(len(stamps), 400))[0] == []
