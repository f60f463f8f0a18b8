"""The session of a live run once more, from its recording: the same calls in the same order, so the same answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from rtbci.evaluation.file_clock import FileClock
from rtbci.pipeline.pipeline import Pipeline
from rtbci.pipeline.stream import StreamMessage, StreamSession
from rtbci.recordings.live_run import ChunksRead, LiveRun, Reconnected, Resumed, SessionBegan
from rtbci.recordings.recording import Recording
from rtbci.stages.cue_labels import CueAccount
from rtbci.types import Chunk


def live_messages(
    pipeline: Pipeline,
    recording: Recording,
    run: LiveRun,
    clock: FileClock,
    sessions: list[StreamSession],
    account: CueAccount,
    device: str,
    progress: Callable[[float], None] | None,
) -> Iterator[StreamMessage]:
    """The messages of the live session: of the samples as they were read, with the stamps that they had.

    Parameters
    ----------
    pipeline
        The pipeline; it need not be that of the live run.
    recording, run
        The recording, and its `live`.
    clock
        Is told where a session begins.
    sessions
        Gets each session; one tally is that of all.
    account
        Gets the markers.
    device
        "cpu", "cuda", or "auto" (the faster of both, measured).
    progress
        Called with the seconds done.

    Yields
    ------
    StreamMessage
        As the engine's sinks got them.
    """
    session: StreamSession | None = None
    began = SessionBegan(1.0, 0.0)
    is_over = True  # whether the samples to come are of a new session
    for step in run.steps():
        match step:
            case SessionBegan(begins_s=None):
                if session is not None:
                    yield from session.close()
                began = step
                is_over = True
            case SessionBegan(speed=speed, begins_s=begins_s) if session is not None:
                yield from session.seek(begins_s or 0.0, speed)
                clock.begin(session.about)
            case SessionBegan():
                began = step
            case Reconnected() if session is not None:
                session.connected_anew(session.info)
            case Resumed(stamp=stamp, until=until, speed=speed) if session is not None:
                yield from session.go_on(until, stamp, speed)
            case ChunksRead(part=part):
                if session is None or is_over:
                    session = _session(pipeline, run, part, began, session, device)
                    if run.cues is None:
                        _tell(session, account, run.others)
                    sessions.append(session)
                    clock.begin(session.about)
                is_over = False
                _tell(session, account, step.cues)
                yield from _again(session, recording, run, step)
                if progress:
                    progress(session.recording_s)
    if session is not None:
        yield from session.close()


def _session(
    pipeline: Pipeline, run: LiveRun, part: int, began: SessionBegan, old: StreamSession | None, device: str
) -> StreamSession:
    return StreamSession(
        pipeline, run.parts[part].recording.info, device=device, speed=began.speed, offline=True,
        begins_s=old.recording_s if old is not None else began.begins_s or 0.0,
        away_since=old.newest_stamp if old is not None else None,
        tally=old.tally if old is not None else None,
    )  # fmt: skip


def _tell(session: StreamSession, account: CueAccount, markers: Iterable[tuple[float, str]]) -> None:
    for stamp, text in markers:
        account.add(text, session.cue(stamp, text))


def _again(session: StreamSession, recording: Recording, run: LiveRun, step: ChunksRead) -> Iterator[StreamMessage]:
    part = run.parts[step.part]
    source = part.recording if step.part else recording  # who gave it may count what is read
    stop = step.first + int(step.stops[-1])
    chunk = Chunk(source.read(step.first, stop), part.stamps[step.first : stop])
    yield from session.samples_as_read(chunk, step.stops.tolist(), step.arrived.tolist())
