"""A Ray cluster of two nodes on this machine, one processor each, that nobody else uses."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

KIT = Path(__file__).parent
START_S = 60.0


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@dataclass(frozen=True)
class TwoNodes:
    """Where the cluster is, and the processes of its nodes."""

    address: str
    nodes: list[subprocess.Popen[bytes]]

    def kill_a_task(self) -> int:
        """Wait for a job of rtbci in one of its processes, and kill that."""
        until = time.monotonic() + START_S
        while time.monotonic() < until:
            for node in self.nodes:
                for one in psutil.Process(node.pid).children(recursive=True):
                    with suppress(psutil.Error):
                        if one.cmdline()[:1] == ["ray::do"]:
                            one.kill()
                            return one.pid
            time.sleep(0.01)
        raise TimeoutError("no task was seen")


@contextmanager
def two_nodes() -> Iterator[TwoNodes]:
    """They end with the context."""
    folder = Path(tempfile.mkdtemp(prefix="ray-"))  # the paths of its sockets must be short
    port = free_port()
    log = (folder / "log").open("wb")
    nodes: list[subprocess.Popen[bytes]] = []

    def start(*arguments: str) -> None:
        command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--num-cpus=1", *arguments]
        path = os.pathsep.join([str(KIT), str(KIT.parents[1]), os.environ.get("PYTHONPATH", "")])
        nodes.append(
            subprocess.Popen(
                [*command, "--disable-usage-stats", "--object-store-memory=80000000"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                env=os.environ | {"PYTHONPATH": path, "RAY_USAGE_STATS_ENABLED": "0"},
            )
        )  # fmt: skip

    try:
        start(
            "--head",
            f"--port={port}",
            f"--temp-dir={folder}",
            "--include-dashboard=false",
            "--include-log-monitor=false",
        )
        _wait_for(port)
        start(f"--address=127.0.0.1:{port}")
        yield TwoNodes(f"127.0.0.1:{port}", nodes)
    finally:
        for node in nodes:
            node.terminate()
        for node in nodes:
            with suppress(subprocess.TimeoutExpired):
                node.wait(20)
            with suppress(ProcessLookupError):
                os.killpg(node.pid, signal.SIGKILL)
        log.close()
        shutil.rmtree(folder, ignore_errors=True)


def _wait_for(port: int) -> None:
    until = time.monotonic() + START_S
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), 1.0).close()
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)
