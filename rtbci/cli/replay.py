"""`rtbci replay`: streams recordings until their end or Ctrl-C."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import Any

from rtbci.cli.signals import stopped_by_signal
from rtbci.lsl.config import quiet_lsl
from rtbci.text import one_line


def replay_files(files: list[Path], *, faults: dict[str, Any], lines: bool = False, **options: Any) -> None:
    """Stream recordings until their end, Ctrl-C or SIGTERM. faults: as on the command line; lines: commands on standard input."""
    quiet_lsl()
    from rtbci.cli.replay_keys import controls
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
        sys.stderr.write(f"other machines need its key to command it: {replay_key()[1]} ({VARIABLE} takes it there)\n")
        with stopped_by_signal(stop.set), controls(playback.transport, lines=lines):
            sent = playback.play()
    finally:
        playback.close()
    sys.stderr.write(f"{sent} samples sent\n")
