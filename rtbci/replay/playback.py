"""One run of a replay: its streams in temporal order on one clock, and the moves that are requested meanwhile."""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Iterator, Sequence

import pylsl

from rtbci.lsl.replay_protocol import ReplayAddress
from rtbci.replay.backpressure import GRACE_S, POLL_S, UNACKNOWLEDGED_GRACE_S, await_taken
from rtbci.replay.faults import Packet
from rtbci.replay.player import Player
from rtbci.replay.remote_control import RemoteControl
from rtbci.replay.transport import Transport

Progress = Callable[[float, float | None], None]  # (seconds sent, seconds in total or None for a loop)

_SHORT_WAIT_S = 0.003
_PAUSE_POLL_S = 0.02  # how often a paused replay looks for requests
_UPDATE_EVERY_S = 0.1
_FURTHER_CONSUMERS_S = 2.0  # how long to wait for further consumers after each one
_UNACKNOWLEDGED_DRAIN_S = 0.5  # at the end, for consumers that do not acknowledge
_SETTLE_S = 1.0  # grace period at a move, for a consumer without progress


class Playback:
    """Created with its outlets open; call `play` once, then `close`."""

    def __init__(
        self,
        players: Sequence[Player],
        transport: Transport,
        address: ReplayAddress,
        key: bytes,
        *,
        wait_for_consumer: bool,
    ) -> None:
        self.players, self.transport, self.stop = players, transport, transport.stop
        self._wait = wait_for_consumer
        self._every_s = transport.length_s if transport.loop else None
        back_pressures = {player.track.info.source_id: player.back_pressure for player in players}
        self._remote_control = RemoteControl(address, key, transport, back_pressures)
        self._update_due = 0.0

    @property
    def n_sent(self) -> int:
        """Samples that were sent, of all streams."""
        return sum(player.n_sent for player in self.players)

    def play(self, progress: Progress | None = None) -> int:
        """Send until the end, or until `stop` is set; returns the number of samples sent."""
        self._await_consumers()
        self.transport.begin()
        from_s: float | None = 0.0
        while from_s is not None:
            from_s = self._play_from(from_s, progress)
        return self.n_sent

    def close(self) -> None:
        """Close the streams."""
        self._remote_control.close()
        for player in self.players:
            player.close()

    def _play_from(self, from_s: float, progress: Progress | None) -> float | None:
        """Play from a second of the replay; returns the second to continue from after a seek, None at the end."""
        transport = self.transport
        for player, packet in self._in_order(from_s):
            to_s = self._await_turn(player, packet)
            if to_s is not None or self.stop.is_set():
                return to_s
            player.send(packet)
            transport.sent_s = packet.due
            if player.vanishes(packet):
                if not transport.speed:
                    self._drain()
                player.vanish()
            if progress is not None:
                progress(packet.due, None if transport.loop else transport.length_s)
        return self._end()

    def _end(self) -> float | None:
        """Everything was sent; a replay that is paused at the end may still be sought."""
        while self.transport.paused and not self.stop.wait(_PAUSE_POLL_S):
            if self.transport.has_request and (to_s := self._move()) is not None:
                return to_s
        self._drain()
        return None

    def _in_order(self, from_s: float) -> Iterator[tuple[Player, Packet]]:
        def of(player: Player) -> Iterator[tuple[Player, Packet]]:
            return ((player, packet) for packet in player.packets(from_s, self._every_s))

        return heapq.merge(*map(of, self.players), key=lambda turn: turn[1].due)

    def _await_turn(self, player: Player, packet: Packet) -> float | None:
        """Wait until a packet is due and carry out moves meanwhile; returns the second to continue from after a seek."""
        transport = self.transport
        while not self.stop.is_set():
            if transport.has_request and (to_s := self._move()) is not None:
                return to_s
            if transport.paused:
                self.stop.wait(_PAUSE_POLL_S)
            elif transport.speed:
                if self._is_due(transport.stamp(packet.due)):
                    return None
            elif not len(packet.stamps) or (self._has_consumer(player) and player.has_room()):
                return None
            else:
                self.stop.wait(POLL_S)
        return None

    def _is_due(self, due: float) -> bool:
        """Sleep until `due`, at most for the time after which requests are checked; whether it is due."""
        left = due - pylsl.local_clock()
        if left > _SHORT_WAIT_S:
            self._update_players()
            self.stop.wait(min(left - _SHORT_WAIT_S, _PAUSE_POLL_S))
            return False
        # The rest in short sleeps: a long wait may end milliseconds late, which would look like latency.
        while (left := due - pylsl.local_clock()) > 0:
            time.sleep(min(left, 0.0005))
        return True

    def _has_consumer(self, player: Player) -> bool:
        """Whether there is a consumer: an unpaced replay waits while there is none."""
        return player.has_consumers or player.outlet is None or any(p.has_consumers for p in self.players)

    def _update_players(self) -> None:
        if (now := time.monotonic()) >= self._update_due:
            self._update_due = now + _UPDATE_EVERY_S
            for player in self.players:
                player.update()

    def _move(self) -> float | None:
        """Carry out a request, after consumers have read what was sent; returns the second to continue from after a seek."""
        unpaced = not self.transport.speed
        here_s = self.transport.halt()
        await_taken([player.n_in_flight for player in self.players], self.stop, _SETTLE_S, 0.0)
        position, to_s = self.transport.move(here_s)
        if not position.speed and not unpaced:
            for player in self.players:
                player.back_pressure.begin_again(player.n_sent)
        self._remote_control.announce(position)
        return to_s

    def _drain(self) -> None:
        """Wait until consumers have read everything: a closed outlet drops what it has not sent yet."""
        await_taken([player.n_in_flight for player in self.players], self.stop, GRACE_S, UNACKNOWLEDGED_GRACE_S)
        if any(player.has_consumers for player in self.players):
            self.stop.wait(_UNACKNOWLEDGED_DRAIN_S)

    def _await_consumers(self) -> None:
        unpaced = not self.transport.speed
        if not (self._wait or unpaced):
            return
        n_here, since = 0, time.monotonic()
        while not self.stop.is_set() and n_here < len(self.players):
            here = sum(player.has_consumers for player in self.players)
            if here != n_here:
                n_here, since = here, time.monotonic()
            if n_here and time.monotonic() - since > _FURTHER_CONSUMERS_S:
                break
            self.stop.wait(0.005)
        if unpaced:
            for player in self.players:
                if player.has_consumers:
                    player.back_pressure.await_first(self.stop)
