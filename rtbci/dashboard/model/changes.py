"""Observers: views subscribe to the changes of a model; no event loop and no widget toolkit is needed."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Generic, ParamSpec

P = ParamSpec("P")


class Changes(Generic[P]):
    """Callbacks in the order of their subscription, called at once and in the same thread.

    A bound method is held weakly, so that a model keeps no closed view alive; functions and lambdas are held as they are.
    """

    def __init__(self) -> None:
        self._references: list[Callable[[], Callable[P, None] | None]] = []

    def subscribe(self, callback: Callable[P, None]) -> None:
        """Call it at every `notify` from now on, for as long as its object is there."""
        self._references.append(_reference(callback))

    def notify(self, *args: P.args, **kwargs: P.kwargs) -> None:
        """Call the subscribers; those whose object is gone are forgotten."""
        callbacks = [(reference, reference()) for reference in self._references]
        self._references = [reference for reference, callback in callbacks if callback is not None]
        for _, callback in callbacks:
            if callback is not None:
                callback(*args, **kwargs)


def _reference(callback: Callable[P, None]) -> Callable[[], Callable[P, None] | None]:
    try:
        owner = weakref.ref(callback.__self__)  # type: ignore[attr-defined]
    except (AttributeError, TypeError):  # a function, or a method of what cannot be referenced weakly
        return lambda: callback
    # By name: WeakMethod takes no methods that are built in, such as a widget's `update`.
    name = callback.__name__
    return lambda: None if owner() is None else getattr(owner(), name)
