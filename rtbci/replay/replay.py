"""A recording as an LSL stream: at recorded time x speed, with its annotations as markers, and faults on request.

At speed 0 it sends as fast as its consumer reads, without loss. LSL has no back-pressure: an inlet drops its oldest
samples when it holds more than `max_buflen` (360 s), and neither a synchronous outlet nor TCP slows the sender down. So a
consumer that has the replay's key may acknowledge (SampleAcknowledger): an outlet of type `rtbci-ack`, whose source id is the
replay's with `-ack-` and its badge added, on which it pushes, signed, how many samples it has read; the replay stays within
AHEAD_S of the slowest. For consumers that do not, it runs at most at UNACKNOWLEDGED_SPEED x real time, so that one may stall
for 5 s.

While it runs it can be paused, sought and played at another speed (transport.py; over the network: remote_control.py). A
move of a replay whose samples are acknowledged loses nothing, and is between the same two samples for every consumer.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from rtbci.errors import ConfigError, RecordingError
from rtbci.lsl.config import quiet_lsl, stays_on_this_machine
from rtbci.lsl.replay_key import replay_key
from rtbci.lsl.replay_protocol import SPEEDS, ReplayAddress
from rtbci.recordings.open import open_recording
from rtbci.recordings.overrides import StreamOverrides
from rtbci.recordings.recording import Recording
from rtbci.replay.faults import Faults
from rtbci.replay.playback import Playback, Progress
from rtbci.replay.player import RECONNECT_S, Player
from rtbci.replay.tracks import ReplayTrack, as_recorded, cut, in_a_row
from rtbci.replay.transport import Transport

__all__ = ["NEUTRAL_NAME", "RECONNECT_S", "Replay", "cut", "run_replay"]

NEUTRAL_NAME = "rtbci-replay"


@dataclass(frozen=True)
class Replay:
    """What to stream and how. Several files of one montage and rate follow each other on one stream.

    Time stamps are t0 + recorded time / speed (recorded time itself at speed 0), where t0 is the local clock when the first
    sample is sent. Streams that are played side by side share t0 and the moves.

    Parameters
    ----------
    files
        Recordings.
    name
        Of the stream; by default that of the file, where LSL stays on this machine, else NEUTRAL_NAME: a file may bear the name
        of a patient, and the whole network reads that of a stream.
    speed
        Recorded seconds per second; 0: as fast as the consumer reads.
    loop
        Start again at the end.
    start_s, duration_s
        Bounds of each file, s.
    chunk
        Samples of a packet.
    seed
        Of the faults.
    faults
        Faults on request.
    markers
        Send the annotations on a marker stream, if they may be seen.
    share_annotations
        They may be seen on the network; where LSL stays on this machine, they may anyway.
    type
        LSL type of the stream.
    wait_for_consumer
        Send nothing before a consumer has connected.
    together
        Each file is a stream of its own.
    all_streams
        Each stream of the one file, an XDF, is a stream of its own, with the stamps of the file on its common clock.
    stream
        Which stream of an XDF file is played; None: its only EEG stream.
    told
        What a person says of the recordings, as the options of `rtbci tag`; None: nothing.

    References
    ----------
    XDF: github.com/sccn/xdf/wiki/Specifications.
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
    together: bool = False
    all_streams: bool = False
    stream: str | None = None
    told: StreamOverrides | None = None
    share_annotations: bool = False

    def open(self) -> tuple[Recording, ...]:
        """Open the files and check that they can be streamed. Raises RecordingError."""
        return tuple(recording for track in self.tracks() for recording in track.recordings)

    def tracks(self) -> tuple[ReplayTrack, ...]:
        """What is played on each stream. Raises RecordingError for files that cannot be streamed."""
        if self.speed and not SPEEDS[0] <= self.speed <= SPEEDS[1]:
            raise ConfigError(f"--speed {self.speed:g}: wanted {SPEEDS[0]:g} to {SPEEDS[1]:g}, or 0")
        if not self.files or self.chunk < 1 or self.start_s < 0:
            raise ValueError("a replay needs a file, a chunk >= 1 and a start >= 0")
        tracks = self._every_stream() if self.all_streams else self._files()
        for bad in self.faults.bad_channels:
            having = [
                t
                for t in tracks
                if t.format != "string" and Faults(bad_channels=(bad,)).of(t.info.channels).bad_channels
            ]
            if not having:
                there = ", ".join(channel for track in tracks for channel in track.info.channels)
                raise RecordingError(f"there is no channel {bad.channel} to make bad; there are {there}")
            if bad.kind == "nan" and any("int" in track.format for track in having):
                raise RecordingError(f"channel {bad.channel} has integer samples, which cannot be NaN")
        return tracks

    def _files(self) -> tuple[ReplayTrack, ...]:
        recordings = [open_recording(file, stream=self.stream, told=self.told) for file in self.files]
        for recording in recordings:
            if self.start_s >= recording.duration_s:
                raise RecordingError(
                    f"{recording.path}: lasts {recording.duration_s:g} s; it cannot start at {self.start_s:g} s"
                )
        if self.together:
            names = _numbered_duplicates([self._name(r) for r in recordings])
            return tuple(
                in_a_row([r], name, self.start_s, self.duration_s) for r, name in zip(recordings, names, strict=True)
            )
        first = recordings[0].info
        for recording in recordings:
            if (recording.info.channels, recording.info.sfreq) != (first.channels, first.sfreq):
                raise RecordingError(
                    f"{recording.path}: has {len(recording.info.channels)} channels at {recording.info.sfreq:g} Hz, "
                    f"{recordings[0].path} {len(first.channels)} at {first.sfreq:g} Hz or other names; "
                    "replay them separately, or as streams of their own (--together)"
                )
        return (in_a_row(recordings, self._name(recordings[0]), self.start_s, self.duration_s),)

    def _name(self, recording: Recording) -> str:
        """Of the stream of a recording."""
        if not stays_on_this_machine():
            return self.name or NEUTRAL_NAME
        if self.name and self.together:
            return f"{self.name}-{recording.info.name}"
        return self.name or recording.info.name

    @property
    def shares_annotations(self) -> bool:
        """Whether the annotations of the files are sent."""
        return self.markers and (self.share_annotations or stays_on_this_machine())

    def _every_stream(self) -> tuple[ReplayTrack, ...]:
        from rtbci.recordings.xdf_streams import open_every_stream

        if self.stream is not None:
            raise RecordingError("--all-streams plays every stream; leave --stream out, or play that one alone")
        if len(self.files) != 1 or Path(self.files[0]).suffix.lower() not in (".xdf", ".xdfz"):
            raise RecordingError(
                f"all streams of an XDF file can be replayed, not of {', '.join(map(str, self.files))}"
            )
        streams = open_every_stream(Path(self.files[0]))
        tracks = tuple(as_recorded(s, self.name, self.start_s, self.duration_s) for s in streams)
        if not any(track.n_samples for track in tracks):
            raise RecordingError(f"{self.files[0]}: has no samples from {self.start_s:g} s on")
        return tracks

    def playback(self, stop: threading.Event | None = None) -> Playback:
        """Open the streams. Raises RecordingError."""
        tracks = self.tracks()
        length_s = max(track.length_s for track in tracks)
        start_s = self.start_s if len(self.files) == 1 or self.together else 0.0
        transport = Transport(self.speed, start_s, length_s, loop=self.loop, stop=stop or threading.Event())
        key, _ = replay_key()
        address = ReplayAddress.new(tracks[0].info.source_id, key)
        players = [
            Player(
                track, transport, chunk=self.chunk, seed=self.seed + k, markers=self.shares_annotations,
                faults=self.faults.of_the_clock() if track.format == "string" else self.faults.of(track.info.channels),
                type="" if self.all_streams else self.type, address=address,
            )
            for k, track in enumerate(tracks)
        ]  # fmt: skip
        return Playback(players, transport, address, key, wait_for_consumer=self.wait_for_consumer)

    def run(self, stop: threading.Event | None = None, progress: Progress | None = None) -> int:
        """Stream until the end, or until `stop` is set.

        Parameters
        ----------
        stop
            Ends it early.
        progress
            Called after each packet with the seconds sent and those in total (None: a loop).

        Returns
        -------
        int
            Samples that were sent.

        Raises
        ------
        RecordingError
            For files that cannot be streamed.
        """
        playback = self.playback(stop)
        try:
            return playback.play(progress)
        finally:
            playback.close()


def run_replay(replay: Replay) -> None:
    """Run a replay as the target of a process of its own; SIGINT and SIGTERM end it cleanly."""
    quiet_lsl()
    stop = threading.Event()

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        # From a thread: the signal may have come while this one holds the event's lock.
        threading.Thread(target=stop.set).start()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)
    replay.run(stop)


def _numbered_duplicates(names: list[str]) -> list[str]:
    """Names that occur several times are numbered."""
    return [name if names.index(name) == k else f"{name}-{names[:k].count(name) + 1}" for k, name in enumerate(names)]
