"""The section `[electrodes]` of a training config: what `rtbci select --by-patient` compares a learned selection with."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, field_validator

from rtbci.config import Name, Names, Strict
from rtbci.text import file_name

ALL, GUMBEL, WITHIN = "all derivations", "gumbel", "gumbel, close together"
INFORMATION, RANDOM = "mutual information", "random"
LEARNED = (ALL, GUMBEL, WITHIN, INFORMATION, RANDOM)


class FixedSet(Strict):
    """A set of derivations that was chosen beforehand, as that of a wearable device.

    Attributes
    ----------
    name
        For the table; sets of several sizes may share one.
    derivations
        Of the montage.
    """

    name: Name
    derivations: Annotated[Names, Field(min_length=1)]

    @field_validator("name")
    @classmethod
    def _is_free(cls, name: str) -> str:
        if any(file_name(name, "set").casefold().startswith(file_name(one, "set")) for one in LEARNED):
            raise ValueError(
                f"{name!r} is too like {', '.join(LEARNED)}, which have rows of their own; name it otherwise"
            )
        return name

    @field_validator("derivations")
    @classmethod
    def _each_once(cls, derivations: tuple[str, ...]) -> tuple[str, ...]:
        if twice := [name for name, n in Counter(derivations).items() if n > 1]:
            raise ValueError(f"a set has each derivation once; {twice[0]} is there twice")
        return derivations


class ElectrodesConfig(Strict):
    """What a selection by patient is compared with, and how its operating point is found.

    Attributes
    ----------
    sets
        Fixed sets; those with as many derivations as are asked for take part.
    within_cm
        For a second search, whose derivations lie close together: the distance along the scalp between any two of their
        electrodes, at most, on a head of 56.5 cm circumference. Left out: no such search.
    operating_point
        "pipeline": threshold and minimum duration of the config, for every set. "inner": chosen for each set by the rule of
        `crossval.operating_point`, on the scores of fits to the inner folds; takes `crossval.inner` fits more for each.
    """

    sets: tuple[FixedSet, ...] = ()
    within_cm: PositiveFloat | None = None
    operating_point: Literal["pipeline", "inner"] = "pipeline"

    @field_validator("sets")
    @classmethod
    def _differ(cls, sets: tuple[FixedSet, ...]) -> tuple[FixedSet, ...]:
        keys = [(file_name(one.name, "set").casefold(), len(one.derivations)) for one in sets]
        for one, key in zip(sets, keys, strict=True):
            if keys.count(key) > 1:
                raise ValueError(f"two sets of {key[1]} derivations are named {one.name!r}")
        return sets
