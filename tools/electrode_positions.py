"""Rebuilds rtbci/recordings/electrode_positions.py: the 10-10 positions of mne's montage, seen from above, nose up."""

import re
from pathlib import Path

import mne
import numpy as np

HEAD = '''"""Where the 10-10 electrodes lie, seen from above, nose up; made by tools/electrode_positions.py from mne's montage."""

from __future__ import annotations

# (right, front) in head radii; an electrode on the head's equator lies at 1.
POSITIONS: dict[str, tuple[float, float]] = {
'''


def positions() -> dict[str, tuple[float, float]]:
    """Azimuthal equidistant: the angle from Cz is the distance from the middle."""
    montage = mne.channels.make_standard_montage("colin27_1005")
    places = {name: place for name, place in montage.get_positions()["ch_pos"].items() if _is_10_10(name)}
    points = np.array(list(places.values()))
    # The sphere that fits all electrodes best: |p|² = 2 c·p + (r² - |c|²).
    system = np.column_stack([2 * points, np.ones(len(points))])
    centre = np.linalg.lstsq(system, (points**2).sum(axis=1), rcond=None)[0][:3]
    away = points - centre
    away /= np.linalg.norm(away, axis=1, keepdims=True)
    top = away[list(places).index("Cz")]
    angle = np.arccos(np.clip(away @ top, -1, 1)) / (np.pi / 2)
    flat = away[:, :2] - top[:2]
    flat *= (angle / np.maximum(np.linalg.norm(flat, axis=1), 1e-9))[:, None]
    return {name: (round(float(x), 3), round(float(y), 3)) for name, (x, y) in zip(places, flat, strict=True)}


def _is_10_10(name: str) -> bool:
    known = re.fullmatch(r"(Fp|AF|F|FT|FC|T|C|TP|CP|P|PO|O|I|A)(z|\d{1,2})", name)
    return known is not None and name not in {"T3", "T4", "T5", "T6"}


if __name__ == "__main__":
    rows = [f'"{name}": {place}' for name, place in positions().items()]
    lines = ["    " + ", ".join(rows[k : k + 4]) + "," for k in range(0, len(rows), 4)]
    target = Path(__file__).parents[1] / "rtbci/recordings/electrode_positions.py"
    target.write_text(HEAD + "\n".join(lines) + "\n}\n")
