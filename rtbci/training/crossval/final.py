"""From folds to a pipeline: the final fit of the recipe that a cross-validation judged, settled by its folds alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rtbci.errors import ConfigError
from rtbci.models.threads import torch_threads
from rtbci.pipeline.pipeline import Pipeline
from rtbci.text import listing
from rtbci.training.config import TrainConfig
from rtbci.training.crossval.claimed import Manifest, flat
from rtbci.training.crossval.config import CrossvalConfig
from rtbci.training.crossval.folder import Folder, read_finished, read_manifest
from rtbci.training.crossval.masked import masked_out_of_fold
from rtbci.training.crossval.operating_point import Answered, OperatingPoint, operating_points
from rtbci.training.crossval.parts import window_of
from rtbci.training.crossval.plan import units_of
from rtbci.training.crossval.results import FoldResult
from rtbci.training.crossval.run import prepared
from rtbci.training.crossval.totals import notes_of_folds
from rtbci.training.data import OnProgress, OnWarning
from rtbci.training.examples import find_sources
from rtbci.training.source import Source
from rtbci.training.splits import matches
from rtbci.training.train import Settled, check_out, train

SECTIONS = ("pipeline", "augment", "sampling", "training")
# What cannot matter to a final fit, which ends at an epoch that is settled before.
WHATEVER = ("pipeline.name", "training.threads", "training.device", "training.patience")


@dataclass(frozen=True)
class Judged:
    """A complete cross-validation."""

    path: Path
    manifest: Manifest
    config: TrainConfig
    folds: tuple[FoldResult, ...]

    @classmethod
    def read(cls, path: Path) -> Judged:
        """Raises ConfigError where there is none, it is not of one tagger for all, or folds are missing."""
        config = read_manifest(path).train_config(str(path))
        if window_of(config) is not None:
            raise ConfigError(
                f"{path}: judged a network of trials, and --crossval settles the final fit of a tagger, by a threshold; train "
                "without it, with training.epochs and nothing held out"
            )
        if config.crossval.within is not None:
            raise ConfigError(
                f"{path}: judged each subject by itself, and not one fit on all of them; cross-validate the recordings of one "
                "subject without crossval.within, and name that folder"
            )
        manifest, folds = read_finished(path)
        return cls(path, manifest, config, tuple(folds))

    @property
    def folder(self) -> Folder:
        return Folder(self.path, self.manifest.digest)

    @property
    def subject_of(self) -> dict[str, str]:
        """By recording."""
        return {row.recording: row.subject for fold in self.folds for row in fold.recordings}


def train_final(
    config: TrainConfig,
    folder: str | Path,
    out: str | Path,
    progress: OnProgress | None = None,
    *,
    resume: bool = False,
    on_warning: OnWarning = lambda _: None,
) -> Pipeline:
    """The final fit of a recipe that was cross-validated: on all recordings of the config, for the epochs of the folds.

    Parameters
    ----------
    config
        The training run; but for its data, that of the cross-validation.
    folder
        Of a complete cross-validation.
    out, progress, resume, on_warning
        As for `train`.

    Returns
    -------
    Pipeline
        As saved, with the figures of the folds in `notes["crossval"]`.

    Raises
    ------
    ConfigError
        If the recipe is another one, folds are missing, or no threshold can be chosen; and as `train` does.
    RecordingError, DatasetError, PipelineFileError
        As `train` does.
    """
    check_out(Path(out))
    judged = Judged.read(Path(folder))
    require_same_recipe(config, judged)
    ready, told = prepared(config)
    ready = ready.model_copy(update={"training": config.training})
    if config.crossval not in (judged.config.crossval, CrossvalConfig()):
        told.append("crossval: not used; threshold and duration are chosen by the rule of the folds")
    with torch_threads(config.training.threads):
        settled = settle(ready, judged, told, progress or (lambda *_: None), on_warning)
    return train(ready, out, progress, resume=resume, on_warning=on_warning, settled=settled)


def require_same_recipe(config: TrainConfig, judged: Judged) -> None:
    """Raise ConfigError where pipeline, augmentation or fit are not those that were judged; it names the keys."""
    if judged.config.crossval.baseline:
        raise ConfigError(
            f"{judged.path}: judged the baseline of boosted trees, which is no pipeline; name that of the network"
        )
    here, there = (flat(one.model_dump(mode="json", include=set(SECTIONS))) for one in (config, judged.config))
    keys = sorted(key for key in {*here, *there} if here.get(key) != there.get(key) and key not in WHATEVER)
    if keys:
        shown = [f"{key} is {_shown(there.get(key))} there, {_shown(here.get(key))} here" for key in keys]
        raise ConfigError(f"{judged.path}: judged another recipe: {listing(shown, 6)}")


def settle(
    config: TrainConfig, judged: Judged, told: Sequence[str], on_progress: OnProgress, on_warning: OnWarning
) -> Settled:
    """Epoch and operating point, and what the pipeline file says of the folds.

    Parameters
    ----------
    config
        Of the final fit, prepared.
    judged
        The cross-validation.
    told
        What of the config is not used.
    on_progress, on_warning
        As for `train`; what is odd is told before anything that takes long.

    Raises
    ------
    ConfigError
        If no threshold can be chosen.
    """
    on_progress("comparing with the folds", 0, 1, None)
    sources = units_of(find_sources(config), config)
    unchanged = _unchanged(Manifest.of(config, sources), judged, sources)
    other_data = difference(config, judged, sources, unchanged)
    warnings = (*told, other_data) if other_data else tuple(told)
    for line in warnings:
        on_warning(line)
    chosen = choose(judged, unchanged)
    if chosen.keeps_bound is False:
        warnings = (
            *warnings,
            f"no operating point has {judged.config.crossval.operating_point.at}; the nearest is chosen",
        )
        on_warning(warnings[-1])
    epoch = median_epoch(judged.folds)
    there, here = set(judged.subject_of.values()), {source.subject for source in sources if source.subject}
    crossval = judged.config.crossval
    notes = notes_of_folds(
        judged.folds,
        crossval,
        seeds={"crossval": crossval.seed, "training": judged.config.training.seed},
        digest=judged.manifest.digest,
        epoch=epoch,
        point=chosen,
        not_in_final_fit=there - here,
        not_in_folds=here - there,
    )
    masked = masked_out_of_fold(judged.config, judged.folder, judged.folds, unchanged, on_progress)
    return Settled(epoch, chosen.decision(config.pipeline.decision), notes.plain(), masked, warnings)


def median_epoch(folds: Sequence[FoldResult]) -> int:
    """The median of the epochs that folds chose, rounded down."""
    return int(np.median([fold.epoch for fold in folds]))


def choose(judged: Judged, unchanged: Mapping[str, Source]) -> OperatingPoint:
    """The operating point by the rule of the cross-validation, on the scores that each recording has of the fold that left
    its subject out.

    Parameters
    ----------
    judged
        The cross-validation.
    unchanged
        Recordings of the final fit that the folds had as they are, by name.

    Raises
    ------
    ConfigError
        If they are without a seizure, or without the groups in which no alarm is wanted.
    """
    wanted, pipeline = judged.config.crossval.operating_point, judged.config.pipeline
    scores = {name: chunk for fold in judged.folds for name, chunk in judged.folder.scores(fold.fold).items()}
    answered = [Answered(source, scores[name]) for name, source in unchanged.items()]
    if not any(matches(one.source.category, wanted.no_alarm_in) for one in answered):
        raise ConfigError(
            f"no threshold can be chosen: of the groups {listing(wanted.no_alarm_in)}, in which {judged.path} wants no alarm, "
            "the final fit has no recording that a fold had as it is"
        )
    hop_s = Pipeline.load(judged.folder.pipeline_file(judged.folds[0].fold)).hop_s
    chosen = operating_points(answered, pipeline, wanted, hop_s)[0]
    if not chosen.seizures:
        raise ConfigError(
            f"no threshold can be chosen: the final fit has no recording of a seizure that a fold of {judged.path} had as it "
            "is"
        )
    return chosen


def difference(config: TrainConfig, judged: Judged, sources: Sequence[Source], unchanged: Mapping[str, Source]) -> str:
    """What the data of the final fit have that those of the folds have not, and the reverse, in one line; empty: nothing."""
    of = judged.subject_of
    here = {source.name: source.subject for source in sources if source.subject}
    there, mine = set(of.values()), set(here.values())
    known = there & mine
    parts = {
        "subjects not in the final fit": there - mine,
        "subjects in no fold": mine - there,
        "recordings not in the final fit, of other subjects": {name for name in of if of[name] in known} - here.keys(),
        "recordings in no fold, of subjects of the folds": {name for name in here if here[name] in known} - of.keys(),
        "recordings that were changed since": here.keys() & of.keys() - unchanged.keys(),
    }
    told = [f"{what}: {listing(sorted(names))}" for what, names in parts.items() if names]
    if config.data.synthetic != judged.config.data.synthetic:
        told.append("other synthetic recordings")
    return f"the data are not those of the folds: {'; '.join(told)}" if told else ""


def _unchanged(mine: Manifest, judged: Judged, sources: Sequence[Source]) -> dict[str, Source]:
    """Recordings with the samples, labels, subject and group that the folds had."""
    same = {name for name, digest in mine.recordings.items() if judged.manifest.recordings.get(name) == digest}
    return {source.name: source for source in sources if source.subject and source.name in same}


def _shown(value: Any, most: int = 40) -> str:
    text = str(value)
    return text if len(text) <= most else f"{text[: most - 2]} …"
