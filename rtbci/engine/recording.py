"""The recording of a running engine: when the recorder starts, and its state."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path

from rtbci.engine.process import EngineProcess
from rtbci.lsl.discovery import predicate
from rtbci.lsl.recorder import Recorder
from rtbci.lsl.replay_protocol import annotations_query
from rtbci.monitor.messages import ArmingState, EngineState, OpenStartGate, RecordingState

_START_S = 10.0
FLUSH_S = 0.6  # LabRecorder fetches twice a second, and drops what it has not fetched


class LiveRecording:
    """Records an engine's stream and outlets; runs in the process that started both, so that neither ends with the other.

    An engine with a start gate (EngineSpec.start_gate) reports its stream and waits in state "arming". The recorder starts
    on the stream and on the engine's outlets, then the gate is opened: the first sample that the engine reads is in the file.

    Parameters
    ----------
    folder
        Where to record to.
    engine
        Started with a start gate.

    Raises
    ------
    RecordingError
        If the folder is not there, or has no room.
    """

    def __init__(self, folder: Path, engine: EngineProcess) -> None:
        self.recorder = Recorder(folder)
        self._engine = engine
        self._armed: ArmingState | None = None  # the stream that the file is of
        self._armed_at = 0.0
        self._alarm = ""

    def follow(self, state: EngineState) -> list[str]:
        """To be called about ten times a second with the engine's state; returns new alarms."""
        alarms = self.recorder.tend()
        if state.state == "arming" and state.arming is not None:
            alarms += self._arm(state.arming, state.outlets)
        if alarms:
            self._alarm = alarms[-1]
        elif self.recorder.started and "no samples" not in self._alarm:
            self._alarm = ""
        return alarms

    def state(self) -> RecordingState:
        """The recorder's state, for the views and `--json`; `alarm` is empty while all is well."""
        return RecordingState(**asdict(self.recorder.state()), alarm=self._alarm)

    def stop(self) -> None:
        """End the recording, after the engine has ended. LabRecorder may take 6 s more to close its file."""
        if self.recorder.alive:
            time.sleep(FLUSH_S)
        self.recorder.stop(wait_s=0.1)

    def _arm(self, stream: ArmingState, outlets: tuple[str, ...]) -> list[str]:
        if stream != self._armed:
            self._armed, self._armed_at = stream, time.monotonic()
            self.recorder.start(stream.name, predicates(stream, outlets))
        if self.recorder.started:
            self._engine.command(OpenStartGate())
        elif time.monotonic() - self._armed_at > _START_S:
            self._engine.command(OpenStartGate())
            return [f"the recorder has not started within {_START_S:g} s; the engine continues without it"]
        return []


def predicates(stream: ArmingState, outlets: tuple[str, ...]) -> list[str]:
    """LSL predicates of what to record: the stream, a replay's annotations, and the engine's outlets by source id."""
    named = ("name", stream.name), ("source_id", stream.source_id), ("type", stream.type)
    own = {key: value for key, value in named if value}
    notes = annotations_query(stream.name, stream.source_id)
    signal = f"({predicate(own)}) or ({predicate(notes)})" if notes is not None else predicate(own)
    return [signal, *(predicate({"source_id": outlet}) for outlet in outlets)]
