"""What the user puts on the page: two cursors, and a stretch that is chosen."""

from __future__ import annotations

from rtbci.dashboard.model.changes import Changes


class PageCursors:
    """Moments on the display's axis (s). `changed`: the page shows others; `chosen`: a stretch was chosen, or let go."""

    def __init__(self) -> None:
        self.changed: Changes[[]] = Changes()
        self.chosen: Changes[[]] = Changes()
        self.at: dict[int, float] = {}  # 1 and 2
        self.latest = 1  # the cursor that was put last
        self.stretch: tuple[float, float] | None = None

    def put(self, number: int, x: float) -> None:
        self.at[number], self.latest = x, number
        self.changed.notify()

    def mark(self, first: float, second: float) -> None:
        """Show a stretch while it is drawn out."""
        self.stretch = min(first, second), max(first, second)
        self.changed.notify()

    def choose(self) -> None:
        """The stretch is whole."""
        self.chosen.notify()

    def choose_between(self) -> bool:
        """The stretch from one cursor to the other; False where there are not two."""
        if len(self.at) < 2:
            return False
        self.mark(self.at[1], self.at[2])
        self.choose()
        return True

    def drop_stretch(self) -> None:
        if self.stretch is not None:
            self.stretch = None
            self.changed.notify()
            self.chosen.notify()

    def clear(self) -> None:
        """Neither cursors nor a stretch."""
        self.at.clear()
        self.changed.notify()
        self.drop_stretch()

    @property
    def between_s(self) -> float | None:
        """From cursor 1 to cursor 2."""
        return self.at[2] - self.at[1] if len(self.at) == 2 else None
