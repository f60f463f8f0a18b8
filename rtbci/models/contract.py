"""Checks on noise that a plug-in network keeps the contract of rtbci/models/network.py."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import safetensors.torch
import torch
from torch import Tensor

from rtbci import plugins
from rtbci.config import MAX_ANSWER_VALUES, MAX_WEIGHTS, MAX_WINDOW_VALUES
from rtbci.errors import PluginError
from rtbci.models.arrays import F32
from rtbci.models.config import ModelConfig
from rtbci.models.network import Network, State
from rtbci.models.plugin_config import plugin_of
from rtbci.models.plugin_network import build_plugin, file_of, held_values, sketch
from rtbci.models.threads import OneThread, torch_threads

N_HOPS = 12
CUTS = ((1,) * N_HOPS, (5, 1, 6), (7, 5))  # hops of each part
TOLERANCE = 1e-3  # of the largest logit: above rounding, below the effect of a missing sample


def check_bounds(model: ModelConfig) -> None:
    """Raise PluginError where a plug-in network would take too much memory. Built without values: costs none."""
    config = plugin_of(model)
    if config is None:
        return
    network, n_channels = sketch(config), config.n_channels or 1
    for name, samples in (("window", network.window or 0), ("hop", network.hop)):
        if samples * n_channels > MAX_WINDOW_VALUES:
            raise PluginError(
                f"network {config.kind}: {name} = {samples} samples of {n_channels} channels are more than "
                f"{MAX_WINDOW_VALUES} values"
            )
    weights = sum(t.numel() for t in (*network.parameters(), *network.buffers()))
    if (values := max(weights, held_values(config))) > MAX_ANSWER_VALUES:
        raise PluginError(
            f"network {config.kind}: holds {values} values to give one answer; at most {MAX_ANSWER_VALUES}"
        )


def check_before_training(model: ModelConfig) -> None:
    """Raise PluginError where a plug-in network cannot be trained, saved or run. Leaves the random state alone."""
    config = plugin_of(model)
    if config is None:
        return
    check_bounds(model)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = build_plugin(config)
        if not any(p.requires_grad for p in network.parameters()):
            raise PluginError(f"network {config.kind}: has no parameter to train")
        _check_saved(config.kind, network)
        check_answers(config.kind, _shaken(network))
        _check_gradient(config.kind, network)


def check_loaded(model: ModelConfig, network: Network) -> None:
    """The same for a trained network, or the selector around it."""
    config = plugin_of(model)
    if config is not None:
        check_answers(config.kind, network)


@torch.no_grad()
def check_answers(kind: str, network: Network) -> None:
    """Raise PluginError where answers to noise have a wrong shape, are not repeatable, or depend on the chunks."""
    with _failures_named(kind, network, "cannot be copied"):
        network = copy.deepcopy(network).eval()
    observed = _Observed(kind, network)
    x = torch.randn(
        2, network.window or N_HOPS * network.hop, network.n_channels, generator=torch.Generator().manual_seed(0)
    )
    logits, state = observed(x, None)
    observed.require_shapes(x, logits, state)
    if not _close(observed(x, None)[0], logits):
        raise PluginError(
            f"network {kind}: the same samples get another answer; in evaluation nothing may be drawn or kept"
        )
    if not _close(observed(x[:1], None)[0], logits[:1]):
        raise PluginError(f"network {kind}: the answer to one recording changes with the others in its batch")
    if network.window is None and network.causal:
        _check_law(observed, x, logits)
    _check_threads(kind, network, x[:1])


def _check_threads(kind: str, network: Network, x: Tensor) -> None:
    """The answer to a stream must be the same to the last bit, whatever the number of threads of the process."""
    answers = []
    for n in (1, 2):
        with torch_threads(n):
            observed = _Observed(kind, copy.deepcopy(network).eval())
            with OneThread():
                answers.append(_as_a_stream(observed, x))
    if not np.array_equal(answers[0], answers[1], equal_nan=True):
        raise PluginError(
            f"network {kind}: the answer depends on the number of threads; sum with torch or numpy, which use one thread "
            "while it answers, and keep no number of threads"
        )


def _as_a_stream(observed: _Observed, x: Tensor) -> F32:
    """The answers to x (1, time, channels) as a live pipeline asks for them: by the window, by the hop or by the whole."""
    network = observed.network
    size = network.hop if network.window is None and network.causal else x.shape[1]
    parts: list[Tensor] = []
    state: State | None = None
    for part in torch.split(x, size, 1):
        logits, state = observed(part, state)
        parts.append(logits)
    answers: F32 = torch.cat(parts, 1).numpy()
    return answers


def _check_law(observed: _Observed, x: Tensor, logits: Tensor) -> None:
    """The answer must not depend on how the samples are cut into whole hops; so it cannot depend on later samples."""
    for cut in CUTS:
        state = observed.network.initial_state(len(x))
        parts = []
        for part in torch.split(x, [n * observed.network.hop for n in cut], 1):
            before = [s.clone() for s in state]
            answer, new = observed(part, state)
            observed.require_shapes(part, answer, new)
            if any(not torch.equal(a, b) for a, b in zip(before, state, strict=True)):
                raise PluginError(f"network {observed.kind}: writes into the state that it is given; return a new one")
            parts.append(answer)
            state = new
        if not _close(torch.cat(parts, 1), logits):
            raise PluginError(
                f"network {observed.kind}: the answer depends on how the samples are cut ({N_HOPS} hops at once, or "
                f"{' + '.join(map(str, cut))}); carry in the state all it needs of earlier samples and use no later ones, "
                "or set causal = False"
            )


@dataclass
class _Observed:
    """A network with checks on what it returns."""

    kind: str
    network: Network

    def __call__(self, x: Tensor, state: State | None) -> tuple[Tensor, State]:
        with _failures_named(self.kind, self.network, f"fails on noise of shape {tuple(x.shape)}"):
            answer = self.network(x, state)
        if not isinstance(answer, tuple) or len(answer) != 2 or not isinstance(answer[0], Tensor):
            raise PluginError(f"network {self.kind}: forward gives {type(answer).__name__}, wanted (logits, state)")
        return answer

    def require_shapes(self, x: Tensor, logits: Tensor, state: State) -> None:
        network, (rows, time, _) = self.network, x.shape
        n = network.window if network.window is not None and network.per_sample else network.n_classes
        wanted = (rows, n) if network.window is not None else (rows, time // network.hop, n)
        if tuple(logits.shape) != wanted:
            raise PluginError(
                f"network {self.kind}: logits for x {tuple(x.shape)} are {tuple(logits.shape)}, wanted {wanted}"
            )
        if network.window is not None or not network.causal:
            return  # no state is carried
        got = [tuple(s.shape) for s in state] if isinstance(state, tuple) else type(state).__name__
        shapes = [(rows, *shape) for shape in network.state_shapes()]
        if got != shapes:
            raise PluginError(f"network {self.kind}: its state has shapes {got}, by state_shapes() wanted {shapes}")


def _close(a: Tensor, b: Tensor) -> bool:
    a, b = a.nan_to_num(), b.nan_to_num()
    return bool((a - b).abs().max() <= TOLERANCE * b.abs().max().clamp_min(1e-3))


@torch.no_grad()
def _shaken(network: Network) -> Network:
    """A copy with perturbed weights: a last layer that starts at zero would hide everything before it."""
    network = copy.deepcopy(network)
    for parameter in network.parameters():
        if parameter.requires_grad and parameter.is_floating_point():
            parameter.add_(torch.randn_like(parameter), alpha=0.1)
    return network


def _check_saved(kind: str, network: Network) -> None:
    with _failures_named(kind, network, "its weights cannot be saved"):
        weights = safetensors.torch.save({k: v.detach().contiguous() for k, v in network.state_dict().items()})
    if len(weights) > MAX_WEIGHTS:
        raise PluginError(
            f"network {kind}: its weights are {len(weights) >> 20} MiB; a pipeline file holds {MAX_WEIGHTS >> 20} MiB at most"
        )


def _check_gradient(kind: str, network: Network) -> None:
    network.train()
    x = torch.randn(2, network.window or 2 * network.hop, network.n_channels)
    with _failures_named(kind, network, "cannot be trained"):
        logits, state = network(x, None)
        if network.window is None and network.causal:
            logits = logits + network(x, tuple(s.detach() for s in state))[0]
        logits.sum().backward()


@contextmanager
def _failures_named(kind: str, network: Network, what: str) -> Iterator[None]:
    """Turn an exception of the plug-in into one line."""
    try:
        yield
    except PluginError:
        raise
    except Exception as error:
        raise PluginError(f"network {kind}: {what}: {plugins.error_text(error, file_of(type(network)))}") from error
