"""What a label says, in the terms of SzCORE: one vocabulary for training, scoring, the demonstration and the datasets.

References
----------
J. Dan et al., SzCORE, Epilepsia 2024; V. Shah et al., The Temple University Hospital seizure detection corpus, 2018;
R. S. Fisher et al., Operational classification of seizure types by the ILAE, Epilepsia 58, 2017.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Literal

SEIZURE, BACKGROUND, IMPEDED = "sz", "bckg", "impd"

# Codes of TUSZ, of the ILAE as SeizeIT and Siena write them, and single words.
_CODES = {
    "seiz": "sz",
    "seizure": "sz",
    "seizures": "sz",
    "ictal": "sz",
    "fnsz": "sz_foc",
    "gnsz": "sz_gen",
    "spsz": "sz_foc_a",
    "cpsz": "sz_foc_ia",
    "absz": "sz_gen_nm",
    "tnsz": "sz_gen_m_tonic",
    "cnsz": "sz_gen_m_clonic",
    "tcsz": "sz_gen_m_tonicclonic",
    "atsz": "sz_gen_m_atonic",
    "mysz": "sz_gen_m_myoclonic",
    "fa": "sz_foc_a",
    "fas": "sz_foc_a",
    "wias": "sz_foc_a",
    "fia": "sz_foc_ia",
    "fias": "sz_foc_ia",
    "ias": "sz_foc_ia",
    "fua": "sz_foc_ua",
    "fbtc": "sz_foc_f2b",
    "fbtcs": "sz_foc_f2b",
    "f2b": "sz_foc_f2b",
    "sgtcs": "sz_foc_f2b",
    "gtc": "sz_gen_m_tonicclonic",
    "gtcs": "sz_gen_m_tonicclonic",
    "absence": "sz_gen_nm",
    "impd": IMPEDED,
    "bckg": BACKGROUND,
    "background": BACKGROUND,
    "nonseizure": BACKGROUND,
    "interictal": BACKGROUND,
    "seizurefree": BACKGROUND,
}
_SEIZURE_WORDS = {word for word, term in _CODES.items() if term.startswith("sz") and len(word) > 3} | {"sz", "szs"}
_ONSETS = {"onset", "start", "starts", "started", "begin", "begins", "began", "beginning", "on"}
_ENDS = {"offset", "end", "ends", "ended", "ending", "stop", "stops", "stopped", "off", "over", "termination"}
_FREE = {"free", "no", "non", "not", "without", "inter", "absent", "none", "negative"}
_NEAR = {
    "pre",
    "post",
    "peri",
    "preictal",
    "postictal",
    "after",
    "before",
    "between",
    "prior",
    "following",
    "last",
    "next",
}
# With one of these, a seizure is spoken of and not marked, or it is none of epilepsy.
_ABOUT = {
    *("nonepileptic", "epileptic-like", "psychogenic", "pseudo", "functional", "dissociative", "pnes", "nesz", "like"),
    *("possible", "possibly", "probable", "probably", "suspected", "questionable", "maybe", "uncertain", "rule"),
    *(
        "medication",
        "drug",
        "button",
        "alarm",
        "alert",
        "detector",
        "detection",
        "detected",
        "precaution",
        "precautions",
    ),
    *("protocol", "history", "risk", "log", "diary", "prediction", "test", "zone", "focus", "artifact", "artefact"),
    *("reported", "push", "pushbutton", "plan", "threshold", "frequency", "count", "video", "check", "note", "notes"),
}


def term_of(label: str) -> str:
    """The term of SzCORE for a label, `sz`, `sz_foc_ia`, `bckg`, `impd`; empty for every other label.

    A label that names the onset of a seizure is that of the seizure; one that names its end is not.
    """
    limit = limit_of(label)
    if limit is not None:
        return limit[1] if limit[0] == "onset" else ""
    return _term(_words(label), "?" in label)


def is_seizure(label: str) -> bool:
    """Whether an annotation's label is that of a seizure."""
    return term_of(label).startswith(SEIZURE)


def is_background(label: str) -> bool:
    """Whether a label says that there is no seizure."""
    return term_of(label) == BACKGROUND


def is_doubtful(label: str) -> bool:
    """Whether a label speaks of a seizure without saying that there is one, or that there is none: `seizure?`."""
    words = set(_words(label))
    return bool(words & _SEIZURE_WORDS) and not words & _NEAR and not term_of(label) and limit_of(label) is None


def limit_of(label: str) -> tuple[Literal["onset", "end"], str] | None:
    """Whether a label names the onset or the end of a seizure, and the seizure's term; None where neither."""
    words = _words(label)
    for kind, known in (("onset", _ONSETS), ("end", _ENDS)):
        if len(words) > 1 and known & {words[0], words[-1]}:
            rest = words[:-1] if words[-1] in known else words[1:]
            term = _term(rest, "?" in label)
            if term.startswith(SEIZURE):
                return ("onset" if kind == "onset" else "end"), term
    return None


def meaning_of(label: str, meanings: Mapping[str, str]) -> str | None:
    """What a label means by a map from labels: by its own text first, then by the terms above it.

    `sz_foc` in the map thus covers `sz_foc_ia` and `FIA`, and `seizure` covers every seizure. `blink` covers `blink3`, and
    `T1` covers neither `T0` nor `T`.

    Parameters
    ----------
    label
        Of an annotation.
    meanings
        From a label to what it means.

    Returns
    -------
    str or None
        None where the map does not cover it.
    """
    if label in meanings:
        return meanings[label]
    plain = {" ".join(_parts(key)): meaning for key, meaning in list(meanings.items())[::-1]}
    for own in (" ".join(_parts(label)), " ".join(_words(label))):
        if own and own in plain:
            return plain[own]
    by_term = {term: meaning for key, meaning in list(meanings.items())[::-1] if (term := term_of(key))}
    return next((by_term[term] for term in _upwards(term_of(label)) if term in by_term), None)


def _upwards(term: str) -> Iterator[str]:
    while term:
        yield term
        term = term.rpartition("_")[0]


def _parts(label: str) -> list[str]:
    """Lower case, with numbers."""
    return [word for word in re.split(r"[\W_]+", label.casefold()) if word]


def _words(label: str) -> list[str]:
    """The same without a number at a word's end: `seizure1` is `seizure`."""
    return [re.sub(r"(?<=[^\W\d])\d+$", "", word) for word in _parts(label)]


def _term(words: list[str], doubted: bool = False) -> str:
    text = set(words)
    if not words:
        return ""
    if len(words) == 1 and not doubted and words[0] in _CODES:
        return _CODES[words[0]]
    if len(words) == 2 and not doubted and len(code := "".join(words)) > 3 and code in _CODES:
        return _CODES[code]  # F-BTC
    if words[0] == SEIZURE and not text & (_FREE | _NEAR | _ABOUT | _ONSETS | _ENDS) and not doubted:
        return "_".join(words) if len(words) == 1 or words[1] in _TYPES else SEIZURE
    tonic_clonic = {"tonic", "clonic"} <= text or bool(text & {"tonicclonic", "grandmal"})
    named = text & _SEIZURE_WORDS or tonic_clonic or ("spasms" in text and "epileptic" in text)
    if not named and words != ["status", "epilepticus"]:
        return ""
    if text & (_FREE | {"absence"}) and text & (_FREE | {"of"}) and text <= _FREE | _SEIZURE_WORDS | _FILLERS:
        return BACKGROUND
    if doubted or text & (_FREE | _NEAR | _ABOUT):
        return ""
    return _type(text, tonic_clonic)


_FILLERS = {"of", "any", "eeg", "recording", "record", "period", "segment", "interval", "epoch", "in", "this", "file"}
# Second words of SzCORE's terms: focal, generalised, unknown onset.
_TYPES = {"foc", "gen", "uo"}


def _type(words: set[str], tonic_clonic: bool) -> str:
    codes = [_CODES[word] for word in sorted(words) if _CODES.get(word, "").startswith("sz_")]
    if codes:
        return codes[0]
    if "focal" in words:
        if "bilateral" in words:
            return "sz_foc_f2b"
        return "sz_foc_ia" if "impaired" in words else "sz_foc_a" if "aware" in words else "sz_foc"
    if words & {"generalized", "generalised"}:
        return "sz_gen_m_tonicclonic" if tonic_clonic else "sz_gen"
    return SEIZURE
