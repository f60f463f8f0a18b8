"""The session of a live run once more, from its recording: the same calls in the same order, so the same answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from rtbci.errors import RecordingError
from rtbci.evaluation.file_clock import FileClock
from rtbci.pipeline.pipeline import Pipeline
from rtbci.pipeline.stream import StreamMessage, StreamSession, Tally
from rtbci.recordings.live_run import ChunksRead, LiveRun, Reconnected, Resumed, SessionBegan, Step
from rtbci.recordings.open import open_recording
from rtbci.recordings.recording import Recording
from rtbci.stages.cue_labels import CueAccount
from rtbci.types import Chunk


class LiveAgain:
    """The live session of a recording, given again what it was given.

    A recording that was begun in the middle of a session (another file could not be written to any more) is answered by
    the session of the files before, where they are beside it.

    Parameters
    ----------
    pipeline
        The pipeline; it need not be that of the live run.
    recording
        The recording of a live run.
    clock
        Is told where a session begins.
    account
        Gets the markers.
    device
        "cpu", "cuda", or "auto" (the faster of both, measured).
    progress
        Called with the seconds done.
    trends
        Whether the rows of the trends are wanted.

    Attributes
    ----------
    sessions
        So far; one tally is that of all.
    warnings
        Where live answers differ from these, one line each.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        recording: Recording,
        clock: FileClock,
        account: CueAccount,
        device: str,
        progress: Callable[[float], None] | None,
        *,
        trends: bool = False,
    ) -> None:
        self._trends = trends
        self.sessions: list[StreamSession] = []
        self.warnings: list[str] = []
        self._pipeline, self._recording, self._device = pipeline, recording, device
        self._clock, self._account, self._progress = clock, account, progress
        self._session: StreamSession | None = None
        self._began = SessionBegan(1.0, 0.0)
        self._is_over = True  # whether the samples to come are of a new session

    def messages(self) -> Iterator[StreamMessage]:
        """As the engine's sinks got them."""
        for earlier, run, until in self._files_before():
            for message in self._steps(earlier, run, run.steps(until), CueAccount(())):
                self._clock.before(message)
        if self._session is not None:
            self._session.tally = Tally()
            self._clock.starts_at(self._session.received_s)
            self.sessions = [self._session]
            if run_of(self._recording).cues is None:
                _tell(self._session, self._account, run_of(self._recording).others)
        yield from self._steps(self._recording, run_of(self._recording), run_of(self._recording).steps(), self._account)
        if self._session is not None:
            yield from self._session.close()

    def _files_before(self) -> list[tuple[Recording, LiveRun, int]]:
        """The recordings that this one continues, the first first, each with how many samples the next begins after."""
        found: list[tuple[Recording, LiveRun, int]] = []
        path, run = self._recording.path, run_of(self._recording)
        if run.first_received and not run.continues:
            self._warn("it begins in mid-run", "what the engine had read before is not recorded")
        continued = f"it continues {run.continues}"
        while run.continues and run.first_received:
            path = path.with_name(run.continues)
            try:
                earlier = open_recording(path)
            except RecordingError as error:
                self._warn(continued, str(error))
                return []
            holds = earlier.live is not None and (
                earlier.live.first_received < run.first_received <= earlier.live.n_received
            )
            if earlier.live is None or not holds:
                self._warn(continued, f"{path.name} does not hold what was read before")
                return []
            found.insert(0, (earlier, earlier.live, run.first_received))
            run = earlier.live
        return found

    def _warn(self, what: str, why: str) -> None:
        self.warnings.append(
            f"{what}, and is answered as if nothing had been before, so its first answers differ from those of the live run: "
            f"{why}"
        )

    def _steps(
        self, recording: Recording, run: LiveRun, steps: Iterable[Step], account: CueAccount
    ) -> Iterator[StreamMessage]:
        """What a session answers to what it was given."""
        for number, step in enumerate(steps):
            session = self._session
            match step:
                case SessionBegan() if number == 0 and session is not None:
                    pass  # of a file that continues another
                case SessionBegan(begins_s=None):
                    if session is not None:
                        yield from session.close()
                    self._began = step
                    self._is_over = True
                case SessionBegan(speed=speed, begins_s=begins_s) if session is not None:
                    yield from session.seek(begins_s or 0.0, speed)
                    self._clock.begin(session.about)
                case SessionBegan():
                    self._began = step
                case Reconnected() if session is not None:
                    session.connected_anew(session.info)
                case Resumed(stamp=stamp, until=until, speed=speed) if session is not None:
                    yield from session.go_on(until, stamp, speed)
                case ChunksRead(part=part):
                    if session is None or self._is_over:
                        session = self._session = self._new_session(run, part, session)
                        if run.cues is None:
                            _tell(session, account, run.others)
                        self.sessions.append(session)
                        self._clock.begin(session.about)
                    self._is_over = False
                    _tell(session, account, step.cues)
                    yield from _again(session, recording, run, step)
                    if self._progress and account is self._account:
                        self._progress(session.recording_s)

    def _new_session(self, run: LiveRun, part: int, old: StreamSession | None) -> StreamSession:
        return StreamSession(
            self._pipeline, run.parts[part].recording.info, device=self._device, speed=self._began.speed, offline=True,
            begins_s=old.recording_s if old is not None else self._began.begins_s or 0.0,
            away_since=old.newest_stamp if old is not None else None,
            tally=old.tally if old is not None else None, trends=self._trends,
        )  # fmt: skip


def run_of(recording: Recording) -> LiveRun:
    """What its session was given; of a recording of a live run."""
    assert recording.live is not None
    return recording.live


def _tell(session: StreamSession, account: CueAccount, markers: Iterable[tuple[float, str]]) -> None:
    for stamp, text in markers:
        account.add(text, session.cue(stamp, text))


def _again(session: StreamSession, recording: Recording, run: LiveRun, step: ChunksRead) -> Iterator[StreamMessage]:
    part = run.parts[step.part]
    source = part.recording if step.part else recording  # who gave it may count what is read
    stop = step.first + int(step.stops[-1])
    chunk = Chunk(source.read(step.first, stop), part.stamps[step.first : stop])
    yield from session.samples_as_read(chunk, step.stops.tolist(), step.arrived.tolist())
