"""The engine's own recording: `tag` on it gives the live answers to the bit, whatever the stream did."""

import json
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pylsl
import pytest
import pyxdf
from cutting import CHANNELS, SFREQ, eeg, make_pipeline
from heard import Heard

import rtbci
from rtbci.engine.engine import Engine
from rtbci.engine.session import EngineSpec
from rtbci.evaluation import live_again
from rtbci.lsl.border import RawSamples
from rtbci.lsl.clock import HostClock
from rtbci.lsl.discovery import read_description
from rtbci.lsl.inlet import xml_of
from rtbci.lsl.source import SourceItem, StreamConnected, StreamLost
from rtbci.monitor.messages import AlarmLine, StartRecording, StopRecording, WarningLine
from rtbci.pipeline.pipeline import Pipeline
from rtbci.pipeline.stream import StreamSession
from rtbci.recordings.engine_marks import continued_file
from rtbci.recordings.event_table import read_events
from rtbci.recordings.overrides import StreamOverrides
from rtbci.recordings.xdf import open_xdf
from rtbci.recordings.xdf_recorder import XdfRecorder
from rtbci.stages.cues import Cue, CueAnswer, CueConfig
from rtbci.stages.decision import DecisionConfig
from rtbci.types import Scores, StreamInfo

FORMATS = {np.float32: "float32", np.float64: "double64", np.int16: "int16", np.int32: "int32"}
N = round(8 * SFREQ)


@dataclass
class Amplifier:
    """What an amplifier says of itself."""

    name: str = "Amp"
    source_id: str = "amp-1"
    channels: tuple[str, ...] = CHANNELS
    unit: str = "microvolts"
    sfreq: float = SFREQ
    format: type = np.float32

    def connected(self) -> StreamConnected:
        values = FORMATS[self.format]
        info = pylsl.StreamInfo(self.name, "EEG", len(self.channels), self.sfreq, values, self.source_id)
        described = info.desc().append_child("channels")
        for label in self.channels:
            channel = described.append_child("channel")
            channel.append_child_value("label", label)
            channel.append_child_value("unit", self.unit)
        clock = HostClock()
        clock.assume(0.0)
        described, _, _ = read_description(SimpleNamespace(info=lambda timeout: info))
        return StreamConnected(described, 1.0, "amp-host", clock, xml_of(info))


@dataclass
class Read:
    """One read of the source: what it gave, and when that came."""

    item: SourceItem
    arrived: float = 0.0


@dataclass
class Script:
    """What a source reads, one item after another; it has the members of LslSource that an engine uses."""

    reads: list[Read] = field(default_factory=list)
    replay: Any = None
    pulled_at: float = 0.0
    connected = connected_once = True
    is_paused = False
    silent_s: float = 0.0
    waits_for: Any = None
    done: Callable[[], None] = lambda: None
    settles_at: int = -1  # reads before the end
    settles: Callable[[XdfRecorder], None] = lambda recorder: all_written(recorder)
    settled: Callable[[], None] = lambda: None

    def connects(self, amplifier: Amplifier) -> None:
        self.amplifier = amplifier
        self.reads.append(Read(amplifier.connected()))

    def loses(self) -> None:
        self.reads.append(Read(StreamLost("its plug was pulled")))

    def sends(
        self, n: int, begin: float, seed: int, stamps: Callable[[np.ndarray], np.ndarray] = lambda due: due
    ) -> float:
        """n samples from a moment on, in ragged chunks, each of them read 10 ms after its last sample; returns the end."""
        amplifier, rng = self.amplifier, np.random.default_rng(seed)
        data = eeg(n, len(amplifier.channels), amplifier.sfreq, seed).data - 300
        rows = (data / (1e6 if amplifier.unit == "V" else 1)).astype(amplifier.format)
        due = begin + np.arange(n) / amplifier.sfreq
        stamped, at = stamps(due), 0
        while at < n:
            stop = min(n, at + int(rng.integers(1, 40)))
            arrived = float(due[stop - 1]) + 0.01
            self.reads.append(Read(RawSamples(rows[at:stop], stamped[at:stop], arrived), arrived))
            at = stop
        return begin + n / amplifier.sfreq

    def read(self, timeout_s: float) -> list[SourceItem]:
        if len(self.reads) == self.settles_at:
            self.settled()
        if not self.reads:
            self.done()
            return []
        read = self.reads.pop(0)
        self.pulled_at = read.arrived
        return [read.item]

    def close(self) -> None: ...


@dataclass
class Lived:
    """What a live run gave."""

    pipeline: Pipeline
    heard: Heard
    folder: Path
    trouble: str  # of the recorder, at the end

    @property
    def scores(self) -> list[Scores]:
        return [m for m in self.heard.messages if isinstance(m, Scores)]


@cache
def wavering() -> Pipeline:
    """A pipeline as drawn, whose decisions have much to decide."""
    decision = DecisionConfig(threshold=0.5, smoothing_s=0.05, min_duration_s=0.05, merge_s=0.05)
    pipeline = make_pipeline(decision=decision)
    info = StreamInfo("Amp", SFREQ, CHANNELS, ("uV",) * len(CHANNELS))
    scores = pipeline.start(info).process(eeg(4 * N))
    decision = decision.model_copy(update={"threshold": float(np.median(scores.data))})
    return Pipeline(pipeline.config.model_copy(update={"decision": decision}), pipeline.network)


def live(script: Script, folder: Path, told: StreamOverrides | None = None) -> Lived:
    pipeline, heard = wavering(), Heard()
    files = {"events": str(folder / "live.tsv"), "record": str(folder)}
    spec = EngineSpec("", {"name": "Amp"}, **files, overrides=told or StreamOverrides())
    engine = Engine(pipeline, spec, [heard])
    engine.source.close()
    engine.source = script  # type: ignore[assignment]
    script.done = engine.stop
    assert engine.recorder is not None
    script.settled = partial(script.settles, engine.recorder.recorder)
    engine.run()
    assert engine.recorder.recorder.close(20.0)
    return Lived(pipeline, heard, folder, engine.recorder.trouble)


def all_written(recorder: XdfRecorder) -> None:
    """Wait until all that was handed over is in the file."""
    deadline = time.monotonic() + 30
    while recorder._handed or any(batch.counts for batch in recorder._batches):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def recorded(folder: Path) -> Path:
    (path,) = folder.glob("*.xdf")
    return path


def assert_tagged_as_lived(lived: Lived) -> None:
    assert lived.trouble == ""
    tagged = rtbci.tag(lived.pipeline, rtbci.open_recording(recorded(lived.folder)))
    np.testing.assert_array_equal(tagged.scores.data, np.concatenate([s.chunk.data for s in lived.scores]))
    np.testing.assert_array_equal(tagged.scores.valid, np.concatenate([s.chunk.valid for s in lived.scores]))
    events = read_events(lived.folder / "live.tsv")
    assert len(events) > 2
    assert [(e.onset, e.duration, e.label) for e in tagged.events] == [(e.onset, e.duration, e.label) for e in events]


def steady(script: Script) -> None:
    script.connects(Amplifier())
    script.sends(N, 100.0, 1)


def restarted(script: Script) -> None:
    """Its program is started again, without a source id, after 3 s."""
    script.connects(Amplifier(source_id=""))
    end = script.sends(N, 100.0, 1)
    script.loses()
    script.connects(Amplifier(source_id=""))
    script.sends(N, end + 3.0, 2)


def renamed(script: Script) -> None:
    script.connects(Amplifier(source_id="a"))
    end = script.sends(N, 100.0, 1)
    script.loses()
    script.connects(Amplifier(name="Amp 2", source_id="b"))
    script.sends(N, end + 0.1, 2)


def other_order(script: Script) -> None:
    script.connects(Amplifier())
    end = script.sends(N, 100.0, 1)
    script.loses()
    script.connects(Amplifier(channels=CHANNELS[::-1]))
    script.sends(N, end + 3.0, 2)


def other_order_and_back(script: Script) -> None:
    other_order(script)
    script.loses()
    script.connects(Amplifier())
    script.sends(N, 200.0, 3)


def other_rate(script: Script) -> None:
    script.connects(Amplifier())
    end = script.sends(N, 100.0, 1)
    script.loses()
    script.connects(Amplifier(sfreq=250.0))
    script.sends(N, end + 3.0, 2)


def other_unit(script: Script) -> None:
    """In volts now, and nothing else is new."""
    script.connects(Amplifier(format=np.float64))
    end = script.sends(N, 100.0, 1)
    script.loses()
    script.connects(Amplifier(format=np.float64, unit="V"))
    script.sends(N, end + 1.0, 2)


def other_format(script: Script) -> None:
    script.connects(Amplifier(format=np.int16))
    end = script.sends(N, 100.0, 1)
    script.loses()
    script.connects(Amplifier(format=np.float64))
    script.sends(N, end + 1.0, 2)


def more_channels(script: Script) -> None:
    script.connects(Amplifier())
    end = script.sends(N, 100.0, 1)
    script.loses()
    script.connects(Amplifier(channels=("EEG Pz-Ref", *CHANNELS)))
    script.sends(N, end + 1.0, 2)


def clock_set(by_s: float) -> Callable[[Script], None]:
    def run(script: Script) -> None:
        script.connects(Amplifier())
        end = script.sends(N, 200.0, 1)
        end = script.sends(N, end, 2, lambda due: due + by_s)
        script.sends(N, end, 3)

    run.__name__ = f"clock set by {by_s:g} s and back"
    return run


def jittering(script: Script) -> None:
    """Stamps jitter by more than half a period."""
    rng = np.random.default_rng(5)
    script.connects(Amplifier())
    script.sends(3 * N, 100.0, 1, lambda due: due + rng.normal(0, 0.8 / SFREQ, len(due)))


def repeating(script: Script) -> None:
    """Each stamp is that of ten samples."""
    script.connects(Amplifier())
    script.sends(2 * N, 100.0, 1, lambda due: due[np.arange(len(due)) // 10 * 10])


def lossy(script: Script) -> None:
    script.connects(Amplifier())
    end = script.sends(N, 100.0, 1)
    end = script.sends(N, end + 0.05, 2)
    script.sends(N, end + 4.0 + 2.5 / SFREQ, 3)


RUNS = [
    steady, restarted, renamed, other_order, other_order_and_back, other_rate, other_unit, other_format, more_channels,
    clock_set(-120.0), clock_set(3600.0), clock_set(-0.5), jittering, repeating, lossy,
]  # fmt: skip


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.__name__)
def test_tagging_the_recording_gives_the_live_answers_to_the_bit(run: Callable[[Script], None], tmp_path: Path) -> None:
    script = Script()
    run(script)
    assert_tagged_as_lived(live(script, tmp_path))


def writer_killed(recorder: XdfRecorder) -> None:
    all_written(recorder)
    os.kill(recorder._process.pid, signal.SIGKILL)
    recorder._process.wait()


@pytest.mark.parametrize("run", [steady, restarted, other_order_and_back, jittering, lossy], ids=lambda r: r.__name__)
def test_a_file_that_continues_another_is_answered_as_lived_beside_it(
    run: Callable[[Script], None], tmp_path: Path
) -> None:
    script = Script(settles=writer_killed)
    run(script)
    script.settles_at = len(script.reads) // 3
    lived = live(script, tmp_path)
    paths = sorted(tmp_path.glob("*.xdf"), key=lambda path: path.stat().st_mtime)
    first, second = [rtbci.tag(lived.pipeline, rtbci.open_recording(path)) for path in paths]
    assert (first.warnings + second.warnings if run is steady else ()) == ()
    both = np.concatenate([first.scores.data, second.scores.data])
    np.testing.assert_array_equal(both, np.concatenate([s.chunk.data for s in lived.scores]))
    events = read_events(tmp_path / "live.tsv")
    in_second = [(event.label, round(event.duration, 6)) for event in second.events[1:]]
    assert len(in_second) > 1
    assert in_second == [(event.label, round(event.duration, 6)) for event in events[-len(in_second) :]]
    assert second.scores.times[0] < 1 / SFREQ + lived.pipeline.hop_s
    paths[0].rename(tmp_path / "away.xdf")
    (warned,) = [
        text for text in rtbci.tag(lived.pipeline, rtbci.open_recording(paths[1])).warnings if "continues" in text
    ]
    assert warned.startswith(f"it continues {paths[0].name}, and is answered as if nothing had been before")


def test_a_file_that_says_to_continue_itself_is_answered_on_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = Script()
    steady(script)
    lived = live(script, tmp_path)
    recording = rtbci.open_recording(recorded(tmp_path))
    assert recording.live is not None
    alone = rtbci.tag(lived.pipeline, recording)
    part = recording.live.parts[0]
    late = replace(part, arrivals=replace(part.arrivals, received=part.arrivals.received + 5))
    circle = replace(recording, live=replace(recording.live, parts=(late,), continues=recording.path.name))
    monkeypatch.setattr(live_again, "open_recording", lambda path: circle)
    tagged = rtbci.tag(lived.pipeline, circle)
    assert tagged.warnings[0].endswith(f"{recording.path.name} does not hold what was read before")
    np.testing.assert_array_equal(tagged.scores.data, alone.scores.data)


@pytest.mark.parametrize(
    ("name", "wanted"),
    [("a.xdf", "a.xdf"), ("nächtlich.xdf", "nächtlich.xdf"), ("../a.xdf", ""), ("/a.xdf", ""), ("a\x1b[2J.xdf", ""),
     ("a\0.xdf", ""), ("x" * 256, ""), (7, "")],
)  # fmt: skip
def test_only_the_plain_name_of_a_file_is_continued(name: object, wanted: str) -> None:
    mark = json.dumps({"state": "continued", "continues": name})
    info = {"desc": [{"manufacturer": ["rtbci"]}], "channel_format": ["string"]}
    stream = {"info": info, "time_stamps": [0.0], "time_series": [[mark]]}
    assert continued_file([stream]) == wanted


def test_what_was_said_of_the_stream_holds_for_each_part_of_its_recording(tmp_path: Path) -> None:
    script = Script()
    script.connects(Amplifier(channels=("1", "2", "3", "4", "5"), unit=""))
    end = script.sends(N, 100.0, 1)
    script.loses()
    script.connects(Amplifier(channels=("5", "4", "3", "2", "1"), unit="", source_id="amp-2"))
    script.sends(N, end + 1.0, 2)
    names = dict(zip("12345", CHANNELS, strict=True))
    assert_tagged_as_lived(live(script, tmp_path, StreamOverrides(renamed=names, gain=1.25, unit="uV")))


class Cues:
    """Markers of a trigger channel that come with the chunks of a run, one of them far too late; as a CueWatch."""

    def __init__(self, at: dict[int, tuple[float, str]]) -> None:
        self._at, self._n, self._passed = at, 0, list[Cue]()
        self.answered: list[Cue] = []
        info = pylsl.StreamInfo("Cues", "Markers", 1, 100.0, "int32", "cues-1")
        self.source: Any = SimpleNamespace(description=lambda: xml_of(info))

    def take(self, stream: StreamSession) -> None:
        if found := self._at.get(self._n):
            stream.cue(*found)
            self._passed.append(Cue(*found))
        self._n += 1

    def pop_passed(self) -> list[Cue]:
        passed, self._passed = self._passed, []
        return passed

    def news(self) -> list[str]:
        return []

    def close(self) -> None: ...


def test_cues_are_told_as_early_and_as_late_as_live(tmp_path: Path) -> None:
    sizes = {"units": (8,), "window": 128, "n_classes": 1}
    cues = CueConfig(labels=("1", "2"), keep_s=1.0)
    pipeline = make_pipeline("stacked_lstm", sizes=sizes, cues=cues)
    script = Script()
    script.connects(Amplifier())
    script.sends(2 * N, 100.0, 1)
    at = {5: (101.0, "1"), 20: (102.0, "2"), 21: (102.5, "3"), len(script.reads) - 4: (102.25, "1")}
    told = Cues(at)
    heard = Heard()
    engine = Engine(pipeline, EngineSpec("", {"name": "Amp"}, record=str(tmp_path)), [heard])
    engine.source.close()
    engine.source, engine.cues = script, told  # type: ignore[assignment]
    script.done = engine.stop
    engine.run()
    assert engine.recorder is not None
    assert engine.recorder.recorder.close(20.0)
    live_answers = [m for m in heard.messages if isinstance(m, CueAnswer)]
    recording = rtbci.open_recording(recorded(tmp_path))
    assert [(e.onset, e.label) for e in recording.annotations] == [(1.0, "1"), (2.0, "2"), (2.25, "1"), (2.5, "3")]
    tagged = rtbci.tag(pipeline, recording)
    # The one that came too late has no answer, though its samples are in the file.
    assert [bool(a.probabilities) for a in live_answers] == [True, True, False]
    assert [(a.cue, a.probabilities, a.valid) for a in tagged.answers] == [
        (a.cue, a.probabilities, a.valid) for a in live_answers
    ]


@pytest.mark.parametrize("values", FORMATS)
def test_rows_are_in_the_file_as_the_stream_sent_them(values: type, tmp_path: Path) -> None:
    script = Script()
    script.connects(Amplifier(format=values))
    script.sends(N, 100.0, 1)
    items = [read.item for read in script.reads]
    sent = np.concatenate([item.rows for item in items if isinstance(item, RawSamples)])
    stamps = np.concatenate([item.stamps for item in items if isinstance(item, RawSamples)])
    arrived = [read.arrived for read in script.reads if isinstance(read.item, RawSamples)]
    assert_tagged_as_lived(live(script, tmp_path))
    outlets = ["Amp-small-events", "Amp-small-probability"]
    for smoothed in (False, True):
        streams, _ = pyxdf.load_xdf(recorded(tmp_path), synchronize_clocks=smoothed, dejitter_timestamps=smoothed)
        assert [s["info"]["name"][0] for s in streams] == ["Amp", "Amp-arrivals", *outlets]
        signal, arrivals = streams[0], streams[1]
        assert signal["time_series"].dtype == values
        np.testing.assert_array_equal(signal["time_series"], sent)
        np.testing.assert_allclose(signal["time_stamps"], stamps, rtol=0, atol=1e-6 if smoothed else 0)
        assert signal["info"]["channel_format"] == [FORMATS[values]]
        assert signal["info"]["source_id"] == ["amp-1"]
        assert signal["footer"]["info"]["sample_count"] == [str(N)]
        np.testing.assert_array_equal(arrivals["time_series"][:, 2], arrived)
        assert arrivals["time_series"][-1, 0] == N
    assert recorded(tmp_path).stat().st_mode & 0o777 == 0o600


def test_a_stream_that_describes_itself_anew_is_another_stream_of_the_file_and_that_is_told(tmp_path: Path) -> None:
    script = Script()
    other_order(script)
    lived = live(script, tmp_path)
    told = [line.text for line in lived.heard.lines if isinstance(line, WarningLine)]
    assert told == ["Amp describes itself in another way than before; it is stream 5 of the recording now"]
    streams, _ = pyxdf.load_xdf(recorded(tmp_path), dejitter_timestamps=False)
    signals = [s for s in streams if s["info"]["type"] == ["EEG"]]
    assert [len(s["time_stamps"]) for s in signals] == [N, N]
    labels = [tuple(c["label"][0] for c in s["info"]["desc"][0]["channels"][0]["channel"]) for s in signals]
    assert labels == [CHANNELS, CHANNELS[::-1]]
    recording = rtbci.open_recording(recorded(tmp_path))
    assert recording.n_samples == N
    assert recording.duration_s == pytest.approx(2 * N / SFREQ + 3.0)
    assert any("from 11.0 s on the stream describes itself in another way" in text for text in recording.warnings)
    assert open_xdf(recorded(tmp_path), 5).info.channels == CHANNELS[::-1]


def test_a_file_that_was_cut_off_is_tagged_as_far_as_it_goes(tmp_path: Path) -> None:
    script = Script()
    steady(script)
    script.settles_at = len(script.reads) // 3
    lived = live(script, tmp_path)
    path = recorded(tmp_path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 3 // 4])
    tagged = rtbci.tag(lived.pipeline, rtbci.open_recording(path))
    wanted = np.concatenate([s.chunk.data for s in lived.scores])
    assert 10 < len(tagged.scores) < len(wanted)
    np.testing.assert_array_equal(tagged.scores.data, wanted[: len(tagged.scores)])


@dataclass
class CommandedScript(Script):
    """Commands, by how many reads are left when they come."""

    commands: dict[int, Callable[[], None]] = field(default_factory=dict)

    def read(self, timeout_s: float) -> list[SourceItem]:
        if (command := self.commands.pop(len(self.reads), None)) is not None:
            command()
        return super().read(timeout_s)


def test_a_recording_that_begins_and_ends_in_mid_run_holds_what_was_read_between(tmp_path: Path) -> None:
    script, heard = CommandedScript(), Heard()
    script.connects(Amplifier())
    begin = script.sends(N, 100.0, 1)
    n_before = len(script.reads)
    end = script.sends(N, begin, 2)
    n_recorded = len(script.reads) - n_before
    script.sends(N, end, 3)
    n_after = len(script.reads) - n_before - n_recorded
    engine = Engine(wavering(), EngineSpec("", {"name": "Amp"}), [heard])
    engine.source.close()
    engine.source = script  # type: ignore[assignment]
    script.done = engine.stop
    recorders = []

    def stop() -> None:
        recorders.append(engine.recorder)
        engine.command(StopRecording())

    begin_there, end_there = n_after + n_recorded, n_after
    script.commands = {begin_there: lambda: engine.command(StartRecording(folder=str(tmp_path))), end_there: stop}
    engine.run()
    assert recorders[0].trouble == ""
    assert (engine.recorder, engine.recording) == (None, None)
    told = [line.text for line in heard.messages if isinstance(line, WarningLine)]
    assert [text.split(",")[0] for text in told[-2:]] == [
        f"recording to {tmp_path} begins in mid-run", f"recording to {tmp_path} ends",
    ]  # fmt: skip
    recording = rtbci.open_recording(recorded(tmp_path))
    (chunk,) = recording.chunks(N + 1)
    np.testing.assert_array_equal(chunk.data, eeg(N, len(CHANNELS), SFREQ, 2).data - 300)
    tagged = rtbci.tag(wavering(), recording)
    assert len(tagged.scores) > 0
    assert any(text.startswith("it begins in mid-run, and is answered as if") for text in tagged.warnings)


def test_a_folder_that_cannot_be_recorded_to_is_an_alarm_and_nothing_else(tmp_path: Path) -> None:
    script, heard = CommandedScript(), Heard()
    script.connects(Amplifier())
    script.sends(N, 100.0, 1)
    engine = Engine(wavering(), EngineSpec("", {"name": "Amp"}), [heard])
    engine.source.close()
    engine.source = script  # type: ignore[assignment]
    script.done = engine.stop
    script.commands = {3: lambda: engine.command(StartRecording(folder=str(tmp_path / "gone")))}
    engine.run()
    (alarm,) = [line.text for line in heard.messages if isinstance(line, AlarmLine)]
    assert alarm.startswith("the recording: ")
    assert engine.tally.received == N
