"""What a command follows: an engine of its own, that of another command, or nothing yet."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path

from rtbci.cli.attended import Session
from rtbci.cli.dashboard_process import DashboardProcess
from rtbci.cli.journal import Journal
from rtbci.cli.overrides import told_by
from rtbci.cli.signals import StopAsked
from rtbci.cli.watch import Watch
from rtbci.engine.process import EngineProcess
from rtbci.engine.recording import LiveRecording
from rtbci.engine.session import EngineSpec, read_spec
from rtbci.errors import ConfigError, EngineFailed, error_text
from rtbci.monitor.messages import EngineState, ErrorLine
from rtbci.monitor.running import RunningEngine, is_running, running_engine
from rtbci.monitor.shared_memory import MonitorReader
from rtbci.monitor.window_messages import AttachTo, ChooseSession, Offer, SessionEnded, SessionRequest, ShowEngine
from rtbci.pipeline.file import read_config
from rtbci.recordings.overrides import StreamOverrides

_LOOK_S = 0.2
_DIED = "the engine died, and could not say why"


@dataclass(frozen=True, slots=True)
class LiveSession:
    """An engine on a live stream, as `rtbci run` starts it, or a window.

    Parameters
    ----------
    command
        That started it, for the title.
    spec
        The engine's.
    name
        Of the pipeline.
    show
        As of Watch.
    seconds
        Of the stream, then it ends; None: without limit.
    log
        Of the log file, which is opened anew for each session.
    labrecorder
        Folder to which LabRecorder records; None: it does not.
    """

    command: str
    spec: EngineSpec
    name: str
    show: str
    seconds: float | None = None
    log: Path | None = None
    labrecorder: Path | None = None

    def run(self, dashboard: DashboardProcess | None, stop_asked: StopAsked) -> SessionEnded:
        """Follow the engine until it ends, or is to end. Raises RtbciError, EngineFailed."""
        journal = Journal(self.log) if self.log is not None else None
        with EngineProcess(self.spec) as engine:
            recording = LiveRecording(self.labrecorder, engine) if self.labrecorder is not None else None
            title = f"{self.command} · {self.name}"
            watch = Watch(engine, title, show=self.show, recording=recording, journal=journal, dashboard=dashboard)
            if dashboard is not None:
                dashboard.tell(self._shown(engine))
            try:
                watch.follow(self._is_over, stop_asked)
            except OSError as error:  # no mistake of the start: a service manager starts this again
                raise EngineFailed(f"the engine was ended: {error_text(error)}") from error
        why = (
            f"after the {self.seconds:g} s that were asked for" if self._is_over(watch.state) else "as it was asked to"
        )
        return SessionEnded(text=f"The session has ended, {why}", is_failure=False, offers=("again", "stream"))

    def next(self, request: SessionRequest) -> Session:
        """The session that the window asks for. Raises RtbciError."""
        return next_session(self.spec, self.command, request, self)

    def _is_over(self, state: EngineState) -> bool:
        return self.seconds is not None and state.recording_s >= self.seconds

    def _shown(self, engine: EngineProcess) -> ShowEngine:
        return ShowEngine(folder=str(engine.folder), name=self.spec.query.get("name", ""), pipeline=self.name)


@dataclass(frozen=True, slots=True)
class AttachedSession:
    """The engine of another command, which a window watches: whatever becomes of the window, it goes on.

    Parameters
    ----------
    engine
        As it was when it was found.
    spec
        What it was started with, so that the same can be started here once it has ended; None where that is not known.
    """

    engine: RunningEngine
    spec: EngineSpec | None

    def run(self, dashboard: DashboardProcess | None, stop_asked: StopAsked) -> SessionEnded | None:
        """Wait until the engine ends, or the window is closed."""
        assert dashboard is not None
        engine = self.engine
        dashboard.tell(
            ShowEngine(folder=str(engine.folder), name=engine.name, pipeline=engine.pipeline, owner=engine.about.owner)
        )
        reader, errors = MonitorReader(engine.folder), list[str]()
        ended = ""
        while not ended and not stop_asked() and not dashboard.has_request:
            is_over, state = not is_running(engine.about), reader.status()
            errors += [line.text for line in reader.new_log() if isinstance(line, ErrorLine)]
            if is_over:
                stopped = state is not None and state.state == "stopped"
                ended = errors[-1] if errors else "The session has ended, as it was asked to" if stopped else _DIED
            elif not dashboard.alive:
                return None
            else:
                time.sleep(_LOOK_S)
        is_failure = bool(errors) or ended == _DIED
        offers: tuple[Offer, ...] = ("again", "stream") if self.spec is not None else ("stream",)
        return SessionEnded(text=ended, is_failure=is_failure, offers=offers) if ended else None

    def next(self, request: SessionRequest) -> Session:
        """The session that the window asks for. Raises RtbciError."""
        return next_session(self.spec or EngineSpec("", {}), "rtbci dashboard", request)


@dataclass(frozen=True, slots=True)
class NoSession:
    """Nothing is watched yet: the window lets its user choose.

    Parameters
    ----------
    told
        What a person says of the stream to come.
    new
        Not an engine that runs already.
    """

    told: StreamOverrides
    new: bool = False

    def run(self, dashboard: DashboardProcess | None, stop_asked: StopAsked) -> SessionEnded | None:
        """Wait for a choice."""
        assert dashboard is not None
        dashboard.tell(ChooseSession(new=self.new))
        while not stop_asked() and not dashboard.has_request and dashboard.alive:
            time.sleep(_LOOK_S)
        return None

    def next(self, request: SessionRequest) -> Session:
        """The session that the window asks for. Raises RtbciError."""
        return next_session(EngineSpec("", {}, overrides=self.told), "rtbci dashboard", request)


def next_session(spec: EngineSpec, command: str, request: SessionRequest, before: LiveSession | None = None) -> Session:
    """The session that a window asks for: another engine to watch, or one like before, but for what is asked.

    Raises
    ------
    RtbciError
        For a pipeline that cannot be read, or an engine that is gone.
    """
    if isinstance(request, AttachTo):
        return attached(Path(request.folder))
    is_other_stream = bool(spec.query) and request.query not in ({}, spec.query)
    is_other_pipeline = request.pipeline not in ("", spec.pipeline)
    spec = replace(
        spec, pipeline=request.pipeline or spec.pipeline, query=request.query or spec.query,
        # What a person said of one stream is not so of another, nor is a threshold of another pipeline.
        overrides=told_by(unit=request.unit).over(StreamOverrides() if is_other_stream else spec.overrides),
        threshold=None if is_other_pipeline else spec.threshold,
    )  # fmt: skip
    config, _ = read_config(Path(spec.pipeline))
    if before is not None:
        return replace(before, spec=spec, name=config.name)
    return LiveSession(command, spec, config.name, "dashboard")


def attached(folder: Path) -> AttachedSession:
    """The engine of a monitor's folder. Raises ConfigError where it is gone."""
    engine = running_engine(folder)
    if engine is None:
        raise ConfigError("this engine has ended; `rtbci dashboard --list` lists those that run")
    spec = read_spec(folder)
    # A recorder of another command, or its gate, is not taken over.
    return AttachedSession(engine, replace(spec, start_gate=False) if spec is not None else None)
