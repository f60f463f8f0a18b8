"""The protocol between a replay and its consumer over LSL: its address, reports of the position, and commands.

Each is a signed line (signed_lines.py): without the replay's key no command, report or acknowledgement counts.
"""

from __future__ import annotations

import json
import re
import secrets
from dataclasses import asdict, dataclass

from rtbci.config import Number, fits
from rtbci.errors import StreamMismatch
from rtbci.lsl.signed_lines import key_id

SPEEDS = (0.01, 1000.0)
LIMIT_S = 1e9  # no recording lasts 30 years
GRAMMAR = "pause, resume, toggle, seek SECONDS (+10 and -10: from here), speed TIMES (0: as fast as it is taken), quit"
SOURCE_ID = re.compile(r"rtbci-replay-[0-9a-f]{16}")
_HEX = re.compile(r"[0-9a-f]{16,64}")
_SECONDS = Number(-LIMIT_S, LIMIT_S)
_POSITION_FIELDS = {
    "id": Number(0, LIMIT_S), "recorded_s": _SECONDS, "start_s": _SECONDS, "end_s": _SECONDS, "speed": Number(0, SPEEDS[1]),
    "paused": bool, "loop": bool, "seek": bool, "stalled_s": _SECONDS, "stamp": Number(-1e10, 1e10),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ReplayAddress:
    """By which a replay is reported on and commanded; in the description of each of its streams.

    Parameters
    ----------
    source_id
        Of its first stream.
    session
        Drawn anew by each replay; part of every signature.
    key_id
        Of its key (signed_lines.key_id).
    """

    source_id: str
    session: str
    key_id: str

    @classmethod
    def new(cls, source_id: str, key: bytes) -> ReplayAddress:
        """Of a new replay."""
        session = secrets.token_hex(8)
        return cls(source_id, session, key_id(key, session))

    @classmethod
    def read(cls, position: str, session: str, key: str) -> ReplayAddress | None:
        """From the fields of a description; None for anything that no replay writes."""
        source_id = position.removesuffix("-position")
        is_ours = source_id != position and SOURCE_ID.fullmatch(source_id) and _HEX.fullmatch(session)
        return cls(source_id, session, key) if is_ours and _HEX.fullmatch(key) else None

    def fields(self) -> dict[str, str]:
        """The fields of a description."""
        return {"position": self.position_id, "session": self.session, "key": self.key_id}

    def is_opened_by(self, key: bytes) -> bool:
        """Whether it is the replay's key."""
        return self.key_id == key_id(key, self.session)

    @property
    def position_id(self) -> str:
        """Source id of the outlet that reports the position."""
        return f"{self.source_id}-position"

    @property
    def control_id(self) -> str:
        """How the source id of a controller's outlet begins; its badge follows."""
        return f"{self.source_id}-control-"

    @property
    def command_purpose(self) -> str:
        """Of the signature of a command."""
        return f"{self.session} command"

    @property
    def position_purpose(self) -> str:
        """Of the signature of a report."""
        return f"{self.session} position"

    def ack_purpose(self, source_id: str) -> str:
        """Of the signature of an acknowledgement of samples of one stream."""
        return f"{self.session} ack {source_id}"


def ack_id(source_id: str) -> str:
    """How the source id of an outlet of acknowledgements begins, by that of the stream; a badge follows."""
    return f"{source_id}-ack-"


def annotations_query(name: str, source_id: str) -> dict[str, str] | None:
    """Selects the marker stream of a replay's annotations, by name and source id of the stream that they belong to.

    None for a stream that is no replay: markers beside it that are named so may be anybody's.
    """
    if not SOURCE_ID.fullmatch(source_id):
        return None
    return {"name": f"{name}-annotations", "type": "Markers", "source_id": f"{source_id}-annotations"}


def check_speed(name: str, speed: float) -> None:
    """Raises StreamMismatch for a speed that no replay has; 0: not paced."""
    if speed and not SPEEDS[0] <= speed <= SPEEDS[1]:
        raise StreamMismatch(
            f"stream {name!r} says that it is a replay at {speed:g} times real time; wanted {SPEEDS[0]:g} to {SPEEDS[1]:g}, or 0"
        )


@dataclass(frozen=True, slots=True)
class ReplayPosition:
    """Position of a replay, as it reports it.

    Parameters
    ----------
    id
        Number of moves so far.
    recorded_s
        Seconds of the recording at `stamp`.
    start_s, end_s
        Bounds of what is played, seconds of the recording.
    speed
        Recorded seconds per second; 0: not paced.
    paused
        Whether it stands still.
    loop
        Whether it starts again at the end.
    seek
        Whether this move was a seek; only in the report of the move.
    stalled_s
        For how long the stamps' clock ran while the recording stood still; only in the report of the move.
    stamp
        From when on this holds, s on the clock of the samples' stamps.
    """

    id: int
    recorded_s: float
    start_s: float
    end_s: float
    speed: float
    paused: bool
    loop: bool = False
    seek: bool = False
    stalled_s: float = 0.0
    stamp: float = 0.0

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> ReplayPosition:
        """Parse a report. Raises ValueError for anything that is no report."""
        try:
            values = json.loads(text)
        except RecursionError:
            values = None
        if not fits(values, _POSITION_FIELDS) or values.keys() != cls.__dataclass_fields__.keys():
            raise ValueError("not the position of a replay")
        if not isinstance(values["id"], int) or (values["speed"] and values["speed"] < SPEEDS[0]):
            raise ValueError("not the position of a replay")
        return cls(**values)

    def at(self, stamp: float) -> float:
        """Seconds of the recording that are due at a later `stamp`, if there is no move before."""
        on = 0.0 if self.paused else max(0.0, stamp - self.stamp) * self.speed
        length = self.end_s - self.start_s
        if self.loop and length > 0:
            return self.start_s + (self.recorded_s - self.start_s + on) % length
        return min(self.recorded_s + on, self.end_s)
