"""`rtbci replay`: streams recordings until their end or Ctrl-C."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rtbci.cli.signals import stopped_by_signal
from rtbci.lsl.config import quiet_lsl
from rtbci.text import one_line

if TYPE_CHECKING:
    from rtbci.replay.replay import Replay


def replay_files(files: list[Path], *, faults: dict[str, Any], lines: bool = False, **options: Any) -> None:
    """Stream recordings until their end, Ctrl-C or SIGTERM. faults: as on the command line; lines: commands on standard input."""
    quiet_lsl()
    from rtbci.cli.replay_keys import controls
    from rtbci.lsl.config import stays_on_this_machine
    from rtbci.lsl.replay_key import VARIABLE, replay_key
    from rtbci.replay.faults import faults_from_options
    from rtbci.replay.replay import Replay

    replay = Replay(files, faults=faults_from_options(**faults), **options)
    stop = threading.Event()
    playback = replay.playback(stop)
    try:
        tracks = [player.track for player in playback.players]
        warned = [f"{r.path.name}: {text}" for track in tracks for r in track.recordings for text in r.warnings]
        for text in dict.fromkeys(warned):
            sys.stderr.write(f"warning: {one_line(text)}\n")
        for track in tracks:
            sys.stderr.write(f"streaming {one_line(str(track))}\n")
        speed = f"{replay.speed:g} times real time" if replay.speed else "as fast as the consumer reads"
        sys.stderr.write(f"{speed}; Ctrl-C ends it\n")
        if not stays_on_this_machine():
            sys.stderr.write(f"{seen_by_others(replay)}\n")
        sys.stderr.write(f"other machines need its key to command it: {replay_key()[1]} ({VARIABLE} takes it there)\n")
        with stopped_by_signal(stop.set), controls(playback.transport, lines=lines):
            sent = playback.play()
    finally:
        playback.close()
    sys.stderr.write(f"{sent} samples sent\n")


def seen_by_others(replay: Replay) -> str:
    """What a network sees of the files."""
    if replay.all_streams:
        return "the whole network sees the streams' names, descriptions and markers as they are in the file"
    named = f"the name {one_line(replay.name)}" if replay.name else "no name of a file (--name gives one)"
    if not replay.markers:
        return f"the whole network sees the stream, and {named}"
    notes = "its annotations" if replay.share_annotations else "no annotations (--share-annotations sends them)"
    return f"the whole network sees the stream, {named}, and {notes}"
