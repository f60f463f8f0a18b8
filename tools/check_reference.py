"""Each original network against its reference file: parameter count and largest absolute error.

    python tools/check_reference.py FOLDER

Every size comes from the shapes in the file. Exit 1 where a count differs or an error is over 1e-5, 2 where the folder
cannot be read.
"""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from keras_weights import Layer, layers_of, load_keras

import rtbci.models
from rtbci.models.gumbel_selector import ElectrodeSelector, SelectionNet
from rtbci.models.network import Network, count_parameters

TOLERANCE = 1e-5


class Unreadable(Exception):
    """A folder or file that cannot be checked at all."""


@dataclass(frozen=True)
class Reference:
    """One file: its arrays, and its weights by their path."""

    name: str
    arrays: dict[str, np.ndarray]
    weights: dict[str, np.ndarray]

    @classmethod
    def read(cls, path: Path) -> Reference:
        try:
            with np.load(path, allow_pickle=False) as file:
                everything = {key: file[key] for key in file.files}
        except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise Unreadable(f"{path}: not a readable .npz ({error})") from None
        prefix = "weights/"
        weights = {k.removeprefix(prefix): v for k, v in everything.items() if k.startswith(prefix)}
        missing = [key for key in ("x", "y", "params") if key not in everything] + ["weights/…"] * (not weights)
        if missing:
            raise Unreadable(f"{path}: has no {', '.join(missing)}")
        return cls(path.stem, {k: v for k, v in everything.items() if not k.startswith(prefix)}, weights)

    @property
    def x(self) -> np.ndarray:
        return self.arrays["x"]

    @property
    def y(self) -> np.ndarray:
        return self.arrays["y"]


@dataclass(frozen=True)
class Candidate:
    """A network that the weights fit, and what the weights did not tell about it."""

    network: Network
    note: str = ""


def candidates(reference: Reference) -> Iterator[Candidate]:
    """The networks that these weights may belong to, likeliest first."""
    if any(path.endswith("conv1a.weight") for path in reference.weights):
        yield from torch_candidates(reference)
        return
    layers = layers_of(reference.weights)
    for kind, sizes, note in keras_candidates(reference, layers):
        network = rtbci.models.build(kind, **sizes)
        load_keras(network, layers)
        yield Candidate(network, note)


def keras_candidates(reference: Reference, layers: list[Layer]) -> Iterator[tuple[str, dict[str, Any], str]]:
    """(kind, sizes, note) from the layers' shapes; the name decides only what no layer can tell."""
    x, y = reference.x, reference.y
    lstms = [layer for layer in layers if layer.is_lstm]
    conv = next((layer for layer in layers if not layer.is_lstm and layer.is_conv), None)
    sizes: dict[str, Any] = {"n_classes": y.shape[-1], "units": tuple(layer.units for layer in lstms)}
    if conv is not None and conv.kernel.ndim == 4:
        sizes |= {"n_channels": x.shape[2], "filters": conv.units, "kernel": conv.kernel.shape[1]}
        yield "spatial_conv_lstm", sizes, ""
    elif conv is not None and y.ndim == 2:
        sizes |= {"n_channels": x.shape[2], "filters": conv.units, "kernel": conv.kernel.shape[0]}
        for pool in (4, *(p for p in range(1, 33) if p != 4)):
            if x.shape[1] >= sizes["kernel"] + pool - 1:
                yield "conv_pool_lstm", sizes | {"pool": pool, "window": x.shape[1]}, f"pool {pool}"
    elif conv is not None:
        sizes |= {"n_channels": x.shape[2], "filters": conv.units, "kernel": conv.kernel.shape[0]}
        for padding in paddings(reference.name):
            yield "conv_lstm", sizes | {"padding": padding}, padding
    elif x.ndim == 4:
        sizes |= {"n_channels": len(x), "channel_units": lstms[0].units, "window": x.shape[2]}
        yield "channel_lstm", sizes | {"units": sizes["units"][len(x) :]}, ""
    elif y.ndim == 2:
        yield "stacked_lstm", sizes | {"n_channels": x.shape[2], "window": x.shape[1]}, ""
    else:
        both = any("backward" in layer.name for layer in lstms)
        units = sizes["units"][::2] if both else sizes["units"]
        yield "lstm_tagger", sizes | {"n_channels": x.shape[2], "units": units, "bidirectional": both}, ""


def paddings(name: str) -> tuple[str, ...]:
    """Those to try: both where the name does not tell."""
    if "causal" in name:
        return ("causal",)
    return ("same",) if name.startswith("conv_lstm") else ("same", "causal")


def torch_candidates(reference: Reference) -> Iterator[Candidate]:
    """msfbcnn, alone or behind a selector. The pool is 75/15, or the like of it that fits the last layer."""
    weights = {name: torch.from_numpy(np.array(array)) for name, array in reference.weights.items()}
    prefix = "network." if "network.fc1.weight" in weights else ""
    kernels = [array.shape[-1] for name, array in weights.items() if name.startswith(f"{prefix}conv1")]
    filters, _, n_channels, _ = weights[f"{prefix}conv2.weight"].shape
    n_classes, n_features = weights[f"{prefix}fc1.weight"].shape
    window = reference.x.shape[-1]
    sizes = {"filters": filters, "kernels": kernels, "window": window, "n_classes": n_classes}
    for hop in (15, *(h for h in range(1, window // 5 + 1) if h != 15)):
        if filters * ((window - 5 * hop) // hop + 1) == n_features:
            pool = {"pool": 5 * hop, "pool_hop": hop}
            network = rtbci.models.build("msfbcnn", n_channels=n_channels, **sizes, **pool)
            if prefix:
                network = SelectionNet(reference.x.shape[2], n_channels, network)
            network.load_state_dict(weights)
            yield Candidate(network, f"pool {5 * hop}/{hop}")


def our_input(reference: Reference) -> torch.Tensor:
    """(batch, time, channels), from whichever layout the original takes."""
    x = reference.x
    if x.ndim == 4:
        # (batch, 1, channels, time), (batch, time, channels, 1) or (channels, batch, time, 1)
        if any(path.endswith("conv1a.weight") for path in reference.weights):
            x = x[:, 0].swapaxes(1, 2)
        else:
            x = np.moveaxis(x[..., 0], 0, 2) if reference.y.ndim == 2 else x[..., 0]
    return torch.from_numpy(np.ascontiguousarray(x, np.float32))


def outputs(network: Network, reference: Reference) -> list[torch.Tensor]:
    """The logits: of the whole, and of a carried state where the network keeps one."""
    x = our_input(reference)
    if "lengths" in reference.arrays and network.window is None:
        return [network(x, None, lengths=torch.from_numpy(reference.arrays["lengths"]))[0]]
    whole = network(x)[0]
    if network.window is not None or not network.causal:
        return [whole]
    state, parts = network.initial_state(len(x)), []
    for piece in x.split(25, 1):
        logits, state = network(piece, state)
        parts.append(logits)
    return [whole, torch.cat(parts, 1)]


def output_error(network: Network, reference: Reference) -> float:
    """The largest absolute error over all ways of running it."""
    errors = [as_original(logits, reference) - reference.y for logits in outputs(network, reference)]
    return max(float(np.abs(within_lengths(error, reference)).max()) for error in errors)


def as_original(logits: torch.Tensor, reference: Reference) -> np.ndarray:
    """The Keras originals end in sigmoids, or in a softmax where y adds up to one; the others in logits."""
    y = reference.y
    if any(path.endswith("conv1a.weight") for path in reference.weights):
        return logits.numpy()
    softmax = y.shape[-1] > 1 and np.allclose(y.sum(-1), 1, atol=1e-3)
    return (logits.softmax(-1) if softmax else logits.sigmoid()).numpy()


def within_lengths(error: np.ndarray, reference: Reference) -> np.ndarray:
    """The errors that count: those before each sequence's true end."""
    if "lengths" not in reference.arrays:
        return error
    return error[np.arange(error.shape[1]) < reference.arrays["lengths"][:, None]]


def selector_error(selector: ElectrodeSelector, arrays: dict[str, np.ndarray]) -> float:
    """The largest error over what the file says of its selector."""
    ours = {
        "entropy": lambda: selector.entropy().numpy(),
        "selected_one_based": lambda: np.array(selector.selected()) + 1,
        "probabilities": lambda: selector.probabilities().numpy(),
    }
    errors = [np.abs(value() - arrays[key]).max() for key, value in ours.items() if key in arrays]
    for key, array in arrays.items():
        if key.startswith("regularization_thresh"):
            errors.append(abs(selector.excess(number_in(key, "regularization_thresh")).item() - float(array)))
        if key.startswith("relaxed_temperature_"):
            selector.temperature = number_in(key, "relaxed_temperature_")
            relaxed = selector.relaxed(torch.from_numpy(arrays["uniform"])).numpy()
            errors.append(np.abs(relaxed - array).max())
    return float(max(errors, default=0.0))


def number_in(key: str, prefix: str) -> float:
    """0.7 in a key that ends with 0p7."""
    return float(key.removeprefix(prefix).replace("p", "."))


@dataclass(frozen=True)
class Finding:
    """What came of one file."""

    params: int
    error: float
    note: str


@torch.inference_mode()
def check(reference: Reference) -> Finding:
    """The first candidate within tolerance, or else the nearest."""
    findings = []
    for candidate in candidates(reference):
        network = candidate.network.eval()
        error = output_error(network, reference)
        if isinstance(network, SelectionNet):
            error = max(error, selector_error(network.selection_layer, reference.arrays))
        findings.append(Finding(count_parameters(network), float(error), candidate.note))
        if error <= TOLERANCE:
            break
    if not findings:
        raise ValueError("no network fits these weights")
    return min(findings, key=lambda finding: finding.error)


def line(reference: Reference) -> tuple[bool, str]:
    """Whether the file agrees, and what to print of it."""
    want = int(reference.arrays["params"])
    try:
        found = check(reference)
    except Exception as error:  # one file that fits nothing must not hide the others
        return False, f"{reference.name:32} FAILED  {error}"
    good = found.params == want and found.error <= TOLERANCE
    counts = f"parameters {found.params:>8,} (original {want:>8,})"
    return (
        good,
        f"{reference.name:32} {'ok    ' if good else 'FAILED'}  {counts}  error {found.error:.1e}  {found.note}",
    )


def references(folder: Path) -> list[Reference]:
    """All files of a folder, by name."""
    paths = sorted(folder.glob("*.npz"))
    if not paths:
        raise Unreadable(f"{folder}: {'no .npz file in it' if folder.is_dir() else 'no such folder'}")
    return [Reference.read(path) for path in paths]


def main(arguments: list[str]) -> int:
    """Check a folder and print a line a file."""
    if len(arguments) != 1:
        print("usage: python tools/check_reference.py FOLDER", file=sys.stderr)
        return 2
    try:
        checked = [line(reference) for reference in references(Path(arguments[0]))]
    except Unreadable as error:
        print(error, file=sys.stderr)
        return 2
    for _, text in checked:
        print(text.rstrip())
    return 0 if all(good for good, _ in checked) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
