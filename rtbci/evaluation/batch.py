"""Many recordings through one pipeline: each is written as it is done, and not done again while nothing has changed."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeAlias

from rtbci.datasets.named import MemberOf, opened_from
from rtbci.errors import ConfigError
from rtbci.evaluation.epochs import predictions_path
from rtbci.evaluation.outputs import Outputs, bids_root
from rtbci.evaluation.tagging import Tagged, tag, write_answer
from rtbci.evaluation.whole import read_whole, whole_of
from rtbci.pipeline.pipeline import Pipeline
from rtbci.provenance import __version__, commit, kernels
from rtbci.recordings.content import Digesting, content_digest
from rtbci.recordings.event_table import read_events
from rtbci.recordings.listing import Listed
from rtbci.recordings.overrides import StreamOverrides
from rtbci.recordings.recording import Recording
from rtbci.types import Event

Source: TypeAlias = Recording | Path | MemberOf
OnSeconds: TypeAlias = Callable[[float, float], None]  # those done of a recording, and all


@dataclass(frozen=True)
class Answer:
    """What was written for a recording.

    Attributes
    ----------
    path, duration_s
        What was tagged, and its length.
    outputs
        Where its files are.
    events
        Detected events.
    took_s
        Seconds that it took; None where the files were there already.
    warnings
        A line each: irregularities, and what was chosen for the user.
    samples
        Digest of the samples.
    """

    path: Path
    duration_s: float
    outputs: Outputs
    events: tuple[Event, ...]
    took_s: float | None
    warnings: tuple[str, ...]
    samples: str


@dataclass(frozen=True)
class WholeAnswer:
    """All of an answer to a recording, the digest of its samples, and what was chosen among its channels."""

    result: Tagged
    content: str
    choices: tuple[str, ...]


class Copies:
    """Finds a recording whose samples another one had before it."""

    def __init__(self) -> None:
        self._first: dict[str, str] = {}  # path of the first recording, by digest of its samples

    def warning(self, path: Path, samples: str) -> str:
        """A line where it is a copy, by the digest of its samples; else empty."""
        first = self._first.setdefault(samples, str(path))
        return f"has the same samples as {first}" if first != str(path) else ""


class Batch:
    """Tags recordings, one after another.

    Parameters
    ----------
    pipeline_file
        The pipeline.
    device
        "cpu", "cuda", or "auto".
    again
        Whether to tag recordings again whose answers are there.
    stream
        For XDF: the stream to read.
    told
        What a person says of the recordings.
    threshold
        Of the decision; None: the pipeline's.
    trends
        Whether the rows of the trends are written with the scores.

    Attributes
    ----------
    pipeline
        With that threshold.
    again_elsewhere
        Makes the same in another process; a batch itself is not pickled.
    """

    def __init__(
        self,
        pipeline_file: str | Path,
        *,
        device: str = "cpu",
        again: bool = False,
        stream: str | None = None,
        told: StreamOverrides | None = None,
        threshold: float | None = None,
        trends: bool = False,
    ) -> None:
        self._trends = trends
        self.pipeline = Pipeline.load(pipeline_file).with_threshold(threshold)
        digest = hashlib.sha256(Path(pipeline_file).read_bytes()).hexdigest()
        self._made_by = {
            "pipeline": digest if threshold is None else f"{digest} at {threshold!r}",
            "version": f"{__version__} {commit()}",
            "name": self.pipeline.name,
            "kernels": kernels(),
        } | ({"trends": "yes"} if trends else {})
        self._device, self._again, self._stream, self._told = device, again, stream, told
        self.again_elsewhere = partial(
            Batch,
            pipeline_file,
            device=device,
            again=again,
            stream=stream,
            told=told,
            threshold=threshold,
            trends=trends,
        )

    @property
    def key(self) -> str:
        """What tells the pipeline and its threshold from others, in a few letters."""
        return hashlib.sha256(self._made_by["pipeline"].encode()).hexdigest()[:12]

    def answer(
        self,
        source: Source,
        outputs: Outputs,
        progress: OnSeconds = lambda done_s, all_s: None,
    ) -> Answer:
        """Tag a recording and write the answer, unless it is there.

        Parameters
        ----------
        source
            The recording, or what opens it.
        outputs
            Where to write.
        progress
            Called with the seconds done, and with those of the recording.

        Raises
        ------
        RtbciError
            If it cannot be read, does not fit the pipeline, or its answer would replace what `tag` did not write.
        OSError
            If the answer cannot be written.
        """
        outputs.check()
        recording = self._opened(source)
        made_by, made_from = self._made_by | self._facts(recording), outputs.made_from() or {}
        if not self._again and (samples := self._done_before(recording, outputs, made_by, made_from)):
            events = read_events(outputs.events)
            warnings = self._warnings(recording, outputs)
            return Answer(recording.path, recording.duration_s, outputs, events, None, warnings, samples)
        began = time.perf_counter()
        result, samples = self._tagged(recording, progress)
        write_answer(result, recording, outputs, made_by | {"samples": samples})
        took_s = time.perf_counter() - began
        other = made_from.get("pipeline", made_by["pipeline"]) != made_by["pipeline"]
        replaced = (f"the answer of pipeline {made_from.get('name')!r} was replaced",) if other else ()
        warnings = (*self._warnings(recording, outputs), *result.warnings, *replaced)
        return Answer(recording.path, recording.duration_s, outputs, result.events, took_s, warnings, samples)

    def whole_answer(
        self, source: Source, outputs: Outputs | None, progress: OnSeconds = lambda done_s, all_s: None
    ) -> WholeAnswer:
        """Tag a recording; with `outputs`, keep all of the answer there, unless it is kept there. Raises as `answer` does."""
        recording = self._opened(source)
        choices = self.pipeline.choices(recording.info)
        if outputs is None:
            result, samples = self._tagged(recording, progress)
            return WholeAnswer(result, samples, choices)
        made_by, made_from = self._made_by | self._facts(recording), outputs.made_from() or {}
        kept = read_whole(outputs.scores) if made_from else None
        if kept is not None and (samples := self._done_before(recording, outputs, made_by, made_from)):
            return WholeAnswer(kept, samples, choices)
        result, samples = self._tagged(recording, progress)
        write_answer(result, recording, outputs, made_by | {"samples": samples}, whole_of(result))
        return WholeAnswer(result, samples, choices)

    def _opened(self, source: Source) -> Recording:
        return opened_from(source, stream=self._stream, told=self._told)

    def _tagged(self, recording: Recording, progress: OnSeconds) -> tuple[Tagged, str]:
        """The answer, and the digest of the samples."""
        digesting = Digesting(recording)

        def on_progress(seconds: float) -> None:
            progress(seconds, recording.duration_s)

        result = tag(self.pipeline, digesting.recording, device=self._device, progress=on_progress, trends=self._trends)
        return result, digesting.text()

    def _facts(self, recording: Recording) -> dict[str, str]:
        """Whatever but the samples goes into an answer."""
        cues = [(e.onset, e.label) for e in recording.annotations] if self.pipeline.config.cues is not None else []
        facts = repr((recording.info, recording.start, recording.duration_s, cues))
        return {"facts": hashlib.sha256(facts.encode("utf-8", "surrogatepass")).hexdigest()} | {
            "recording": str(recording.path.absolute())
        }

    def _done_before(
        self, recording: Recording, outputs: Outputs, made_by: Mapping[str, str], made_from: Mapping[str, str]
    ) -> str:
        """The digest of the samples where the very answer is there; else empty. Raises ConfigError."""
        is_moved = made_from.get("recording", made_by["recording"]) != made_by["recording"]
        is_same = all(made_from.get(key) == made_by[key] for key in ("pipeline", "version", "facts"))
        is_same = is_same and (not self._trends or "trends" in made_from)
        if not is_moved and not is_same:
            return ""
        samples = content_digest(recording)
        if samples == made_from.get("samples"):
            return samples if is_same else ""
        if is_moved:
            raise ConfigError(
                f"{outputs.scores}: is the answer to another recording of this name, {made_from['recording']}; name "
                "another folder with --out, or replace it with --again"
            )
        return ""

    def _warnings(self, recording: Recording, outputs: Outputs) -> tuple[str, ...]:
        return (
            *recording.warnings,
            *self.pipeline.choices(recording.info),
            *([f"its events are in {outputs.events.name}: in the folder of the recording, {outputs.name}_events.tsv "
               "is the name of an expert's table"] if outputs.beside else []),
        )  # fmt: skip


Place = Outputs | Path | ConfigError


def placed(recordings: Sequence[Listed], epochs: Sequence[Path], out: Path) -> list[tuple[Path, Place]]:
    """Where the answer to each file belongs, or why it has no place.

    That of a recording in a folder that was named, or in a BIDS tree, is at the same place below `out`; the table of an
    epochs file is in `out`.
    """
    places: list[tuple[Path, Place]] = []
    for one in recordings:
        try:
            places.append((one.path, Outputs.of(one.path, out / one.place if bids_root(one.path) is None else out)))
        except ConfigError as error:
            places.append((one.path, error))
    places += [(path, predictions_path(path, out)) for path in dict.fromkeys(epochs)]
    return [*_distinct(places)]


def _distinct(places: list[tuple[Path, Place]]) -> Iterator[tuple[Path, Place]]:
    taken: dict[Path, Path] = {}
    for path, place in places:
        target = place.events if isinstance(place, Outputs) else place
        if isinstance(target, Path) and (other := taken.setdefault(target.absolute(), path)) != path:
            clash = f"{path}: would be written as {target}, as {other} is; tag it into another folder"
            yield path, ConfigError(clash)
        else:
            yield path, place
