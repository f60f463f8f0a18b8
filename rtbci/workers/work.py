"""What every engine does with a job, in whatever process: make the work once, then job after job, and say what came of each."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from rtbci.errors import RtbciError, error_text
from rtbci.plugins import plugin

Report: TypeAlias = Callable[[Any], None]  # told the progress of a job, in whatever form the work has
Work: TypeAlias = Callable[[Any, Report], Any]  # (job, report) -> result
Make: TypeAlias = Callable[[], Work]  # makes, once in a process, what does the work; it is pickled


@dataclass(frozen=True)
class Done:
    """A result, and the seconds that it took."""

    result: Any
    seconds: float


@dataclass(frozen=True)
class Failed:
    """Why a job came to nothing, in one line; ended: whether its process was, whatever it did."""

    reason: str
    ended: bool = False


@dataclass(frozen=True)
class Mistake:
    """Why there cannot be any work at all, in one line."""

    reason: str


@dataclass(frozen=True)
class Bug:
    """The traceback of a mistake of ours."""

    text: str


Outcome: TypeAlias = Done | Failed | Mistake | Bug


def ready(make: Make, plugins: tuple[str, ...]) -> Work | Mistake:
    """What does the work, with the plug-ins that the user named; or why it cannot be made."""
    try:
        for one in plugins:
            plugin(one)
        return make()
    except (RtbciError, OSError) as error:
        return Mistake(error_text(error))


def attempt(work: Work, job: Any, report: Report) -> Outcome:
    """Do a job; a file that cannot be read is its failure, anything unforeseen a bug."""
    began = time.monotonic()
    try:
        return Done(work(job, report), time.monotonic() - began)
    except (RtbciError, OSError) as error:
        return Failed(error_text(error))
    except Exception:
        return Bug(traceback.format_exc())


def settled(outcome: Outcome) -> Done | Failed:
    """The outcome of a job; raises RtbciError for a mistake, and RuntimeError for a bug."""
    if isinstance(outcome, Mistake):
        raise RtbciError(outcome.reason)
    if isinstance(outcome, Bug):
        raise RuntimeError(outcome.text)
    return outcome
