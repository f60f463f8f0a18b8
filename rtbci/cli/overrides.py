"""The options that say what a stream or a recording does not say, or says wrongly: --channels, --unit, --gain …"""

from __future__ import annotations

from typing import Any

from rtbci.config import parse
from rtbci.errors import ConfigError
from rtbci.recordings.channel_map import parse_channels
from rtbci.recordings.channel_names import electrode
from rtbci.recordings.overrides import StreamOverrides
from rtbci.recordings.units import microvolts, unit_text


def told_by(
    channels: str | None = None,
    unit: str = "",
    gain: float | None = None,
    sfreq: float | None = None,
    reference: str = "",
    clock: str = "lsl",
) -> StreamOverrides:
    """The options of a command as one value.

    Raises
    ------
    ConfigError
        For a value that cannot be meant, in the words of its option.
    """
    if unit.strip() and (not unit_text(unit) or microvolts(unit) is None):
        raise ConfigError(f"--unit {unit!r} is not known; wanted V, mV, uV or nV, with a factor if need be: '0.1 uV'")
    if reference and not electrode(reference):
        raise ConfigError(f"--reference {reference!r} is no electrode of the 10-20 system; wanted one, as Pz")
    values: dict[str, Any] = {
        "unit": unit_text(unit), "gain": gain, "sfreq": sfreq, "reference": reference.strip(), "clock": clock,
    }  # fmt: skip
    told = parse_channels(channels) if channels else {}
    given = {key: value for key, value in values.items() if value not in (None, "", "lsl")}
    return parse(StreamOverrides, told | given, "what is said of the stream")
