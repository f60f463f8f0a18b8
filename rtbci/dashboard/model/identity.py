"""By what two windows on two patients are told apart: the name, a colour of its own, and a place for its settings."""

from __future__ import annotations

import colorsys
import hashlib
from dataclasses import dataclass

from rtbci.text import one_line

_HUES = (0.10, 0.86)  # of the circle: no red, which is the alarm's


@dataclass(frozen=True, slots=True)
class Identity:
    """name: of the stream or recording; pipeline: its name."""

    name: str = ""
    pipeline: str = ""

    @property
    def title(self) -> str:
        """Of the window."""
        return " · ".join(filter(None, (one_line(self.name), one_line(self.pipeline), "rtbci")))

    @property
    def digest(self) -> str:
        """The same for the same name and pipeline, at every start; "" where there is no name."""
        return (
            hashlib.sha256(f"{self.name}\n{self.pipeline}".encode("utf-8", "replace")).hexdigest() if self.name else ""
        )

    def colour(self, *, is_dark: bool) -> str:
        """Of its band, as #rrggbb: dark enough for white letters; grey without a name."""
        if not self.digest:
            return "#3a4350" if is_dark else "#667080"
        share = int(self.digest[:6], 16) / 0xFFFFFF
        hue = _HUES[0] + share * (_HUES[1] - _HUES[0])
        red, green, blue = colorsys.hls_to_rgb(hue, 0.36 if is_dark else 0.34, 0.62)
        return f"#{round(255 * red):02x}{round(255 * green):02x}{round(255 * blue):02x}"
