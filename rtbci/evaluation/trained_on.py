"""What a pipeline was trained on, as its notes say: recordings, found by their samples, and the persons in their names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rtbci.datasets.subjects import named_subjects

DIGITS = 32  # of a digest that are noted


@dataclass(frozen=True)
class Seen:
    """A recording that took part in a training.

    Attributes
    ----------
    name
        Its name there.
    content
        Digest of its samples; empty: not noted, as older versions did.
    held_out
        Whether it chose the epoch, and was not fitted to.
    """

    name: str
    content: str
    held_out: bool


class TrainedOn:
    """The recordings in a pipeline's notes, which are JSON of any shape.

    Parameters
    ----------
    notes
        Of a pipeline.
    """

    def __init__(self, notes: dict[str, Any]) -> None:
        rows = notes.get("trained_on")
        tables = [row for row in (rows if isinstance(rows, list) else ()) if isinstance(row, dict)]
        self.rows = [
            Seen(str(row.get("recording", "")), str(row.get("content") or ""), bool(row.get("held_out")))
            for row in tables
        ]
        self.subjects = {subject for row in self.rows for subject in named_subjects(row.name)}

    def find(self, path: Path, content: str) -> Seen | None:
        """The row of a recording: by its samples; where these were not noted, by the name of its file."""
        for row in self.rows:
            if content.startswith(row.content) if row.content else Path(row.name).name == path.name:
                return row
        return None

    def warning(self, path: Path, content: str, subject: str) -> str:
        """One line where the pipeline has seen the recording, or another one of the same person; else empty."""
        if (row := self.find(path, content)) is not None:
            what = "it was held out in the pipeline's training, and chose its epoch" if row.held_out else (
                "the pipeline was trained on it")  # fmt: skip
            return f"{what}: its figures are better than those of a new recording"
        if subject in self.subjects:
            return "the pipeline was trained on other recordings of this person: a new patient may do worse"
        return ""
