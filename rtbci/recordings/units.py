"""Units: what a file or a stream calls them, into µV; one rule for recordings and live streams."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from rtbci.text import field_text

# µ of other character sets, read as Latin-1: UTF-8 read as Latin-9 or Mac Roman, Shift-JIS, JIS and GB, KS, Big5, code
# page 437, ISO 8859-7. A decoder that replaces leaves U+FFFD of it. UTF-8 read as Latin-1 is decoded anew.
_MISREAD_MU = (
    "\u00ce\u0152", "\u00ac\u00b5", "\x83\xca", "\xa6\xcc", "\xa5\xec", "\xa3g", "\xe6", "\xec", "\ufffd\ufffd", "\ufffd",
)  # fmt: skip
_MU = re.compile(rf"(?<![^\W\d_])(?:{'|'.join(_MISREAD_MU)})(?=[\s_-]*v)", re.IGNORECASE)
_MICROVOLTS = {
    "": Fraction(10**6),
    **dict.fromkeys(("m", "milli"), Fraction(1000)),
    **dict.fromkeys(("u", "micro", "mikro", "mc"), Fraction(1)),
    **dict.fromkeys(("n", "nano"), Fraction(1, 1000)),
    **dict.fromkeys(("p", "pico"), Fraction(1, 10**6)),
}
_NOT_DECLARED = {"", "none", "n/a", "na", "nan", "null", "unknown", "undefined", "unspecified", "-", "--", "?"}
_LONGEST = 100  # characters of a unit that is understood
_SMALLEST = Fraction(1, 10**12)
_POWERS = (-12, -9, -6, -3, 0)  # of ten volts, as a bare number

_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+-")
_SIGNS = str.maketrans({"\u2212": "-", "\u2013": "-", "×": "*", "·": "*", "⋅": "*", "∙": "*", "\u03bc": "u"})
_DECIMAL = r"(?:\d{1,15}(?:[.,]\d{0,15})?|[.,]\d{1,15})(?:e[+-]?\d{1,2})?"
_POWER = r"10\s*(?:\^|\*\*)\s*[+-]?\d{1,2}"
_NUMBER = rf"(?:{_DECIMAL}\s*[*x]\s*{_POWER}|{_POWER}|{_DECIMAL})"
_VOLTS = r"(?P<prefix>[a-z]*?)[\s_-]*v(?:olts?)?"
_VOLTAGE = re.compile(
    rf"(?:[*x]\s*)?(?:(?P<factor>{_NUMBER})\s*[*x]?\s*)?{_VOLTS}(?:\s*(?P<sign>[*x/])\s*(?P<after>{_NUMBER}))?"
)
_WORD = r"(?:eeg|s-?eeg|ieeg|ecog|amplitude|voltage|potential|signal|units?|in)"
_WORDS = re.compile(rf"(?:{_WORD}(?:[\s:=,_-]+|$))*")
_BRACKETS = re.compile(r"([^()\[\]]*)[(\[]([^()\[\]]*)[)\]]([^()\[\]]*)")


def unit_text(unit: str | bytes) -> str:
    """A unit as it is declared, without padding, quotes and brackets; "" where the text says that there is none."""
    text = field_text(unit).strip("'\" \t").rstrip(".'\" \t")
    while (inner := re.fullmatch(r"\(([^()]*)\)|\[([^\[\]]*)\]", text)) is not None:
        text = (inner[1] or inner[2] or "").strip("'\" \t")
    return "" if text.lower() in _NOT_DECLARED else text


def microvolts(unit: str | bytes) -> float | None:
    """How many µV one `unit` is; None for a unit that is not a voltage. No unit at all ("") is taken as µV."""
    factor = exact_microvolts(unit)
    return None if factor is None else float(factor)


def exact_microvolts(unit: str | bytes) -> Fraction | None:
    """The same without rounding: "1e-6 V" is 1, and "0.1 uV" a tenth."""
    text = _decoded_anew(html.unescape(unit_text(unit)))
    if not text:
        return Fraction(1)
    if len(text) > _LONGEST:
        return None
    text = re.sub(r"[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻]+", lambda found: "^" + found[0].translate(_SUPERSCRIPTS), _MU.sub("u", text))
    # NFKC makes the micro sign the Greek letter, and letters of the square signs, such as ㎶.
    text = unicodedata.normalize("NFKC", text).lower().translate(_SIGNS)
    text = re.sub(r"\^\(([+-]?\d+)\)", r"^\1", text)
    if (parts := _BRACKETS.fullmatch(text)) is None:
        return _voltage(text)
    inner, outer = parts[2].strip(), f"{parts[1].strip()} {parts[3].strip()}".strip()
    return _agreed(_voltage(inner), _voltage(outer), _WORDS.fullmatch(inner), _WORDS.fullmatch(outer))


def power_of_ten_volts(unit: str) -> Fraction | None:
    """µV of a unit that is a bare power of ten of volts, as MNE-LSL writes it: "-6" is µV, "0" is V; None for others."""
    text = unit_text(unit).translate(_SIGNS)
    if re.fullmatch(r"[+-]?\d{1,2}", text) and int(text) in _POWERS:
        return Fraction(10) ** (6 + int(text))
    return None


def number(text: str) -> Fraction | None:
    """A positive number as it is written, "0.1" or "0,1" or "10^-6", without rounding; None for any other text."""
    text = text.strip().lower().translate(_SIGNS)
    if len(text) > _LONGEST or not re.fullmatch(_NUMBER, text):
        return None
    return _product(text) or None


def _agreed(
    inner: Fraction | None, outer: Fraction | None, inner_words: object, outer_words: object
) -> Fraction | None:
    """ "EEG (uV)", "uV (EEG)" and "microvolts (uV)" are voltages; what says two things is none."""
    if inner is not None and (outer_words or outer == inner):
        return inner
    return outer if inner_words else None


def _voltage(text: str) -> Fraction | None:
    """µV of a text without brackets, such as "10^-6 V" or "EEG in uV"."""
    text = text.strip()
    words = _WORDS.match(text)
    for bare in (text, text[words.end() :] if words else text, re.sub(rf"[\s:,_-]+{_WORD}$", "", text)):
        found = _VOLTAGE.fullmatch(bare)
        if found is None or (unit := _MICROVOLTS.get(found["prefix"])) is None:
            continue
        before, after = (_product(found[part]) if found[part] else Fraction(1) for part in ("factor", "after"))
        if before and after:
            factor = unit * before / after if found["sign"] == "/" else unit * before * after
            return factor if _SMALLEST <= factor <= 1 / _SMALLEST else None
    return None


def _product(text: str) -> Fraction:
    """What `_NUMBER` matches, exactly."""
    factors = re.findall(rf"{_POWER}|{_DECIMAL}", text)
    value = Fraction(1)
    for factor in factors:
        power = re.fullmatch(r"10\s*(?:\^|\*\*)\s*([+-]?\d+)", factor)
        value *= Fraction(10) ** int(power[1]) if power else Fraction(factor.replace(",", "."))
    return value


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
