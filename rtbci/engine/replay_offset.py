"""Where a replay was when the engine joined it: the engine's seconds begin there, the replay's own do not."""

from __future__ import annotations

from rtbci.lsl.replay_protocol import ReplayPosition

AGREE_S = (
    0.05  # by which jitter and rounding move the place of a sample; a replay that is joined at its start is not moved
)


class ReplayOffset:
    """What is to be added to the engine's seconds to have those of the replay's recording; None until it is known.

    It is known from the first report of the position after the first sample: before a replay begins, its reports stand still.
    """

    def __init__(self) -> None:
        self.seconds: float | None = None
        self._first: tuple[float, int] | None = None  # stamp of a sample, and the number of moves until then

    def sample(self, stamp: float, position: ReplayPosition | None) -> None:
        """A sample; the first one counts. stamp: on the sender's clock."""
        if self._first is None and position is not None:
            self._first = stamp, position.id

    def sought(self) -> None:
        """From here on the engine's seconds are those of the recording."""
        self.seconds = 0.0

    def report(self, position: ReplayPosition | None, newest_stamp: float, engine_s: float) -> None:
        """The newest report of the position.

        Parameters
        ----------
        position
            As reported.
        newest_stamp, engine_s
            Of the newest sample: its stamp on the sender's clock, and the engine's second.
        """
        if self.seconds is not None or self._first is None or position is None:
            return
        first_stamp, move = self._first
        if not position.speed:
            self.seconds = position.start_s  # it waits for who reads it, and its stamps are no times
        elif position.id != move:
            self._first = None  # it moved: the next sample counts
        elif position.stamp > first_stamp and not position.paused:
            here_s = position.recorded_s + (newest_stamp - position.stamp) * position.speed
            offset_s = here_s - engine_s
            length_s = position.end_s - position.start_s
            if position.loop and length_s > 0:
                offset_s %= length_s
            self.seconds = 0.0 if abs(offset_s) < AGREE_S else round(offset_s, 3)
