"""The protocol between a replay and its consumer over LSL: reports of the position, and commands."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from rtbci.config import Number, fits

SPEEDS = (0.01, 1000.0)
LIMIT_S = 1e9  # no recording lasts 30 years
GRAMMAR = "pause, resume, toggle, seek SECONDS (+10 and -10: from here), speed TIMES (0: as fast as it is taken), quit"
_SECONDS = Number(-LIMIT_S, LIMIT_S)
_POSITION_FIELDS = {
    "id": int, "recorded_s": _SECONDS, "start_s": _SECONDS, "end_s": _SECONDS, "speed": Number(0, LIMIT_S), "paused": bool,
    "loop": bool, "seek": bool, "stalled_s": _SECONDS,
}  # fmt: skip


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
    def from_json(cls, text: str, stamp: float) -> ReplayPosition:
        """Parse a report; `stamp` replaces its own. Raises ValueError for anything that is no report."""
        try:
            values = json.loads(text)
        except RecursionError:
            values = None
        if not fits(values, _POSITION_FIELDS) or values.keys() != cls.__dataclass_fields__.keys():
            raise ValueError("not the position of a replay")
        return cls(**values | {"stamp": stamp})

    def at(self, stamp: float) -> float:
        """Seconds of the recording that are due at a later `stamp`, if there is no move before."""
        on = 0.0 if self.paused else max(0.0, stamp - self.stamp) * self.speed
        length = self.end_s - self.start_s
        if self.loop and length > 0:
            return self.start_s + (self.recorded_s - self.start_s + on) % length
        return min(self.recorded_s + on, self.end_s)


def position_id(source_id: str) -> str:
    """The source id of a replay's position, by that of its first stream."""
    return f"{source_id}-position"
