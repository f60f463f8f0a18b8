"""Commands of windows to the engine: whatever comes in, a poll of the live loop stays short."""

from __future__ import annotations

import os
import socket
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rtbci.monitor import command_server
from rtbci.monitor.command_server import MOST_CLIENTS, MOST_COMMANDS, MOST_LINE_BYTES, CommandClient, CommandServer
from rtbci.monitor.messages import Annotate, Command, Review, SetThreshold, Stop

UP = SetThreshold(value=0.7)
CONNECTIONS: list[socket.socket] = []  # to be closed after the test


@pytest.fixture(params=["socket in the folder", "port of this machine"])
def server(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[CommandServer]:
    if request.param == "port of this machine":
        monkeypatch.delattr(socket, "AF_UNIX")
    made = CommandServer(tmp_path)
    yield made
    made.close()
    while CONNECTIONS:
        CONNECTIONS.pop().close()


def taken(server: CommandServer, n: int, timeout_s: float = 2.0) -> list[Command]:
    """The commands of as many polls as it takes for n of them to come."""
    found: list[Command] = []
    deadline = time.monotonic() + timeout_s
    while len(found) < n and time.monotonic() < deadline:
        found += server.poll()
        time.sleep(0.002)
    return found


def raw(server: CommandServer) -> socket.socket:
    """A client that has not sent the key yet."""
    connection = command_server._connect_to(server._folder)
    connection.setblocking(True)
    connection.settimeout(2)
    CONNECTIONS.append(connection)
    return connection


def known(server: CommandServer) -> socket.socket:
    connection = raw(server)
    connection.sendall((server._folder / "commands.key").read_bytes() + b"\n")
    return connection


def is_disconnected(server: CommandServer, connection: socket.socket) -> bool:
    for _ in range(100):
        list(server.poll())
        try:
            connection.settimeout(0.02)
            if connection.recv(1) == b"":
                return True
        except TimeoutError:
            continue
        except OSError:
            return True
    return False


def test_commands_of_several_windows_come_in_the_order_of_each(server: CommandServer, tmp_path: Path) -> None:
    clients = [CommandClient(tmp_path) for _ in range(3)]
    for k in range(4):
        for name, client in enumerate(clients):
            assert client.send(Review(label=str(name), onset=k))
    found = taken(server, 12)
    assert [[c.onset for c in found if c.label == str(name)] for name in range(3)] == [[0, 1, 2, 3]] * 3
    for client in clients:
        client.close()


def test_only_the_user_of_the_folder_knows_the_key(server: CommandServer, tmp_path: Path) -> None:
    assert stat.S_IMODE((tmp_path / "commands.key").stat().st_mode) == 0o600
    stranger = raw(server)
    stranger.sendall(b"0" * 64 + b'\n{"do": "stop"}\n')
    assert is_disconnected(server, stranger)


def test_a_client_that_sends_no_key_is_disconnected(server: CommandServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command_server, "_HANDSHAKE_S", 0.1)
    assert is_disconnected(server, raw(server))


def test_what_is_no_command_is_dropped_and_the_next_one_is_taken(server: CommandServer) -> None:
    client = known(server)
    client.sendall(b"\xff\x00\n[1, 2]\n" + b"[" * 5000 + b'\n{"do": "threshold", "value": 7}\n{"do": "stop"}\n')
    assert taken(server, 1) == [Stop()]
    client.close()


def test_a_line_without_end_ends_the_connection(server: CommandServer) -> None:
    client = known(server)
    client.setblocking(False)
    sent = 0
    for _ in range(1000):
        try:
            sent += client.send(b"x" * 4096)
        except BlockingIOError:
            pass
        except OSError:
            break
        assert list(server.poll()) == []
        time.sleep(0.0005)
    assert sent > MOST_LINE_BYTES
    assert server._clients == []


def test_a_flood_is_taken_at_the_rate_of_the_polls_and_holds_up_no_other_window(
    server: CommandServer, tmp_path: Path
) -> None:
    flood = known(server)
    flood.setblocking(False)
    other = CommandClient(tmp_path)
    heard, polls_s = 0, []
    for k in range(200):
        try:
            while True:
                flood.send(b'{"do": "threshold", "value": 0.1}\n' * 200)
        except BlockingIOError:
            pass
        if k == 100:
            assert other.send(UP)
        began = time.perf_counter()
        found = list(server.poll())
        polls_s.append(time.perf_counter() - began)
        assert len(found) <= MOST_COMMANDS + 1
        heard += UP in found
    assert heard == 1
    assert sorted(polls_s)[len(polls_s) // 2] < 0.005
    assert len(server._clients[0]._received) <= 2 * MOST_LINE_BYTES
    flood.close()
    other.close()


def test_windows_that_hang_or_die_cost_nothing(server: CommandServer, tmp_path: Path) -> None:
    hanging, dying = known(server), known(server)
    hanging.sendall(b'{"do": "thre')
    dying.sendall(b'{"do": "stop')
    dying.close()
    client = CommandClient(tmp_path)
    client.send(UP)
    assert taken(server, 1) == [UP]
    assert list(server.poll()) == []
    assert len(server._clients) == 2
    hanging.close()
    client.close()


def test_more_windows_than_there_is_room_for_are_disconnected(server: CommandServer) -> None:
    clients = [known(server) for _ in range(MOST_CLIENTS)]
    list(server.poll())
    one_more = raw(server)
    assert is_disconnected(server, one_more)
    assert len(server._clients) == MOST_CLIENTS
    for client in clients:
        client.close()


def test_a_window_neither_waits_for_an_engine_that_hangs_nor_keeps_all_that_it_is_told(
    server: CommandServer, tmp_path: Path
) -> None:
    client = CommandClient(tmp_path)
    began = time.perf_counter()
    sent = [client.send(Annotate(label="x" * 1000, onset=0, stamp=0)) for _ in range(20_000)]
    assert time.perf_counter() - began < 5
    assert sent[0] and not sent[-1]
    assert len(client._unsent) < 2 * MOST_LINE_BYTES
    client.close()


def test_a_window_finds_an_engine_that_comes_later_and_one_that_comes_again(tmp_path: Path) -> None:
    client = CommandClient(tmp_path)
    assert not client.send(UP)
    for _ in range(2):
        server = CommandServer(tmp_path)
        client._retry_at = 0.0
        while not client.send(UP):
            client._retry_at = 0.0
        assert taken(server, 1) == [UP]
        server.close()
        assert not any(name.startswith("commands") for name in os.listdir(tmp_path))
    client.close()
