"""Which part of a session the overview shows, and where in it a moment is."""

from __future__ import annotations

import math

SHORTEST_S = 20.0  # a view
FIRST_S = 60.0  # of a session whose end is not known
ROOM = 0.1  # of a zoomed view, kept ahead of the stream
STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400)


class OverviewView:
    """From start to stop on the session's clock; the whole of it until it is zoomed."""

    def __init__(self) -> None:
        self.start, self.stop = 0.0, FIRST_S
        self._whole = (0.0, FIRST_S)
        self._is_zoomed = False
        self._head = 0.0

    @property
    def span(self) -> float:
        return self.stop - self.start

    def follow(self, start: float, end: float | None, latest: float, head: float) -> bool:
        """Show the whole of a session, or move a zoomed view with the stream; whether anything changed.

        Parameters
        ----------
        start, end
            Of the session; end None: it is not known.
        latest, head
            The latest moment that was seen, and where the stream is.
        """
        before = self.start, self.stop
        stop = max(end or 0.0, start + FIRST_S)
        if end is None or latest > end:
            # By steps, so that the picture stands still between two of them.
            length = max(latest - start, FIRST_S)
            stop = start + FIRST_S * 2 ** (math.ceil(4 * math.log2(length / FIRST_S)) / 4)
        elif end > start:
            stop = end
        had_head = self.start <= self._head <= self.stop
        self._whole, self._head = (start, stop), head
        if not self._is_zoomed:
            self.start, self.stop = start, stop
        elif had_head and head > self.stop - ROOM * self.span:
            self._put(self.start + head - (self.stop - ROOM * self.span), self.span)
        return (self.start, self.stop) != before

    def zoom(self, x: float, factor: float) -> None:
        """factor < 1: closer. x stays where it is."""
        span = min(max(self.span * factor, SHORTEST_S), self._whole[1] - self._whole[0])
        share = (x - self.start) / self.span
        self._is_zoomed = span < self._whole[1] - self._whole[0]
        self._put(x - share * span, span)

    def show_whole(self) -> None:
        self._is_zoomed = False
        self.start, self.stop = self._whole

    def move(self, by_s: float) -> None:
        """A zoomed view, to later moments or earlier ones."""
        self._put(self.start + by_s, self.span)

    def _put(self, start: float, span: float) -> None:
        low, high = self._whole
        self.start = min(max(start, low), max(low, high - span))
        self.stop = self.start + span

    def pixel(self, x: float, width: int) -> float:
        return (x - self.start) / self.span * width

    def x_at(self, pixel: float, width: int) -> float:
        return self.start + pixel / max(1, width) * self.span

    def step_s(self, width: int, room: int) -> int:
        """Between two labels that need `room` pixels each."""
        return next((step for step in STEPS_S if step / self.span * width >= room), STEPS_S[-1])
