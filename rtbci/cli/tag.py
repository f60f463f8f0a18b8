"""`rtbci tag`: tags recordings offline, and tells what becomes of each, as text or JSON."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path

from rich.progress import Progress, TimeRemainingColumn

from rtbci.cli.terminal import Terminal
from rtbci.datasets.named import MemberOf, missing_line, open_named
from rtbci.errors import ConfigError, RecordingError, RtbciError, about_file, error_text
from rtbci.evaluation.batch import Answer, Batch, Copies, Source, placed
from rtbci.evaluation.epochs import is_epochs, tag_epochs
from rtbci.evaluation.outputs import Outputs
from rtbci.models.step import check_device
from rtbci.recordings.listing import Listed, listed
from rtbci.recordings.overrides import StreamOverrides
from rtbci.recordings.recording import Recording
from rtbci.results import Result, Text, print_json
from rtbci.workers.needs import Needs
from rtbci.workers.side_by_side import HERE, Workers, in_order, side_by_side
from rtbci.workers.work import Done, Failed, Report


class TaggedEvent(Result):
    """An event in seconds of the recording."""

    onset_s: float
    """Onset."""
    duration_s: float
    """Length."""
    label: Text
    """Class."""
    confidence: float
    """Largest smoothed probability, 0 to 1."""


class TaggedRow(Result):
    """A recording."""

    recording: Text
    """Its path."""
    duration_s: float
    """Of the recording."""
    events: tuple[TaggedEvent, ...]
    events_tsv: Text
    """Path of the event table."""
    scores_npz: Text
    """Path of the scores."""
    times_real_time: float | None
    """Length of the recording over the time that tagging took; null where it was skipped."""
    skipped: bool
    """Whether its answer was there already, by this pipeline and from the same samples."""


class FailedRow(Result):
    """A file that was not tagged."""

    recording: Text
    """Its path."""
    reason: Text
    """One line."""


class TagReport(Result):
    """What was written."""

    pipeline: Text
    """Its name."""
    recordings: tuple[TaggedRow, ...]
    predictions: dict[Text, Text]
    """Of epochs files: path of the table by path of the file."""
    failed: tuple[FailedRow, ...]


def tag_files(
    pipeline_path: str,
    paths: list[Path],
    out: Path,
    *,
    stream: str | None = None,
    device: str,
    json: bool,
    again: bool = False,
    told: StreamOverrides | None = None,
    threshold: float | None = None,
    datasets: Sequence[str] = (),
    workers: Workers = HERE,
    trends: bool = False,
) -> int:
    """Tag recordings, and those in folders, into `out`; report each as it is done, with JSON all at the end.

    Returns
    -------
    int
        Exit code: 2 where one was not tagged. A file that cannot be tagged stops none of the others.

    Raises
    ------
    RtbciError
        If the pipeline cannot be loaded, a folder holds no recording, or `out` is a file.
    KeyboardInterrupt
        After what is finished was reported.
    """
    if not workers.cluster:
        check_device(device)
    gpu = workers.needs_gpu(device)
    batch = Batch(
        pipeline_path, device=device, again=again, stream=stream, told=told, threshold=threshold, trends=trends
    )
    if out.exists() and not out.is_dir():
        raise ConfigError(f"--out {out} is a file; wanted a folder")
    if not paths and not datasets:
        raise ConfigError("no recording was named; wanted files, folders, or --dataset NAME=FOLDER")
    members = _members(datasets)
    epochs = [path for path in paths if is_epochs(path)]
    places = placed((*listed(path for path in paths if path not in epochs), *(one for one, *_ in members)), epochs, out)
    sources = {one.path: recording if workers.here else source for one, recording, source in members}
    jobs = [TagJob(sources.get(path, path), target) for path, target in places if isinstance(target, Outputs)]
    names = [path.name for path, target in places if isinstance(target, Outputs)]
    folders = {path.parent for path, _ in places} | {one.folder for one, *_ in members if one.folder is not None}
    with BatchReport(batch.pipeline.name, len(places), json) as report:
        needs = Needs(out, [*folders], [Path(pipeline_path)], gpu, names.__getitem__, report.warn)
        make = partial(Tagger, (lambda: batch) if workers.here else batch.again_elsewhere)
        done = in_order(side_by_side(make, jobs, workers, on_report=report.progress, needs=needs))
        with closing(done) as outcomes:
            number = count()
            for path, target in places:
                is_recording = isinstance(target, Outputs)
                report.begins(path, next(number) if is_recording else None)
                outcome = next(outcomes) if is_recording else None  # no file's failure, where it raises
                with report.of(path):
                    if isinstance(target, ConfigError):
                        raise target
                    if isinstance(target, Path):
                        report.predicted(path, tag_epochs(batch.pipeline, path, target.parent, device))
                    if isinstance(outcome, Failed):
                        raise RecordingError(outcome.reason)
                    if isinstance(outcome, Done):
                        report.tagged(outcome.result)
    return 2 if report.failed else 0


@dataclass(frozen=True)
class TagJob:
    """A recording, and where its answer belongs."""

    source: Source
    outputs: Outputs


class Tagger:
    """What a process does: a batch, and its answer to each recording."""

    def __init__(self, batch: Callable[[], Batch]) -> None:
        self._batch = batch()

    def __call__(self, job: TagJob, report: Report) -> Answer:
        return self._batch.answer(job.source, job.outputs, lambda done_s, all_s: report((done_s, all_s)))


def _members(datasets: Sequence[str]) -> list[tuple[Listed, Recording, MemberOf]]:
    """The recordings of datasets. Raises ConfigError where trials are members, which have no file of their own."""
    found = []
    for text, named in zip(datasets, open_named(datasets), strict=True):
        if named.dataset.independent:
            raise ConfigError(f"--dataset {text}: its members are trials; name its file instead")
        if line := missing_line(named.dataset):
            Terminal(stderr=True).print(f"warning: {line}", soft_wrap=True)
        for member, source in named.members:
            found.append((Listed(member.recording.path, named.folder), member.recording, source))
    return found


class BatchReport:
    """Tells what becomes of each file: a line when it is done, or JSON at the end; also after Ctrl-C.

    Parameters
    ----------
    pipeline
        Its name.
    n_files
        How many there are.
    json
        Whether JSON is wanted.

    Attributes
    ----------
    failed
        The files that were not tagged.
    """

    def __init__(self, pipeline: str, n_files: int, json: bool) -> None:
        self.failed: list[FailedRow] = []
        self._pipeline, self._n_files, self._json = pipeline, n_files, json
        self._rows: list[TaggedRow] = []
        self._tables: dict[str, str] = {}
        self._warnings: list[str] = []
        self._out, self._err = Terminal(), Terminal(stderr=True)
        columns = (*Progress.get_default_columns()[:-1], TimeRemainingColumn())
        # Where standard output is no terminal, it must not be drawn above the bar.
        self._bar = Progress(
            *columns, console=self._err, disable=json or not self._err.is_terminal, redirect_stdout=sys.stdout.isatty()
        )
        self._task = self._bar.add_task("tagging", total=None)
        self._n_begun = 0
        self._number: int | None = None
        self._copies = Copies()

    def __enter__(self) -> BatchReport:
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._bar.stop()
        if kind is not None and not issubclass(kind, KeyboardInterrupt):
            return
        n_done = len(self._rows) + len(self._tables)
        if kind is not None:
            self.warn(f"interrupted: {n_done} of {self._n_files} files are done; the same command does the others")
        if self._json:
            report = TagReport(
                pipeline=self._pipeline, recordings=tuple(self._rows), predictions=self._tables,
                failed=tuple(self.failed),
            )  # fmt: skip
            print_json(report, self._warnings)
        elif self._n_files > 1:
            self._summarise(n_done)

    def begins(self, path: Path, number: int | None) -> None:
        """A file is the next to be told of; its number among the recordings."""
        self._number = number
        self._n_begun += 1
        self._bar.update(
            self._task, description=f"{self._n_begun} of {self._n_files}: {path.name}", completed=0, total=None
        )

    @contextmanager
    def of(self, path: Path) -> Iterator[None]:
        """What became of a file; an error that is no bug is reported."""
        try:
            yield
        except (RtbciError, OSError) as error:
            self._fail(path, error_text(error))

    def progress(self, number: int, seconds: tuple[float, float]) -> None:
        """Called with the number of a recording, its seconds done, and its length."""
        if number == self._number:
            self._bar.update(self._task, completed=seconds[0], total=seconds[1])

    def tagged(self, answer: Answer) -> None:
        """A recording is done."""
        row = _row(answer)
        self._rows.append(row)
        for text in filter(None, (*answer.warnings, self._copies.warning(answer.path, answer.samples))):
            self.warn(f"{answer.path.name}: {text}")
        how = (
            "tagged before by this pipeline"
            if row.times_real_time is None
            else f"{row.times_real_time:.0f} times real time"
        )
        self._line(f"{row.recording}: {len(row.events)} events in {row.duration_s:.0f} s ({how}) -> {row.events_tsv}")

    def predicted(self, path: Path, table: Path) -> None:
        """An epochs file is done."""
        self._tables[str(path)] = str(table)
        self._line(f"{path} -> {table}")

    def _fail(self, path: Path, reason: str) -> None:
        reason = about_file(reason, path)
        self.failed.append(FailedRow(recording=str(path), reason=reason))
        self._err.print(f"error: {reason}", soft_wrap=True)

    def warn(self, text: str) -> None:
        """Tell a person, and keep it for `--json`."""
        self._warnings.append(text)
        self._err.print(f"warning: {text}", soft_wrap=True)

    def _line(self, text: str) -> None:
        if not self._json:
            self._out.print(text, soft_wrap=True)
            sys.stdout.flush()

    def _summarise(self, n_done: int) -> None:
        n_skipped = sum(row.skipped for row in self._rows)
        skipped = f", {n_skipped} of them before (--again tags them again)" if n_skipped else ""
        self._line(f"{n_done} of {self._n_files} files are tagged{skipped}")
        if self.failed:
            names = ", ".join(row.recording for row in self.failed)
            self._err.print(f"error: not tagged: {names}", soft_wrap=True)


def _row(answer: Answer) -> TaggedRow:
    events = tuple(
        TaggedEvent(onset_s=e.onset, duration_s=e.duration, label=e.label, confidence=e.confidence)
        for e in answer.events
    )
    duration_s = answer.duration_s
    return TaggedRow(
        recording=str(answer.path),
        duration_s=duration_s,
        events=events,
        events_tsv=str(answer.outputs.events),
        scores_npz=str(answer.outputs.scores),
        times_real_time=None if answer.took_s is None else duration_s / answer.took_s,
        skipped=answer.took_s is None,
    )
