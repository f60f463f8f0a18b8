"""Channel names: which electrode a label means, and against which reference; one rule for recordings and live streams."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count

from rtbci.text import field_text

AVERAGE, LINKED_EARS = "average", "linked ears"
EARS = ("A1", "A2", "M1", "M2")

# From the older names of the 10-20 system to those of the 10-10 system (ACNS guideline 2, 2016).
_ALIASES = {"t3": "T7", "t4": "T8", "t5": "P7", "t6": "P8", "m1": "A1", "m2": "A2", "tp9": "TP9", "tp10": "TP10"}
_ZONES = ["Fp", "AF", "FT", "FC", "TP", "CP", "PO", "F", "T", "C", "P", "O", "I", "N", "A", "M"]
_ELECTRODE = re.compile(rf"({'|'.join(_ZONES)})(z|[0-9]{{1,2}})h?", re.IGNORECASE)
# Letters and digits of a common reference's name, and the reference that it means: different ones are never subtracted.
_REFERENCES = {
    **dict.fromkeys(("ref", "reference"), "REF"),
    **dict.fromkeys(("avg", "av", "ar", "car", "ave", "aver", "average", "avgref", "averageref"), AVERAGE),
    **dict.fromkeys(("commonaverage", "commonavg", "averagereference", "commonaveragereference"), AVERAGE),
    **dict.fromkeys(("le", "cle", "ler", "linked", "linkedears", "linkedear", "linkedmastoids", "lm"), LINKED_EARS),
    **dict.fromkeys(("common", "com"), "common"),
    "org": "ORG",
    "g2": "G2",
}
# A1A2, A1+A2, (A1+A2)/2, M1/M2, 0.5*(A1+A2), A12 … behind an electrode.
_BOTH_EARS = re.compile(
    r"(?<=[\s\-–_:/])(?:(?:0?\.5|1/2)\s*\*?\s*)?[(\[]?\s*(?:[AM]1\s*[+/&,]?\s*[AM]2|[AM]2\s*[+/&,]?\s*[AM]1|[AM]12)"
    r"\s*[)\]]?(?:\s*/\s*2|\s*\*\s*0?\.5)?\s*(?=$|-\d+$)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Derivation:
    """What a channel measures: an electrode against another one, or against a common reference.

    Attributes
    ----------
    electrode
        In canonical spelling; the whole label where it does not name an electrode.
    reference
        The other electrode of a bipolar channel; "" for a common reference.
    common
        The common reference, where the label names it; two derivations that differ only in it are equal.
    """

    electrode: str
    reference: str = ""
    common: str = field(default="", compare=False)

    def __str__(self) -> str:
        return f"{self.electrode}-{self.reference}" if self.reference else self.electrode

    @property
    def is_electrode(self) -> bool:
        """Whether the label was understood."""
        return bool(electrode(self.electrode))


def derivation(label: str) -> Derivation:
    """Parse a channel label in any common spelling.

    Parameters
    ----------
    label
        `EEG Fp1-Ref`, `FP1`, `Fc5.` and `T3` are electrodes against the common reference (Fp1, Fp1, FC5, T7), and so is
        `C3-(A1+A2)/2` (C3 against the linked ears); `T8-P8-0` and `EEG F7-T3` are bipolar (T8-P8, F7-T7).

    Returns
    -------
    Derivation
        In canonical spelling; a name that is not an electrode's is kept.

    References
    ----------
    ACNS guideline 2, 2016 (10-10 names).
    """
    text = field_text(label[:200]).strip(".").strip()
    text = re.sub(r"^(eeg|seeg|ecog)[\s:_-]+", "", text, flags=re.IGNORECASE)
    parts = [part.strip(" .") for part in re.split(r"\s*[-–_/:]\s*", _BOTH_EARS.sub("LE", text)) if part.strip(" .")]
    if len(parts) == 1 and len(words := parts[0].split()) > 1:
        parts = words if electrode(words[0]) else parts  # "Fp1 REF"
    first = electrode(parts[0]) if parts else ""
    if len(parts) > 1 and parts[-1].isdigit() and first:
        parts = parts[:-1]  # a number that a reader appends to duplicate names
    if not first:
        return Derivation(text)
    if len(parts) == 1:
        return Derivation(first)
    if common := _REFERENCES.get(_letters("".join(parts[1:]))):
        return Derivation(first, common=common)
    if len(parts) == 2 and (second := electrode(parts[1])):
        return Derivation(first, second if second != first else "")  # "T3/T7" is one electrode by both its names
    return Derivation(text)


def is_reference(text: str) -> bool:
    """Whether it is the name of a common reference: "REF", "LE", "AVG"."""
    return _letters(text) in _REFERENCES


def _letters(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())


def electrode(name: str) -> str:
    """The 10-10 spelling of an electrode's name ("FP1" -> "Fp1", "t3" -> "T7"), or "" where it is not one."""
    name = name.strip()
    if not (match := _ELECTRODE.fullmatch(name)):
        return ""
    if alias := _ALIASES.get(name.lower()):
        return alias
    zone = next(z for z in _ZONES if z.lower() == match[1].lower())
    return zone + match[2].lower() + name[match.end(2) :].lower()


def canonical(label: str) -> str:
    """The canonical name of a channel label: "EEG FP1-F7" -> "Fp1-F7"."""
    return str(derivation(label))


# Of a device, not of a body: counters, clocks, triggers, states.
_NO_SIGNAL = (
    r"event|trig|status|stim|mark|battery|time\s?stamp|(packet\s?)?(counter|count\b)|interpolated?\b|seq(uence)?\b|"
    r"raw_?cq|cq[_\s]|quality|digital|din\b|sample\s?(number|index|count)|packet|index\b|unix"
)
_DEVICE = re.compile(_NO_SIGNAL, re.IGNORECASE)
_NO_EEG = re.compile(
    r"ecg|ekg|emg|eog|[lr]oc\b|resp|s[pa]o2|osat|pulse|pleth|ppg|bvp|hr\b|ibi|burst|suppr|photic|temp|thor|abd|chest|"
    r"flow|airflow|nasal|snor|pos\b|position|body|effort|leg|[lr]at\b|plm|gsr|eda\b|light|dc\d|acc|gyr|etco2|co2|"
    rf"imped|pr\b|{_NO_SIGNAL}",
    re.IGNORECASE,
)
_EEG_TYPES = ("eeg", "seeg", "ieeg", "ecog", "dbs", "exg", "uni")
_ANY_TYPES = ("", "misc", "unknown", "none", "data", "signal", "channel", "analog", "electrode")


def names_eeg(label: str) -> bool | None:
    """Whether a label is that of an EEG channel: an electrode, or "EEG …"; None where it may be anything."""
    text = field_text(label[:200])
    if derivation(text).is_electrode:
        return True
    bare = re.sub(r"^(eeg|seeg|ieeg|ecog)[\s:_-]*", "", text, flags=re.IGNORECASE)
    if _NO_EEG.match(bare):
        return False
    return True if bare != text else None


def is_eeg_type(kind: str) -> bool | None:
    """Whether a channel's content type is that of EEG; None where it says nothing."""
    bare = kind.strip().lower()
    return None if bare in _ANY_TYPES else bare in _EEG_TYPES


def may_be_eeg(label: str, kind: str = "") -> bool:
    """Whether a channel may carry EEG, by its label and its type. An electrode's name counts for more than a type."""
    named = names_eeg(label)
    return named is True or (named is None and is_eeg_type(kind) is not False)


def is_analog(label: str, kind: str = "") -> bool:
    """Whether a channel carries a signal, by its label and its type: no counter, clock, trigger or state of a device."""
    named = field_text(label[:200])
    return derivation(named).is_electrode or not (_DEVICE.match(named) or _DEVICE.match(kind.strip()))


def unique_names(labels: Sequence[str]) -> list[str]:
    """The labels, with a running number behind each that is there more than once: "T8-P8-0", as in mne."""
    names, taken = list(labels), set(labels)
    for stem in (label for label, n in Counter(labels).items() if n > 1):
        for number, index in enumerate(i for i, label in enumerate(labels) if label == stem):
            name = next(n for n in (f"{stem}-{end}" for end in count(number)) if n not in taken)
            names[index] = name
            taken.add(name)
    return names
