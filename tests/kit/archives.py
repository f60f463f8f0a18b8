"""Published datasets in small: the true names of folders, files and channels, and made-up EEG in them."""

from collections.abc import Callable, Sequence
from pathlib import Path

import edfio
import numpy as np
from gdf_kit import GdfSignal, write_gdf
from scipy.io import savemat

from rtbci.datasets import bci2_iv

TEN_TWENTY = (
    *("Fp1", "Fp2", "F3", "F4", "C3", "C4", "P3", "P4", "O1", "O2", "F7", "F8", "T3", "T4", "T5", "T6"),
    *("Fz", "Cz", "Pz"),
)
CHBMIT = (
    *("FP1-F7", "F7-T7", "T7-P7", "P7-O1", "FP1-F3", "F3-C3", "C3-P3", "P3-O1", "FP2-F4", "F4-C4", "C4-P4", "P4-O2"),
    *("FP2-F8", "F8-T8", "T8-P8", "P8-O2", "FZ-CZ", "CZ-PZ", "P7-T7", "T7-FT9", "FT9-FT10", "FT10-T8", "T8-P8"),
)
SIENA = (*(f"EEG {name}" for name in (*TEN_TWENTY, "Fc1", "Cp5", "F9")), "EKG EKG", "SPO2", "MK")
SEIZEIT1 = (*TEN_TWENTY, "OorLiAchter", "OorReAchter", "OorLiTop", "OorReTop", "Sph1", "Sph2", "ECG")
SEIZEIT2 = ("BTEleft SD", "CROSStop SD")
SECONDS, SEIZURE = 24, (8, 16)  # of a recording with a seizure
PATIENTS = 4


def write_edf(
    path: Path,
    channels: Sequence[str] = ("C3", "C4"),
    seconds: int = 8,
    sfreq: int = 64,
    notes: Sequence[tuple[float, float | None, str]] = (),
    *,
    noise: bool = False,
) -> None:
    """Each channel counts in tenths of a microvolt from sixty of its own; or noise of 10 µV, another one in each file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    n = seconds * sfreq
    rng = np.random.default_rng(list(path.name.encode()))
    values = [rng.normal(0, 10, n) if noise else np.arange(n) / 10 + 60 * i for i in range(len(channels))]
    signals = [
        edfio.EdfSignal(x, sfreq, label=name, physical_dimension="uV", physical_range=(-3276.8, 3276.7))
        for name, x in zip(channels, values, strict=True)
    ]
    edfio.Edf(signals, annotations=[edfio.EdfAnnotation(*note) for note in notes] or None).write(path)


def write_run(path: Path, channels: Sequence[str], labels: Sequence[str]) -> None:
    """Noise at 160 Hz, and a cue every 6 s, twice each."""
    notes = [(1.0 + 6 * i, 4.0, label) for i, label in enumerate([*labels, *labels])]
    write_edf(path, channels, 6 * 2 * len(labels) + 8, 160, notes, noise=True)


def write_seizure(path: Path, channels: Sequence[str], sfreq: int) -> None:
    write_edf(path, channels, SECONDS, sfreq, noise=True)


def write_chbmit(root: Path) -> None:
    for case in (f"chb0{n}" for n in range(1, PATIENTS + 1)):
        write_seizure(root / case / f"{case}_01.edf", CHBMIT, 256)
        (root / case / f"{case}-summary.txt").write_text(
            f"File Name: {case}_01.edf\nNumber of Seizures in File: 1\nSeizure Start Time: {SEIZURE[0]} seconds\n"
            f"Seizure End Time: {SEIZURE[1]} seconds\n"
        )


def write_siena(root: Path) -> None:
    for patient in (f"PN0{n}" for n in range(PATIENTS)):
        write_seizure(root / patient / f"{patient}-1.edf", SIENA, 512)
        (root / patient / f"Seizures-list-{patient}.txt").write_text(
            f"Seizure n 1\nFile name: {patient}-1.edf\nRegistration start time: 19.00.00\n"
            f"Registration end time: 19.00.{SECONDS}\nSeizure start time: 19.00.{SEIZURE[0]:02d}\n"
            f"Seizure end time: 19.00.{SEIZURE[1]}\n"
        )


def write_tusz(root: Path) -> None:
    """Average and linked-ear references, and records of dev and eval."""
    places = [f"train/aaaaaaa{letter}/s001_2010/{{}}/aaaaaaa{letter}_s001_t000" for letter in "abcd"]
    places += [f"{part}/aaaaaab{part[0]}/s001_2010/{{}}/aaaaaab{part[0]}_s001_t000" for part in ("dev", "eval")]
    for number, place in enumerate(places):
        montage, reference = (("01_tcp_ar", "REF"), ("02_tcp_le", "LE"))[number % 2]
        path = root / f"{place.format(montage)}.edf"
        write_seizure(path, [f"EEG {name.upper()}-{reference}" for name in (*TEN_TWENTY, "A1", "A2", "EKG1")], 250)
        path.with_suffix(".csv_bi").write_text(
            "# version = csv_v1.0.0\n#\nchannel,start_time,stop_time,label,confidence\n"
            f"TERM,0.0000,{SEIZURE[0]}.0,bckg,1.0\nTERM,{SEIZURE[0]}.0,{SEIZURE[1]}.0,seiz,1.0\n"
            f"TERM,{SEIZURE[1]}.0,{SECONDS}.0,bckg,1.0\n"
        )


def write_seizeit1(root: Path) -> None:
    for patient in (f"P_ID{60 + n}" for n in range(PATIENTS)):
        write_seizure(root / patient / f"{patient}_r1.edf", SEIZEIT1, 250)
        table = root / patient / f"{patient}_r1_a1.tsv"
        table.write_text(f"# Source: SeizeIt1\n{SEIZURE[0]}\t{SEIZURE[1]}\tFIA\tHem:L\n")


def write_bids(
    root: Path, channels: Sequence[str], event: str, patients: Sequence[int] = range(1, PATIENTS + 1)
) -> None:
    for subject in (f"sub-00{n}" for n in patients):
        stem = root / subject / "ses-01" / "eeg" / f"{subject}_ses-01_task-szMonitoring_run-01"
        write_seizure(Path(f"{stem}_eeg.edf"), channels, 256)
        Path(f"{stem}_events.tsv").write_text(
            f"onset\tduration\teventType\n{SEIZURE[0]}\t{SEIZURE[1] - SEIZURE[0]}\t{event}\n"
        )


def write_seizeit2(root: Path) -> None:
    """One more patient wore it on the other side, and the first has an ECG beside the EEG."""
    write_bids(root, SEIZEIT2, "sz_foc_ia_nm")
    write_bids(root, ("BTEright SD", "CROSStop SD"), "sz_foc_ia_nm", [PATIENTS + 1])
    eeg = next(root.glob("sub-001/ses-01/eeg/*_eeg.edf"))
    write_seizure(eeg.parents[1] / "ecg" / eeg.name.replace("_eeg", "_ecg"), ("ECG SD",), 256)


def write_szcore(root: Path) -> None:
    write_bids(root, TEN_TWENTY, "sz")


def write_helsinki_neonatal(root: Path) -> None:
    for number in range(1, PATIENTS + 1):
        write_seizure(root / f"eeg{number}.edf", [f"EEG {name}-REF" for name in (*TEN_TWENTY, "ECG EKG")], 256)
    header = ",".join(map(str, range(1, PATIENTS + 1)))
    for late, expert in enumerate("ABC"):
        marks = [str(int(SEIZURE[0] + late <= second < SEIZURE[1])) for second in range(SECONDS)]
        rows = "\n".join(",".join([mark] * PATIENTS) for mark in marks)
        (root / f"annotations_2017_{expert}_fixed.csv").write_text(f"{header}\n{rows}\n")


def write_bci2_iv(root: Path) -> None:
    rows = np.random.default_rng(0).normal(0, 10, (12, len(bci2_iv.CHANNELS) * 50))
    np.savetxt(root / "sp1s_aa_train.txt", np.column_stack([np.arange(12) % 2, rows]), fmt="%.2f")


def write_bnci_2a(root: Path) -> None:
    """Two people: idling and eye movements, then eight trials of which the second of the training is rejected."""
    for person in ("A01", "A02"):
        for part in "TE":
            cues = [769 + n % 4 if part == "T" else 783 for n in range(8)]
            trials = [
                event for n, cue in enumerate(cues) for event in ((10.0 + 7 * n, 768, 7.0), (12.0 + 7 * n, cue, 1.252))
            ]
            bad = [(17.0, 1023, 7.0)] if part == "T" else []
            events = [(0.0, 276, 4.0), (4.0, 277, 3.0), (7.0, 1072, 3.0), (10.0, 32766, 0.0), *bad, *trials]
            write_session(root / f"{person}{part}.gdf", sorted(events))
        savemat(root / f"{person}E.mat", {"classlabel": np.array([[1 + n % 4] for n in range(8)])})


def write_session(path: Path, events: Sequence[tuple[float, int, float]], seconds: int = 70) -> None:
    """The 25 channels of set 2a by the names that are in its files."""
    eeg = {0: "EEG-Fz", 7: "EEG-C3", 9: "EEG-Cz", 11: "EEG-C4", 19: "EEG-Pz"}
    names = [*(eeg.get(n, "EEG") for n in range(22)), "EOG-left", "EOG-central", "EOG-right"]
    rng = np.random.default_rng(list(path.name.encode()))
    signals = [GdfSignal(name, rng.normal(0, 100, 250 * seconds).astype(np.int16), 250) for name in names]
    write_gdf(path, signals, events)


def write_eegmmidb(root: Path, channels: Sequence[str]) -> None:
    for subject in ("S001", "S002"):
        for run in (3, 4, 7, 8, 11, 12):
            write_run(root / f"{subject}R{run:02d}.edf", channels, ("T0", "T1", "T2"))


def write_high_gamma(root: Path, channels: Sequence[str]) -> None:
    for subject in (1, 2):
        write_run(root / "train" / f"{subject}.edf", channels, ("right_hand", "left_hand", "rest", "feet"))


WRITERS: dict[str, Callable[[Path], None]] = {
    "bci2_iv": write_bci2_iv,
    "bnci_2a": write_bnci_2a,
    "chbmit": write_chbmit,
    "siena": write_siena,
    "tusz": write_tusz,
    "seizeit1": write_seizeit1,
    "seizeit2": write_seizeit2,
    "szcore": write_szcore,
    "helsinki_neonatal": write_helsinki_neonatal,
}
"""By dataset; those of EEGMMIDB and High-Gamma take the channels, for few of their many are enough."""
WITH_CHANNELS = {"eegmmidb": write_eegmmidb, "high_gamma": write_high_gamma}


def write_dataset(name: str, root: Path, channels: Sequence[str]) -> None:
    """A dataset by its name, with at least these channels."""
    if name in WITH_CHANNELS:
        WITH_CHANNELS[name](root, channels)
    else:
        WRITERS[name](root)
