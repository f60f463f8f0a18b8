"""Which markers are cues: one rule for marker streams and the annotations of files; and an account of those that are none."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Hashable, Sequence
from decimal import Decimal

_NUMBER = re.compile(r"[+-]?[0-9]{1,40}(\.[0-9]{0,40})?([eE][+-]?[0-9]{1,2})?", re.ASCII)
_SHOWN = 8  # texts in one line
_MOST_TEXTS = 100  # that are kept


class CueLabels:
    """Compares markers with the labels of a pipeline's cues.

    A marker is the label that it equals; else the one that it equals as a number (`1.0` is `1`) or but for the number of
    blanks; else the one that it equals but for case and blanks. If two labels are equally near, it is neither. A marker of
    several fields, joined by '/' as in `Stimulus/S  1`, or the texts of a JSON value as `{"event": "left", "trial": 3}`, is
    compared as a whole, then field by field.

    Parameters
    ----------
    labels
        Of the cues; empty: every marker is a cue.
    """

    def __init__(self, labels: Sequence[str]) -> None:
        self.labels = tuple(labels)
        self._by_key = [_index(key, self.labels) for key in (_spaced, _loose)]

    def match(self, text: str) -> str:
        """The label of the cue that a marker is; "" where it is none. Without labels, its own text without blanks around."""
        text = text.strip()
        if not self.labels or text in self.labels:
            return text
        return self._near(text) or self._of_fields(text)

    def _near(self, text: str) -> str:
        for key, found in zip((_spaced, _loose), self._by_key, strict=True):
            if matching := found.get(key(text)):
                return matching[0] if len(matching) == 1 else ""
        return ""

    def _of_fields(self, text: str) -> str:
        fields = _json_texts(text) or ([field.strip() for field in text.split("/")] if "/" in text else [])
        matching = {label for field in fields if (label := field if field in self.labels else self._near(field))}
        return matching.pop() if len(matching) == 1 else ""


def _json_texts(text: str) -> list[str]:
    """The texts in a JSON object, list or text, or its only number: others count trials, or say when; [] for other markers."""
    if not text.startswith(("{", "[", '"')):
        return []
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return []
    values = list(found.values()) if isinstance(found, dict) else found if isinstance(found, list) else [found]
    numbers = [str(value) for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    texts = [value.strip() for value in values if isinstance(value, str)]
    return texts or (numbers if len(values) == 1 else [])


def is_same(text: str, label: str) -> bool:
    """Whether a marker is a label to the letter, or as a number, so that nobody needs to be told."""
    return _spaced(text) == _spaced(label)


def _index(key: Callable[[str], Hashable], labels: Sequence[str]) -> dict[Hashable, list[str]]:
    found: dict[Hashable, list[str]] = {}
    for label in labels:
        found.setdefault(key(label), []).append(label)
    return found


def _spaced(text: str) -> Hashable:
    text = " ".join(unicodedata.normalize("NFC", text).split())
    return Decimal(text) if _NUMBER.fullmatch(text) else text


def _loose(text: str) -> Hashable:
    return "".join(unicodedata.normalize("NFC", text).casefold().split())


class CueAccount:
    """Counts the markers that are no cues, and tells of each text once.

    Parameters
    ----------
    labels
        Of the pipeline's cues.
    what
        What they are called: "marker" or "annotation".
    """

    def __init__(self, labels: Sequence[str], what: str = "marker") -> None:
        self.n_others = 0
        self._labels, self._what = tuple(labels), what
        self._others: dict[str, None] = {}  # texts that were not told of yet
        self._known: set[str] = set()
        self._taken: dict[str, str] = {}  # texts that are a cue, but not to the letter, and were not told of yet

    def add(self, text: str, label: str) -> None:
        """A marker came; label: the cue that it is, "" where it is none."""
        self.n_others += not label
        if (
            (label and (is_same(text, label) or not self._labels))
            or text in self._known
            or len(self._known) >= _MOST_TEXTS
        ):
            return
        self._known.add(text)
        if label:
            self._taken[text] = label
        else:
            self._others[text] = None

    @property
    def has_news(self) -> bool:
        """Whether `news` has a line."""
        return bool(self._taken or self._others)

    def news(self) -> list[str]:
        """What a person was not told yet, one line each."""
        lines = []
        if self._taken:
            pairs = [f"{text!r:.60} as {label!r:.60}" for text, label in self._taken.items()]
            lines.append(f"{self._what}s are taken for cues that differ in case, blanks or fields: {_some(pairs)}")
        if self._others:
            are = f"{self._what} is no cue" if self.n_others == 1 else f"{self._what}s are no cues"
            texts = _some([f"{text!r:.60}" for text in self._others])
            wanted = _some([f"{label:.60}" for label in self._labels])
            lines.append(f"{self.n_others} {are} of this pipeline: {texts}; wanted {wanted}")
        self._taken, self._others = {}, {}
        return lines


def _some(texts: Sequence[str]) -> str:
    return ", ".join(texts[:_SHOWN]) + (" …" if len(texts) > _SHOWN else "")
