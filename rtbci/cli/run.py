"""`rtbci run`: an engine on a live stream, with its event table, recording, log and viewer."""

from __future__ import annotations

import os
from pathlib import Path

from rtbci.cli.attended import attend
from rtbci.cli.journal import check_log
from rtbci.cli.sessions import LiveSession
from rtbci.cli.signals import stopped_by_signal
from rtbci.engine.alerts.config import alarm_config
from rtbci.engine.session import EngineSpec
from rtbci.errors import ConfigError
from rtbci.lsl.config import quiet_lsl
from rtbci.lsl.discovery import parse_query
from rtbci.lsl.recorder import LABRECORDER, OWN, check_recorder
from rtbci.lsl.replay_key import chosen_key
from rtbci.pipeline.file import read_config
from rtbci.recordings.overrides import StreamOverrides
from rtbci.recordings.xdf_recorder import check_folder


def run_live(
    pipeline: str,
    stream: str,
    *,
    show: str,
    events: Path | None,
    wait_s: float | None,
    seconds: float | None,
    overrides: StreamOverrides,
    device: str,
    cues: str | None = None,
    record: Path | None = None,
    recorder: str = OWN,
    log: Path | None = None,
    sinks: tuple[str, ...] = (),
    share_annotations: bool = False,
    threshold: float | None = None,
    alarms: tuple[str, ...] = (),
) -> int:
    """Run an engine until a signal (Ctrl-C, SIGTERM, SIGHUP, SIGQUIT) or `seconds` of the stream; then close everything.

    Returns
    -------
    int
        The exit code: under a window, that of the last session.

    Raises
    ------
    RtbciError, OSError
        For a mistake at the start; under a window, for one before it is opened.
    EngineFailed
        For whatever goes wrong later.
    """
    quiet_lsl()
    chosen_key()  # reports a mistake
    query, rules = parse_query(stream), alarm_config(alarms)
    config, _ = read_config(Path(pipeline))  # reports a mistake before anything starts
    require_device(device)
    for option, path in (("--events", events), ("--log", log)):
        if path is not None:
            _check_place(option, path)
    if events is not None:
        _check_events(events, log)
    check_recorder(recorder)
    if record is not None:
        check_folder(record)  # before anything starts
    if cues is not None and config.cues is None:
        raise ConfigError(f"pipeline {config.name!r} answers no cues: its config has no [pipeline.cues]")
    if log is not None:
        check_log(log)
    spec = EngineSpec(
        pipeline, query, events=str(events or ""), device=device, wait_s=wait_s, overrides=overrides,
        cues=parse_query(cues) if cues is not None else {}, sinks=sinks, patient=wait_s is None,
        start_gate=record is not None and recorder == LABRECORDER,
        record=str(record) if record is not None and recorder == OWN else "",
        share_annotations=share_annotations, threshold=threshold, alarms=rules,
    )  # fmt: skip
    session = LiveSession("rtbci run", spec, config.name, show, seconds, log, record if spec.start_gate else None)
    with stopped_by_signal() as stop_asked:
        if show == "dashboard":
            return attend(session, f"rtbci run · {config.name}", stop_asked)
        session.run(None, stop_asked)
    return 0


def require_device(device: str) -> None:
    """Raise ConfigError for a device that this machine lacks, before an engine starts."""
    if device != "cpu":  # torch is not loaded in this process otherwise
        from rtbci.models.step import check_device

        check_device(device)


def _check_place(option: str, path: Path) -> None:
    folder = path.absolute().parent
    if not folder.is_dir():
        raise ConfigError(f"{option}: there is no folder {folder}")
    if not os.access(path if path.exists() else folder, os.W_OK):
        raise ConfigError(f"{option} {path}: may not be written, or its disk is read-only")


def _check_events(events: Path, log: Path | None) -> None:
    if events.exists() and not events.is_file():
        raise ConfigError(f"--events {events}: is a folder or a device; wanted a file")
    if log is not None and events.resolve() == log.resolve():
        raise ConfigError(f"--events and --log both name {events}; wanted two files")
