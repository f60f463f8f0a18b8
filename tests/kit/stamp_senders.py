"""Stamps of every kind of sender, seeded, with losses put in: what a gap guard has to tell apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rtbci.types import Times

STARTS_S = 1e5


@dataclass(frozen=True)
class Sent:
    """What a sender sent: times when each sample was recorded, stamps, and when it was pushed."""

    times: Times
    stamps: Times
    pushed: Times


Losses = tuple[tuple[int, int], ...]  # (at sample, how many)
Sender = Callable[[Times, float, np.random.Generator], tuple[Times, Times]]


def sent(sender: Sender, sfreq: float, seconds: float, ppm: float = 0.0, losses: Losses = (), seed: int = 0) -> Sent:
    """`seconds` of a board whose true rate is sfreq · (1 - ppm · 1e-6), without the samples that its radio lost."""
    n = round(sfreq * seconds)
    times = STARTS_S + (np.arange(n) + 1) / (sfreq * (1 - ppm * 1e-6))
    kept = np.ones(n, np.bool_)
    for at, how_many in losses:
        kept[at : at + how_many] = False
    times = times[kept]
    stamps, pushed = sender(times, sfreq, np.random.default_rng(seed))
    return Sent(times, stamps, pushed)


def _pushes(times: Times, every_s: float, late_s: Times | None = None) -> tuple[np.ndarray, Times]:
    """A loop that wakes every `every_s`, and takes what is there: (push of each sample, moment of each push)."""
    wakes = times[0] + every_s * np.arange(1, int((times[-1] - times[0]) / every_s) + 3)
    if late_s is not None:
        wakes = np.maximum.accumulate(wakes + late_s[: len(wakes)])
    return np.searchsorted(wakes, times), wakes


def _wake_noise(times: Times, every_s: float, rng: np.random.Generator, noise_s: float) -> Times:
    return np.abs(rng.normal(0, noise_s, int((times[-1] - times[0]) / every_s) + 3))


def _places(push: np.ndarray) -> np.ndarray:
    """Number of each sample from the end of its push, the last being 0."""
    last = np.searchsorted(push, push, "right") - 1
    return last - np.arange(len(push))


def device(noise_s: float = 0.0) -> Sender:
    """Stamps of the device's own, with noise on each."""

    def stamp(times: Times, sfreq: float, rng: np.random.Generator) -> tuple[Times, Times]:
        return times + rng.normal(0, noise_s, len(times)) if noise_s else times.copy(), times + 0.002

    return stamp


def pushed(
    every_s: float, how: str, noise_s: float = 3e-4, late_s: float = 0.0, one_in: int = 8, most_s: float = 0.0
) -> Sender:
    """Pushed by a loop that wakes every `every_s`, one time in `one_in` late by `late_s` (to `most_s`).

    how: "push": one by one, unstamped; "equal": one stamp for all; "chunk": at once, and liblsl stamps back from now.
    """

    def stamp(times: Times, sfreq: float, rng: np.random.Generator) -> tuple[Times, Times]:
        late = _wake_noise(times, every_s, rng, noise_s)
        is_late = rng.random(len(late)) < 1 / one_in if late_s else np.zeros(len(late), np.bool_)
        late = late + is_late * (rng.uniform(late_s, most_s, len(late)) if most_s > late_s else late_s)
        push, wakes = _pushes(times, every_s, late)
        now, behind = wakes[push], _places(push)
        if how == "chunk":
            return now - behind / sfreq, now
        if how == "equal":
            return now.copy(), now
        each = np.maximum(rng.normal(1.5e-5, 3e-6, len(times)), 1e-6)
        spent = np.cumsum(each)
        first = np.searchsorted(push, push)
        return now + spent - spent[first], now

    return stamp


def packets(n: int, how: str, noise_s: float = 3e-4, late_s: float = 0.0, one_in: int = 8) -> Sender:
    """Pushed as soon as `n` samples are there, in one chunk; with noise, and one in `one_in` late by `late_s`."""

    def stamp(times: Times, sfreq: float, rng: np.random.Generator) -> tuple[Times, Times]:
        push = np.arange(len(times)) // n
        ends = np.append(np.flatnonzero(np.diff(push)), len(times) - 1)
        late = np.abs(rng.normal(0, noise_s, len(ends))) + (rng.random(len(ends)) < 1 / one_in) * late_s
        now = np.maximum.accumulate(times[ends] + late)[push]
        return (now - _places(push) / sfreq if how == "chunk" else now + 1.5e-5 * (push * 0)), now

    return stamp


def noisy_packets(n: int, noise_s: float) -> Sender:
    """Packets of `n`, each with noise of both signs on its stamps."""

    def stamp(times: Times, sfreq: float, rng: np.random.Generator) -> tuple[Times, Times]:
        noise = rng.normal(0, noise_s, len(times) // n + 1)
        return times + np.repeat(noise, n)[: len(times)], times + 0.002

    return stamp


def stalling(inner: Sender, every_s: float, lasts_s: tuple[float, float]) -> Sender:
    """Now and then nothing is pushed for a while; then all that has waited comes at once."""

    def stamp(times: Times, sfreq: float, rng: np.random.Generator) -> tuple[Times, Times]:
        stamps, now = inner(times, sfreq, rng)
        at = times[0] + 12.0
        while at < times[-1]:
            until = at + rng.uniform(*lasts_s)
            held = (now >= at) & (now < until)
            stamps = np.where(held, stamps + (until - now), stamps)
            now = np.where(held, until, now)
            at = until + rng.exponential(every_s) + 1.0
        return stamps, now

    return stamp
