"""A stream of no LSL library: whatever XML it likes, told by LSL's own protocol on the loopback."""

from __future__ import annotations

import os
import re
import socket
import threading
import uuid
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType

import pylsl

_SAID = dict(re.findall(r"(\w+) = (\S+)", Path(os.environ["LSLAPICFG"]).read_text()))
_FIRST = int(_SAID.get("BasePort", 16572))
PORTS = range(_FIRST, _FIRST + int(_SAID.get("PortRange", 32)))  # that liblsl asks each known peer on


def described(name: str, n_channels: int = 2, sfreq: float = 256.0) -> str:
    """The XML of a sane stream."""
    info = pylsl.StreamInfo(name, "EEG", n_channels, sfreq, "float32", uuid.uuid4().hex)
    info.reset_uid()
    return with_field(info.as_xml(), "created_at", "1.0")  # without it liblsl asks again and again


def with_field(xml: str, field: str, value: str) -> str:
    """One field of it set."""
    return re.sub(rf"<{field}>.*?</{field}>|<{field} ?/>", lambda _: f"<{field}>{value}</{field}>", xml, count=1)


class HostileStream:
    """Answers who looks for streams with `short`, and who asks for its description with `full`."""

    def __init__(self, name: str, short: str | bytes, full: str | bytes) -> None:
        """name: by which it is looked for."""
        self.name = name
        self._tcp = socket.create_server(("127.0.0.1", 0))
        self._udp = self._bound()
        self._udp.settimeout(0.1)
        self._tcp.settimeout(0.1)
        port = self._tcp.getsockname()[1]
        self._short, self._full = (self._placed(xml, port) for xml in (short, full))
        self.n_asked = 0
        self._over = threading.Event()
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._answer, self._tell)]
        for thread in self._threads:
            thread.start()

    @staticmethod
    def _bound() -> socket.socket:
        for port in PORTS:
            udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            try:
                udp.bind(("127.0.0.1", port))
            except OSError:
                udp.close()
                continue
            return udp
        raise OSError("no port of LSL's is free")

    @staticmethod
    def _placed(xml: str | bytes, port: int) -> bytes:
        text = xml.encode("utf-8", "surrogateescape") if isinstance(xml, str) else xml
        for field, value in (
            (b"v4data_port", b"%d" % port),
            (b"v4service_port", b"%d" % port),
            (b"v4address", b"127.0.0.1"),
        ):
            text = re.sub(
                rb"<%s>.*?</%s>|<%s ?/>" % (field, field, field), b"<%s>%s</%s>" % (field, value, field), text, count=1
            )
        return text

    def _answer(self) -> None:
        """LSL:shortinfo, query, return port and query id, each on a line -> query id, XML."""
        while not self._over.is_set():
            try:
                asked, (host, _) = self._udp.recvfrom(65536)
            except TimeoutError:
                continue
            lines = asked.decode(errors="replace").split("\r\n")
            if lines[0] == "LSL:shortinfo" and len(lines) > 2 and self._is_meant(lines[1]):
                port, query_id = lines[2].split()[:2]
                self._udp.sendto(query_id.encode() + b"\r\n" + self._short, (host, int(port)))

    def _is_meant(self, query: str) -> bool:
        """Only whoever looks for it by its name, or for all there is, in this test's session."""
        return f"session_id='{_SAID['SessionID']}'" in query and (
            "name=" not in query or f"name='{self.name}'" in query
        )

    def _tell(self) -> None:
        """LSL:fullinfo -> XML; all else is never answered."""
        with ExitStack() as held:
            while not self._over.is_set():
                try:
                    connection, _ = self._tcp.accept()
                except TimeoutError:
                    continue
                held.enter_context(connection)
                connection.settimeout(2)
                with suppress(OSError):
                    if connection.recv(4096).startswith(b"LSL:fullinfo"):
                        self.n_asked += 1
                        connection.sendall(self._full)
                        connection.close()

    def __enter__(self) -> HostileStream:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()
        self._udp.close()
        self._tcp.close()
