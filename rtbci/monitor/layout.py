"""What the columns of the monitor's rings are; written once for each generation of them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import model_validator

from rtbci.monitor.messages import Message, Rate, Real, Speed, read, within
from rtbci.results import Texts
from rtbci.stages.trends import Trends
from rtbci.types import SessionInfo, StreamInfo

if TYPE_CHECKING:
    from rtbci.pipeline.pipeline import Pipeline


class TrendLayout(Message):
    """What the rows of the trends are computed from.

    left, right: channels of the hemispheres. average: they are against the average of all electrodes. aeeg: the derivations
    of the left and the right aEEG. row_s: seconds of a row.
    """

    left: Texts = ()
    right: Texts = ()
    average: bool = False
    aeeg: Texts = ()
    row_s: Annotated[float, within(0.1, 1e4)]


class Layout(Message):
    """The columns of the three rings, and of the trends.

    channels, units: of the stream, as it describes them. inputs: of the model ring. montage: all channels that training
    could select from; weights: the selector's probability of each input, empty without a selector. scaled: the model ring
    is scaled, not in µV.
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
    begins_s: Real | None = None  # second of the recording of the rings' first sample, if known
    trends: TrendLayout | None = None  # of an older engine

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
        trends=trend_layout(stream),
        weights=() if chosen is None else tuple(max(row, default=1.0) for row in chosen.probabilities),
    )


def trend_layout(stream: StreamInfo) -> TrendLayout:
    """What a stream's trends are computed from."""
    trends = Trends(stream)
    left, right = (tuple(stream.channels[k] for k in side) for side in (trends.channels.left, trends.channels.right))
    aeeg = tuple(side.name for side in trends.channels.aeeg)
    return TrendLayout(left=left, right=right, average=bool(trends.channels.average), aeeg=aeeg, row_s=trends.row_s)


def write_layout(folder: Path, generation: int, layout: Layout) -> None:
    """Write it under another name, then rename it, so that a reader never finds a part of it."""
    beside = folder / "layout.part"
    beside.write_text(layout.to_json(), "utf-8")
    os.replace(beside, folder / f"layout-{generation}")


def read_layout(folder: Path, generation: int) -> Layout | None:
    """The layout of a generation of the rings; None if there is no valid one (any more)."""
    try:
        return read(Layout, (folder / f"layout-{generation}").read_bytes())
    except OSError:
        return None
