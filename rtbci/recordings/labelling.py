"""Annotations to labels: what each annotation of a recording comes to, and where nothing is known; none vanishes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from rtbci.recordings.recording import Recording
from rtbci.recordings.vocabulary import is_background, is_doubtful, is_seizure, limit_of
from rtbci.types import Event

Span = tuple[float, float]
BACKGROUND = "background"
NO_CLASS = (BACKGROUND, "unknown")  # meanings that are no event
NEAR_S = 5.0  # between two marks of one moment


@dataclass(slots=True)
class AnnotationCounts:
    """Every annotation is one of the first five; `merged` and `cut` are among the used."""

    used: int = 0
    background: int = 0
    other_label: int = 0
    open_ended: int = 0
    outside: int = 0
    merged: int = 0
    cut: int = 0

    @classmethod
    def total(cls, counts: Iterable[AnnotationCounts]) -> AnnotationCounts:
        """The sum over recordings."""
        rows = list(counts)
        return cls(*(sum(getattr(row, name) for row in rows) for name in cls.__slots__))


@dataclass(frozen=True)
class Labelled:
    """The labels of one recording, in seconds from its start.

    Attributes
    ----------
    events
        By onset, within the recording; `label` is what the annotation means.
    unknown
        Where a label may hold that nobody knows the limits of: neither an event nor background.
    counts
        What each annotation came to.
    others
        Labels that mean nothing here, and how often each is found.
    warnings
        What a person should know, one line each.
    background
        Where an annotation, or the event table, says that there is no event.
    """

    events: tuple[Event, ...]
    unknown: tuple[Span, ...]
    counts: AnnotationCounts
    others: dict[str, int] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    background: tuple[Span, ...] = ()


def labels_of(recording: Recording, meaning: Callable[[str], str | None], *, points: bool = False) -> Labelled:
    """What the annotations of a recording mean.

    Overlapping events of one meaning are one event. Two points, the onset and the end of a seizure, are one event. An
    event without an end may last until the next one begins: that time is unknown. So is a seizure that `meaning` does
    not cover, and one that is doubtful.

    Parameters
    ----------
    recording
        The recording.
    meaning
        Of a label; None where it has none.
    points
        Whether an annotation stands for its onset alone, as a cue does: it needs no end and is not merged.

    Returns
    -------
    Labelled
        Events, unknown time and an account of all annotations.
    """
    return _Account(recording, meaning, points).labelled()


class _Account:
    def __init__(self, recording: Recording, meaning: Callable[[str], str | None], points: bool) -> None:
        self.duration_s = recording.duration_s
        self.meaning, self.points = meaning, points
        self.counts = AnnotationCounts(outside=recording.n_omitted)
        self.others: dict[str, int] = {}
        self.warned: list[str] = []
        self.intervals: list[Event] = []
        self.starts: list[Event] = []
        self.ends: list[Event] = []
        self.unknown: list[Span] = []
        self.background: list[Span] = list(recording.background)
        self.counts.background = len(recording.background)
        if recording.table is not None and not recording.annotations and not _union(self.background):
            self.background = [(0.0, self.duration_s)]  # a table without events
        self.pairs: list[Event] = []
        for event in sorted(recording.annotations, key=lambda e: (e.onset, e.duration)):
            self._sort_in(event)

    def labelled(self) -> Labelled:
        events = self.intervals if self.points else _merged(self._with_pairs())
        if not self.points:
            self.counts.merged += sum(e.label != BACKGROUND for e in (*self.intervals, *self.pairs))
            self.counts.merged -= sum(e.label != BACKGROUND for e in events)
        if self.counts.merged:
            n = self.counts.merged
            self.warned.append(
                f"{n} annotation{'' if n == 1 else 's'} of an event that is marked already; it counts once"
            )
        return Labelled(
            tuple(events),
            _union(self.unknown),
            self.counts,
            self.others,
            tuple(self.warned),
            _union(self.background),
        )

    def _sort_in(self, event: Event) -> None:
        stop = event.onset + event.duration
        limit, meant = limit_of(event.label), self.meaning(event.label)
        is_point = event.duration <= 0 and not self.points
        is_start = is_point and limit is not None and limit[0] == "onset" and event.onset < 0
        if limit is not None and limit[0] == "end" and event.duration <= 0 and event.onset > 0:
            self.ends.append(event)
        elif event.onset >= self.duration_s or (event.onset < 0 and stop <= 0 and not is_start):
            self.counts.outside += 1
        elif meant is not None and not is_point:
            if meant == BACKGROUND:
                self.counts.background += 1
            else:
                self.counts.used += 1
            self.intervals.append(self._inside(replace(event, label=meant)))
        elif meant in NO_CLASS and not is_seizure(event.label):
            self.counts.open_ended += 1
            self.warned.append(f"{event.label[:40]!r} at {event.onset:g} s has no end and is not used")
        elif meant is not None or (is_seizure(event.label) and is_point):
            self.starts.append(replace(event, label=meant or ""))
        elif is_background(event.label):
            self.counts.background += 1
            self.background.append((max(0.0, event.onset), min(self.duration_s, stop)))
        else:
            self.counts.other_label += 1
            self.others[event.label] = self.others.get(event.label, 0) + 1
            if event.duration > 0 and (is_seizure(event.label) or is_doubtful(event.label)):
                self.unknown.append((max(0.0, event.onset), min(self.duration_s, stop)))
                self.warned.append(
                    f"{event.label[:40]!r} at {event.onset:g} s speaks of a seizure and none of the labels covers it; "
                    "its time is unknown"
                )

    def _inside(self, event: Event) -> Event:
        if self.points:
            return event
        start, stop = max(0.0, event.onset), min(self.duration_s, event.onset + event.duration)
        if (start, stop) == (event.onset, event.onset + event.duration):
            return event
        self.counts.cut += event.label != BACKGROUND
        return replace(event, onset=start, duration=stop - start)

    def _with_pairs(self) -> list[Event]:
        """Intervals, and those between an onset and an end that are marked as two points."""
        opened: Event | None = None
        marks = sorted(
            [(e.onset, 0, e) for e in self.starts] + [(e.onset, 1, e) for e in self.ends], key=lambda m: m[:2]
        )
        for at, is_end, mark in marks:
            if self._is_explained(at, is_end):
                self.counts.used += 1
                self.counts.merged += 1
            elif not is_end:
                if opened is not None and opened.label == mark.label and at - opened.onset <= NEAR_S:
                    self.counts.used += 1
                    self.counts.merged += 1
                    continue
                if opened is not None:
                    self._leave_open(opened)
                opened = mark
            elif opened is not None:
                self.counts.used += 2
                self.pairs.append(self._inside(replace(opened, duration=at - opened.onset)))
                opened = None
            elif at > self.duration_s:
                self.counts.outside += 1
            else:
                self._leave_begun(mark)
        if opened is not None:
            self._leave_open(opened)
        known = [p for p in self.pairs if p.label]
        self.unknown += [(p.onset, p.onset + p.duration) for p in self.pairs if not p.label]
        self.pairs = known
        return [*self.intervals, *known]

    def _is_explained(self, at: float, is_end: int) -> bool:
        """Whether a point marks an event whose limits are known anyway."""
        spans = [(e.onset, e.onset + e.duration) for e in (*self.intervals, *self.pairs)]
        return any(a - (0 if is_end else NEAR_S) <= at <= b + (NEAR_S if is_end else 0) for a, b in spans)

    def _leave_open(self, event: Event) -> None:
        later = [e.onset for e in (*self.intervals, *self.starts) if e.onset > event.onset]
        stop = min([*later, self.duration_s])
        self.counts.open_ended += 1
        self.unknown.append((max(0.0, event.onset), stop))
        what = "seizure" if event.label in ("", *NO_CLASS) else event.label
        self.warned.append(
            f"{what!r} at {event.onset:g} s has no end: {event.onset:g} … {stop:g} s is unknown, "
            "neither background nor scored"
        )

    def _leave_begun(self, event: Event) -> None:
        before = [e.onset + e.duration for e in (*self.intervals, *self.pairs) if e.onset < event.onset]
        start = max([s for s in before if s <= event.onset], default=0.0)
        self.counts.open_ended += 1
        self.unknown.append((start, event.onset))
        self.warned.append(
            f"{event.label[:40]!r} at {event.onset:g} s has no onset: {start:g} … {event.onset:g} s is unknown, "
            "neither background nor scored"
        )


def _merged(events: Sequence[Event]) -> list[Event]:
    """Events of one label that overlap or touch are one, over all of its channels."""
    out: list[Event] = []
    newest: dict[str, int] = {}
    for event in sorted(events, key=lambda e: (e.onset, e.duration)):
        at = newest.get(event.label)
        if at is not None and event.onset <= out[at].onset + out[at].duration:
            before = out[at]
            stop = max(before.onset + before.duration, event.onset + event.duration)
            channels = tuple(dict.fromkeys((*before.channels, *event.channels)))
            out[at] = replace(
                before,
                duration=stop - before.onset,
                channels=channels if before.channels and event.channels else (),
            )
        else:
            newest[event.label] = len(out)
            out.append(event)
    return out


def _union(spans: Iterable[Span]) -> tuple[Span, ...]:
    out: list[Span] = []
    for start, stop in sorted(spans):
        if out and start <= out[-1][1]:
            out[-1] = (out[-1][0], max(out[-1][1], stop))
        elif stop > start:
            out.append((start, stop))
    return tuple(out)
