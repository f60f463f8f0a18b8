"""What a stream says of itself, of which nothing is believed yet; one form for live streams and XDF files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rtbci.recordings.channel_names import electrode
from rtbci.recordings.units import unit_text
from rtbci.text import field_text

MAX_TEXT = 1000  # characters of a label or a unit; longer ones are cut

# What vendors call the fields of a channel, without case, blanks, - and _. The XDF specification: label, unit, type.
_LABELS = (
    *("label", "channellabel", "name", "channelname", "chname", "chlabel", "electrode", "electrodename", "site"),
    *("position", "location", "title"),
)
_UNITS = ("unit", "units", "unitname", "channelunit", "physicalunit", "physicaldimension", "measurementunit")
_TYPES = ("type", "channeltype", "contenttype", "kind", "modality")
_FACTORS = ("scalingfactor", "scalefactor", "scaling", "conversion", "conversionfactor", "multiplier")
_UNCLEAR = ("gain", "resolution", "lsb", "scale", "calibration", "microvoltsperbit", "uvperbit", "uvperlsb")


@dataclass(frozen=True, slots=True)
class DescribedChannel:
    """A channel as a stream describes it, as text; "" for what it does not say.

    Attributes
    ----------
    label, unit, type
        As they came, without padding.
    factor
        By what values are to be multiplied to be in `unit`, as (field, text); `unclear`: that may mean something else.
    """

    label: str = ""
    unit: str = ""
    type: str = ""
    factor: tuple[str, str] = ("", "")
    unclear: tuple[str, str] = ("", "")

    @classmethod
    def of(cls, fields: Iterable[tuple[str, str]]) -> DescribedChannel:
        """From the names and texts of a channel's elements, under any of the names that vendors give them."""
        texts: dict[str, tuple[str, str]] = {}
        for name, text in fields:
            value = field_text(text[:MAX_TEXT])
            if value:
                texts.setdefault(re.sub(r"[\s_-]", "", name.lower()), (name, value))
        label, unit, kind, factor, unclear = (
            next((texts[key] for key in keys if key in texts), ("", ""))
            for keys in (_LABELS, _UNITS, _TYPES, _FACTORS, _UNCLEAR)
        )
        return cls(label[1], unit_text(unit[1]), kind[1], factor, unclear)


@dataclass(frozen=True, slots=True)
class Description:
    """What a stream says of itself, of which nothing is believed yet.

    Attributes
    ----------
    name, sfreq, type, source_id
        As in StreamInfo.
    n_channels
        Values of a sample.
    channels
        Those that are described, however many; () where none is.
    format
        Of a sample, as in LSL: "float32", "int16" …
    reference
        The electrode that was subtracted from the others; "" where it is not one, or not told.
    """

    name: str
    sfreq: float
    n_channels: int
    channels: tuple[DescribedChannel, ...] = ()
    type: str = "EEG"
    source_id: str = ""
    format: str = "float32"
    reference: str = ""

    @property
    def labels(self) -> tuple[str, ...]:
        """One for each value of a sample, as they came; ch1, ch2, … where there is none."""
        named = [channel.label for channel in self.channels] if len(self.channels) == self.n_channels else []
        return tuple(label or f"ch{i + 1}" for i, label in enumerate(named or [""] * self.n_channels))


def subtracted(labels: Sequence[str], is_subtracted: str, common_average: str) -> str:
    """The electrode that a stream is recorded against, from its <reference>; "" where it is none, or more than one."""
    names = {electrode(field_text(label[:MAX_TEXT])) for label in labels} - {""}
    is_other = is_subtracted.strip().lower() in ("no", "false", "0") or common_average.strip().lower() in (
        *("yes", "true", "1"),
    )
    return names.pop() if len(names) == len(labels) == 1 and not is_other else ""
