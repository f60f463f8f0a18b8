"""From a stranger's description to the engine's sinks, in process: refused in one line, or borne; seeded, and bounded."""

import contextlib
import json
import random
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cutting import make_pipeline
from fuzzed_stream import Description, FakeInlet

from rtbci.engine.engine import Engine
from rtbci.engine.session import EngineSpec
from rtbci.errors import RtbciError
from rtbci.lsl import clock, inlet, source
from rtbci.lsl.discovery import FoundStream, predicate
from rtbci.lsl.first_look import FirstLook
from rtbci.lsl.recorder import new_path
from rtbci.monitor.describe import describe
from rtbci.monitor.messages import read_line, read_state
from rtbci.pipeline.pipeline import Pipeline
from rtbci.text import plain

N_STREAMS, N_SETS = 25, 8


class QuickEngine(Engine):
    """Without the warm-up, which has nothing to do with the stream."""

    def _warm_up(self) -> None: ...


class Search:
    """Finds the one stream, and no other."""

    FORGET_S = GRACE_S = 0.0

    def __init__(self, found: Any) -> None:
        self._found, self._refused = found, False

    def choose(self) -> Any:
        return None if self._refused else self._found

    def refuse(self, stream: Any) -> None:
        self._refused = True

    def lose(self, stream: Any) -> None:
        self._refused = True

    def answering(self) -> list[Any]:
        return []

    def note_other_streams(self, stream: Any) -> None: ...

    def is_other_stream(self, stream: Any) -> bool:
        return False

    def close(self) -> None: ...


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return make_pipeline()


@pytest.fixture(autouse=True)
def _clock_that_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "measure_offset", lambda _: (0.0, 1e-4))
    for wait in ("LEAST_S", "MOST_S", "DOUBTFUL_S", "MEASURE_S"):  # samples are answered as they come
        monkeypatch.setattr(FirstLook, wait, 0.0)


@contextlib.contextmanager
def engine_on(
    found: Any, rng: random.Random, pipeline: Pipeline, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Engine]:
    with monkeypatch.context() as patched:
        patched.setattr(source, "StreamSearch", lambda *_: Search(found))
        lsl = SimpleNamespace(**{**vars(inlet.pylsl), "StreamInlet": lambda info, **_: FakeInlet(info, rng)})
        patched.setattr(inlet, "pylsl", lsl)
        spec = EngineSpec("", {"name": "x"}, monitor=str(folder / "monitor"), events=str(folder / "events.tsv"))
        (folder / "monitor").mkdir(parents=True)
        engine = QuickEngine(pipeline, spec)
        engine.source.RETRY_S = 0.0  # type: ignore[misc]
        engine.source._retry_at = 0.0
        try:
            yield engine
        finally:
            engine.close()


@pytest.mark.parametrize("seed", range(N_SETS))
def test_whatever_a_stream_says_of_itself_ends_no_engine(
    seed: int, pipeline: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = random.Random(seed)
    n_answered = n_refused = 0
    for k in range(N_STREAMS):
        found = Description(rng).info()
        if found is None or not found.uid():
            continue
        folder = tmp_path / str(k)
        with engine_on(found, rng, pipeline, folder, monkeypatch) as engine:
            try:
                for _ in range(8):
                    for item in engine.source.read(0.0):
                        engine._handle(item)
                    engine._tend()
            except RtbciError as error:
                n_refused += 1
                assert str(error).isprintable() and len(str(error)) <= 1500
            n_answered += engine.connection is not None
            check_texts(engine, found, folder)
        check_log(folder)
    assert n_answered >= N_STREAMS / 5
    assert n_refused >= N_STREAMS / 10


def check_texts(engine: Engine, found: Any, folder: Path) -> None:
    """What is shown, written and published of a stream."""
    assert str(FoundStream.of(found))
    predicate({"name": found.name(), "source_id": found.source_id()})
    content = engine.state().model_dump_json(exclude_unset=True)
    json.loads(content, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert read_state(content) is not None
    assert new_path(folder, found.name()).parent == folder
    for outlet in (engine.outlets._probability, engine.outlets._events):
        if outlet is not None:
            info = outlet.get_info()
            assert info.name().isprintable() and len(info.name()) < 400
            assert not set("'\"") & set(info.name() + info.source_id())


def check_log(folder: Path) -> None:
    lines = (folder / "monitor" / "log.jsonl").read_text().splitlines()
    for content in lines:
        line = read_line(content)
        assert line is not None, content
        assert plain(describe(line)).isprintable()
