"""The faults of a replay as they are written on the command line."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, get_args

from rtbci.config import parse
from rtbci.errors import ConfigError
from rtbci.faults import BadChannel, Faults

KINDS = get_args(BadChannel.model_fields["kind"].annotation)


def faults_from_options(
    *, gap: Sequence[str], clock_reset: Sequence[str], bad: Sequence[str], chunk_range: str | None, **plain: Any
) -> Faults:
    """plain: fields of Faults as they are. Raises ConfigError, in one line that names the option."""
    texts = {
        "gaps": [_numbers("--gap", "AT:LEN in seconds, as 10:2.5", text, 2, positive=(1,)) for text in gap],
        "clock_resets": [
            _numbers("--clock-reset", "AT:SHIFT in seconds, as 60:-2.5", text, 2, signed=(1,)) for text in clock_reset
        ],
        "bad_channels": [_bad(text) for text in bad],
        "chunk_range": _range(chunk_range) if chunk_range is not None else None,
    }
    return parse(Faults, {**plain, **texts}, "faults")


def _numbers(
    option: str, form: str, text: str, n: int, positive: tuple[int, ...] = (), signed: tuple[int, ...] = ()
) -> list[float]:
    """`n` numbers with colons; 0 or more, but for those that are to be more than 0, or may be less."""
    try:
        values = [float(part) for part in text.split(":")]
    except ValueError:
        values = []
    wrong = [v for k, v in enumerate(values) if not math.isfinite(v) or (k not in signed and v < 0)]
    if len(values) != n or wrong or any(values[k] == 0 for k in positive):
        raise ConfigError(f"{option} wants {form}, got {text!r}")
    return values


def _range(text: str) -> list[int]:
    parts = text.split(":")
    if (
        len(parts) != 2
        or not all(p.isdecimal() and p.isascii() for p in parts)
        or not 1 <= int(parts[0]) <= int(parts[1])
    ):
        raise ConfigError(f"--chunk-range wants FEWEST:MOST samples, as 8:64, got {text!r}")
    return [int(part) for part in parts]


def _bad(text: str) -> dict[str, Any]:
    form = f"CHANNEL:KIND:AT:LEN with KIND {', '.join(KINDS)}, as Fp1-F7:flat:10:5"
    channel, *rest = text.rsplit(":", 3)  # a channel's name may have colons
    if len(rest) != 3 or not channel or rest[0] not in KINDS:
        raise ConfigError(f"--bad wants {form}, got {text!r}")
    at = _numbers("--bad", form, f"{rest[1]}:{rest[2]}", 2, positive=(1,))
    return {"channel": channel, "kind": rest[0], "at": at}
