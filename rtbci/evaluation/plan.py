"""Which recordings are scored, whose they are, and what their annotations mean; every choice is told."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from rtbci.datasets.named import MemberOf, NamedDataset, missing_line
from rtbci.datasets.subjects import named_subjects
from rtbci.errors import ConfigError, RecordingError, RtbciError, about_file, error_text
from rtbci.evaluation.annotations import Annotations
from rtbci.evaluation.evaluation import LeftOut
from rtbci.evaluation.label_map import LabelMap
from rtbci.evaluation.scoring import is_too_short
from rtbci.pipeline.pipeline import Pipeline
from rtbci.recordings.labelling import Labelled, labels_of
from rtbci.recordings.listing import Listed, listed
from rtbci.recordings.open import open_recording
from rtbci.recordings.overrides import StreamOverrides
from rtbci.recordings.recording import Recording
from rtbci.recordings.vocabulary import is_doubtful, is_seizure, limit_of
from rtbci.stages.decision import watched_labels
from rtbci.text import listing

MOST_SHOWN = 12  # labels in a line


@dataclass(frozen=True)
class Case:
    """A recording, who was recorded, and what opens it again in another process."""

    recording: Recording
    subject: str
    source: Path | MemberOf


@dataclass
class Opened:
    """The recordings of an evaluation, and what could not be opened.

    Attributes
    ----------
    cases
        In the order in which they were named.
    failed
        Files that are no readable recordings.
    warnings
        What was chosen for the user, a line each.
    """

    cases: list[Case] = field(default_factory=list)
    failed: list[LeftOut] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @classmethod
    def of(
        cls,
        paths: Iterable[Path],
        *,
        stream: str | None = None,
        told: StreamOverrides | None = None,
        background: Iterable[Path] = (),
        subject_pattern: str = "",
        datasets: Iterable[NamedDataset] = (),
    ) -> Opened:
        """Open what paths name: recordings, and folders of them; with the members of datasets.

        Parameters
        ----------
        paths
            Files and folders.
        stream
            For XDF: the stream to read.
        told
            What a person says of the recordings.
        background
            Files and folders likewise: recordings without an event.
        subject_pattern
            Regular expression whose first group, in a recording's path, is the subject; by default the names of BIDS and of
            known datasets tell.
        datasets
            With their labels and subjects.

        Raises
        ------
        ConfigError
            If the pattern is none, or finds no subject in a path, or a recording of background has a seizure.
        RecordingError
            If a folder holds no recording, or none can be opened.
        """
        found, pattern, nameless = cls(), _pattern(subject_pattern), list[str]()
        quiet = {one.path.absolute(): one for one in listed(background)}
        wanted = {one.path.absolute(): one for one in listed(paths)}
        for path, one in (wanted | quiet).items():
            try:
                recording = open_recording(one.path, stream=stream, told=told)
                recording = _quiet(recording) if path in quiet else recording
            except ConfigError:
                raise
            except (RtbciError, OSError) as error:
                found.failed.append(LeftOut(recording=str(one.path), reason=about_file(error_text(error), one.path)))
                continue
            subject = _subject(one, pattern)
            if not subject:
                nameless.append(one.path.name)
            found.cases.append(Case(recording, subject or str(one.path), one.path))
        for named in datasets:
            found.cases += [Case(member.recording, member.subject, source) for member, source in named.members]
            found.warnings += filter(None, [missing_line(named.dataset)])
        if not found.cases:
            raise RecordingError(found.failed[0].reason if found.failed else "no recording was named")
        if nameless and len(found.cases) > 1:
            found.warnings.append(
                f"whose recordings {listing(nameless[:MOST_SHOWN])}{' …' if len(nameless) > MOST_SHOWN else ''} are is not "
                "told by their names: each counts as a subject of its own; --subject-pattern finds the subject in a path"
            )
        return found


def _quiet(recording: Recording) -> Recording:
    """A recording of which a person says that it holds no event. Raises ConfigError where its annotations say otherwise."""
    for event in recording.annotations:
        if is_seizure(event.label):
            raise ConfigError(
                f"{recording.path}: named with --background, and annotated with {event.label!r} at {event.onset:g} s"
            )
    return replace(recording, background=((0.0, recording.duration_s),))


def _pattern(text: str) -> re.Pattern[str] | None:
    try:
        pattern = re.compile(text) if text else None
    except re.error as error:
        raise ConfigError(f"--subject-pattern {text!r}: is no regular expression: {error}") from error
    if pattern is not None and pattern.groups < 1:
        raise ConfigError(
            f"--subject-pattern {text!r}: has no group; the subject is what is in parentheses, as '(P\\d+)_'"
        )
    return pattern


def _subject(one: Listed, pattern: re.Pattern[str] | None) -> str:
    name = one.path.as_posix() if one.folder is None else one.path.relative_to(one.folder.parent).as_posix()
    if pattern is None:
        named = named_subjects(name)
        if len(named) > 1:
            raise ConfigError(
                f"{name}: its path names {' and '.join(sorted(named))}; say whose it is with --subject-pattern"
            )
        return named.pop() if named else ""
    found = pattern.search(name)
    if found is None or not found[1]:
        raise ConfigError(f"--subject-pattern {pattern.pattern!r}: finds no subject in {name}")
    return found[1]


@dataclass(frozen=True)
class Plan:
    """What of the recordings is scored for a pipeline, and against which annotations.

    Attributes
    ----------
    pipeline
        To be scored.
    label_map
        What annotations mean.
    cases
        To score, each with its labels.
    left_out
        The others, with the reason.
    warnings
        What was decided for the user, a line each.
    """

    pipeline: Pipeline
    label_map: LabelMap
    cases: tuple[tuple[Case, Labelled], ...]
    left_out: tuple[LeftOut, ...]
    warnings: tuple[str, ...]

    @property
    def duration_s(self) -> float:
        """Of all recordings that are scored."""
        return sum(case.recording.duration_s for case, _ in self.cases)


def plan(pipeline: Pipeline, opened: Opened, labels: Sequence[str]) -> Plan:
    """What annotations mean to a pipeline, and which recordings have a label that counts.

    Parameters
    ----------
    pipeline
        To be scored.
    opened
        The recordings.
    labels
        ``ANNOTATION`` or ``ANNOTATION=CLASS``: see `LabelMap.of`.

    Raises
    ------
    RecordingError
        If no recording has annotations that count.
    ConfigError
        If `labels` names what is not there.
    """
    recordings = [case.recording for case in opened.cases]
    if not any(recording.is_annotated for recording in recordings):
        unread = [f"; {text}" for recording in recordings for text in recording.warnings if "was not read" in text]
        raise RecordingError(
            f"none of the {len(recordings)} recordings has an annotation, in the file or in NAME_events.tsv beside it"
            f"{''.join(unread)}"
        )
    watched = watched_labels(pipeline.config.decision, pipeline.classes)
    label_map = LabelMap.of(watched, (e.label for recording in recordings for e in recording.annotations), labels)
    kept = [case for case in opened.cases if is_labelled(case.recording, label_map)]
    cases = tuple((case, labels_of(case.recording, label_map.meanings.get)) for case in kept)
    left_out = tuple(
        LeftOut(recording=str(recording.path), reason=_why_left_out(recording))
        for recording in recordings
        if not is_labelled(recording, label_map)
    )
    if not cases or not label_map.classes:
        raise RecordingError(_nothing_counts(label_map, recordings))
    warnings = [f"{r.path.name}: {text}" for r in recordings for text in r.warnings]
    warnings += [f"{case.recording.path.name}: {text}" for case, found in cases for text in found.warnings]
    warnings += [*opened.warnings, *_account(label_map, cases, left_out)]
    return Plan(pipeline, label_map, cases, left_out, tuple(warnings))


def is_labelled(recording: Recording, label_map: LabelMap) -> bool:
    """Whether the annotations say which classes hold: where not one has a meaning, background is not known either."""
    if not recording.annotations:
        return recording.is_annotated
    said = (e.label in label_map.meanings or limit_of(e.label) is not None for e in recording.annotations)
    return bool(recording.background) or any(said)


def _account(label_map: LabelMap, cases: Sequence[tuple[Case, Labelled]], left_out: Sequence[LeftOut]) -> list[str]:
    """What was decided for the user, a line each: classes, recordings and annotations that are not scored."""
    told = list(label_map.warnings)
    told += [f"{Path(one.recording).name}: left out: {one.reason}" for one in left_out]
    for name in label_map.unscored:
        told.append(
            f"class {name!r} is not scored: no annotation has that name; name others with --label ANNOTATION={name}"
        )
    others = Annotations.of(labels for _, labels in cases).other_labels
    if ignored := {label: n for label, n in others.items() if not (is_seizure(label) or is_doubtful(label))}:
        told.append(f"annotations that name no class, and count as background: {counts_text(ignored)}")
    events = [e for _, labels in cases for e in labels.events]
    for name in label_map.classes:
        if not any(e.label == name for e in events):
            told.append(
                f"no annotation with known limits counts as {name!r}: its events in known background are false alarms"
            )
    if short := sum(is_too_short(e) for e in events if e.label in label_map.classes):
        told.append(
            f"{short} annotated events lie within one second, and SzCORE's evaluator, which looks at whole seconds, does not "
            "see them"
        )
    return told


def _why_left_out(recording: Recording) -> str:
    if not recording.annotations:
        return (
            "it has no annotations; where it holds background throughout, name it with --background, or write an empty "
            "NAME_events.tsv beside it"
        )
    labels = counts_text(dict.fromkeys((e.label for e in recording.annotations), 1), with_counts=False)
    return f"none of its annotations names a class or background: {labels}; say what they mean with --label ANNOTATION=CLASS"


def _nothing_counts(label_map: LabelMap, recordings: Sequence[Recording]) -> str:
    ignored = label_map.ignored(e for recording in recordings for e in recording.annotations)
    wanted = " or ".join((*label_map.classes, *label_map.unscored))
    return (
        f"no annotation of the {len(recordings)} recordings names {wanted} or background; there are: "
        f"{counts_text(ignored)}; say what they mean with --label ANNOTATION=CLASS"
    )


def counts_text(counts: dict[str, int], *, with_counts: bool = True) -> str:
    """Labels, each with how often it is there."""
    shown = [f"{text[:40]!r}" + (f" × {n}" if with_counts else "") for text, n in list(counts.items())[:MOST_SHOWN]]
    return ", ".join(shown) + (f" and {len(counts) - MOST_SHOWN} more" if len(counts) > MOST_SHOWN else "")
