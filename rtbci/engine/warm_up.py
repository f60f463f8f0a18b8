"""A pipeline's first answers, on noise: the first real sample does not pay for lazy initialisation."""

from __future__ import annotations

import numpy as np

from rtbci.pipeline.pipeline import Pipeline
from rtbci.pipeline.stream import StreamSession
from rtbci.types import Chunk, StreamInfo


def warm_up(pipeline: Pipeline, device: str) -> None:
    """Run once through a session that is thrown away."""
    config = pipeline.config
    info = StreamInfo("warm-up", config.sfreq, pipeline.channels, ("uV",) * len(pipeline.channels))
    session = StreamSession(pipeline, info, device=device, trends=True)
    noise = np.random.default_rng(0).normal(0, 20, (max(pipeline.hop, 8), len(info.channels)))
    for k in range(40):
        times = (np.arange(len(noise)) + k * len(noise)) / config.sfreq
        for _ in session.samples(Chunk(noise.astype(np.float32), times)):
            pass
