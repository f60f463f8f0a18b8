"""What the columns of the monitor's rings are; written once for each generation of them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import model_validator

from rtbci.monitor.message import Message, Rate, Real, Speed, read, within
from rtbci.results import Text, Texts
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

    channels, units: of the stream, as it describes them. types: of its channels, empty where it names none. inputs: of the
    model ring. montage: all channels that training could select from; weights: the selector's probability of each input,
    empty without a selector; choice: how good that selection was, in words, "" where it was not scored. scaled: the model
    ring is scaled, not in µV. alarms: those of `labels` that ring an alarm.
    """

    channels: Texts
    units: Texts
    types: Texts = ()
    sfreq: Rate
    inputs: Texts
    model_sfreq: Rate
    montage: Texts
    classes: Texts
    labels: Texts
    alarms: Texts = ()
    hop_s: Annotated[float, within(1e-6, 1e6)]
    speed: Speed = 1.0
    scaled: bool = False
    weights: tuple[Real, ...] = ()
    choice: Text = ""
    begins_s: Real | None = None  # second of the recording of the rings' first sample, if known
    trends: TrendLayout | None = None  # of an older engine

    @model_validator(mode="after")
    def _a_unit_and_a_type_for_each_channel(self) -> Self:
        if len(self.units) != len(self.channels):
            raise ValueError(f"{len(self.units)} units for {len(self.channels)} channels")
        if len(self.types) not in (0, len(self.channels)):
            raise ValueError(f"{len(self.types)} types for {len(self.channels)} channels")
        return self

    @property
    def alarm_row(self) -> int | None:
        """The first class that rings an alarm."""
        return next((row for row, name in enumerate(self.classes) if name in self.alarms), None)


def layout_of(session: SessionInfo, pipeline: Pipeline) -> Layout:
    """The layout of a session's rings."""
    config, stream = pipeline.config, session.stream
    chosen = config.selection
    return Layout(
        channels=stream.channels,
        units=stream.units,
        types=stream.channel_types,
        sfreq=stream.sfreq,
        inputs=session.inputs,
        model_sfreq=config.sfreq,
        montage=config.montage.channels,
        classes=pipeline.classes,
        labels=session.labels,
        alarms=session.alarms,
        hop_s=session.hop_s,
        speed=session.speed,
        scaled=config.scaling.kind != "none",
        begins_s=session.begins_s,
        trends=trend_layout(stream),
        weights=() if chosen is None else tuple(max(row, default=1.0) for row in chosen.probabilities),
        choice=_score_of_choice(pipeline.notes, len(session.inputs)),
    )


def _score_of_choice(notes: Mapping[str, Any], k: int) -> str:
    """What `rtbci select` noted of its search for k electrodes, on what it held out; notes are JSON of any shape."""
    scores = notes.get("scores")
    rows = scores.get("selection") if isinstance(scores, dict) else None
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, dict) and row.get("method") == "gumbel" and row.get("k") == k:
            accuracy = row.get("accuracy")
            return f"accuracy {accuracy:.2f} held out" if isinstance(accuracy, float) else ""
    return ""


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
