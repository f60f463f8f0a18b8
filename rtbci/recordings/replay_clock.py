"""Stamps to seconds of a stream and back: one speed, or, of a replay that was moved, one after another."""

from __future__ import annotations

from dataclasses import dataclass

from rtbci.types import Times

ReplayMove = tuple[
    float, float, float
]  # until, since, speed: it stood still between two stamps, and goes on at a speed


@dataclass(frozen=True)
class ReplayClock:
    """speed: seconds of the stream a second of the stamps' clock, before the moves. It cannot tell of a seek."""

    speed: float = 1.0
    moves: tuple[ReplayMove, ...] = ()

    def moved(self, move: ReplayMove) -> ReplayClock:
        return ReplayClock(self.speed, (*self.moves, move))

    @property
    def fastest(self) -> float:
        return max([self.speed, *(speed for _, _, speed in self.moves)])

    def seconds(self, stamps: Times, zero: float) -> Times:
        """From `zero` on, the stamp of the first sample."""
        out: Times = (stamps - zero) * self.speed
        for (until, since, speed), begun_s in zip(self.moves, self._begun(zero), strict=True):
            later = stamps > (until + since) / 2
            out[later] = begun_s + (stamps[later] - since) * speed
        return out

    def stamps(self, seconds: Times, zero: float) -> Times:
        """The other way."""
        out: Times = zero + seconds / self.speed
        for (_, since, speed), begun_s in zip(self.moves, self._begun(zero), strict=True):
            later = seconds >= begun_s
            out[later] = since + (seconds[later] - begun_s) / speed
        return out

    def _begun(self, zero: float) -> list[float]:
        """The second at which each move was made."""
        found: list[float] = []
        begun_s, begun, speed = 0.0, zero, self.speed
        for until, since, after in self.moves:
            begun_s += (until - begun) * speed
            found.append(begun_s)
            begun, speed = since, after
        return found
