"""Numbers of threads; one for a network's step, since how many share a sum decides its order, and so its last bits."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import scipy.linalg  # noqa: F401  it brings a BLAS of its own, which must be there when they are looked for
import threadpoolctl
import torch


@contextmanager
def torch_threads(n: int) -> Iterator[None]:
    """Context in which PyTorch, in the calling thread, uses `n` threads."""
    before = torch.get_num_threads()
    if n == before:
        yield
        return
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def one_thread() -> Iterator[None]:
    """Context in which PyTorch, in the calling thread, and the BLAS of numpy and scipy, in all of them, use one thread."""
    with torch_threads(1):
        _BLAS.enter()
        try:
            yield
        finally:
            _BLAS.leave()


class _Blas:
    """The BLAS libraries of the process: one thread while any thread of the process is inside, then as many as before."""

    def __init__(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of two OpenMP libraries in one process, which is not our doing
            found = threadpoolctl.ThreadpoolController().select(user_api="blas")
        self._libraries = found.lib_controllers
        self._lock = threading.Lock()
        self._inside = 0
        self._before: list[int | None] = []

    def enter(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside > 1:
                return
            self._before = [library.get_num_threads() for library in self._libraries]
            for library, n in zip(self._libraries, self._before, strict=True):
                if n != 1:
                    library.set_num_threads(1)

    def leave(self) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside:
                return
            for library, n in zip(self._libraries, self._before, strict=True):
                if n is not None and n != 1:
                    library.set_num_threads(n)


_BLAS = _Blas()
