"""Jobs on a Ray cluster: a task each, on whatever node has a processor free. Only this file and `remote.py` know Ray."""

from __future__ import annotations

import importlib
import logging
import os
import pickle
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from rtbci.errors import ConfigError
from rtbci.plugins import named
from rtbci.provenance import kernels
from rtbci.text import listing, one_line
from rtbci.workers.needs import Needs, Wanted, looked_for
from rtbci.workers.remote import Mailbox, Run, do
from rtbci.workers.work import Bug, Done, Failed, Make, Outcome, settled

ANSWERS_WITHIN_S = 5.0  # a port
JOINED_WITHIN_S = 60.0  # the cluster behind it
CHECKED_WITHIN_S = 120.0  # a node, which imports PyTorch
LOOK_EVERY_S = 0.5
NOTHING_BEGAN_S = 30.0
MOST_ATTEMPTS = 3
_JOIN = "import logging, ray, sys; ray.init(sys.argv[1], log_to_driver=False, logging_level=logging.CRITICAL)"
INSTALL = "Ray is not installed; install it with: pip install 'rtbci[cluster]'"


def on_cluster(
    make: Make,
    jobs: Sequence[Any],
    address: str,
    most: int | None,
    on_report: Callable[[int, Any], None],
    needs: Needs,
) -> Generator[tuple[int, Done | Failed], None, None]:
    """Do jobs as tasks of a cluster; number and outcome of each, as they are done. For the rest see `side_by_side`."""
    with _joined(address) as ray, looked_for(needs) as wanted:
        _check_nodes(ray, address, wanted, needs)
        run = Run(secrets.token_hex(8), wanted, named(), pickle.dumps(make))
        yield from _Tasks(ray, run, jobs, most, on_report, needs).outcomes()


@contextmanager
def _joined(address: str) -> Iterator[Any]:
    """Ray, while this process is a driver of the cluster; a program that has joined one by itself stays in that.

    Raises ConfigError within seconds where there is none.
    """
    # Of Ray's own: no statistics to its makers, and no warning that a task without a GPU sees none.
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "1"}
    try:
        ray = importlib.import_module("ray")
    except ImportError:
        raise ConfigError(f"--cluster {address}: {INSTALL}") from None
    if ray.is_initialized():
        yield ray
        return
    _check_address(address)
    # What Ray tells of lost workers on standard output, between our JSON, we tell ourselves.
    vars(importlib.import_module("ray._private.worker"))["_worker_logs_enabled"] = False
    in_main = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGTERM)
    settings: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.CRITICAL}
    if address == "local":
        settings["include_dashboard"] = False
    try:
        ray.init(address=address, namespace=f"rtbci-{secrets.token_hex(8)}", **settings)
    except Exception as error:
        raise ConfigError(f"--cluster {address}: {one_line(str(error))[:300]}") from None
    finally:
        if in_main and before is not None:
            signal.signal(signal.SIGTERM, before)  # Ray has put its own in its place
    try:
        yield ray
    finally:
        ray.shutdown()  # leaves the cluster, which goes on


def _check_address(address: str) -> None:
    """Raise ConfigError where no cluster can be joined.

    That is tried in a process of its own: Ray waits for two minutes, and ends the process then.
    """
    if address == "local":
        return
    wanted = "wanted auto, local, HOST:PORT or ray://HOST:PORT"
    if address != "auto":
        host, _, port = address.removeprefix("ray://").rpartition(":")
        if not host or not port.isdigit():
            raise ConfigError(f"--cluster {address}: {wanted}")
        try:
            socket.create_connection((host.strip("[]"), int(port)), ANSWERS_WITHIN_S).close()
        except (OSError, OverflowError) as error:
            raise ConfigError(f"--cluster {address}: nothing answers there ({one_line(str(error))})") from None
    try:
        done = subprocess.run(
            [sys.executable, "-c", _JOIN, address],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=JOINED_WITHIN_S,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise ConfigError(
            f"--cluster {address}: what answers there is no Ray cluster, or one that is busy for {JOINED_WITHIN_S:.0f} s"
        ) from None
    if done.returncode != 0:
        lines = done.stderr.decode(errors="replace").strip().splitlines() or [f"exit code {done.returncode}"]
        raise ConfigError(f"--cluster {address}: cannot be joined: {one_line(lines[-1])[:300]}")


def _check_nodes(ray: Any, address: str, wanted: Wanted, needs: Needs) -> None:
    """Look on every node that can get a job. Raises ConfigError where one lacks something, and names it."""
    kind = "GPU" if needs.gpu else "CPU"
    nodes = [one for one in ray.nodes() if one["Alive"] and one["Resources"].get(kind, 0) >= 1]
    if not nodes:
        hint = "; use --device cpu" if needs.gpu else ""
        raise ConfigError(f"--cluster {address}: no node has a {'GPU' if needs.gpu else 'processor'} to give{hint}")
    affinity = importlib.import_module("ray.util.scheduling_strategies").NodeAffinitySchedulingStrategy
    look = _look()
    answers = []
    for node in nodes:
        there = affinity(node["NodeID"], soft=False)
        answers.append(ray.remote(num_cpus=0, max_retries=0, scheduling_strategy=there)(look).remote(wanted))
    lacks: list[str] = []
    other: dict[str, list[str]] = {}
    for node, answer in zip(nodes, answers, strict=True):
        name = f"{node['NodeManagerHostname']} ({node['NodeManagerAddress']})"
        try:
            lack, computed_with = ray.get(answer, timeout=CHECKED_WITHIN_S)
        except ray.exceptions.RayError as error:
            lack, computed_with = f"it could not be looked at: {one_line(str(error))[:200]}", ""
        if lack:
            lacks.append(f"node {name}: {lack}")
        elif computed_with != kernels() and not needs.gpu:
            other.setdefault(computed_with, []).append(name)
    if lacks:
        raise ConfigError(f"--cluster {address}: {'; '.join(dict.fromkeys(lacks))}")
    for computed_with, names in other.items():
        needs.on_warning(
            f"{listing(names)}: computes with {computed_with}, this machine with {kernels()}: the last bits of answers may differ"
        )


def _look() -> Callable[[Wanted], tuple[str, str]]:
    """What is asked of a node; defined inside, so that Ray sends its code: rtbci may not be there."""

    def look(wanted: Wanted) -> tuple[str, str]:
        try:
            from rtbci.workers.needs import computed_with, lacking
        except ImportError as error:
            return f"it has no rtbci of this version ({error})", ""
        lack = lacking(wanted)
        return lack, "" if lack else computed_with()

    return look


class _Tasks:
    """The jobs of a command as tasks, so many at once; one whose process or node was lost is done again, and that is told."""

    def __init__(
        self,
        ray: Any,
        run: Run,
        jobs: Sequence[Any],
        most: int | None,
        on_report: Callable[[int, Any], None],
        needs: Needs,
    ) -> None:
        self._ray, self._jobs, self._most, self._needs = ray, jobs, most, needs
        self._on_report = on_report
        self._run = ray.put(run)
        self._mailbox = ray.remote(num_cpus=0, max_restarts=-1)(Mailbox).remote()
        # Ray's own retries would tell nobody.
        self._do = ray.remote(num_cpus=1, num_gpus=int(needs.gpu), max_retries=0, scheduling_strategy="SPREAD")(do)
        self._waiting = list(range(len(jobs)))
        self._tasks: dict[Any, int] = {}
        self._hosts: dict[int, str] = {}
        self._attempts: Counter[int] = Counter()
        self._patience_until = time.monotonic() + NOTHING_BEGAN_S

    def outcomes(self) -> Generator[tuple[int, Done | Failed], None, None]:
        """Number and outcome of each job, as they are done."""
        try:
            while self._waiting or self._tasks:
                self._submit()
                ready, _ = self._ray.wait(list(self._tasks), timeout=LOOK_EVERY_S)
                self._hear()
                for task in ready:
                    number = self._tasks.pop(task)
                    outcome = settled(self._outcome(task, number))
                    if not self._done_again(number, outcome):
                        yield number, outcome
        finally:
            for task in self._tasks:
                with suppress(Exception):
                    self._ray.cancel(task, force=True)
            with suppress(Exception):
                self._ray.kill(self._mailbox)

    def _submit(self) -> None:
        there = self._ray.cluster_resources().get("GPU" if self._needs.gpu else "CPU", 0)
        most = max(1, int(there) if self._most is None else min(self._most, int(there)))
        while self._waiting and len(self._tasks) < most:
            number = self._waiting.pop(0)
            job = pickle.dumps(self._jobs[number])
            self._tasks[self._do.remote(self._run, number, job, self._mailbox)] = number

    def _hear(self) -> None:
        """Pass on what tasks have told."""
        try:
            told = self._ray.get(self._mailbox.take.remote(), timeout=ANSWERS_WITHIN_S)
        except self._ray.exceptions.RayError:  # its node was lost; it begins anew
            return
        for number, host, what in told:
            self._hosts[number] = host
            if what is not None and number in self._tasks.values():
                self._on_report(number, what)
        if not self._hosts and time.monotonic() > self._patience_until:
            self._patience_until = float("inf")
            self._needs.on_warning(
                f"no processor of the cluster has been free for {NOTHING_BEGAN_S:.0f} s; waiting for one"
            )

    def _outcome(self, task: Any, number: int) -> Outcome:
        errors = self._ray.exceptions
        where = f" on {host}" if (host := self._hosts.get(number)) else ""
        times = f", {MOST_ATTEMPTS} times" if self._attempts[number] == MOST_ATTEMPTS - 1 else ""
        try:
            outcome: Outcome = pickle.loads(self._ray.get(task))
        except errors.RayTaskError as error:
            return Bug(str(error))
        except errors.NodeDiedError:
            return Failed(f"its node was lost{times}", ended=True)
        except errors.RayError:
            return Failed(f"its process{where} was ended{times}, perhaps for want of memory", ended=True)
        return outcome

    def _done_again(self, number: int, outcome: Done | Failed) -> bool:
        """Whether a job that was cut short is put back, which is told."""
        if isinstance(outcome, Done) or not outcome.ended:
            return False
        self._attempts[number] += 1
        if self._attempts[number] >= MOST_ATTEMPTS:
            return False
        self._needs.on_warning(f"{self._needs.name(number)}: {outcome.reason}; it is done again")
        self._waiting.insert(0, number)
        return True
