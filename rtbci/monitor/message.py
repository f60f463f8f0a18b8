"""The base of what crosses between an engine and its viewers: a frozen model, bounds of numbers, and a line of the log."""

from __future__ import annotations

import time
from typing import Annotated, Literal, TypeAlias, TypeVar

from pydantic import AfterValidator, ConfigDict, Field, ValidationError, ValidationInfo

from rtbci.config import LARGEST
from rtbci.results import Result

READ = "read"  # the context of a validation: another process wrote this


def within(least: float, most: float) -> AfterValidator:
    """Bounds of a number that another process wrote."""

    def check(value: float, info: ValidationInfo) -> float:
        if info.context == READ and not least <= value <= most:
            raise ValueError(f"is not from {least:g} to {most:g}")
        return value

    return AfterValidator(check)


Real = Annotated[float, within(-LARGEST, LARGEST)]
Whole = Annotated[int, within(-LARGEST, LARGEST)]
Count = Annotated[int, within(0, LARGEST)]
Rate = Annotated[float, within(1e-3, 1e6)]
Speed = Annotated[float, within(0, 1e6)]
Fraction = Annotated[float, within(0, 1)]
ReplaySeconds = Annotated[float, within(-1e8, 1e8)]  # the steps of the dashboard's slider are tenths of a second
ClockSeconds = Annotated[float, within(-1e10, 1e10)]  # seconds of any clock
WallTime = Annotated[float, within(0, 1e11)]


Verdict: TypeAlias = Literal["", "confirmed", "rejected"]


class Message(Result):
    """The base of all models that cross."""

    model_config = ConfigDict(extra="ignore")
    ALWAYS = ("kind", "wall", "do")


Model = TypeVar("Model", bound=Message)


def read(model: type[Model], content: str | bytes) -> Model | None:
    """Parse what another process wrote; None if it is invalid."""
    try:
        return model.model_validate_json(content, strict=True, context=READ)
    except ValidationError:
        return None


class Line(Message):
    """An entry of the log."""

    kind: str
    wall: WallTime = Field(default_factory=time.time)
    """When, in seconds since 1970."""
