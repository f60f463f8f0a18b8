"""The law: however a recording is cut, the answer is the same."""

from collections.abc import Callable

import numpy as np
import pytest
from cutting import CONSTANT, INFO, PAIRS, SFREQ, assert_same, cut, eeg, make_pipeline, singles, through

import rtbci
from rtbci.stages import filters, scaling
from rtbci.stages.bad_channels import BadChannelReplacer, MaskConfig
from rtbci.stages.buffers import Framer
from rtbci.stages.filters import FilterConfig
from rtbci.stages.gap_guard import GapConfig, GapGuard
from rtbci.stages.montage import ChannelPicker, Montage, MontageConfig
from rtbci.stages.scaling import NoScaling, RunningScaling
from rtbci.stages.trends import Trends
from rtbci.types import Chunk, Gap, Stage

SEEDS = range(30)

STAGES: dict[str, Callable[[], Stage]] = {
    "montage": lambda: Montage(MontageConfig(channels=PAIRS), INFO),
    "electrodes": lambda: BadChannelReplacer(INFO, Montage(MontageConfig(channels=PAIRS), INFO)),
    "average": lambda: Montage(MontageConfig(channels=("Fp1", "T7", "O1"), reference="average"), INFO),
    "band_pass": lambda: filters.SosFilter(
        filters.design(FilterConfig(low_hz=0.5, high_hz=40, notch_hz=(50, 60)), SFREQ)
    ),
    "halved": lambda: filters.Resampler(200, 100),
    "resampled_200_128": lambda: filters.Resampler(200, 128),
    "resampled_up": lambda: filters.Resampler(200, 256),
    "odd_rate": lambda: filters.Resampler(173.61, 128),
    "constant": lambda: scaling.ConstantScaler(
        CONSTANT.model_copy(update={"center_uv": (1.0,) * 5, "scale_uv": (9.0,) * 5})
    ),
    "running": lambda: scaling.RunningScaler(RunningScaling(start_uv=20.0), SFREQ),
    "pick": lambda: ChannelPicker((3, 1)),
    "framer": lambda: Framer(16, 5),
    "trends": lambda: Trends(INFO),
}
PIPELINES = {
    "conv_lstm": lambda: make_pipeline(),
    "conv_lstm_every_sample": lambda: make_pipeline(sizes={"hop": 1, "kernel": 8}),
    "lstm_tagger": lambda: make_pipeline("lstm_tagger"),
    "spatial_conv_lstm": lambda: make_pipeline("spatial_conv_lstm"),
    "shared_conv_lstm": lambda: make_pipeline("shared_conv_lstm", scaling=NoScaling()),
    "sliding_window": lambda: make_pipeline(
        "stacked_lstm", sizes={"units": (8,), "window": 128, "n_classes": 1}, window_hop=16
    ),
    "channel_lstm": lambda: make_pipeline("channel_lstm", sizes={"window": 64, "n_classes": 1}, window_hop=32),
    "small_lstm": lambda: make_pipeline("small_lstm", sizes={"window": 50, "n_classes": 1}, window_hop=25),
    "msfbcnn": lambda: make_pipeline("msfbcnn", sizes={"window": 256, "n_classes": 1}, window_hop=32),
    "covariance": lambda: make_pipeline("covariance", sizes={"window": 64, "n_classes": 1}, window_hop=16),
    "answers_for_each_sample": lambda: make_pipeline(
        "conv_pool_lstm", sizes={"window": 64, "n_classes": 64}, window_hop=8
    ),
    "constant_scaling": lambda: make_pipeline(scaling=CONSTANT),
    "masked": lambda: make_pipeline(mask=MaskConfig(most=1)),
    "masked_average": lambda: make_pipeline(
        montage=MontageConfig(channels=("Fp1", "F7", "T7", "O1"), reference="average"), mask=MaskConfig(most=2)
    ),
}


def damaged(n_samples: int) -> Chunk:
    """EEG with samples that are no numbers, and some that were filled in."""
    chunk = eeg(n_samples)
    data, valid = chunk.data.copy(), chunk.valid.copy()
    data[700:703, 1] = np.nan
    data[1500, 4] = np.inf
    data[0, 0] = np.nan
    data[2000:3400, 2] = 17.0  # an electrode that comes off
    data[2500:4500, 4] = np.nan
    valid[900:920] = False
    return Chunk(data, chunk.times, valid)


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_does_not_depend_on_the_cutting(name: str) -> None:
    whole = damaged(5000) if name in ("montage", "average", "electrodes", "trends") else eeg(5000)
    wanted = STAGES[name]().process(whole)
    for seed in SEEDS:
        assert_same(through(STAGES[name](), cut(whole, seed)), wanted)
    assert_same(through(STAGES[name](), singles(whole)), wanted)


@pytest.mark.parametrize("name", PIPELINES)
def test_a_pipeline_does_not_depend_on_the_cutting(name: str) -> None:
    pipeline, whole = PIPELINES[name](), damaged(6000)
    live = pipeline.start(INFO)
    wanted = live.process(whole)
    # A network as drawn wavers around its median: so there is something to decide.
    live.decision.threshold = live.decision.release = float(np.median(wanted.data))
    decided = live.decide(wanted) + live.decision.flush()
    assert len(wanted) > 100
    assert len(decided) > 0
    for seed in SEEDS:
        live.reset()
        scores, found = [], []
        for piece in cut(whole, seed):
            scores.append(live.process(piece))
            found += live.decide(scores[-1])
        found += live.decision.flush()
        assert_same(Chunk.join(scores), wanted)
        assert [(d.time, d.closed, d.event.onset, d.event.duration) for d in found] == [
            (d.time, d.closed, d.event.onset, d.event.duration) for d in decided
        ]


def test_the_gap_guard_does_not_depend_on_the_cutting() -> None:
    whole = eeg(4000)
    rng = np.random.default_rng(5)
    times = whole.times + rng.normal(0, 2e-4, len(whole))
    times[1000:] += 12 / SFREQ  # a short loss
    times[2500:] += 3.0  # a long one
    times[3000] += 0.05  # one late stamp
    whole = Chunk(whole.data, times)

    def run(pieces: list[Chunk]) -> tuple[Chunk, list[Gap]]:
        guard = GapGuard(GapConfig(), SFREQ)
        items = [item for piece in pieces for item in guard.process(piece)] + list(guard.flush())
        return Chunk.join([i for i in items if isinstance(i, Chunk)]), [i for i in items if isinstance(i, Gap)]

    wanted, gaps = run([whole])
    assert [(g.n_missing, g.filled) for g in gaps] == [(12, True), (600, False)]
    for seed in SEEDS:
        got, found = run(list(cut(whole, seed)))
        assert found == gaps
        np.testing.assert_array_equal(got.times, wanted.times)
        np.testing.assert_array_equal(got.data, wanted.data)
        np.testing.assert_array_equal(got.valid, wanted.valid)


def test_the_bundled_pipeline_does_not_depend_on_the_cutting_of_real_eeg() -> None:
    from rtbci.bundled import PIPELINE, RECORDING

    if not PIPELINE.exists():
        pytest.skip("the bundled pipeline has not been built")
    recording = rtbci.open_recording(RECORDING)
    pipeline = rtbci.Pipeline.load(PIPELINE)
    whole = Chunk.join(list(recording.chunks(100_000)))
    live = pipeline.start(recording.info)
    wanted = live.process(whole)
    decided = live.decide(wanted) + live.decision.flush()
    for seed in SEEDS:
        live.reset()
        pieces = [live.process(piece) for piece in cut(whole, seed)]
        found = [d for piece in pieces for d in live.decide(piece)] + live.decision.flush()
        assert_same(Chunk.join(pieces), wanted)
        assert [(d.time, d.event.onset, d.event.duration) for d in found] == [
            (d.time, d.event.onset, d.event.duration) for d in decided
        ]


def test_tagging_a_recording_equals_its_samples_pushed_one_by_one() -> None:
    from rtbci.bundled import PIPELINE, RECORDING

    if not PIPELINE.exists():
        pytest.skip("the bundled pipeline has not been built")
    recording = rtbci.open_recording(RECORDING)
    pipeline = rtbci.Pipeline.load(PIPELINE)
    result = rtbci.tag(pipeline, recording)
    live = pipeline.start(recording.info)
    scores = Chunk.join([live.process(chunk) for chunk in recording.chunks(1, stop=10 * 256)])
    assert_same(scores, result.scores[: len(scores)])
