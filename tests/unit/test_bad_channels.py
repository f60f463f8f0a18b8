"""Electrodes that go bad: masked from the verdict on, as in training, and reported; and all else as if they were well."""

import numpy as np
import pytest
from cutting import INFO, PAIRS, SFREQ, eeg, make_pipeline

from rtbci.engine.trust import trust_of
from rtbci.lsl.rate_check import RateVerdict
from rtbci.monitor.messages import TrustState
from rtbci.pipeline.config import ChosenElectrodes
from rtbci.pipeline.pipeline import Pipeline
from rtbci.recordings.rates import Verdict
from rtbci.stages.bad_channels import BadChannelReplacer, MaskConfig
from rtbci.stages.channel_quality import AGREE, BLOCK_S
from rtbci.stages.filters import FilterConfig
from rtbci.stages.montage import MontageConfig
from rtbci.stages.scaling import NoScaling
from rtbci.types import Chunk

VERDICT = round(AGREE * BLOCK_S * SFREQ)  # samples of the stream
T3, T5 = 2, 3  # of INFO: behind F7-T7, T7-P7 and P7-O1


def spoilt(channel: int, value: float, start: int = 2000, stop: int = 4000, n: int = 6000) -> Chunk:
    chunk = eeg(n)
    chunk.data[start:stop, channel] = value
    return chunk


def inputs(pipeline: Pipeline, chunk: Chunk) -> Chunk:
    return pipeline.preprocessor(INFO).process(chunk)


@pytest.mark.parametrize("value", [7.0, np.nan])
def test_what_rests_on_a_bad_electrode_is_zero_from_the_verdict_until_it_is_well_again(value: float) -> None:
    pipeline = make_pipeline(mask=MaskConfig(most=2), scaling=NoScaling())
    got, clean = inputs(pipeline, spoilt(T3, value)), inputs(pipeline, eeg(6000))
    masked = (got.times >= (2000 + VERDICT) / SFREQ) & (got.times < (4000 + VERDICT) / SFREQ)
    for k, pair in enumerate(PAIRS):
        if "T7" in pair:
            assert not got.data[masked, k].any()
            assert np.count_nonzero(got.data[~masked, k]) == np.count_nonzero(~masked)
        else:
            np.testing.assert_array_equal(got.data[:, k], clean.data[:, k])


def test_samples_that_are_no_numbers_are_invalid_only_until_their_electrode_is_masked() -> None:
    got = inputs(make_pipeline(mask=MaskConfig(most=2)), spoilt(T3, np.nan))
    invalid = got.times[~got.valid]
    assert invalid[0] == pytest.approx(2000 / SFREQ, abs=2 / SFREQ)
    assert invalid[-1] == pytest.approx((2000 + VERDICT) / SFREQ, abs=2 / SFREQ)


def test_a_common_average_is_that_of_the_good_electrodes() -> None:
    montage = MontageConfig(channels=("Fp1", "F7", "T7", "P7"), reference="average")
    three = MontageConfig(channels=("Fp1", "F7", "P7"), reference="average")
    common = {"sfreq": SFREQ, "filters": FilterConfig(), "scaling": NoScaling()}
    got = inputs(make_pipeline(montage=montage, mask=MaskConfig(most=2), **common), spoilt(T3, 7.0))
    sizes = {"sizes": {"hop": 8, "kernel": 16, "filters": 8, "units": (12,)}}
    without = make_pipeline(montage=three, selection=ChosenElectrodes(channels=three.channels), **common, **sizes)
    wanted = inputs(without, eeg(6000))
    masked = slice(2000 + VERDICT, 4000)
    np.testing.assert_allclose(got.data[masked][:, [0, 1, 3]], wanted.data[masked], rtol=1e-5, atol=1e-3)
    assert not got.data[masked, 2].any()


def test_more_bad_channels_than_training_ever_took_away_make_the_answer_invalid() -> None:
    chunk = spoilt(T3, 7.0)
    few, many = (make_pipeline(mask=MaskConfig(most=most)).start(INFO) for most in (2, 1))
    scores = {"few": few.process(chunk), "many": many.process(chunk)}
    masked = (scores["few"].times > (2000 + VERDICT) / SFREQ + 0.1) & (scores["few"].times < 4000 / SFREQ)
    assert scores["few"].valid[masked].all()
    assert not scores["many"].valid[masked].any()


def test_the_state_says_what_is_masked_and_what_that_cost_when_it_was_measured() -> None:
    notes = {"scores": {"masked": [{"masked": n, "held_out_auroc": 0.9 - n / 10} for n in range(3)]}}
    live = make_pipeline(mask=MaskConfig(most=2)).start(INFO)

    def trust(chunk: Chunk) -> TrustState:
        live.process(chunk)
        electrodes = live.find(BadChannelReplacer)
        assert electrodes is not None
        return trust_of(live, electrodes.bad, INFO.channels, notes)

    assert trust(eeg(1000)).level == "full"
    state = trust(spoilt(T3, 7.0, 0, 1000, 1000))
    assert state == TrustState(
        level="reduced", bad=("EEG T3-Ref",), masked=("F7-T7", "T7-P7"), inputs=4,
        auroc=0.7, auroc_whole=0.9, words="2 of 4 channels masked; AUROC 0.70, with all channels 0.90",
    )  # fmt: skip
    chunk = spoilt(T3, 7.0, 0, 1000, 1000)
    chunk.data[:, T5] = 7.0
    assert trust(chunk).level == "none"


@pytest.mark.parametrize(("kind", "level"), [("off", "reduced"), ("wrong", "none")])
def test_a_rate_that_is_not_what_was_said_lowers_the_trust_and_never_raises_it(kind: Verdict, level: str) -> None:
    rate = RateVerdict(kind, "taken as 125 Hz, but sends 124 Hz")
    live = make_pipeline().start(INFO)
    live.process(spoilt(T3, 7.0))
    state = trust_of(live, {}, INFO.channels, {}, rate)
    assert (state.level, state.words) == (level, "taken as 125 Hz, but sends 124 Hz")
    both = trust_of(live, {"EEG T3-Ref": "flat"}, INFO.channels, {}, rate)
    assert both.level == ("none" if kind == "wrong" else "untested")
    assert both.words.startswith("EEG T3-Ref is bad")
    assert both.words.endswith("; taken as 125 Hz, but sends 124 Hz")


def test_a_network_that_never_learned_to_do_without_a_channel_goes_on_and_that_is_said() -> None:
    live, chunk = make_pipeline().start(INFO), spoilt(T3, 7.0)
    live.process(chunk)
    state = trust_of(live, {"EEG T3-Ref": "flat", "EEG O1-Ref": "mains"}, INFO.channels, {})
    assert (state.level, state.bad, state.masked) == ("untested", ("EEG T3-Ref",), ())
    assert "EEG T3-Ref is bad" in state.words
