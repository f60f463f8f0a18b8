"""One stream of a replay: its outlet, its packets with their faults, and the count of its samples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pylsl

from rtbci.lsl.config import stays_on_this_machine
from rtbci.lsl.replay_protocol import ReplayAddress
from rtbci.recordings.recording import Recording
from rtbci.replay.backpressure import BackPressure
from rtbci.replay.faults import Faults, Packet
from rtbci.replay.tracks import ReplayTrack, cut
from rtbci.replay.transport import Transport

RECONNECT_S = 1.0
FLUSH_S = 0.02  # in which the outlet sends what was pushed last
_LSL_UNITS = {"uV": "microvolts"}
_MAX_DESCRIBED = 1000  # annotations in the description of the marker stream, which is sent to every consumer


class Player:
    """Opens the outlets of a track at once, and sends packets.

    Parameters
    ----------
    track
        What is played.
    transport
        The clock of the replay.
    chunk
        Samples of a packet.
    seed
        Of the faults.
    faults
        Of this track (Faults.of).
    markers
        Whether annotations are sent on a marker stream.
    type
        LSL type; "" for that of the recording.
    address
        Of the replay.
    """

    def __init__(
        self,
        track: ReplayTrack,
        transport: Transport,
        *,
        chunk: int,
        seed: int,
        faults: Faults,
        markers: bool,
        type: str,
        address: ReplayAddress,
    ) -> None:
        self.track, self.transport, self.faults = track, transport, faults
        self.seed = seed
        self._chunk = chunk if track.info.sfreq and track.format != "string" else 1
        self._info = _describe(track, type, transport.speed, address)
        self.outlet: pylsl.StreamOutlet | None = pylsl.StreamOutlet(self._info)
        marker_info = _describe_markers(track) if markers and track.annotated else None
        self._marker_outlet = pylsl.StreamOutlet(marker_info) if marker_info is not None else None
        self.back_pressure = BackPressure(track.rate)
        self.n_sent = 0
        self._had_consumers = False
        self._vanish_at: list[float] = []

    def packets(self, from_s: float, every_s: float | None) -> Iterator[Packet]:
        """Packets in the order of sending, from a second of the replay on; every_s: length of a loop, None without."""
        self._vanish_at = sorted(at for at in self.faults.reconnect_at_s if at >= from_s)
        away_s = RECONNECT_S * (self.transport.speed or 1.0)
        return self.faults.lose(self._marked(from_s, every_s), self.seed, away_s)

    def _marked(self, from_s: float, every_s: float | None) -> Iterator[Packet]:
        packets = cut(self.track.blocks(from_s, every_s), self.faults.sizes(self._chunk, self.seed))
        labels = self.track.labels(from_s, every_s)
        first, upcoming = 0, next(labels, None)
        for packet in self.faults.distort(packets, self.seed):
            last = first + len(packet.stamps)
            due: list[tuple[float, str]] = []
            while upcoming is not None and upcoming[0] < last:
                sample, label = upcoming
                if label is not None:
                    due.append((float(packet.stamps[sample - first]), label))
                upcoming = next(labels, None)
            yield replace(packet, markers=tuple(due))
            first = last

    @property
    def has_consumers(self) -> bool:
        """Whether anybody reads the stream."""
        return self.outlet is not None and bool(self.outlet.have_consumers())

    def has_room(self) -> bool:
        """Whether its consumers can take one more packet."""
        return self.outlet is None or self.back_pressure.has_room(self.n_sent)

    def n_in_flight(self) -> int | None:
        """Samples in flight to consumers; None if these do not acknowledge."""
        return self.back_pressure.n_in_flight(self.n_sent) if self.has_consumers else 0

    def update(self) -> None:
        """Read acknowledgements while the replay is paced; only moves depend on them then."""
        self.back_pressure.update(self.n_sent, paced=True)

    def send(self, packet: Packet) -> None:
        """Send a packet; a stream that has vanished returns with its next sample."""
        stamp = self.transport.stamp
        if self._marker_outlet is not None:
            for at_s, label in packet.markers:
                self._marker_outlet.push_sample([label], stamp(at_s))
        if len(packet.stamps):
            outlet = self.outlet or self._come_back()
            values = packet.data.tolist() if self.track.format == "string" else packet.data
            outlet.push_chunk(values, stamp(packet.stamps).tolist())
            self.n_sent += len(packet.stamps)

    def vanishes(self, packet: Packet) -> bool:
        """Whether the stream vanishes after this packet, by its faults."""
        if not self._vanish_at or packet.due < self._vanish_at[0]:
            return False
        self._vanish_at.pop(0)
        return True

    def vanish(self) -> None:
        """Close the outlet; what was not read is lost."""
        self.transport.stop.wait(FLUSH_S)
        self._had_consumers = self.has_consumers
        self.outlet = None

    def _come_back(self) -> pylsl.StreamOutlet:
        unpaced, stop = not self.transport.speed, self.transport.stop
        if unpaced:
            stop.wait(RECONNECT_S)
        self.outlet = pylsl.StreamOutlet(self._info)
        while unpaced and self._had_consumers and not self.outlet.wait_for_consumers(0.1) and not stop.is_set():
            pass
        self.back_pressure.begin_again(self.n_sent)
        return self.outlet

    def close(self) -> None:
        """Close the streams."""
        self.outlet = self._marker_outlet = None


def _describe(track: ReplayTrack, type: str, speed: float, address: ReplayAddress) -> pylsl.StreamInfo:
    own, recordings = track.info, track.recordings
    info = pylsl.StreamInfo(own.name, type or own.type, len(own.channels), own.sfreq, track.format, own.source_id)
    description = info.desc()
    if track.described:
        _copy(description, {key: value for key, value in track.described.items() if key != "replay"})
    else:
        description.append_child_value("manufacturer", "rtbci replay")
        channels = description.append_child("channels")
        for label, unit, kind in zip(own.channels, own.units, own.channel_types, strict=True):
            channel = channels.append_child("channel")
            channel.append_child_value("label", label)
            channel.append_child_value("unit", _LSL_UNITS.get(unit, unit))
            channel.append_child_value("type", kind or type or own.type)
        if own.reference:
            description.append_child("reference").append_child_value("label", own.reference)
    about = description.append_child("replay")
    if stays_on_this_machine():
        about.append_child_value("file", ", ".join(r.path.name for r in recordings))
    about.append_child_value("speed", repr(speed))
    about.append_child_value("sfreq", repr(own.sfreq))
    about.append_child_value("n_samples", str(sum(r.n_samples for r in recordings)))
    for key, value in address.fields().items():
        about.append_child_value(key, value)
    return info


def _copy(element: pylsl.XMLElement, described: Mapping[str, Any]) -> None:
    """Copy a description as pyxdf returns it: each value a list of texts, None, or mappings."""
    for key, values in described.items():
        for value in values if isinstance(values, Sequence) and not isinstance(values, str) else [values]:
            if isinstance(value, Mapping):
                _copy(element.append_child(key), value)
            else:
                element.append_child_value(key, "" if value is None else str(value))


def _describe_markers(track: ReplayTrack) -> pylsl.StreamInfo:
    name, source_id = f"{track.info.name}-annotations", f"{track.info.source_id}-annotations"
    info = pylsl.StreamInfo(name, "Markers", 1, 0, pylsl.cf_string, source_id)
    annotations = info.desc().append_child("annotations")
    recordings: tuple[Recording, ...] = track.recordings
    # Onsets count from the start of a file, so they are meaningful for a single file only.
    for event in recordings[0].annotations[:_MAX_DESCRIBED] if len(recordings) == 1 else ():
        annotation = annotations.append_child("annotation")
        annotation.append_child_value("onset", repr(event.onset))
        annotation.append_child_value("duration", repr(event.duration))
        annotation.append_child_value("label", event.label)
    return info
