"""Rebuild what `rtbci demo` runs: the bundled recording, and the pipeline trained on other patients.

    python tools/build_demo.py DATA_ROOT [--crossval FOLDER] [--recording-only]

FOLDER holds a complete `rtbci crossval` of the same recipe: it settles epoch and threshold, and its table by patient is
shipped in the pipeline. DATA_ROOT holds chbmit/, and what the config names (see rtbci/data/ATTRIBUTION.md).
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import edfio
import numpy as np

from rtbci.cli.train import train_from_file

HOME = Path(__file__).parent.parent
OUT = HOME / "rtbci" / "data"
CLIPS = ("chb01_03_NonSeizure.edf", "chb01_03_Seizure.edf")
CLIP_S, SEIZURE_IN_CLIP_S = 41.0, 1.0  # the seizure: 2996-3036 s of the record; the second clip: 2995-3036 s


def build_recording(data_root: Path, out: Path) -> None:
    """Join the two clips, sample for sample as they are stored, and annotate joint and seizure."""
    first, second = (edfio.read_edf(data_root / "chbmit" / name) for name in CLIPS)
    signals = []
    for one, other in zip(first.signals, second.signals, strict=True):
        same = ("label", "sampling_frequency", "physical_dimension", "physical_range", "digital_range")
        assert all(getattr(one, key) == getattr(other, key) for key in same), f"the clips differ in {one.label}"
        signals.append(
            edfio.EdfSignal.from_digital(
                np.concatenate([one.digital, other.digital]),
                one.sampling_frequency,
                label=one.label,
                physical_dimension=one.physical_dimension,
                physical_range=one.physical_range,
                digital_range=one.digital_range,
            )
        )
    seizure = edfio.EdfAnnotation(CLIP_S + SEIZURE_IN_CLIP_S, CLIP_S - SEIZURE_IN_CLIP_S, "seizure")
    joint = edfio.EdfAnnotation(CLIP_S, None, "joint: 0-41 s and 2995-3036 s of chb01_03")
    edfio.Edf(
        signals,
        recording=edfio.Recording(equipment_code="CHB-MIT_chb01_03"),
        annotations=[joint, seizure],
    ).write(out)


def main() -> None:
    """Recording, then pipeline."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data_root", type=Path)
    parser.add_argument("--crossval", type=Path, metavar="FOLDER", help="judged the recipe, and settles the final fit")
    parser.add_argument("--recording-only", action="store_true", help="leave the pipeline as it is")
    options = parser.parse_args()
    build_recording(options.data_root, OUT / "chb01_03_demo.edf")
    if options.recording_only:
        return
    with tempfile.TemporaryDirectory() as folder:  # for the learning curves, which are not shipped
        built = Path(folder) / "seizure_demo.rtbci"
        settings = [f"data.root={str(options.data_root.resolve())!r}"]
        config = HOME / "configs" / "seizure_demo.toml"
        train_from_file(config, built, settings, resume=False, json=False, crossval=options.crossval)
        (OUT / built.name).write_bytes(built.read_bytes())


if __name__ == "__main__":
    main()
