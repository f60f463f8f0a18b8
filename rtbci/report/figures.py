"""The figures of a report, drawn by matplotlib without a display."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from rtbci.evaluation.curve import Curve
from rtbci.evaluation.probabilities import Calibration
from rtbci.recordings.channel_names import derivation
from rtbci.recordings.electrode_positions import POSITIONS
from rtbci.report.strips import FALSE_ALARM, Strip

INK, TRUTH, ALARM, QUIET = "#1b2733", "#2f7d4f", "#c2410c", "#8a97a3"
UV_APART = 120.0  # between two traces, where there is nothing to measure
MOST_POINTS = 3000  # of a trace


def curve_figure(curve: Curve, threshold: float) -> Figure:
    """Event sensitivity against false alarms an hour; the pipeline's own threshold is marked."""
    figure = Figure(figsize=(4.6, 3.4), layout="constrained")
    axis = figure.add_subplot()
    known = [
        (p.fa_per_h, p.sensitivity, p.threshold)
        for p in curve.points
        if p.fa_per_h is not None and p.sensitivity is not None
    ]
    axis.plot([rate for rate, *_ in known], [share for _, share, _ in known], color=INK, marker=".", linewidth=1)
    for rate, share, at in known:
        if at == threshold:
            axis.plot([rate], [share], "o", color=ALARM, markersize=8)
            axis.annotate(f"threshold {threshold:g}", (rate, share), (8, -12), textcoords="offset points")
    axis.set(xlabel="false alarms an hour", ylabel="events found", ylim=(-0.03, 1.03))
    axis.set_xlim(left=-0.02 * max([1.0, *(rate for rate, *_ in known)]))
    return _plain(figure, axis)


def reliability_figure(found: Calibration) -> Figure:
    """Observed share against mean probability, with the number of hops below."""
    figure = Figure(figsize=(4.6, 3.4), layout="constrained")
    axis = figure.add_subplot()
    axis.plot([0, 1], [0, 1], color=QUIET, linewidth=0.8, linestyle=":")
    for row in found.bins:
        if row.mean_probability is not None and row.observed is not None:
            axis.scatter(row.mean_probability, row.observed, 20 + 160 * row.hops / found.hops, color=INK)
    axis.set(xlabel="probability", ylabel="observed share of hops", xlim=(-0.03, 1.03), ylim=(-0.03, 1.03))
    return _plain(figure, axis)


def montage_figure(channels: Sequence[str]) -> Figure:
    """The channels that a pipeline needs, on a head seen from above: electrodes as dots, derivations as lines."""
    figure = Figure(figsize=(3.4, 3.4), layout="constrained")
    axis = figure.add_subplot()
    around = np.linspace(0, 2 * np.pi, 200)
    axis.plot(np.cos(around), np.sin(around), color=QUIET, linewidth=1)
    axis.plot([-0.1, 0, 0.1], [0.995, 1.12, 0.995], color=QUIET, linewidth=1)
    names: set[str] = set()
    for channel in channels:
        pair = derivation(channel)
        ends = [name for name in (pair.electrode, pair.reference) if name in POSITIONS]
        names.update(ends)
        if len(ends) == 2:
            (x0, y0), (x1, y1) = (POSITIONS[name] for name in ends)
            axis.plot([x0, x1], [y0, y1], color=ALARM, linewidth=1.2)
    for name in sorted(names):
        x, y = POSITIONS[name]
        axis.plot([x], [y], "o", color=INK, markersize=5)
        axis.annotate(name, (x, y), (4, 4), textcoords="offset points", fontsize=7)
    axis.set(aspect="equal")
    axis.axis("off")
    return figure


def strip_figure(strip: Strip) -> Figure:
    """Signals, truth and alarm as bars, and the probability with its threshold."""
    n = len(strip.channels)
    figure = Figure(figsize=(9.5, 1.6 + 0.17 * n), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[max(2.0, 0.17 * n), 1.0])
    step, apart = max(1, len(strip.times) // MOST_POINTS), _apart(strip)
    for row in range(n):
        trace = np.clip(strip.signals[::step, row], -2 * apart, 2 * apart)
        above.plot(strip.times[::step], trace - row * apart, color=INK, linewidth=0.35)
    above.set(ylim=(-n * apart, apart))
    above.set_yticks([-row * apart for row in range(n)], strip.channels, fontsize=6)
    below.plot(strip.score_times, strip.probability, color=INK, linewidth=1)
    below.axhline(strip.threshold, color=ALARM, linewidth=0.8, linestyle=":")
    for spans, colour, low in ((strip.truth, TRUTH, 1.05), (strip.alarms, ALARM, 1.2)):
        for start, stop in spans:
            below.fill_between([start, stop], low, low + 0.12, color=colour, linewidth=0)
            above.axvspan(start, stop, color=colour, alpha=0.07, linewidth=0)
    below.set(ylim=(0, 1.36), xlabel=f"seconds of the recording; {apart:g} µV between two traces", ylabel="probability")
    below.set_yticks([0, 0.5, 1.11, 1.26], ["0", "0.5", "expert", "alarm"], fontsize=6)
    if len(strip.times):
        below.set_xlim(strip.times[0], strip.times[-1])
    for axis in (above, below):
        _plain(figure, axis)
    return figure


def _apart(strip: Strip) -> float:
    """µV between two traces: what most of the strip stays within, in steps of 20."""
    if not strip.signals.size:
        return UV_APART
    wide = 2.5 * float(np.percentile(np.abs(strip.signals), 90))
    return float(np.clip(20 * np.ceil(wide / 20), 60, 1000))


def strip_title(strip: Strip) -> str:
    """What a strip shows."""
    what = f"false alarm ({strip.label})" if strip.kind == FALSE_ALARM else f"{strip.label}, {strip.kind}"
    return f"{strip.subject} · {strip.recording} · {what} · {strip.onset:.1f} to {strip.stop:.1f} s"


def png(figure: Figure, dpi: int = 110) -> str:
    """A figure as a data address, for a page that loads nothing."""
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=dpi)
    return "data:image/png;base64," + base64.b64encode(image.getvalue()).decode()


def _plain(figure: Figure, axis: Any) -> Figure:
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
    axis.tick_params(labelsize=8)
    return figure
