"""Stages that hold a network's state: scaled samples in, probabilities out."""

from __future__ import annotations

import math
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from rtbci.config import MAX_ANSWER_VALUES, MAX_WINDOW_VALUES
from rtbci.stages.buffers import Ring
from rtbci.types import Chunk, Flags, Times

if TYPE_CHECKING:
    from rtbci.models.step import Step

Activation = Literal["sigmoid", "softmax"]
MAX_HOPS = 4096  # of one network call, so that memory does not grow with the chunk


def probabilities(logits: npt.NDArray[np.float32], activation: Activation) -> npt.NDArray[np.float32]:
    """Logits to probabilities.

    Parameters
    ----------
    logits
        (n, n_classes).
    activation
        "sigmoid": each class independently; "softmax": one class of all.

    Returns
    -------
    ndarray
        (n, n_classes).
    """
    if activation == "sigmoid":
        out: npt.NDArray[np.float32] = 0.5 * np.tanh(0.5 * logits) + np.float32(0.5)
        return out
    with np.errstate(invalid="ignore"):
        raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    scores: npt.NDArray[np.float32] = raised / raised.sum(axis=1, keepdims=True)
    return scores


def scored(scores: npt.NDArray[np.float32], times: Times, valid: Flags) -> Chunk:
    """Probabilities (n, n_classes) with their times; one that is not finite, by excessive weights, is 0 and invalid."""
    if math.isnan(scores.sum()):
        sane: Flags = np.logical_and.reduce(np.isfinite(scores), axis=1)
        scores, valid = np.where(sane[:, None], scores, np.float32(0)), valid & sane
    return Chunk(scores, times, valid)


def all_of(flags: Flags) -> Flags:
    """(n_hops, hop) flags of samples to (n_hops,) flags of hops: whether all are set."""
    whole: Flags = np.logical_and.reduce(flags, axis=1)
    return whole


class Tagger:
    """Stage: a causal network with carried state; whole hops in, one score for each hop out.

    Parameters
    ----------
    step
        The network on one stream.
    n_classes
        Columns of the scores.
    hop
        Samples between two scores.
    activation
        From logits to probabilities.
    warmup_hops
        First scores after a reset, which are invalid.
    values
        float32 values that the network holds for one answer (models/config.py); bounds the hops of one call.
    """

    def __init__(
        self, step: Step, n_classes: int, hop: int, activation: Activation, warmup_hops: int = 0, values: int = 1
    ) -> None:
        self._step = step
        self._most = hop * min(MAX_HOPS, max(1, MAX_ANSWER_VALUES // values))  # samples of one call
        self._n_classes = n_classes
        self._hop = hop
        self._activation: Activation = activation
        self._warmup_hops = warmup_hops
        self.reset()

    def reset(self) -> None:
        self._state: Any = self._step.initial_state()
        self._n_cold = self._warmup_hops

    def process(self, chunk: Chunk) -> Chunk:
        hop = self._hop
        if not len(chunk):
            return Chunk.empty(self._n_classes)
        if len(chunk) > self._most:
            starts = range(0, len(chunk), self._most)
            return Chunk.join([self.process(chunk[start : start + self._most]) for start in starts])
        logits, self._state = self._step(chunk.data, self._state)
        valid = chunk.valid if hop == 1 else all_of(chunk.valid.reshape(-1, hop))
        if self._n_cold:
            valid = valid.copy()
            valid[: self._n_cold] = False
            self._n_cold = max(0, self._n_cold - len(valid))
        return scored(probabilities(logits, self._activation), chunk.times[hop - 1 :: hop], valid)


class WindowClassifier:
    """Windows to probabilities, by a network with one answer for each window.

    Parameters
    ----------
    network
        (batch, window, n_channels) -> (logits, state).
    hop
        For a network with an answer for each sample: how many of the newest are averaged.
    activation
        From logits to probabilities.
    device
        Where the network is: "cpu" or "cuda".
    """

    def __init__(self, network: Any, hop: int, activation: Activation, device: str) -> None:
        self._network = network
        self._hop = hop
        self._activation: Activation = activation
        self._device = device

    def __call__(self, windows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        # On a CPU one by one: torch sums a batch in another order, and the answer must not depend on the chunks.
        """Windows (n, window, n_channels) to probabilities (n, n_classes)."""
        batches = windows[:, None] if self._device == "cpu" else windows[None]
        scores = probabilities(np.concatenate([self._logits(batch) for batch in batches]), self._activation)
        if self._network.per_sample:
            scores = scores[:, -self._hop :].mean(axis=1, keepdims=True)
        return scores

    def _logits(self, batch: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        import torch

        from rtbci.models.threads import OneThread

        with torch.inference_mode(), OneThread() if self._device == "cpu" else nullcontext():
            logits: torch.Tensor = self._network(torch.tensor(batch, device=self._device))[0]
            return logits.float().cpu().numpy()


class WindowTagger:
    """Stage: a network with one answer for each epoch, run live on a sliding window.

    For a network with an answer for each sample, the score of a hop is the mean over the newest hop's samples.

    Parameters
    ----------
    network
        (batch, window, n_channels) -> (logits (batch, n_classes), state).
    n_channels, n_classes
        Of the network.
    window
        Samples of an epoch.
    hop
        Samples between two scores.
    activation, device, values
        See Tagger and WindowClassifier.
    """

    BATCH = 32  # windows of one call at most

    def __init__(
        self, network: Any, n_channels: int, n_classes: int, window: int, hop: int, activation: Activation, device: str,
        values: int = 1,
    ) -> None:  # fmt: skip
        self._batch = max(1, min(self.BATCH, MAX_ANSWER_VALUES // values, MAX_WINDOW_VALUES // (hop * n_channels)))
        self._classify = WindowClassifier(network, hop, activation, device)
        self._n_classes = n_classes
        self._window, self._hop = window, hop
        self._ring = Ring(window + self._batch * hop, n_channels)
        self.reset()

    def reset(self) -> None:
        self._ring.reset()
        self._n_seen = 0
        self._last_bad = -self._window - 1  # index of the newest sample that was not valid

    def process(self, chunk: Chunk) -> Chunk:
        """The first score comes with the first complete window, then one every hop."""
        room = self._batch * self._hop
        if len(chunk) > room:
            return Chunk.join([self.process(chunk[at : at + room]) for at in range(0, len(chunk), room)])
        before, self._n_seen = self._n_seen, self._n_seen + len(chunk)
        self._ring.append(chunk.data)
        # Samples seen at each answer that falls due in this chunk.
        first = max(self._window, before + 1)
        first += -(first - self._window) % self._hop
        ends = np.arange(first, self._n_seen + 1, self._hop)
        bad = np.maximum.accumulate(np.where(chunk.valid, -1, np.arange(before, self._n_seen)))
        bad = np.maximum(bad, self._last_bad) if len(chunk) else bad
        self._last_bad = int(bad[-1]) if len(chunk) else self._last_bad
        if not len(ends):
            return Chunk.empty(self._n_classes)
        at = ends - 1 - before
        return scored(self._answers(ends), chunk.times[at], bad[at] < ends - self._window)

    def _answers(self, ends: npt.NDArray[np.int_]) -> npt.NDArray[np.float32]:
        reach = self._n_seen - int(ends[0]) + self._window
        held = self._ring.last(reach)
        starts = ends - ends[0]
        return self._classify(np.stack([held[start : start + self._window] for start in starts]))


class WholeTagger:
    """Stage for a network that depends on future samples: answers in `flush`, on the whole recording. Offline only.

    Parameters
    ----------
    network
        (1, n_samples, n_channels) -> (logits (1, n_hops, n_classes), state).
    n_channels, n_classes, hop, activation, device
        See Tagger and WindowClassifier.
    """

    def __init__(self, network: Any, n_channels: int, n_classes: int, hop: int, activation: Activation, device: str):
        self._network = network
        self._device = device
        self._n_channels, self._n_classes, self._hop = n_channels, n_classes, hop
        self._activation: Activation = activation
        self.reset()

    def reset(self) -> None:
        self._held: list[Chunk] = []

    def process(self, chunk: Chunk) -> Chunk:
        self._held.append(chunk)
        return Chunk.empty(self._n_classes)

    def flush(self) -> Chunk:
        """Scores (n_hops, n_classes) of all samples since the last reset."""
        import torch

        from rtbci.models.threads import OneThread

        if not sum(map(len, self._held)):
            return Chunk.empty(self._n_classes)
        whole = Chunk.join(self._held)
        with torch.inference_mode(), OneThread() if self._device == "cpu" else nullcontext():
            logits, _ = self._network(torch.tensor(whole.data, device=self._device)[None])
        self.reset()
        hop = self._hop
        valid = all_of(whole.valid[: len(whole) // hop * hop].reshape(-1, hop))
        scores = probabilities(logits[0].float().cpu().numpy(), self._activation)
        return scored(scores, whole.times[hop - 1 :: hop], valid)
