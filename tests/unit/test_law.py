"""The law for streams of any width, format and unit, networks of any kind, and any number of threads."""

from itertools import product
from pathlib import Path
from random import Random
from threading import Thread

import numpy as np
import pytest
import torch
from cutting import assert_same, cut, singles, through
from drawn import (
    CUTS,
    ELECTRODES,
    FORMATS,
    KINDS,
    N_CHANNELS,
    UNITS,
    Stream,
    a_network,
    a_pipeline,
    a_stream,
    assert_law,
    piece_sizes,
    run,
    threads,
)
from xdf_kit import XdfStream, write_xdf

import rtbci
from rtbci.models.step import make_step
from rtbci.models.threads import OneThread
from rtbci.stages.bad_channels import BadChannelReplacer
from rtbci.stages.channel_mean import channel_mean
from rtbci.stages.montage import Montage, MontageConfig
from rtbci.stages.network import WindowClassifier
from rtbci.types import Chunk

# -- widths -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_channels", N_CHANNELS)
@pytest.mark.parametrize("reference", ["as_recorded", "average"])
def test_masked_channels_and_averages_do_not_depend_on_the_cutting(n_channels: int, reference: str) -> None:
    damage = {"flat", "noise", "huge"} if n_channels > 1 else {"flat"}
    stream = Stream(n_channels, damage=frozenset(damage), seconds=5.0)
    info, whole = stream.reader.info, stream.reader.chunk(stream.rows(), stream.times())
    # In another order than the stream's, so that channels are gathered.
    montage = Montage(MontageConfig(channels=ELECTRODES[:n_channels][::-1], reference=reference), info)
    replacer = BadChannelReplacer(info, montage)
    wanted = montage.process(replacer.process(whole))
    assert replacer.bad
    for pieces in (singles(whole), cut(whole, 1), cut(whole, 2)):
        replacer.reset()
        montage.reset()
        assert_same(Chunk.join([montage.process(replacer.process(piece)) for piece in pieces]), wanted)


@pytest.mark.parametrize("n_channels", [*range(1, 40), 63, 64, 65, 128, 129, 256])
def test_a_mean_over_channels_has_one_order(n_channels: int) -> None:
    rng = np.random.default_rng(n_channels)
    size = 10.0 ** rng.integers(-6, 7, (600, n_channels))
    data = (rng.normal(size=(600, n_channels)) * size).astype(np.float32)
    wanted = channel_mean(data)
    np.testing.assert_allclose(wanted[:, 0], data.astype(np.float64).mean(axis=1), rtol=1e-5, atol=1e-3)
    for gathered in (data, np.asfortranarray(data)):
        for n in (1, 2, 3, 77):
            parts = [channel_mean(gathered[at : at + n]) for at in range(0, len(data), n)]
            np.testing.assert_array_equal(np.concatenate(parts), wanted)


# -- formats and units ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("form", "unit"), list(product(FORMATS, UNITS)))
def test_samples_of_every_format_and_unit_are_the_same_from_a_file_and_live(
    form: str, unit: str, tmp_path: Path
) -> None:
    stream = Stream(3, format=form, unit=unit, gain=0.3 / UNITS[unit], seconds=2.0, damage=frozenset({"noise"}))
    rows, stamps = stream.rows(), 50 + stream.times()
    live = through(_AsItComes(stream), (Chunk(np.zeros((1, 1)), [i]) for i in range(len(rows))))
    channels = "".join(
        f"<channel><label>{c.label}</label><unit>{c.unit}</unit><type>EEG</type>"
        f"<scaling_factor>{c.factor[1]}</scaling_factor></channel>"
        for c in stream.reader.description.channels
    )
    file = XdfStream("amp", "EEG", rows, stamps, form, stream.sfreq, "amp-1", f"<channels>{channels}</channels>")
    recording = rtbci.open_recording(write_xdf(tmp_path / "x.xdf", file))
    assert recording.info.units == stream.reader.info.units == ("uV",) * 3
    np.testing.assert_array_equal(recording.read(0, len(rows)), live.data)
    assert np.abs(live.data).std() > 5, "µV of something like EEG"


class _AsItComes:
    """Stage: sample i of a stream for a chunk with the time i, read by itself."""

    def __init__(self, stream: Stream) -> None:
        self.reader, self.rows = stream.reader, stream.rows()

    def reset(self) -> None: ...

    def process(self, chunk: Chunk) -> Chunk:
        at = int(chunk.times[0])
        return self.reader.chunk(self.rows[at : at + 1], chunk.times)


@pytest.mark.parametrize(("form", "unit"), list(product(FORMATS, UNITS)))
def test_answers_to_every_format_and_unit_do_not_depend_on_cut_or_threads(form: str, unit: str) -> None:
    random = Random(f"{form} {unit}")
    stream = Stream(random.choice((3, 9, 19)), format=form, unit=unit, gain=0.3 / UNITS[unit], seconds=3.0,
                    damage=frozenset({"flat"}), is_stamped=True)  # fmt: skip
    pipeline = a_pipeline(random, stream, "conv_lstm")
    with threads(2):
        wanted = run(pipeline, stream, piece_sizes(random, "tag", stream))
    assert len(wanted.scores) > 8
    assert_law(run(pipeline, stream, piece_sizes(random, "ragged", stream)), wanted)


# -- threads ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_channels", [2, 9, 32])
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("bidirectional", "same", "selection")])
def test_no_number_of_threads_changes_a_bit_of_an_answer(kind: str, n_channels: int) -> None:
    network = a_network(Random(7), kind, n_channels, 2, is_wide=True).eval()
    x = np.random.default_rng(1).normal(size=(network.window or 40 * network.hop, n_channels)).astype(np.float32)

    def answers() -> np.ndarray:
        if network.window is not None:
            return WindowClassifier(network, 8, "sigmoid", "cpu")(x[None])
        step = make_step(network)
        return step(x, step.initial_state())[0]

    wanted = answers()
    for n in (2, 3):
        with threads(n):
            np.testing.assert_array_equal(answers(), wanted)


def test_the_number_of_threads_is_as_before_afterwards() -> None:
    from threadpoolctl import threadpool_info

    def blas() -> list[int]:
        return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]

    with threads(2):
        before = blas()
        with OneThread():
            with OneThread():
                assert (torch.get_num_threads(), set(blas())) == (1, {1})
            assert (torch.get_num_threads(), set(blas())) == (1, {1})
        assert (torch.get_num_threads(), blas()) == (2, before)
        with pytest.raises(KeyError), OneThread():
            raise KeyError
        assert (torch.get_num_threads(), blas()) == (2, before)


def test_any_thread_of_a_process_may_have_one_thread_for_its_sums() -> None:
    """threadpoolctl heeds the first thread that sets a number, and no other."""
    from threadpoolctl import threadpool_info

    seen: list[set[int]] = []

    def look() -> None:
        with OneThread():
            seen.append({library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"})

    with threads(2):
        look()
        other = Thread(target=look)
        other.start()
        other.join()
        assert torch.get_num_threads() == 2
    assert seen == [{1}, {1}]


# -- everything at once -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(12))
def test_a_drawn_pipeline_answers_a_drawn_stream_alike_in_every_cut_and_on_any_threads(seed: int) -> None:
    random = Random(seed)
    stream = a_stream(random)
    pipeline = a_pipeline(random, stream)
    cues = (0.5, 1.33, 2.0) if pipeline.config.cues else ()
    heard = []
    for kind, n_threads in zip(random.sample(CUTS, 2), random.choice(((1, 2), (2, 3), (1, 1))), strict=True):
        with threads(n_threads):
            heard.append(run(pipeline, stream, piece_sizes(random, kind, stream), cues))
    assert_law(*heard)
