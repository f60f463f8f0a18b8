"""The section `[crossval]` of a training config: who is tested, and by which rule a fold chooses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, NonNegativeInt, PositiveFloat, field_validator, model_validator

from rtbci.config import Name, Strict
from rtbci.errors import ConfigError

if TYPE_CHECKING:
    from rtbci.evaluation.curve import Rule

# (by, within) that leave something to train on
INSIDE = (("recording", "subject"), ("trial", "subject"), ("trial", "recording"))
_STEPS = tuple(n / 20 for n in range(1, 20))

Threshold = Annotated[float, Field(gt=0, le=1)]


class OperatingPointConfig(Strict):
    """How a fold chooses threshold and minimum duration, from the scores of its inner folds alone.

    The rule: no alarm in the recordings of `no_alarm_in`, or as few as there can be; of the points that have that, most
    seizures found; then the least median delay; then the fewest alarms elsewhere; then the highest threshold, then the
    longest duration. One odd recording can so cost many seizures. With `enough`, the rule is: so many of the seizures
    found, or as near to it as there can be; of the points that have that, the fewest alarms in `no_alarm_in`, then the
    fewest elsewhere, then the least median delay, the highest threshold, the longest duration. With `miss_weighs`, the
    rule is a balance: a missed seizure, or an alarm in `no_alarm_in`, weighs as much as so many alarms elsewhere, and the
    point of the least sum is chosen; then the least median delay, the highest threshold, the longest duration. With `at`,
    the rule is that of `rtbci evaluate --at`: of the points that keep a bound, the one that finds most seizures (where the
    bound is on sensitivity or F1: with the fewest alarms, whatever their group), or, where none does, the nearest to it; then
    the highest threshold, the longest duration.

    Attributes
    ----------
    thresholds
        Those to choose from; `release` keeps its distance below, as in the pipeline.
    min_duration_s
        Shortest events to choose from; empty: the pipeline's. The smoothing is the pipeline's.
    no_alarm_in
        Patterns of groups of recordings (`data.recordings.group`) in which no alarm is wanted.
    enough
        Share of the seizures that must be found, where that comes first.
    miss_weighs
        Number of alarms that a missed seizure weighs as much as, where the two are balanced.
    at
        A bound, as "fa_per_h<=0.5" or "sensitivity>=0.9" (also of precision, f1, fa_per_24h, delay_s), or "f1" for the highest
        F1, where that comes first.
    """

    thresholds: Annotated[tuple[Threshold, ...], Field(min_length=1, max_length=1000)] = _STEPS
    min_duration_s: Annotated[tuple[PositiveFloat, ...], Field(max_length=100)] = ()
    no_alarm_in: Annotated[tuple[Name, ...], Field(min_length=1)] = ("*",)
    enough: Annotated[float, Field(gt=0, le=1)] | None = None
    miss_weighs: PositiveFloat | None = None
    at: str | None = None

    @model_validator(mode="after")
    def _one_rule(self) -> Self:
        given = [name for name in ("enough", "miss_weighs", "at") if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} are {len(given)} rules; wanted one of them, or none")
        self.rule()
        return self

    def rule(self) -> Rule | None:
        """That of `at`; None where another one chooses. Raises ValueError."""
        if self.at is None:
            return None
        from rtbci.evaluation.curve import Rule

        try:
            return Rule.parse(self.at, "at")
        except ConfigError as error:
            raise ValueError(str(error)) from None


class CrossvalConfig(Strict):
    """Nested cross-validation, for `rtbci crossval`.

    Attributes
    ----------
    by
        The unit that is never split. "subject": how well new patients are answered. "recording": how well further recordings
        of the same patients are; each recording with an event is tested by a fold that trains on the others, so that, on the
        recordings of one patient, one seizure is left out at a time. "trial", for networks of trials: each recording is cut
        into `folds` parts with nearly as many trials in each, and a part is left out.
    within
        What else a fit may see: "subject", only recordings of the subject that it is tested on; "recording", only the other
        parts of the recording. Each subject, or recording, is then a problem of its own, with fits of its own. Left out:
        everything, and with `by = "trial"` the recording.
    shuffle
        Whether trials are dealt to the parts one by one at random, with as many of each class in each, where they could be
        blocks in the order of time. Neighbours are alike, and then stand on both sides. Published single trials always are.
    test
        Patterns of the subjects, or recordings, that are tested. Others, as sources of background, are dealt among the folds
        as they are, so that their recordings, too, are answered by a fit that never saw them.
    folds
        0: each tested subject is a fold; else so many groups of them, dealt by the seed. With `by = "trial"`, the number of
        parts.
    inner
        Folds among the training subjects of each fold, on which epoch and operating point are chosen.
    epoch
        Which is kept: the one of the lowest held-out loss, or the last of the schedule. A network can grow too sure of itself
        about new patients, and its loss with it, while it still learns to tell seizures from the rest.
    operating_point
        How threshold and minimum duration are chosen.
    baseline
        Whether boosted trees on band powers and line length answer, in place of the network.
    seed
        For the dealing and for the intervals. The seed of the fits is `training.seed`.
    """

    by: Literal["subject", "recording", "trial"] = "subject"
    within: Literal["subject", "recording"] | None = None
    shuffle: bool = False
    test: Annotated[tuple[Name, ...], Field(min_length=1)] = ("*",)
    folds: NonNegativeInt = 0
    inner: Annotated[int, Field(ge=2, le=100)] = 3
    epoch: Literal["lowest loss", "last"] = "lowest loss"
    operating_point: OperatingPointConfig = OperatingPointConfig()
    baseline: bool = False
    seed: NonNegativeInt = 0

    @property
    def problem(self) -> Literal["subject", "recording"] | None:
        """What is cross-validated by itself; None: all together."""
        return self.within or ("recording" if self.by == "trial" else None)

    @field_validator("folds")
    @classmethod
    def _more_than_one(cls, folds: int) -> int:
        if folds == 1:
            raise ValueError("one fold leaves nothing to train on; wanted 0 (each subject on its own), or 2 or more")
        return folds

    @model_validator(mode="after")
    def _units_agree(self) -> Self:
        if self.by == "trial" and not self.folds:
            raise ValueError('by = "trial" wants the number of parts that a recording is cut into, as folds = 5')
        if self.within is not None and (self.by, self.within) not in INSIDE:
            raise ValueError(
                f"within = {self.within!r} leaves nothing to train on where by = {self.by!r}; leave it out"
            )
        if self.shuffle and self.by != "trial":
            raise ValueError(f'shuffle: trials are dealt where by = "trial", not where by = {self.by!r}; leave it out')
        return self
