"""What the live engine does when the replay that it reads stands still, goes on, changes its speed or goes elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pylsl import local_clock

from rtbci.engine.session import Session
from rtbci.lsl.replay_link import Moved
from rtbci.lsl.replay_protocol import Place
from rtbci.stages.gap_guard import GapGuard

if TYPE_CHECKING:
    from rtbci.engine.engine import Engine


def follow(engine: Engine, moved: Moved) -> None:
    """Another speed or a pause continues the same recording: nothing is reset, no gap is declared, the answer is that of
    the file. A seek closes what is open, starts every stage afresh, and goes on in seconds of the recording.
    """
    session, place = engine.session, moved.place
    if session is None:
        return
    session.arrivals.clear()
    session.speed = place.speed
    engine.staleness.stand_still()
    if not place.paused:
        engine.staleness.begin(max(local_clock(), place.stamp))
    if place.seek or not moved.exact:
        _elsewhere(engine, session, place)
    elif place.paused:
        engine.publisher.log("pause", recorded_s=place.recorded_s)
    else:
        _go_on(engine, session, place)


def _go_on(engine: Engine, session: Session, place: Place) -> None:
    until, speed = place.stamp - place.stalled_s, place.speed or 1.0
    session.guard.go_on(until, place.stamp, speed)
    if session.begun:
        engine.publisher.span("move", place.stamp, until=until, speed=speed)
    engine.publisher.log("move", until=until, since=place.stamp, speed=place.speed, recorded_s=place.recorded_s)


def _elsewhere(engine: Engine, session: Session, place: Place) -> None:
    """As if the stream had ended, and another had begun."""
    info, was_s = session.info, session.next_index / session.info.sfreq
    for piece in session.guard.flush():
        engine.take(piece)
    engine.publisher.decided(session.live.decision.flush(), local_clock())
    engine.end_span()
    session.begun, session.away_since = False, None
    session.live.reset()
    session.guard = GapGuard(engine.pipeline.config.gaps, info.sfreq, place.speed or 1)
    engine.furthest_s = max(engine.furthest_s, was_s)
    session.next_index = round(place.recorded_s * info.sfreq)
    engine.publisher.open_rings(session)
    engine.publisher.log("seek", **{"from": round(was_s, 3), "to": round(session.next_index / info.sfreq, 3)})
