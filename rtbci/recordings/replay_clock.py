"""Time stamps to seconds of a recording and back; the speed of a replay may change from time to time."""

from __future__ import annotations

from dataclasses import dataclass

from rtbci.types import Times

# (until, since, speed): it stands still from the stamp `until` to the stamp `since`, and continues at a speed.
ReplayMove = tuple[float, float, float]


@dataclass(frozen=True)
class ReplayClock:
    """The relation between the stamps of a stream and the seconds of its recording; it cannot describe a seek.

    Parameters
    ----------
    speed
        Recorded seconds per second of the stamps' clock, before the first move.
    moves
        Pauses and changes of speed, in order.
    """

    speed: float = 1.0
    moves: tuple[ReplayMove, ...] = ()

    def with_move(self, move: ReplayMove) -> ReplayClock:
        """The clock after one more move."""
        return ReplayClock(self.speed, (*self.moves, move))

    @property
    def fastest(self) -> float:
        """The highest speed."""
        return max([self.speed, *(speed for _, _, speed in self.moves)])

    def seconds(self, stamps: Times, zero: float) -> Times:
        """Seconds of the recording (n_samples,) at stamps (n_samples,); zero: the stamp of the first sample."""
        out: Times = (stamps - zero) * self.speed
        for (until, since, speed), begun_s in zip(self.moves, self._begun(zero), strict=True):
            later = stamps > (until + since) / 2
            out[later] = begun_s + (stamps[later] - since) * speed
        return out

    def stamps(self, seconds: Times, zero: float) -> Times:
        """Stamps (n_samples,) at seconds of the recording (n_samples,)."""
        out: Times = zero + seconds / self.speed
        for (_, since, speed), begun_s in zip(self.moves, self._begun(zero), strict=True):
            later = seconds >= begun_s
            out[later] = since + (seconds[later] - begun_s) / speed
        return out

    def _begun(self, zero: float) -> list[float]:
        """The second of the recording of each move."""
        found: list[float] = []
        begun_s, begun, speed = 0.0, zero, self.speed
        for until, since, after in self.moves:
            begun_s += (until - begun) * speed
            found.append(begun_s)
            begun, speed = since, after
        return found
