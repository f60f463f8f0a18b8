"""The recordings in tests/data: small, all of them attributed, and the law holds on what came from real heads."""

from pathlib import Path

import numpy as np
import pytest
from cutting import cut
from real_data import DATA, find_data

import rtbci
from rtbci.bundled import PIPELINE
from rtbci.types import Chunk

TEXT = (DATA / "ATTRIBUTION.md").read_text()
FILES = sorted(path.relative_to(DATA) for path in DATA.rglob("*") if path.is_file() and path.name != "ATTRIBUTION.md")


def test_they_take_15_megabytes_at_most() -> None:
    assert sum((DATA / path).stat().st_size for path in FILES) <= 15e6


@pytest.mark.parametrize("folder", sorted({path.parent.as_posix() for path in FILES}))
def test_each_folder_is_attributed(folder: str) -> None:
    assert f"`{folder}/" in TEXT or f"- `{Path(folder).name}/`" in TEXT


@pytest.mark.parametrize("name", ["iiic/SZ_sample1.edf", "iiic_irr/S_SZ6_GRDA6.edf", "eegmat/Subject00_1_60-80s.edf"])
def test_the_bundled_pipeline_answers_however_a_real_recording_is_cut(name: str) -> None:
    recording = rtbci.open_recording(find_data(name))
    pipeline = rtbci.Pipeline.load(PIPELINE)
    whole = next(recording.chunks(recording.n_samples))
    wanted = rtbci.tag(pipeline, recording).scores
    live = pipeline.start(recording.info)
    got = Chunk.join([live.process(piece) for piece in cut(whole, seed=5)])
    assert len(got) == len(wanted) > 0
    np.testing.assert_array_equal(got.data, wanted.data)
    np.testing.assert_array_equal(got.times, wanted.times)
    np.testing.assert_array_equal(got.valid, wanted.valid)
