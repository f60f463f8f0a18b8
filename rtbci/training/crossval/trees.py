"""The baseline of a fold: boosted trees on band powers and line length of the last two seconds, decided and scored alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from rtbci.errors import ConfigError
from rtbci.evaluation.decisions import decide
from rtbci.evaluation.tagging import Tagged
from rtbci.models import from_config
from rtbci.pipeline.config import PipelineConfig
from rtbci.pipeline.pipeline import Pipeline
from rtbci.stages.scaling import NoScaling
from rtbci.training.config import TrainConfig
from rtbci.training.crossval.operating_point import Answered, OperatingPoint, operating_points, with_point
from rtbci.training.data import OnProgress, with_mask, with_sizes
from rtbci.training.preprocessed import parts_of
from rtbci.training.source import Source
from rtbci.training.step_labels import label_steps
from rtbci.types import Chunk, Flags, Samples

if TYPE_CHECKING:
    from sklearn.ensemble import HistGradientBoostingClassifier

WINDOW_S = 2.0
BANDS_HZ = ((0.5, 2), (2, 4), (4, 6), (6, 8), (8, 10), (10, 13), (13, 17), (17, 22), (22, 28), (28, 40))
FLOOR_UV2 = 1e-3  # added to a power before its logarithm
N_TREES = 200


@dataclass(frozen=True)
class Described:
    """A recording by hop: features (n_hops, n_features), labels (n_hops, n_classes), and whether they are known and valid."""

    source: Source
    times: npt.NDArray[np.float64]
    valid: Flags
    features: Samples
    y: Samples
    known: Flags


class Forest:
    """One classifier a class, fitted to the hops of some recordings.

    Each hop weighs so that both kinds of a class weigh the same, and a subject with so many hops of a kind as the square
    root of their number. The booster is that of scikit-learn, after G. Ke et al., LightGBM, NeurIPS 2017.

    Parameters
    ----------
    described
        To fit to.
    seed
        Of the booster.
    """

    def __init__(self, described: Sequence[Described], seed: int) -> None:
        x = np.concatenate([one.features[one.known] for one in described])
        y = np.concatenate([one.y[one.known] for one in described]) > 0.5
        whose = np.concatenate([np.full(int(one.known.sum()), i) for i, one in enumerate(described)])
        subjects = np.unique([one.source.subject or one.source.name for one in described], return_inverse=True)[1][
            whose
        ]
        self._boosters = [self._fit(x, column, subjects, seed) for column in y.T]

    @staticmethod
    def _fit(x: Samples, y: Flags, subjects: npt.NDArray[np.intp], seed: int) -> HistGradientBoostingClassifier:
        from sklearn.ensemble import HistGradientBoostingClassifier

        counts = np.zeros((subjects.max() + 1, 2))
        np.add.at(counts, (subjects, y.astype(int)), 1)
        weights = counts[subjects, y.astype(int)] ** -0.5
        weights /= np.where(y, weights[y].sum(), weights[~y].sum())
        booster = HistGradientBoostingClassifier(
            max_iter=N_TREES, learning_rate=0.05, max_leaf_nodes=15, min_samples_leaf=50, l2_regularization=1.0,
            early_stopping=False, random_state=seed,
        )  # fmt: skip
        with threadpool_limits(1):  # sums of gradients depend on the number of threads
            return booster.fit(x, y, sample_weight=weights * len(y))

    def answer(self, one: Described) -> Chunk:
        """Probabilities (n_hops, n_classes)."""
        if not len(one.times):
            return Chunk.empty(len(self._boosters))
        with threadpool_limits(1):
            columns = [booster.predict_proba(one.features)[:, 1] for booster in self._boosters]
        return Chunk(np.stack(columns, 1).astype(np.float32), one.times, one.valid)


def bare_pipeline(config: TrainConfig) -> Pipeline:
    """The config's montage, filters and mask of bad channels, in µV; its network is not used."""
    sized = with_mask(with_sizes(config.pipeline), config.augment).model_copy(update={"scaling": NoScaling()})
    return Pipeline(sized, from_config(sized.model))


def describe(pipeline: Pipeline, source: Source) -> Described:
    """Features and labels of a recording, at each hop of a pipeline: those that its network would answer.

    After a gap that was not filled all begins anew, and the hops of `gaps.warmup_s` are not valid, as of a network.
    """
    hop, cold = pipeline.hop, round(pipeline.config.gaps.warmup_s / pipeline.hop_s)
    features, times, valid = [], [], []
    for part in parts_of(pipeline, source.recording):
        part = part[: len(part) // hop * hop]
        features.append(features_of(part.data, hop, pipeline.sfreq))
        times.append(part.times[hop - 1 :: hop])
        valid.append(np.all(part.valid.reshape(-1, hop), axis=1))
        valid[-1][:cold] = False
    stamps, flags = np.concatenate(times), np.concatenate(valid)
    y, known = label_steps(stamps, source, pipeline.classes)
    return Described(source, stamps, flags, np.concatenate(features), y, known & flags)


def features_of(x: Samples, hop: int, sfreq: float) -> Samples:
    """44 features at each hop: log power in ten bands and log line length of each channel over the last two seconds (zeros
    before the recording), as their mean, maximum, standard deviation and median over the channels.

    Parameters
    ----------
    x
        (n_hops * hop, n_channels), µV.
    hop
        Samples.
    sfreq
        Hz.

    Returns
    -------
    numpy.ndarray
        float32 (n_hops, 44).

    References
    ----------
    R. Esteller et al., IEEE EMBS 2001 (line length).
    """
    n = round(WINDOW_S * sfreq)
    padded = np.concatenate([np.zeros((n, x.shape[1]), np.float32), x])
    windows = np.lib.stride_tricks.sliding_window_view(padded, n, axis=0)[hop::hop]  # (n_hops, n_channels, n)
    parts = [_of_channels(part, sfreq) for part in np.array_split(windows, -(-len(windows) // 256) or 1)]
    each = np.concatenate(parts)  # (n_hops, n_channels, 11)
    pooled = [each.mean(axis=1), each.max(axis=1), each.std(axis=1), np.median(each, axis=1)]
    return np.concatenate(pooled, axis=1).astype(np.float32)


def _of_channels(windows: Samples, sfreq: float) -> npt.NDArray[np.float64]:
    n = windows.shape[2]
    hz = np.fft.rfftfreq(n, 1 / sfreq)
    taper = np.hanning(n)
    power = np.abs(np.fft.rfft(windows * taper, axis=2)) ** 2 * (2 / (taper @ taper) / n)  # µV² of each frequency
    bands = [power[..., (hz >= low) & (hz < high)].sum(axis=2) for low, high in BANDS_HZ]
    length = np.abs(np.diff(windows, axis=2)).mean(axis=2)
    return np.log(np.stack([*bands, length**2], axis=2) + FLOOR_UV2)


def choose_and_answer(
    pipeline: Pipeline,
    config: TrainConfig,
    training: Sequence[Source],
    inner: Sequence[frozenset[str]],
    left_out: Sequence[Source],
    on_progress: OnProgress,
) -> tuple[list[OperatingPoint], PipelineConfig, list[tuple[Source, Tagged]]]:
    """What the inner folds come to at every operating point, best first; and the answers to what is left out.

    Parameters
    ----------
    pipeline
        As `bare_pipeline` makes it.
    config
        The training run.
    training, inner
        Recordings to fit to, and the subjects that each inner fold leaves out.
    left_out
        Recordings to answer.
    on_progress
        Told what is done.

    Raises
    ------
    ConfigError
        If a class holds at every known hop of a fit, or at none.
    """
    seed = config.training.seed
    described: list[Described] = []
    for source in training:
        on_progress("describing recordings", len(described), len(training), None)
        described.append(describe(pipeline, source))
    answered: list[Answered] = []
    for number, names in enumerate(inner):
        on_progress("growing trees", number, len(inner) + 1, None)
        forest = _grown([one for one in described if one.source.subject not in names], pipeline.classes, seed)
        answered += [Answered(one.source, forest.answer(one)) for one in described if one.source.subject in names]
    points = operating_points(answered, pipeline.config, config.crossval.operating_point, pipeline.hop_s)
    chosen = with_point(pipeline.config, points[0])
    on_progress("growing trees", len(inner), len(inner) + 1, None)
    forest = _grown(described, pipeline.classes, seed)
    scores = [(source, forest.answer(describe(pipeline, source))) for source in left_out]
    return points, chosen, [(source, decide(chunk, chosen, pipeline.hop_s)) for source, chunk in scores]


def _grown(described: Sequence[Described], classes: Sequence[str], seed: int) -> Forest:
    """Trees of some recordings. Raises ConfigError where there is nothing to tell a class from, or no class to tell."""
    for column, name in enumerate(classes):
        kinds = {bool(kind) for one in described for kind in np.unique(one.y[one.known, column] > 0.5)}
        if len(kinds) < 2:
            raise ConfigError(
                f"{name!r} holds at {'every' if True in kinds else 'no'} known hop of the recordings of a fit, and boosted trees "
                "want both kinds; check data.recordings.labels and elsewhere, or add recordings with background_only = true"
            )
    return Forest(described, seed)
