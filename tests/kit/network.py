"""Two hosts on one cable: network namespaces joined by a veth pair, an LSL configuration and a host name in each."""

import itertools
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

_number = itertools.count()


class Network:
    """`hosts` hosts; what is started on them is ended with the network."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        tag = f"{os.getpid()}-{next(_number)}"
        self.names = [f"rtbci-{tag}-{side}" for side in "ab"]
        self.links = [f"rt{tag}{side}" for side in "ab"]
        self.addresses = ["10.77.0.1", "10.77.0.2"]
        self.processes: list[subprocess.Popen[bytes]] = []
        self._configs = [self._config(side, tag) for side in "ab"]

    def make(self) -> None:
        """Raises CalledProcessError where this machine cannot."""
        for name in self.names:
            _do("ip", "netns", "add", name)
        # Each end is made in its place: nothing of it is ever seen outside.
        _do("ip", "-n", self.names[0], "link", "add", self.links[0], "type", "veth",
            "peer", "name", self.links[1], "netns", self.names[1])  # fmt: skip
        for name, link, address in zip(self.names, self.links, self.addresses, strict=True):
            _do("ip", "-n", name, "address", "add", f"{address}/24", "dev", link)
            _do("ip", "-n", name, "link", "set", link, "up")
            _do("ip", "-n", name, "link", "set", "lo", "up")

    def close(self) -> None:
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)
        for name in self.names:
            subprocess.run(["ip", "netns", "delete", name], capture_output=True)

    def start(
        self, host: int, command: Sequence[str], out: IO[bytes] | None = None, boot_s: int = 0
    ) -> subprocess.Popen[bytes]:
        """A command on a host. boot_s: how much longer its clock has run than this machine's (a time namespace)."""
        clock = ["--time", "--monotonic", str(boot_s)] if boot_s else []
        inside = ["ip", "netns", "exec", self.names[host], "unshare", "--uts", *clock]
        renamed = ["sh", "-c", 'hostname "$0" && exec "$@"', f"host-{'ab'[host]}", *command]
        process = subprocess.Popen(
            [*inside, *renamed], stdout=out or subprocess.DEVNULL,
            env=os.environ | {"LSLAPICFG": str(self._configs[host]), "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        self.processes.append(process)
        return process

    @contextmanager
    def unplugged(self, host: int) -> Iterator[None]:
        """The host's network device is down: it knows, the other does not."""
        _do("ip", "-n", self.names[host], "link", "set", self.links[host], "down")
        try:
            yield
        finally:
            _do("ip", "-n", self.names[host], "link", "set", self.links[host], "up")

    @contextmanager
    def dropping(self) -> Iterator[None]:
        """Both devices are up, and every packet gets lost on the way: nobody knows."""
        for name, link in zip(self.names, self.links, strict=True):
            _do("ip", "netns", "exec", name, "tc", "qdisc", "add", "dev", link, "root", "blackhole")
        try:
            yield
        finally:
            for name, link in zip(self.names, self.links, strict=True):
                _do("ip", "netns", "exec", name, "tc", "qdisc", "delete", "dev", link, "root")

    def _config(self, side: str, tag: str) -> Path:
        path = self.folder / f"lsl-{side}.cfg"
        path.write_text(
            "[ports]\nIPv6 = disable\n[multicast]\nResolveScope = machine\n"
            f"[lab]\nKnownPeers = {{{', '.join(self.addresses)}}}\nSessionID = rtbci-{tag}\n[log]\nlevel = -3\n"
        )
        return path


def network(folder: Path) -> Iterator[Network]:
    """The body of a fixture: a network, or a skip that says why there is none."""
    for tool in ("ip", "tc", "unshare"):
        if shutil.which(tool) is None:
            pytest.skip(f"needs {tool} (packages iproute2 and util-linux) to make a network that can fail")
    made = Network(folder)
    try:
        made.make()
    except subprocess.CalledProcessError as error:
        made.close()
        pytest.skip(f"needs root and network namespaces: {error.stderr.decode().strip()}")
    try:
        yield made
    finally:
        made.close()


def _do(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
