"""Electrodes that go bad while an engine reads them over LSL."""

import threading

import numpy as np
from cutting import make_pipeline
from heard import Heard
from test_engine import Wait, replaying, unique

import rtbci
from rtbci.bundled import RECORDING
from rtbci.engine.engine import Engine
from rtbci.engine.session import EngineSpec
from rtbci.replay.faults import BadChannel, Faults
from rtbci.stages.bad_channels import MaskConfig
from rtbci.types import Chunk


def test_the_live_answer_with_bad_channels_is_that_of_a_file_with_them(wait_until: Wait) -> None:
    spans = (
        BadChannel(channel=0, kind="flat", at=(10.0, 12.0)),
        BadChannel(channel=2, kind="nan", at=(15.0, 100.0)),
        BadChannel(channel=1, kind="saturated", at=(20.0, 4.0)),
    )
    pipeline = make_pipeline(mask=MaskConfig(most=3))
    recording = rtbci.open_recording(RECORDING)
    live = pipeline.start(recording.info)
    chunk = next(recording.chunks(40 * 256))
    for bad in spans:
        inside = slice(*(round(256 * s) for s in (bad.at[0], sum(bad.at))))
        chunk.data[inside, bad.channel] = {"flat": 0.0, "nan": np.nan, "saturated": 5000.0}[bad.kind]
    wanted = live.process(chunk)
    name, heard = unique("bad-channels"), Heard()
    engine = Engine(pipeline, EngineSpec("", {"name": name}, wait_s=20), sinks=[heard])
    thread = threading.Thread(target=engine.run)
    thread.start()
    try:
        with replaying(name, duration_s=40.0, faults=Faults(bad_channels=spans)) as replay:
            replay.join(30)
            wait_until(lambda: sum(map(len, heard.scores)) == len(wanted))
            level = engine.state().trust.level
    finally:
        engine.stop()
        thread.join(10)
    scores = Chunk.join(heard.scores)
    np.testing.assert_array_equal(scores.data, wanted.data)
    np.testing.assert_array_equal(scores.valid, wanted.valid)
    assert level == "reduced"
