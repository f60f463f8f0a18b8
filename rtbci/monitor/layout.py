"""What a stream's channels are, for whoever watches the engine: written once a life beside the monitor's rings."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import model_validator

from rtbci.monitor.messages import Message, Rate, Real, Speed, read, within
from rtbci.results import Texts
from rtbci.types import SessionInfo

if TYPE_CHECKING:
    from rtbci.pipeline.pipeline import Pipeline


class Layout(Message):
    """The names behind the columns of the three rings.

    channels, units: of the stream, as it says them. inputs: of the model ring. montage: all that the pipeline was given
    to choose from; weights: how sure the selector is of each input, empty without a selector.
    scaled: the model ring is in units of its scaling, not in µV.
    """

    channels: Texts
    units: Texts
    sfreq: Rate
    inputs: Texts
    model_sfreq: Rate
    montage: Texts
    classes: Texts
    labels: Texts
    hop_s: Annotated[float, within(1e-6, 1e6)]
    speed: Speed = 1.0
    scaled: bool = False
    weights: tuple[Real, ...] = ()
    begins_s: Real | None = None  # second of the recording of the rings' first sample, where that is known

    @model_validator(mode="after")
    def _a_unit_for_each_channel(self) -> Self:
        if len(self.units) != len(self.channels):
            raise ValueError(f"{len(self.units)} units for {len(self.channels)} channels")
        return self


def layout_of(session: SessionInfo, pipeline: Pipeline) -> Layout:
    """The layout of a session's rings."""
    config, stream = pipeline.config, session.stream
    chosen = config.selection
    return Layout(
        channels=stream.channels,
        units=stream.units,
        sfreq=stream.sfreq,
        inputs=session.inputs,
        model_sfreq=config.sfreq,
        montage=config.montage.channels,
        classes=pipeline.classes,
        labels=session.labels,
        hop_s=session.hop_s,
        speed=session.speed,
        scaled=config.scaling.kind != "none",
        begins_s=session.begins_s,
        weights=() if chosen is None else tuple(max(row, default=1.0) for row in chosen.probabilities),
    )


def write_layout(folder: Path, generation: int, layout: Layout) -> None:
    """Beside, then renamed, so that a reader finds it whole."""
    beside = folder / "layout.part"
    beside.write_text(layout.to_json(), "utf-8")
    os.replace(beside, folder / f"layout-{generation}")


def read_layout(folder: Path, generation: int) -> Layout | None:
    """None where the life is gone, the engine has not said it, or what is there is no layout."""
    try:
        return read(Layout, (folder / f"layout-{generation}").read_bytes())
    except OSError:
        return None
