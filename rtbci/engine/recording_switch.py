"""Begins and ends the engine's own recording while it runs."""

from __future__ import annotations

import threading
from pathlib import Path

from rtbci.engine.recorder_sink import RecorderSink
from rtbci.engine.sinks import Sinks
from rtbci.errors import RecordingError
from rtbci.lsl.outlets import Outlets
from rtbci.lsl.source import StreamConnected
from rtbci.monitor.messages import AlarmLine, WarningLine
from rtbci.recordings.xdf_recorder import CLOSE_TIMEOUT_S
from rtbci.types import SessionInfo


class RecordingSwitch:
    """Takes a recorder into an engine's outlets and sinks, and out of them.

    A file that is begun in mid-run says so, as one that goes on after another does: `rtbci tag` on it starts afresh, and
    needs the pipeline's warm-up until its answers are those of the live run.

    Parameters
    ----------
    sinks, outlets
        Of the engine.
    """

    def __init__(self, sinks: Sinks, outlets: Outlets) -> None:
        self._sinks, self._outlets = sinks, outlets
        self._closing: list[threading.Thread] = []

    def begin(
        self, folder: str, found: StreamConnected, session: SessionInfo, n_received: int
    ) -> tuple[RecorderSink | None, AlarmLine | WarningLine]:
        """Start to record what the engine reads from here on.

        Parameters
        ----------
        folder
            Where to.
        found, session
            The stream that is read, and what sinks are told of it.
        n_received
            Samples that were read before.

        Returns
        -------
        recorder
            None where the folder cannot be recorded to.
        line
            What is to be told.
        """
        try:
            recorder = RecorderSink(Path(folder))
        except (RecordingError, OSError) as error:
            return None, AlarmLine(text=f"the recording: {error}")
        self._outlets.copy_to(recorder)
        recorder.begin_midway(found, session, n_received)
        self._sinks.add(recorder)
        return recorder, WarningLine(text=f"recording to {folder} begins in mid-run, as a person asked for")

    def end(self, recorder: RecorderSink) -> WarningLine:
        """End a recording, without waiting for its disk; returns what is to be told."""
        self._outlets.copy_to(None)
        self._sinks.remove(recorder)
        self._closing.append(recorder.close_apart())
        return WarningLine(text=f"recording to {recorder.recorder.folder} ends, as a person asked for")

    def close(self) -> None:
        """Wait for the recordings that are ending, for CLOSE_TIMEOUT_S at most."""
        for closing in self._closing:
            closing.join(CLOSE_TIMEOUT_S)
