"""A recording as a fake LSL stream: at recorded time x speed, with its annotations as markers, and faults on request.

At speed 0 it goes as fast as its consumer takes the samples, without loss. LSL itself cannot promise that: an inlet
drops its oldest samples when it holds more than `max_buflen` (360 s), and neither a synchronous outlet nor TCP holds
the sender back. So a consumer may acknowledge: an outlet of type `rtbci-ack`, one int64 channel, whose source id is the
replay's with `-ack` added, on which it pushes how many samples it has taken; the replay stays within AHEAD_S of the
slowest. For consumers that do not, it runs at most UNACKNOWLEDGED_SPEED x real time, so that one may stall for 5 s.
"""

from __future__ import annotations

import hashlib
import itertools
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType

import numpy as np
import pylsl

from rtbci.errors import RecordingError
from rtbci.faults import Faults, Packet
from rtbci.flow import Flow
from rtbci.lsl_config import quiet_lsl
from rtbci.sources.recording import Recording, open_recording
from rtbci.types import Chunk, StreamInfo, Times

RECONNECT_S = 1.0
_NAP_S = 0.003
_FLUSH_S = 0.02  # what was pushed last leaves the outlet
_LSL_UNITS = {"uV": "microvolts"}
_MAX_DESCRIBED = 1000  # annotations in the description of the marker stream; it travels with every connection

Progress = Callable[[float, float | None], None]  # stream seconds sent, and in all (None: without end)


@dataclass(frozen=True)
class Replay:
    """What to stream and how. Several files of one montage and rate follow each other on one stream.

    start_s and duration_s bound each file; speed 0 is as fast as the consumer takes it. Stamps are t0 + recorded time /
    speed (recorded time itself at speed 0), t0 being the local clock when the first sample goes out.
    """

    files: Sequence[str | Path]
    name: str | None = None
    speed: float = 1.0
    loop: bool = False
    start_s: float = 0.0
    duration_s: float | None = None
    chunk: int = 8
    seed: int = 0
    faults: Faults = field(default_factory=Faults)
    markers: bool = True
    type: str = "EEG"
    wait_for_consumer: bool = False

    def open(self) -> tuple[Recording, ...]:
        """Open the files and check that they make one stream. Raises RecordingError."""
        if not self.files or self.speed < 0 or self.chunk < 1 or self.start_s < 0:
            raise ValueError("a replay needs a file, a speed >= 0, a chunk >= 1 and a start >= 0")
        recordings = tuple(open_recording(file) for file in self.files)
        first = recordings[0].info
        for recording in recordings:
            if (recording.info.channels, recording.info.sfreq) != (first.channels, first.sfreq):
                raise RecordingError(
                    f"{recording.path}: has {len(recording.info.channels)} channels at {recording.info.sfreq:g} Hz, "
                    f"{recordings[0].path} {len(first.channels)} at {first.sfreq:g} Hz or other names; "
                    "replay them apart"
                )
            if self.start_s >= recording.duration_s:
                raise RecordingError(
                    f"{recording.path}: lasts {recording.duration_s:g} s; start before that, not at {self.start_s:g} s"
                )
        for bad in self.faults.bad_channels:
            if bad.channel >= len(first.channels):
                raise RecordingError(f"there is no channel {bad.channel} to spoil; there are {len(first.channels)}")
        return recordings

    def source_id(self, recording: Recording) -> str:
        """The same for the same file and name, so that a consumer finds the stream again after an interruption."""
        text = f"{recording.path.resolve()}\n{self.name or recording.info.name}"
        return f"rtbci-replay-{hashlib.sha256(text.encode()).hexdigest()[:16]}"

    def run(self, stop: threading.Event | None = None, progress: Progress | None = None) -> int:
        """Stream until the end, or until `stop` is set; returns how many samples were sent."""
        recordings = self.open()
        player = _Player(self, recordings, stop or threading.Event())
        try:
            return player.play(progress)
        finally:
            player.close()


def run_replay(replay: Replay) -> None:
    """A replay as the target of a process of its own; SIGINT and SIGTERM end it cleanly."""
    quiet_lsl()
    stop = threading.Event()

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        # From a thread: the signal may have come while this one holds the event's lock.
        threading.Thread(target=stop.set).start()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)
    replay.run(stop)


class _Player:
    """One run of a replay: its outlets, its clock, and what has been sent."""

    def __init__(self, replay: Replay, recordings: tuple[Recording, ...], stop: threading.Event) -> None:
        self.replay, self.recordings, self.stop = replay, recordings, stop
        source_id = replay.source_id(recordings[0])
        self.info = _describe(replay, recordings, source_id)
        self.outlet: pylsl.StreamOutlet | None = pylsl.StreamOutlet(self.info)
        marker_info = _describe_markers(self.info.name(), source_id, recordings)
        self.marker_outlet = pylsl.StreamOutlet(marker_info) if replay.markers else None
        self.flow = Flow(source_id, recordings[0].info.sfreq)
        self.reconnects = sorted(replay.faults.reconnect_at_s)
        self.n_sent = 0
        self.t0 = 0.0

    def play(self, progress: Progress | None) -> int:
        replay = self.replay
        if replay.wait_for_consumer or not replay.speed:
            self._await_consumer()
        if not replay.speed:
            self.flow.await_first(self.stop)
        self.t0 = pylsl.local_clock()
        reconnect_s = RECONNECT_S * (replay.speed or 1.0)
        for packet in replay.faults.lose(self._packets(), replay.seed, reconnect_s):
            self._await_turn(packet)
            if self.stop.is_set():
                break
            self._send(packet)
            if progress is not None:
                progress(packet.due, None if replay.loop else self._total_s())
        else:
            self._drain()
        return self.n_sent

    def close(self) -> None:
        """Take the streams off the network."""
        self.outlet = self.marker_outlet = None

    def _packets(self) -> Iterator[Packet]:
        replay = self.replay
        packets = cut(self._blocks(), replay.faults.sizes(replay.chunk, replay.seed))
        marked = self._markers()
        first, upcoming = 0, next(marked, None)
        for packet in replay.faults.bend(packets, replay.seed):
            last = first + len(packet.stamps)
            due: list[tuple[float, str]] = []
            while upcoming is not None and upcoming[0] < last:
                sample, label = upcoming
                if label is not None:
                    due.append((float(packet.stamps[sample - first]), label))
                upcoming = next(marked, None)
            yield replace(packet, markers=tuple(due))
            first = last

    def _spans(self) -> Iterator[tuple[Recording, int, int]]:
        """Each recording with the first and last sample to play, over and over where it loops."""
        for recording in itertools.cycle(self.recordings) if self.replay.loop else self.recordings:
            start, stop = self.replay.start_s, self.replay.duration_s
            end = recording.duration_s if stop is None else start + stop
            yield recording, _index(recording, start), min(_index(recording, end), recording.n_samples)

    def _blocks(self) -> Iterator[tuple[Chunk, Times]]:
        n_done, base_s = 0, 0.0
        for recording, start, stop in self._spans():
            sfreq = recording.info.sfreq
            for chunk in recording.chunks(round(10 * sfreq), start, stop):
                if recording.stamps is None:
                    times = np.arange(n_done, n_done + len(chunk)) / sfreq
                else:
                    times = base_s + chunk.times - recording.stamps[start]
                yield chunk, times
                n_done += len(chunk)
            base_s = n_done / sfreq if recording.stamps is None else float(times[-1]) + 1 / sfreq

    def _markers(self) -> Iterator[tuple[int, str | None]]:
        """(sample of the stream, label), in order; None where a recording ends, so that an endless loop yields too."""
        n_before = 0
        for recording, start, stop in self._spans():
            for event in sorted(recording.annotations, key=lambda e: e.onset):
                sample = _index(recording, event.onset)
                if start <= sample < stop:
                    yield n_before + sample - start, event.label
            n_before += stop - start
            yield n_before, None

    def _await_turn(self, packet: Packet) -> None:
        if self.replay.speed:
            due = self.t0 + packet.due / self.replay.speed
            self.stop.wait(max(0.0, due - pylsl.local_clock() - _NAP_S))
            # The last of it in naps: a long wait may end milliseconds late, and that would look like latency.
            while (left := due - pylsl.local_clock()) > 0 and not self.stop.is_set():
                time.sleep(min(left, 0.0005))
        elif len(packet.stamps):
            self._await_consumer()
            self.flow.await_room(self.n_sent, self.stop)

    def _await_consumer(self) -> None:
        while self.outlet is not None and not self.outlet.have_consumers() and not self.stop.is_set():
            self.outlet.wait_for_consumers(0.1)

    def _send(self, packet: Packet) -> None:
        scale = self.replay.speed or 1.0
        if self.marker_outlet is not None:
            for stamp, label in packet.markers:
                self.marker_outlet.push_sample([label], self.t0 + stamp / scale)
        if len(packet.stamps):
            if self.outlet is None:
                self.outlet = self._reconnected()
            self.outlet.push_chunk(packet.data, (self.t0 + packet.stamps / scale).tolist())
            self.n_sent += len(packet.stamps)
        if self.reconnects and packet.due >= self.reconnects[0]:
            self._disconnect()

    def _disconnect(self) -> None:
        self.reconnects.pop(0)
        if not self.replay.speed:
            self._drain()
        self.stop.wait(_FLUSH_S)
        self.outlet = None

    def _reconnected(self) -> pylsl.StreamOutlet:
        if not self.replay.speed:
            self.stop.wait(RECONNECT_S)
        outlet = pylsl.StreamOutlet(self.info)
        while not self.replay.speed and not outlet.wait_for_consumers(0.1) and not self.stop.is_set():
            pass
        self.flow.begin_again(self.n_sent)
        return outlet

    def _drain(self) -> None:
        """Until the consumers have it all: an outlet that goes away takes along what it has not yet sent."""
        if self.outlet is not None and self.outlet.have_consumers():
            self.flow.await_taken(self.n_sent, self.outlet.have_consumers, self.stop)

    def _total_s(self) -> float:
        return sum((stop - start) / recording.info.sfreq for recording, start, stop in self._spans())


def _index(recording: Recording, time_s: float) -> int:
    """The sample nearest to a time."""
    if recording.stamps is None:
        return round(time_s * recording.info.sfreq)
    after = int(np.searchsorted(recording.stamps, time_s))
    if after == 0 or after == len(recording.stamps):
        return after
    return after - int(time_s - recording.stamps[after - 1] < recording.stamps[after] - time_s)


def cut(blocks: Iterator[tuple[Chunk, Times]], sizes: Iterator[int]) -> Iterator[Packet]:
    """Blocks as they come from disk, cut to the wanted sizes; only the last packet may be shorter."""
    rest, times, size = Chunk.empty(0), np.empty(0), next(sizes)
    for block, block_times in blocks:
        rest = Chunk.join([rest, block]) if len(rest) else block
        times = np.concatenate([times, block_times])
        at = 0
        while len(rest) - at >= size:
            part = times[at : at + size]
            yield Packet(rest.data[at : at + size], part, part, 0.0)
            at, size = at + size, next(sizes)
        rest, times = rest[at:], times[at:]
    if len(rest):
        yield Packet(rest.data, times, times, 0.0)


def _describe(replay: Replay, recordings: Sequence[Recording], source_id: str) -> pylsl.StreamInfo:
    own: StreamInfo = recordings[0].info
    name = replay.name or own.name
    info = pylsl.StreamInfo(name, replay.type, len(own.channels), own.sfreq, pylsl.cf_float32, source_id)
    description = info.desc()
    description.append_child_value("manufacturer", "rtbci replay")
    channels = description.append_child("channels")
    for label, unit in zip(own.channels, own.units, strict=True):
        channel = channels.append_child("channel")
        channel.append_child_value("label", label)
        channel.append_child_value("unit", _LSL_UNITS.get(unit, unit))
        channel.append_child_value("type", replay.type)
    about = description.append_child("replay")
    about.append_child_value("file", ", ".join(r.path.name for r in recordings))
    about.append_child_value("speed", repr(replay.speed))
    about.append_child_value("sfreq", repr(own.sfreq))
    about.append_child_value("n_samples", str(sum(r.n_samples for r in recordings)))
    return info


def _describe_markers(name: str, source_id: str, recordings: Sequence[Recording]) -> pylsl.StreamInfo:
    info = pylsl.StreamInfo(f"{name}-annotations", "Markers", 1, 0, pylsl.cf_string, f"{source_id}-annotations")
    annotations = info.desc().append_child("annotations")
    # Onsets count from the start of a file, so they say something of one file only.
    events = recordings[0].annotations[:_MAX_DESCRIBED] if len(recordings) == 1 else ()
    for event in events:
        annotation = annotations.append_child("annotation")
        annotation.append_child_value("onset", repr(event.onset))
        annotation.append_child_value("duration", repr(event.duration))
        annotation.append_child_value("label", event.label)
    return info
