"""The terminal: a console that shows text of unknown origin literally, never as markup, emoji or control sequence."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from rtbci.text import plain


class Terminal(Console):
    """Control sequences of rich itself (colours, the cursor of a live view) pass; for styles use Text(…, style)."""

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """Escape a text before its width is measured."""
        return super().render_str(_lines(text), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Escape anything else when it is drawn."""
        for segment in super().render(renderable, options):
            if segment.control or segment.text.isprintable():
                yield segment
            else:
                yield Segment(_lines(segment.text), segment.style)


class MinuteLines:
    """What long work says of itself where there is no terminal to draw a bar on: a line a minute.

    Parameters
    ----------
    console
        Where to print.
    quiet
        Whether to say nothing.
    """

    EVERY_S = 60.0

    def __init__(self, console: Terminal, *, quiet: bool = False) -> None:
        self._console = console
        self._is_on = not quiet and not console.is_terminal
        self.restart()

    def restart(self) -> None:
        """Another line was printed: the minute begins anew."""
        self._since = time.monotonic()

    def say(self, line: str) -> None:
        """Print a line, unless the last one is not a minute old."""
        if self._is_on and time.monotonic() - self._since >= self.EVERY_S:
            self.restart()
            self._console.print(line, soft_wrap=True)


def _lines(text: str) -> str:
    return "\n".join(map(plain, text.split("\n")))
