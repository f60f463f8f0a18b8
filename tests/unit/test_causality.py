"""The law's partner: what comes after a moment never changes what was said before it."""

import numpy as np
import pytest
from cutting import INFO, eeg
from test_chunking import PIPELINES, STAGES

from rtbci.types import Chunk


def changed_after(chunk: Chunk, at: int) -> Chunk:
    data = chunk.data.copy()
    data[at:] = np.random.default_rng(9).normal(0, 500, data[at:].shape)
    return Chunk(data, chunk.times)


@pytest.mark.parametrize("name", STAGES)
@pytest.mark.parametrize("at", [1, 777, 2400])
def test_a_stage_never_looks_ahead(name: str, at: int) -> None:
    whole = eeg(3000)
    before, after = STAGES[name]().process(whole), STAGES[name]().process(changed_after(whole, at))
    seen = before.times < whole.times[at]
    np.testing.assert_array_equal(before.times, after.times)
    np.testing.assert_allclose(after.data[seen], before.data[seen], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", PIPELINES)
def test_a_pipeline_never_looks_ahead(name: str) -> None:
    whole = eeg(4000)
    pipeline = PIPELINES[name]()
    before, after = (pipeline.start(INFO).process(chunk) for chunk in (whole, changed_after(whole, 2222)))
    seen = before.times < whole.times[2222]
    assert seen.sum() > 10
    assert not np.allclose(after.data[~seen], before.data[~seen])
    np.testing.assert_allclose(after.data[seen], before.data[seen], rtol=1e-5, atol=1e-5)
