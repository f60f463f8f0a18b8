"""What a person says of a stream: it wins over what the stream or the file says of itself, and is kept in recordings."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from rtbci.config import Strict

Sfreq = Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)]
Gain = Annotated[float, Field(gt=0, le=1e12, allow_inf_nan=False)]


class StreamOverrides(Strict):
    """The options --channels, --unit, --gain, --sfreq, --reference and --clock.

    An engine writes them into its `begin` mark, so that `tag` on the recording reads the stream as the engine did.

    Attributes
    ----------
    channels
        The name of each channel, in the order of the stream; empty: those that the stream gives.
    renamed
        Names by the label that the stream gives; other channels keep theirs.
    unit
        Unit of the values of every channel; "": that which the stream gives.
    gain
        By what each value is multiplied to be in that unit (in µV, where that is no voltage); None: by what the stream says.
    sfreq
        Rate in Hz; None: that which the stream gives.
    reference
        The electrode that the others are recorded against and that is no channel: it is zero everywhere.
    clock
        "lsl": the stamps of the stream; "arrival": samples are stamped as they arrive.
    """

    channels: tuple[str, ...] = ()
    renamed: dict[str, str] = Field(default_factory=dict)
    unit: str = ""
    gain: Gain | None = None
    sfreq: Sfreq | None = None
    reference: str = ""
    clock: Literal["lsl", "arrival"] = "lsl"

    def told(self) -> dict[str, Any]:
        """Those that were given, as JSON; {} where none was."""
        return self.model_dump(mode="json", exclude_defaults=True)

    def over(self, other: StreamOverrides) -> StreamOverrides:
        """Both, where this one wins; names are taken from one of them only."""
        given = self.model_fields_set & self.told().keys()
        names = {"channels", "renamed"}
        theirs = {
            key: getattr(other, key) for key in StreamOverrides.model_fields if not (given & names and key in names)
        }
        return StreamOverrides(**theirs | {key: getattr(self, key) for key in given})
