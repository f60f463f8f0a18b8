"""What a stream's channels are, for whoever watches the engine: written once a life beside the monitor's rings."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rtbci.config import fits
from rtbci.monitor.messages import LAYOUT
from rtbci.types import StreamInfo

if TYPE_CHECKING:
    from rtbci.pipeline.pipeline import Pipeline


@dataclass(frozen=True, slots=True)
class Layout:
    """The names behind the columns of the three rings.

    channels, units: of the stream, as it says them. inputs: of the model ring. montage: all that the pipeline was given
    to choose from; weights: how sure the selector is of each input, empty without a selector.
    scaled: the model ring is in units of its scaling, not in µV.
    """

    channels: tuple[str, ...]
    units: tuple[str, ...]
    sfreq: float
    inputs: tuple[str, ...]
    model_sfreq: float
    montage: tuple[str, ...]
    classes: tuple[str, ...]
    labels: tuple[str, ...]
    hop_s: float
    speed: float = 1.0
    scaled: bool = False
    weights: tuple[float, ...] = ()
    begins_s: float | None = None  # second of the recording of the rings' first sample, where that is known


def layout_of(
    info: StreamInfo, speed: float, pipeline: Pipeline, labels: tuple[str, ...], begins_s: float | None = None
) -> Layout:
    """labels: the classes that the decision watches."""
    config = pipeline.config
    chosen = config.selection
    return Layout(
        channels=info.channels,
        units=info.units,
        sfreq=info.sfreq,
        inputs=config.montage.channels if chosen is None else chosen.channels,
        model_sfreq=config.sfreq,
        montage=config.montage.channels,
        classes=pipeline.classes,
        labels=tuple(labels),
        hop_s=pipeline.hop_s,
        speed=speed,
        scaled=config.scaling.kind != "none",
        begins_s=begins_s,
        weights=() if chosen is None else tuple(max(row, default=1.0) for row in chosen.probabilities),
    )


def write_layout(folder: Path, life: int, layout: Layout) -> None:
    """Beside, then renamed, so that a reader finds it whole."""
    beside = folder / "layout.part"
    beside.write_text(json.dumps(asdict(layout)), "utf-8")
    os.replace(beside, folder / f"layout-{life}")


def read_layout(folder: Path, life: int) -> Layout | None:
    """None where the life is gone, the engine has not said it, or what is there is no layout."""
    try:
        values: Any = json.loads((folder / f"layout-{life}").read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    if not fits(values, LAYOUT) or len(values["units"]) != len(values["channels"]):
        return None
    plain: dict[str, Any] = {key: tuple(one) if isinstance(one := values[key], list) else one for key in LAYOUT}
    return Layout(**plain)
