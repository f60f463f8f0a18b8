"""Numbers of threads; one for a network's step, since how many share a sum decides its order, and so its last bits."""

from __future__ import annotations

import ctypes
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import product
from typing import Any

import scipy.linalg  # noqa: F401  it brings a BLAS of its own, which must be there when they are looked for
import threadpoolctl
import torch


@contextmanager
def torch_threads(n: int) -> Iterator[None]:
    """Context in which PyTorch, in the calling thread, uses `n` threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class OneThread:
    """Context in which PyTorch, in the calling thread, and the BLAS of numpy and scipy, in all of them, use one thread.

    Afterwards they use as many as before. It takes about a microsecond, for it is entered with every chunk.
    """

    __slots__ = ("_before",)

    def __enter__(self) -> None:
        self._before = torch.get_num_threads()
        if self._before != 1:
            torch.set_num_threads(1)
        _BLAS.enter()

    def __exit__(self, *error: object) -> None:
        _BLAS.leave()
        if self._before != 1:
            torch.set_num_threads(self._before)


class _Blas:
    """The BLAS libraries of the process: one thread while any thread of the process is inside, then as many as before."""

    def __init__(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of two OpenMP libraries in one process, which is not our doing
            found = threadpoolctl.ThreadpoolController().select(user_api="blas")
        self._libraries = [_get_and_set(library) for library in found.lib_controllers]
        self._lock = threading.Lock()
        self._inside = 0
        self._to_restore: list[tuple[Callable[[int], object], int]] = []

    def enter(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside > 1:
                return
            for get, set_ in self._libraries:
                n = get()
                if n is not None and n > 1:
                    set_(1)
                    self._to_restore.append((set_, n))

    def leave(self) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                while self._to_restore:
                    set_, n = self._to_restore.pop()
                    set_(n)


def _get_and_set(library: Any) -> tuple[Callable[[], int | None], Callable[[int], object]]:
    """Functions for a library's number of threads.

    threadpoolctl lets but one thread of the process set that of OpenBLAS, and is silent to the others: so it is called here.
    """
    if library.internal_api == "openblas" and library.threading_layer != "openmp":
        dll = ctypes.PyDLL(library.filepath)
        for prefix, suffix in product(("", "scipy_"), ("", "64_", "_64")):
            names = [f"{prefix}openblas_{verb}_num_threads{suffix}" for verb in ("get", "set")]
            if all(hasattr(dll, name) for name in names):
                get, set_ = (dll[name] for name in names)
                set_.argtypes, set_.restype = [ctypes.c_int], None
                return get, set_
    return library.get_num_threads, library.set_num_threads


_BLAS = _Blas()
