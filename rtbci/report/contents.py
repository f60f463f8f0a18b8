"""What a report says: the same of the page and of the PDF."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from rtbci import provenance
from rtbci.evaluation.chosen_point import ChosenPoint, stale_scores
from rtbci.evaluation.comparison import FIGURES, Comparison
from rtbci.evaluation.evaluation import Evaluation, SubjectMeans
from rtbci.evaluation.intervals import Interval, Spread
from rtbci.pipeline.pipeline import Pipeline
from rtbci.report.strips import Strip

FEW_SUBJECTS, FEW_HOURS, HIGH_CHANCE = 20, 24.0, 0.2
NOTHING = "–"


@dataclass(frozen=True)
class Table:
    """A table: its title, its head, and its rows."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Contents:
    """A report.

    Attributes
    ----------
    pipeline
        Whose answers it is about.
    evaluation
        All figures.
    strips
        Around events and false alarms.
    strips_left_out
        How many more there are.
    warnings
        What was odd, or chosen for the user.
    against, comparison
        Another pipeline on the same recordings, by its name; None: none.
    chosen
        A threshold that was chosen here; None: none.
    """

    pipeline: Pipeline
    evaluation: Evaluation
    strips: Sequence[Strip]
    strips_left_out: int
    warnings: Sequence[str]
    against: Evaluation | None = None
    comparison: Comparison | None = None
    chosen: ChosenPoint | None = None

    @property
    def title(self) -> str:
        e = self.evaluation
        return f"{self.pipeline.name} on {_count(e.recordings, 'recording')} of {_count(e.subjects, 'subject')}"

    @property
    def subtitle(self) -> str:
        made = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M")
        commit = provenance.commit()
        return f"rtbci {provenance.__version__}{f' ({commit[:12]})' if commit else ''}, {made}; {provenance.machine()}"

    def headline(self) -> Table:
        """The figures that come first."""
        e = self.evaluation
        rows = [
            ("events found", f"{e.event.counts.hit} of {e.event.counts.true}", _number(e.event.sensitivity)),
            ("precision by event", "", _number(e.event.precision)),
            ("F1 by event", "", _number(e.event.f1)),
            ("false alarms", str(e.event.counts.false), f"{_number(e.event.false_alarms_per_24h, '.1f')} a day"),
            ("detection delay, median", "", f"{_number(e.detection_delay_s.p50, '.1f')} s"),
            ("detection delay, 90th percentile", "", f"{_number(e.detection_delay_s.p90, '.1f')} s"),
            ("F1 by sample", "", _number(e.sample.f1)),
            ("AUROC of samples, mean over subjects", _interval(e.by_subject.auroc), _number(e.by_subject.auroc.mean)),
            ("time in warning, mean over subjects", "", _percent(e.by_subject.time_in_warning.mean)),
            ("sensitivity, mean over 0 to 1 false alarm an hour", "", _number(e.curve.low_area)),
            ("sensitivity, mean over log false alarms an hour", _rates(e.curve.area_fa_per_h), _number(e.curve.area)),
            ("found by as many alarms at random", "", _number(e.chance.sensitivity)),
            ("Brier score", "", _number(e.calibration.brier, ".4f")),
        ]
        return Table(f"{e.label}, threshold {e.threshold:g}, {e.hours:.2f} hours", ("figure", "", "value"), tuple(rows))

    def tables(self) -> Iterator[Table]:
        """All others, in order."""
        e = self.evaluation
        yield Table(
            "Over subjects: mean ± standard deviation (95 % interval of a bootstrap)",
            ("", "sensitivity", "precision", "F1", "false alarms a day"),
            (("by event", *_means(e.by_subject.event)), ("by sample", *_means(e.by_subject.sample))),
        )
        yield Table(
            "By subject",
            ("subject", "recordings", "hours", "found", "median delay", "false alarms", "in warning", "AUROC"),
            tuple(
                (
                    row.subject, str(row.recordings), f"{row.hours:.2f}", f"{row.found} of {row.seizures}",
                    NOTHING if row.median_delay_s is None else f"{row.median_delay_s:.1f} s", str(row.alarms),
                    _percent(row.share_above), _number(row.auroc),
                )
                for row in e.subject_rows
            ),
        )  # fmt: skip
        yield Table(
            "By length of the event",
            ("seconds", "events", "found"),
            tuple(
                (
                    f"{row.from_s:g} or more" if row.to_s is None else f"{row.from_s:g} to {row.to_s:g}",
                    str(row.seizures),
                    str(row.found),
                )
                for row in e.by_length
            ),
        )
        yield Table(
            "Burden of five minutes: agreement on whether it reaches a share (95 % bound)",
            ("share", "windows", "agreement", "windows below", "agreement below"),
            tuple(
                (
                    f"{100 * row.at_least:g} %", str(row.windows_at_least),
                    _agreement(row.positive_agreement, row.positive_agreement_low), str(row.windows_below),
                    _agreement(row.negative_agreement, row.negative_agreement_low),
                )
                for row in e.burden
            ),
        )  # fmt: skip
        if e.trials is not None:
            yield Table(
                f"Answers at cues: accuracy {e.trials.accuracy:.3f} of {e.trials.trials} trials, kappa {_number(e.trials.kappa)}",
                ("true / answered", *e.trials.classes),
                tuple((name, *map(str, row)) for name, row in zip(e.trials.classes, e.trials.confusion, strict=True)),
            )
        if self.comparison is not None and self.against is not None:
            yield Table(
                f"{e.pipeline} (threshold {e.threshold:g}) minus {self.against.pipeline} (threshold {self.against.threshold:g}), "
                "paired by subject",
                ("figure", "mean difference", "95 % interval", "subjects"),
                tuple(_difference(name, getattr(self.comparison, name)) for name in FIGURES),
            )
        yield Table(
            "Each annotated event",
            ("subject", "recording", "onset", "length", "found", "delay"),
            tuple(
                (
                    row.subject, row.recording.rpartition("/")[2], f"{row.onset_s:.1f} s", f"{row.duration_s:.1f} s",
                    "yes" if row.found else "no", NOTHING if row.delay_s is None else f"{row.delay_s:.1f} s",
                )
                for row in e.seizure_rows
            ),
        )  # fmt: skip

    def model_card(self) -> list[tuple[str, str]]:
        """What the pipeline is, and what it was made of."""
        config, notes = self.pipeline.config, self.pipeline.notes
        decision = config.decision
        rows = [
            ("answers", f"{', '.join(config.classes)}, every {self.pipeline.hop_s:g} s"),
            (
                "montage",
                f"{len(self.pipeline.channels)} channels, {config.sfreq:g} Hz",
            ),
            ("network", f"{config.model.kind}, {sum(p.numel() for p in self.pipeline.network.parameters())} weights"),
            (
                "decision",
                f"threshold {decision.threshold:g}, {decision.min_duration_s:g} s or more, smoothing {decision.smoothing_s:g} s",
            ),
            ("trained on", "; ".join(_sources(notes.get("trained_on"))) or "not said"),
        ]
        if isinstance(chosen := notes.get("operating_point"), dict):
            on = chosen.get("chosen_on")
            rows.append(
                ("threshold", f"chosen by {chosen.get('rule')} on {len(on) if isinstance(on, list) else 0} recordings")
            )
        if stale := stale_scores(self.pipeline):
            rows.append(("scores in the file", stale))
        if isinstance(commit := notes.get("commit"), str):
            rows.append(("made by commit", commit))
        return rows

    def limits(self) -> list[str]:
        """What these recordings cannot carry."""
        e, lines = self.evaluation, []
        if e.hours < FEW_HOURS:
            lines.append(f"{e.hours:.2f} hours of recording: false alarms a day, and an hour, are no rates to expect.")
        if e.subjects < FEW_SUBJECTS:
            lines.append(
                f"{_count(e.subjects, 'subject')}: the intervals are too narrow, and say little about other patients."
            )
        if e.chance.sensitivity is not None and e.chance.sensitivity > HIGH_CHANCE:
            lines.append(
                f"As many alarms at random would find {100 * e.chance.sensitivity:.0f} % of the events: the recordings are short "
                "around them, and sensitivity means little."
            )
        if any("was trained on" in line or "chose its epoch" in line for line in self.warnings):
            lines.append("The pipeline has seen some of these recordings or patients before; the warnings say which.")
        if self.chosen is not None:
            lines.append(
                f"{self.chosen.rule} chose a threshold on these recordings; its figures here are too good for new ones."
            )
        if e.failed or e.left_out:
            lines.append(
                f"Not scored: {len(e.failed)} that could not be read, and {len(e.left_out)} without a label that counts."
            )
        return lines

    def config_text(self) -> str:
        """The configuration as JSON."""
        return json.dumps(self.pipeline.config.model_dump(mode="json"), indent=1, ensure_ascii=False)


def _sources(rows: object) -> list[str]:
    counts = Counter(
        f"{row.get('source') or 'unnamed'} ({row.get('licence') or 'no licence named'})"
        for row in (rows if isinstance(rows, list) else ())
        if isinstance(row, dict)
    )
    return [f"{n} recordings: {name}" for name, n in counts.items()]


def _means(means: SubjectMeans) -> tuple[str, ...]:
    figures = (
        (means.sensitivity, ".3f"),
        (means.precision, ".3f"),
        (means.f1, ".3f"),
        (means.false_alarms_per_24h, ".1f"),
    )
    return tuple(_spread(one, form) for one, form in figures)


def _spread(one: Spread, form: str) -> str:
    if one.mean is None or one.std is None or one.low is None or one.high is None:
        return NOTHING
    return f"{one.mean:{form}} ± {one.std:{form}} ({one.low:{form}} to {one.high:{form}})"


def _interval(one: Interval) -> str:
    return "" if one.low is None or one.high is None else f"{one.low:.3f} to {one.high:.3f}"


def _difference(name: str, one: Interval) -> tuple[str, ...]:
    plain = name.replace("_", " ")
    if one.mean is None or one.low is None or one.high is None:
        return (plain, NOTHING, NOTHING, "0")
    return (plain, f"{one.mean:+.3f}", f"{one.low:+.3f} to {one.high:+.3f}", str(one.subjects))


def _number(value: float | None, form: str = ".3f") -> str:
    return NOTHING if value is None else format(value, form)


def _agreement(share: float | None, low: float | None) -> str:
    return NOTHING if share is None else f"{_number(share)} (at least {_number(low)})"


def _count(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def _rates(span: tuple[float, float] | None) -> str:
    return "" if span is None else f"{span[0]:.2g} to {span[1]:.2g}"


def _percent(value: float | None) -> str:
    return NOTHING if value is None else f"{100 * value:.1f} %"
