"""Training examples: recordings preprocessed by the pipeline's own stages, with a label or none at every hop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from rtbci.datasets import Dataset, Member, open_dataset
from rtbci.errors import ConfigError
from rtbci.pipeline.config import PipelineConfig
from rtbci.pipeline.pipeline import Pipeline
from rtbci.recordings.listing import of_pattern
from rtbci.recordings.open import open_recording
from rtbci.recordings.recording import Recording
from rtbci.recordings.vocabulary import is_background, meaning_of
from rtbci.simulation.eeg import synthesise
from rtbci.training.config import TrainConfig
from rtbci.training.data_config import BACKGROUND, DataConfig, DatasetConfig, RecordingsConfig, SyntheticConfig
from rtbci.training.labels import Stretch as Stretch
from rtbci.training.labels import account, labelled, require_meaning, stretches_of
from rtbci.training.preprocessed import Preprocessed
from rtbci.training.source import Source
from rtbci.training.splits import matching, require_groups, split
from rtbci.training.step_labels import StepLabels, label_steps
from rtbci.training.stored import Rows
from rtbci.training.subjects import group_of_member, left_out_lines, subject_of_member, with_subjects
from rtbci.types import Flags, Samples


@dataclass(frozen=True)
class Example:
    """Network input and target of one recording, in whole hops.

    Attributes
    ----------
    source
        The recording.
    x
        (n_steps * hop, n_channels), in memory or on the disk.
    times
        (n_steps,): of the newest sample of each step, seconds; likewise.
    labels
        Of the steps: which classes hold, and whether that is known and the samples are valid.
    hop
        Samples of a step.
    """

    source: Source
    x: Rows
    times: Rows
    labels: StepLabels
    hop: int

    @property
    def n_steps(self) -> int:
        return self.labels.n_steps

    @property
    def y(self) -> Samples:
        """(n_steps, n_classes), 0 or 1."""
        return self.labels.part(0, self.n_steps)[0]

    @property
    def known(self) -> Flags:
        """(n_steps,), whether the label is known and the samples are valid."""
        return self.labels.part(0, self.n_steps)[1]


def find_sources(config: TrainConfig, on_warning: Callable[[str], None] = lambda _: None) -> list[Source]:
    """Open every recording in the config and map its annotations to labels; synthetic ones come last."""
    data = config.data
    sources: list[Source] = []
    for number, group in enumerate(data.recordings):
        where = f"data.recordings.{number}"
        sources += with_subjects(_group(data, group, config.pipeline, where), group, data.validation.by, where)
    for wanted, where in data.datasets():
        sources += _dataset(data, wanted, where, config.pipeline, on_warning)
    names = [source.name for source in sources]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ConfigError(f"data.recordings: {twice[0]} is named by two patterns; each recording counts once")
    sources = split(sources, data, config.training.seed, on_warning)
    if data.synthetic is not None:
        sources += _synthetic(data.synthetic, data.validation.synthetic_fraction)
    if config.sampling is not None:
        require_groups(sources, config.sampling.shares, "sampling.shares")
        require_groups(sources, config.sampling.lead_in_from, "sampling.lead_in_from")
        if unused := _not_used_in_sampling(config):
            on_warning(f"{' and '.join(unused)}: not used, for [sampling] says what is drawn, and how often")
    if all(source.held_out for source in sources):
        raise ConfigError("data.validation holds out every recording; leave some to train on")
    return sources


def _not_used_in_sampling(config: TrainConfig) -> list[str]:
    unused = ["data.recordings.repeats"] if any(group.repeats > 1 for group in config.data.recordings) else []
    return unused if config.training.visit_s is None else [*unused, "training.visit_s"]


def _group(data: DataConfig, group: RecordingsConfig, pipeline: PipelineConfig, where: str) -> list[Source]:
    root = Path(data.root)
    paths: list[Path] = []
    for pattern in group.files:
        found = of_pattern(root, pattern)
        if not found:
            raise ConfigError(f"{where}.files: nothing matches {pattern!r} in {root}")
        paths += found
    recordings = [open_recording(path, stream=group.stream or None, told=group.told) for path in dict.fromkeys(paths)]
    for recording in recordings:
        recording.require_fit()
    require_meaning(group, recordings, where)
    return [_source(group, recording, root, pipeline) for recording in recordings]


def _source(group: RecordingsConfig, recording: Recording, root: Path, pipeline: PipelineConfig) -> Source:
    name = recording.path.relative_to(root).as_posix()
    labels = None if group.background_only else labelled(recording, group.labels, pipeline)
    stretches = () if labels is None else stretches_of(recording, labels, pipeline)
    marked = () if labels is None else tuple(Stretch(m.start_s, m.stop_s, m.label) for m in group.marked)
    told = [f"{name}: {text}" for text in recording.warnings]
    return Source(
        name=name,
        recording=recording,
        stretches=(*stretches, *marked),
        elsewhere=BACKGROUND if group.background_only else group.elsewhere,
        repeats=group.repeats,
        held_out=False,
        origin=group.source,
        licence=group.licence,
        group=name,
        labels=labels,
        warnings=tuple(told) if labels is None else account(name, recording, labels, group.labels.values()),
        category=group.group or group.files[0],
    )


def _dataset(
    data: DataConfig, wanted: DatasetConfig, where: str, pipeline: PipelineConfig, on_warning: Callable[[str], None]
) -> list[Source]:
    """Members of a dataset, with the pipeline's labels; `where` it stands in the config."""
    whole = open_dataset(wanted.name, Path(data.root) / wanted.folder)
    dataset = whole.part(wanted.part) if wanted.part else whole
    if others := [m.name for m in whole.members if wanted.part and m.part != wanted.part]:
        on_warning(f"left out, for {where}.part is {wanted.part!r}: {', '.join(others)}")
    names = matching(wanted.members, [m.name for m in dataset.members], f"{where}.members")
    subjects = matching(wanted.subjects, [m.subject for m in dataset.members], f"{where}.subjects")
    kept = tuple(m for m in dataset.members if m.name in names and m.subject in subjects)
    dataset = replace(dataset, members=kept)
    if wanted.leave_out_unfit:
        dataset = dataset.fitting(pipeline.montage.channels)
    for line in left_out_lines(whole, dataset):
        on_warning(line)
    meanings = wanted.labels or {label: label for label in pipeline.classes}
    for word in meanings:
        if not any(meaning_of(label, {word: word}) for label in dataset.labels) and not is_background(word):
            raise ConfigError(f"{where}.labels: {dataset.name} has no {word!r}; it has {', '.join(dataset.labels)}")
    return [_member_source(dataset, member, meanings, wanted, data, pipeline) for member in dataset.members]


def _member_source(
    dataset: Dataset,
    member: Member,
    meanings: dict[str, str],
    wanted: DatasetConfig,
    data: DataConfig,
    pipeline: PipelineConfig,
) -> Source:
    labels = labelled(member.recording, meanings, pipeline)
    return Source(
        name=member.name if isinstance(data.dataset, DatasetConfig) else f"{dataset.name}/{member.name}",
        recording=member.recording,
        stretches=stretches_of(member.recording, labels, pipeline),
        elsewhere=wanted.elsewhere,
        repeats=1,
        held_out=False,
        origin=dataset.citation or dataset.name,
        licence=wanted.licence,
        group=group_of_member(dataset, member, data.validation.by),
        subject=subject_of_member(dataset, member),
        labels=labels,
        warnings=account(member.name, member.recording, labels, meanings.values()),
        category=dataset.name,
    )


def _synthetic(config: SyntheticConfig, held_fraction: float) -> list[Source]:
    n, n_held = config.n_recordings, round(held_fraction * config.n_recordings)
    # Spread evenly over the recordings.
    with_seizure = np.diff(np.floor(np.arange(n + 1) * config.seizure_fraction + 1e-9)) > 0
    held = np.zeros(n, bool)
    held[np.linspace(0, n - 1, n_held).round().astype(int)] = True
    sources = []
    for i in range(n):
        seed, n_seizures = config.seed * 100_000 + i, int(with_seizure[i])
        recording = synthesise(
            seed, config.duration_s, n_seizures=n_seizures, mimics=config.mimics, with_arousals=config.arousals
        )
        stretches = tuple(Stretch(e.onset, e.onset + e.duration, config.label) for e in recording.annotations)
        name = recording.info.name
        source = Source(name, recording, stretches, BACKGROUND, 1, bool(held[i]), "rtbci's generator")
        sources.append(replace(source, category="synthetic"))
    return sources


def make_example(
    pipeline: Pipeline, source: Source, preprocessed: Preprocessed | None = None, *, lasting: bool = True
) -> Example:
    """Preprocess and label a recording; for an epoch network each sample is a step.

    Parameters
    ----------
    pipeline
        Whose stages.
    source
        The recording.
    preprocessed
        Where its signal is kept; None: in memory.
    lasting
        As of `Preprocessed.signal`.
    """
    hop = step_of(pipeline)
    signal = (preprocessed or Preprocessed(None)).signal(pipeline, source.recording, hop, lasting=lasting)
    y, known = label_steps(signal.times[:], source, pipeline.classes)
    return Example(source, signal.x, signal.times, StepLabels.of(y, known & signal.valid[:]), hop)


def step_of(pipeline: Pipeline) -> int:
    """Samples of a step: of an epoch network each is one."""
    return 1 if pipeline.network.window is not None else pipeline.hop


def require_labels(examples: list[Example], classes: tuple[str, ...]) -> None:
    """Raise ConfigError where a class has no known step."""
    for k, name in enumerate(classes):
        if not any(True in e.labels.holds(k) for e in examples):
            raise ConfigError(
                f"no training recording has a known step of {name!r}; check data.recordings.labels, and which "
                "recordings are held out"
            )
