"""The electrodes of a pipeline and a stream: which are used, chosen, missing or bad, and which names have room."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rtbci.monitor.layout import Layout
from rtbci.recordings.channel_names import derivation
from rtbci.recordings.electrode_positions import POSITIONS

Box = tuple[float, float, float, float]  # left, top, right, bottom


@dataclass(frozen=True, slots=True)
class HeadElectrode:
    """weight: how much the pipeline uses it (0 where it does not); present: the stream carries it; chosen: out of more."""

    name: str
    weight: float
    present: bool
    fault: str = ""
    chosen: bool = False

    @property
    def rank(self) -> tuple[bool, bool, float]:
        """The larger, the more its name matters: bad or missing ones, then chosen ones, then those in use."""
        return bool(self.fault or (self.weight and not self.present)), self.chosen, self.weight


def electrodes(layout: Layout, quality: Mapping[str, str]) -> list[HeadElectrode]:
    """Every electrode that the stream carries or the pipeline's montage names, and has a place."""
    weights: dict[str, float] = {}
    for k, name in enumerate(layout.inputs):
        weight = layout.weights[k] if k < len(layout.weights) else 1.0
        for electrode in parts(name):
            weights[electrode] = max(weights.get(electrode, 0.0), weight)
    carried = {e for channel in layout.channels for e in parts(channel)}
    wanted = {e for channel in layout.montage for e in parts(channel)}
    faults = {e: f"{channel} {fault}" for channel, fault in quality.items() for e in parts(channel)}
    is_choice = len(layout.inputs) < len(layout.montage)
    return [
        HeadElectrode(
            name,
            weights.get(name, 0.0),
            name in carried,
            faults.get(name, ""),
            is_choice and weights.get(name, 0.0) > 0,
        )
        for name in POSITIONS
        if name in carried | wanted
    ]


def parts(channel: str) -> list[str]:
    """The electrodes that a channel is made of, as far as they have a place."""
    meant = derivation(channel)
    return [name for name in (meant.electrode, meant.reference) if name in POSITIONS]


def with_room(ranked: Sequence[HeadElectrode], boxes: Mapping[str, Box]) -> set[str]:
    """Names that can be written without one on another; those that matter more have their room first.

    Parameters
    ----------
    ranked
        The electrodes, in any order.
    boxes
        Where each name would stand.
    """
    taken: list[Box] = []
    names: set[str] = set()
    for electrode in sorted(ranked, key=lambda one: one.rank, reverse=True):
        box = boxes[electrode.name]
        if not any(_overlap(box, other) for other in taken):
            taken.append(box)
            names.add(electrode.name)
    return names


def must_be_named(found: Sequence[HeadElectrode]) -> set[str]:
    """Those whose names are to be read at every size: bad or missing ones, and chosen ones; else all in use."""
    wanted = {e.name for e in found if e.rank[0] or e.chosen}
    return wanted | {e.name for e in found if e.weight and not any(other.chosen for other in found)}


def caption(layout: Layout | None) -> str:
    """How many of the montage's channels the pipeline needs, and how good their choice was."""
    if layout is None:
        return ""
    n, m = len(layout.inputs), len(layout.montage)
    if n == m:
        return f"all {m} channels used"
    return "  ·  ".join(filter(None, (f"{n} of {m} channels chosen", layout.choice)))


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
