"""A user's own sink: told of everything, and whatever it does costs the session nothing."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest
from cutting import INFO, eeg, make_pipeline

from rtbci.engine import sink_process
from rtbci.engine.sink_process import SinkProcess
from rtbci.engine.sinks import Sinks
from rtbci.errors import PluginError
from rtbci.pipeline.stream import StreamSession
from rtbci.types import Detection, Event, Scores

Wait = Callable[..., None]
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"

OWN = """
import os, pathlib, time

class Base:
    def begin(self, session): self.file = pathlib.Path(os.environ["OUT"])
    def on(self, message): pass
    def tend(self): pass
    def close(self): pass

class Writes(Base):
    def on(self, message):
        with self.file.open("a") as file:
            print(type(message).__name__, file=file)
    def close(self):
        with self.file.open("a") as file:
            print("closed", file=file)

class Raises(Base):
    def on(self, message): raise RuntimeError("no box on that port")

class RaisesOnce(Base):
    n = 0
    def on(self, message):
        self.n += 1
        if self.n == 1: raise RuntimeError("once")

class Hangs(Base):
    def on(self, message): time.sleep(3600)

class Eats(Base):
    def on(self, message): self.eaten = bytes(bytearray(os.urandom(1) * (64 << 20)))

class Slow(Base):
    def on(self, message):
        while not os.path.exists(os.environ["OUT"]): time.sleep(0.01)

class ClosesNever(Base):
    def close(self): time.sleep(3600)

class Ends(Base):
    def on(self, message): os._exit(7)

class Half:
    def on(self, message): pass

class CannotBeMade(Base):
    def __init__(self): raise OSError("no such port")
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], SinkProcess]]:
    """A sink of a file that is no part of rtbci, by its class; begun."""
    (tmp_path / "own_sinks.py").write_text(OWN)
    monkeypatch.setenv("OUT", str(tmp_path / "out"))
    made: list[SinkProcess] = []

    def make(name: str) -> SinkProcess:
        made.append(SinkProcess(f"{tmp_path / 'own_sinks.py'}:{name}"))
        made[-1].begin(StreamSession(make_pipeline(), INFO).about)
        return made[-1]

    yield make
    for sink in made:
        sink.close()


def detection(n: int = 0) -> Detection:
    return Detection(1.0 + n, Event(1.0, 2.0, "seizure"), closed=False, stamp=500.0)


def tended(sink: SinkProcess) -> str:
    sink.tend()
    return sink.trouble


def test_a_sink_is_told_of_every_message_in_order_and_of_the_end(
    own: Callable[[str], SinkProcess], tmp_path: Path
) -> None:
    sink = own("Writes")
    session = StreamSession(make_pipeline(), INFO)
    heard = [*session.samples(eeg(2000)), *session.close()]
    for message in heard:
        sink.on(message)
    sink.close()
    assert (tmp_path / "out").read_text().split() == [*(type(message).__name__ for message in heard), "closed"]
    assert sink.trouble == ""


def test_arrays_are_those_of_the_moment_though_their_memory_is_used_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "keeps.py").write_text(
        "import os, numpy\nclass Keeps:\n    def begin(self, session): pass\n    def tend(self): pass\n"
        "    def close(self): pass\n    def on(self, message): numpy.save(os.environ['OUT'], message.chunk.data)\n"
    )
    monkeypatch.setenv("OUT", str(tmp_path / "kept.npy"))
    sink = SinkProcess(f"{tmp_path / 'keeps.py'}:Keeps")
    chunk = eeg(8)
    wanted = chunk.data.copy()
    sink.on(Scores(chunk, chunk.times))
    chunk.data[:] = 0
    sink.close()
    np.testing.assert_array_equal(np.load(tmp_path / "kept.npy"), wanted)


def test_a_sink_that_raises_is_told_of_then_dropped(own: Callable[[str], SinkProcess], wait_until: Wait) -> None:
    sink = own("Raises")
    sink.on(detection())
    wait_until(lambda: "raised RuntimeError: no box on that port (own_sinks.py, line " in tended(sink))
    assert not sink.is_dropped
    for n in range(1, 3):
        sink.on(detection(n))
    wait_until(lambda: sink.is_dropped or tended(sink) is None)
    assert "was dropped: it raised 3 times in a row" in sink.trouble
    assert "no box on that port" in sink.trouble
    sink.on(detection())  # costs nothing more


def test_a_sink_that_raised_once_and_works_again_is_well(own: Callable[[str], SinkProcess], wait_until: Wait) -> None:
    sink = own("RaisesOnce")
    sink.on(detection())
    wait_until(lambda: "once" in tended(sink))
    sink.on(detection())
    wait_until(lambda: tended(sink) == "")
    assert not sink.is_dropped


def test_a_sink_that_hangs_is_dropped_and_holds_nobody_up(
    own: Callable[[str], SinkProcess], wait_until: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sink_process, "BLOCKED_S", 0.5)
    monkeypatch.setattr(sink_process, "MOST_WAITING", 100)
    sink = own("Hangs")
    big = Scores(eeg(20_000), eeg(20_000).times)
    for _ in range(200):  # more than pipe and queue hold
        sink.on(big)
    assert "too slow" in sink.trouble
    wait_until(lambda: sink.is_dropped or tended(sink) is None)
    assert "was dropped: it took no message for 0.5 s; the session continues without it" in sink.trouble
    began = time.monotonic()
    sink.close()
    assert time.monotonic() - began < 5


def test_a_sink_that_was_too_slow_is_well_once_it_has_caught_up(
    own: Callable[[str], SinkProcess], wait_until: Wait, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sink_process, "MOST_WAITING", 10)
    sink = own("Slow")
    big = Scores(eeg(20_000), eeg(20_000).times)
    for _ in range(20):
        sink.on(big)
    assert "is too slow" in sink.trouble
    sinks = Sinks([sink])
    assert len(sinks.tend()) == 1
    (tmp_path / "out").touch()
    told: list[str] = []
    wait_until(lambda: told.extend(sinks.tend()) or told)
    assert told == [f"sink {sink.name} works again"]
    assert sinks.trouble == ""


def test_that_a_sink_is_dropped_is_told_though_it_was_in_trouble_before(
    own: Callable[[str], SinkProcess], wait_until: Wait
) -> None:
    sink = own("Raises")
    sinks, told = Sinks([sink]), list[str]()
    sink.on(detection())
    wait_until(lambda: told.extend(sinks.tend()) or told)
    for n in range(1, 3):
        sink.on(detection(n))
    wait_until(lambda: told.extend(sinks.tend()) or len(told) > 1)
    assert "raised RuntimeError" in told[0]
    assert "was dropped" in told[1]
    assert len(told) == 2


def test_sinks_that_never_close_share_one_wait(own: Callable[[str], SinkProcess]) -> None:
    sinks = Sinks([own("ClosesNever") for _ in range(4)])
    began = time.monotonic()
    sinks.close()
    assert time.monotonic() - began < 4 * sink_process.CLOSE_TIMEOUT_S


def test_a_sink_is_closed_and_ends_where_its_engine_was_killed(
    own: Callable[[str], SinkProcess], wait_until: Wait, tmp_path: Path
) -> None:
    sink = own("Writes")
    wait_until(lambda: sink._taken.value == 1)  # it has begun
    sink._messages.close()  # as the kernel does it
    wait_until(lambda: not sink._process.is_alive())
    assert (tmp_path / "out").read_text().split() == ["closed"]


def test_a_sink_that_eats_memory_is_dropped(
    own: Callable[[str], SinkProcess], wait_until: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sink_process, "MOST_BYTES", 32 << 20)
    sink = own("Eats")
    sink.on(detection())
    wait_until(lambda: sink.is_dropped or tended(sink) is None)
    assert "MB of memory, more than 32 MB" in sink.trouble


def test_a_sink_that_ends_is_dropped_with_its_exit_code(own: Callable[[str], SinkProcess], wait_until: Wait) -> None:
    sink = own("Ends")
    sink.on(detection())
    wait_until(lambda: sink.is_dropped or tended(sink) is None)
    assert "it ended by itself (exit code 7)" in sink.trouble


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("Half", "lacks begin, tend, close; a sink has begin, on, tend, close"),
        ("CannotBeMade", "cannot be constructed: OSError: no such port"),
        ("Nothing", "has no 'Nothing'"),
    ],
)
def test_a_sink_that_is_none_is_one_clear_line(own: Callable[[str], SinkProcess], name: str, why: str) -> None:
    with pytest.raises(PluginError, match="--sink .*own_sinks") as raised:
        own(name)
    assert why in str(raised.value)


def test_troubles_of_sinks_are_told_once_and_again_when_they_are_over() -> None:
    class Sink:
        trouble = ""
        recovered = "all is written"

        def begin(self, session: object) -> None: ...
        def on(self, message: object) -> None: ...
        def tend(self) -> None: ...
        def close(self) -> None: ...

    one, other = Sink(), Sink()
    sinks = Sinks([one, other])
    assert sinks.tend() == []
    one.trouble = "the disk is full"
    assert sinks.tend() == ["the disk is full"]
    assert sinks.trouble == "the disk is full"
    one.trouble = "the disk is full; 2 events are not in it"
    assert sinks.tend() == []
    one.trouble = ""
    assert sinks.tend() == ["all is written"]
    assert sinks.trouble == ""


def test_the_example_tells_a_web_hook(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, wait_until: Wait) -> None:
    """As its documentation says, from a copy that is no part of the package."""
    got: list[dict[str, object]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("RTBCI_WEB_HOOK", f"http://127.0.0.1:{server.server_port}/")
    copy = tmp_path / "web_hook.py"
    copy.write_text((EXAMPLES / "web_hook.py").read_text())
    sink = SinkProcess(f"{copy}:WebHook")
    sink.begin(StreamSession(make_pipeline(), INFO).about)
    sink.on(detection())
    wait_until(lambda: got)
    sink.close()
    server.shutdown()
    server.server_close()
    assert got == [{"stream": "test", "label": "seizure", "onset_s": 1.0, "state": "confirmed"}]
