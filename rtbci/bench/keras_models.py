"""The originals in Keras, on its torch back end; for comparison alone, and only where `rtbci[bench]` is installed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cache
from typing import Any


@cache
def keras_or_none() -> Any:
    """The module, on torch; None where it is not installed. Raises RuntimeError where it runs on another back end."""
    os.environ.setdefault("KERAS_BACKEND", "torch")
    try:
        import keras
    except ImportError:
        return None
    if keras.backend.backend() != "torch":
        raise RuntimeError(f"Keras runs on {keras.backend.backend()}; unset KERAS_BACKEND or set it to torch")
    return keras


def stacked_lstm(n_samples: int, n_channels: int, units: Sequence[int], n_classes: int) -> Any:
    """LSTM layers, last step."""
    layers = keras_or_none().layers
    last = len(units) - 1
    stack = [layers.LSTM(n, return_sequences=i < last) for i, n in enumerate(units)]
    head = [layers.Dense(n_classes, activation="softmax")]
    return keras_or_none().Sequential([layers.Input((n_samples, n_channels)), *stack, *head])


def conv_lstm(n_samples: int, n_channels: int) -> Any:
    """Conv1D 32 k 8, LSTM 32, a sigmoid at every step."""
    layers = keras_or_none().layers
    return keras_or_none().Sequential(
        [
            layers.Input((n_samples, n_channels)),
            layers.Conv1D(32, 8, padding="causal", activation="relu"),
            layers.LSTM(32, return_sequences=True),
            layers.Dense(1, activation="sigmoid"),
        ]
    )


def channel_lstm(n_samples: int, n_channels: int) -> Any:
    """An LSTM a channel, concatenated, LSTM 128-64, softmax of 6."""
    keras = keras_or_none()
    layers = keras.layers
    x = layers.Input((n_samples, n_channels))
    each = [layers.LSTM(1, return_sequences=True)(x[:, :, i : i + 1]) for i in range(n_channels)]
    z = layers.LSTM(128, return_sequences=True)(layers.Concatenate()(each))
    return keras.Model(x, layers.Dense(6, activation="softmax")(layers.LSTM(64)(z)))
