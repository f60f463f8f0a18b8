"""Text streams: a sender may put any bytes into a sample."""

from __future__ import annotations

from typing import Any


def pull_texts(inlet: Any, max_samples: int = 1024) -> list[tuple[str, float]]:
    """(text of the first channel, stamp) of what is there; waits for nothing. Raises pylsl's LostError.

    Bytes that are no UTF-8 are replaced; numbers are told as texts.
    """
    rows, stamps = inlet.pull_chunk(timeout=0.0, max_samples=max_samples, as_numpy=True)
    first = [row[0].decode("utf-8", "replace") if isinstance(row[0], bytes) else str(row[0]) for row in rows]
    return list(zip(first, stamps.tolist(), strict=True))
