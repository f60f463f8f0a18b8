"""Work for processes: twice the job, or the trouble that it names."""

import os
from collections.abc import Callable

from rtbci.errors import RecordingError


class Doubler:
    def __init__(self, broken: bool = False) -> None:
        if broken:
            raise RecordingError("no pipeline")

    def __call__(self, job: object, report: Callable[[object], None]) -> object:
        report(f"half of {job}")
        if job == "die":
            os._exit(7)
        if job == "fail":
            raise RecordingError("fail.edf: is damaged")
        if job == "bug":
            raise ZeroDivisionError
        return 2 * job  # type: ignore[operator]
