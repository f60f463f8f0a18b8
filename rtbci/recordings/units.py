"""Units: what a file or a stream calls them, into µV; one rule for recordings and live streams."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from rtbci.text import field_text

# µ of other character sets, read as Latin-1: UTF-8 read as Latin-9 or Mac Roman, Shift-JIS, JIS and GB, KS, Big5, code
# page 437, ISO 8859-7. A decoder that replaces leaves U+FFFD of it. UTF-8 read as Latin-1 is decoded anew.
_MISREAD_MU = (
    "\u00ce\u0152", "\u00ac\u00b5", "\x83\xca", "\xa6\xcc", "\xa5\xec", "\xa3g", "\xe6", "\xec", "\ufffd\ufffd", "\ufffd",
)  # fmt: skip
_MICROVOLTS = {
    "": 1e6,
    **dict.fromkeys(("m", "milli"), 1e3),
    **dict.fromkeys(("u", "micro", "mikro", "mc"), 1.0),
    **dict.fromkeys(("n", "nano"), 1e-3),
    **dict.fromkeys(("p", "pico"), 1e-6),
}
_UNIT = re.compile(r"([a-z]*?)(?:v|volts?)")
_NOT_DECLARED = {"", "none", "n/a", "na", "nan", "null", "unknown", "undefined", "unspecified", "-", "--", "?"}


def unit_text(unit: str | bytes) -> str:
    """A unit as it is declared, without padding, quotes and brackets; "" where the text says that there is none."""
    text = field_text(unit).strip("'\"[]() \t.")
    return "" if text.lower() in _NOT_DECLARED else text


def microvolts(unit: str | bytes) -> float | None:
    """How many µV one `unit` is; None for a unit that is not a voltage. No unit at all ("") is taken as µV."""
    text = _decoded_anew(html.unescape(unit_text(unit)))
    if not text:
        return 1.0
    if misread := next((mu for mu in _MISREAD_MU if text.startswith(mu)), ""):
        text = "u" + text.removeprefix(misread)
    # NFKC makes the micro sign the Greek letter, and letters of the square signs, such as ㎶.
    text = unicodedata.normalize("NFKC", text).lower().replace("\u03bc", "u")
    found = _UNIT.fullmatch(re.sub(r"[\s_-]", "", text))
    return _MICROVOLTS.get(found[1]) if found else None


def to_microvolts(units: Sequence[str]) -> tuple[npt.NDArray[np.float64], tuple[str, ...]]:
    """What turns a recording's values into µV, and the units that they have then.

    Parameters
    ----------
    units
        As declared.

    Returns
    -------
    factors : ndarray, (n_channels,)
        1 where no unit is declared, or one that is not a voltage.
    units : tuple of str
        "uV" for every voltage, "" where none is declared, and others as they are.
    """
    declared = [unit_text(unit) for unit in units]
    factors = [microvolts(unit) for unit in declared]
    named = ("uV" if unit and factor is not None else unit for unit, factor in zip(declared, factors, strict=True))
    return np.array([1.0 if factor is None else factor for factor in factors]), tuple(named)


def without_unit(channels: Sequence[str], units: Sequence[str]) -> list[str]:
    """A warning where channels declare no unit: what was assumed, and of which."""
    silent = [channel for channel, unit in zip(channels, units, strict=True) if not unit_text(unit)]
    if not silent:
        return []
    named = ", ".join(silent[:8]) + (f" and {len(silent) - 8} more" if len(silent) > 8 else "")
    return [f"{len(silent)} of {len(channels)} channels name no unit; microvolts are assumed: {named}"]


def _decoded_anew(text: str) -> str:
    """UTF-8 that was read as Latin-1 or Windows-1252, once or twice, as it was written."""
    for _ in range(2):
        for codec in ("latin-1", "cp1252"):
            try:
                text = text.encode(codec).decode("utf-8")
                break
            except UnicodeError:
                continue
    return text
