import numpy as np
import pytest
from cutting import INFO, eeg

from rtbci.errors import StreamMismatch
from rtbci.recordings.channel_names import canonical, derivation
from rtbci.recordings.units import microvolts
from rtbci.stages.montage import DOUBLE_BANANA, Montage, MontageConfig
from rtbci.stages.wiring import match
from rtbci.types import Chunk, StreamInfo


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("EEG Fp1-Ref", "Fp1"),
        ("FP1", "Fp1"),
        ("Fc5.", "FC5"),
        ("Cz..", "Cz"),
        ("T8-P8-0", "T8-P8"),
        ("T3", "T7"),
        ("EEG T5-Ref", "P7"),
        ("EEG F7-T3", "F7-T7"),
        ("FP1-F7", "Fp1-F7"),
        ("eeg fz", "Fz"),
        ("EEG Fp2-LE", "Fp2"),
        ("C3-A2", "C3-A2"),
        ("M1", "A1"),
        ("FT9-FT10", "FT9-FT10"),
        ("  O1 ", "O1"),
        ("ECG EKG", "ECG EKG"),
        ("AFz", "AFz"),
        ("POZ", "POz"),
        ("", ""),
    ],
)
def test_a_label_means_its_electrode_whatever_its_spelling(label: str, name: str) -> None:
    assert canonical(label) == name


@pytest.mark.parametrize(
    ("unit", "factor"), [("V", 1e6), ("mV", 1e3), ("µV", 1), ("uV", 1), ("microvolts", 1), ("", 1)]
)
def test_units_are_turned_into_microvolts(unit: str, factor: float) -> None:
    assert microvolts(unit) == factor


def stream(channels: str, units: str = "uV") -> StreamInfo:
    names = tuple(channels.split())
    return StreamInfo("amp", 200.0, names, (units,) * len(names))


def run(channels: tuple[str, ...], info: StreamInfo, row: list[float]) -> list[float]:
    chunk = Chunk(np.array([row], np.float32), np.zeros(1))
    return Montage(MontageConfig(channels=channels), info).process(chunk).data[0].tolist()


def test_a_bipolar_pair_is_taken_as_it_is_turned_round_or_derived() -> None:
    assert run(("Fp1-F7",), stream("FP1-F7"), [5]) == [5]
    assert run(("Fp1-F7",), stream("F7-FP1"), [5]) == [-5]
    assert run(("Fp1-F7",), stream("F7 Fp1"), [2, 5]) == [3]
    assert run(("Fp1-F7",), stream("F7-A1 Fp1-A1"), [2, 5]) == [3]


def test_a_pair_is_not_derived_from_electrodes_of_two_references() -> None:
    with pytest.raises(StreamMismatch, match="lacks 1 of the 1 channels"):
        run(("Fp1-F7",), stream("F7-A1 Fp1-A2"), [2, 5])


def test_order_and_unit_of_the_stream_do_not_matter() -> None:
    assert run(("Fz", "Cz", "Pz"), stream("PZ CZ FZ", "mV"), [1, 2, 3]) == [3000, 2000, 1000]
    mixed = StreamInfo("amp", 200.0, ("F7", "Fp1"), ("mV", "V"))
    assert run(("Fp1-F7",), mixed, [1, 0.002]) == [pytest.approx(1000)]


def test_the_common_average_is_taken_over_the_montage_alone() -> None:
    config = MontageConfig(channels=("Fz", "Cz"), reference="average")
    chunk = Chunk(np.array([[1, 3, 100]], np.float32), np.zeros(1))
    assert Montage(config, stream("Fz Cz ECG")).process(chunk).data[0].tolist() == [-1, 1]


def test_missing_channels_are_named_with_what_came_and_the_nearest_names() -> None:
    with pytest.raises(StreamMismatch) as error:
        Montage(MontageConfig(channels=("Fp1", "F7", "T7")), stream("Fp1 F77x T9"))
    assert "lacks 2 of the 3 channels that this pipeline needs: F7, T7" in str(error.value)
    assert "it has 3: Fp1, F77x, T9" in str(error.value)
    assert "F7 did you mean 'F77x'" in str(error.value)


def test_an_unknown_unit_is_refused_only_on_a_channel_that_is_needed() -> None:
    info = StreamInfo("amp", 200.0, ("Fz", "Steps"), ("uV", "bananas"))
    assert run(("Fz",), info, [1, 2]) == [1]
    with pytest.raises(StreamMismatch, match="unknown unit 'bananas'"):
        run(("Steps",), info, [1, 2])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e30])
def test_a_sample_that_is_no_voltage_is_held_and_marked(bad: float) -> None:
    chunk = eeg(10)
    data = chunk.data.copy()
    data[4, 0] = bad
    out = Montage(MontageConfig(channels=("Fp1", "F7")), INFO).process(Chunk(data, chunk.times))
    assert out.valid.tolist() == [True] * 4 + [False] + [True] * 5
    assert out.data[4, 0] == chunk.data[3, 0]
    assert out.data[4, 1] == chunk.data[4, 1]


def test_the_double_banana_derives_from_the_ten_twenty_electrodes() -> None:
    names = "Fp1 F3 C3 P3 F7 T3 T5 O1 Fz Cz Pz Fp2 F4 C4 P4 F8 T4 T6 O2"
    data = [float(i) ** 2 for i in range(19)]
    out = run(DOUBLE_BANANA, stream(names), data)
    at = dict(zip(names.split(), data, strict=True))
    at |= {"T7": at["T3"], "P7": at["T5"], "T8": at["T4"], "P8": at["T6"]}
    assert out == [at[a] - at[b] for a, b in (pair.split("-") for pair in DOUBLE_BANANA)]


@pytest.mark.parametrize(
    "label", ["C3-A1A2", "C3-(A1+A2)/2", "EEG C3-A1+A2", "C3-M1M2", "C3-M1/M2", "C3-LE", "EEG C3-CLE", "C3-Linked Ears"]
)
def test_linked_ears_are_one_reference_whatever_their_name(label: str) -> None:
    assert (str(derivation(label)), derivation(label).common) == ("C3", "linked ears")


@pytest.mark.parametrize(
    ("label", "common"),
    [("Fp1-REF", "REF"), ("EEG Fp1-Ref-0", "REF"), ("Fp1-AVG", "average"), ("Fp1-CAR", "average"), ("Fp1", "")],
)
def test_the_name_of_a_common_reference_is_kept(label: str, common: str) -> None:
    assert (str(derivation(label)), derivation(label).common) == ("Fp1", common)


def test_padding_of_a_label_is_no_part_of_it() -> None:
    assert canonical("EEG Fp1-F7\0\0\0\0\0\0") == "Fp1-F7"
    assert canonical("Fz\0rest of an old name") == "Fz"


MICROVOLTS = "uV|UV|µV|μV|\u00c2\u00b5V|\u00ce\u00bcV|\u00c3\u0082\u00c2\u00b5V|\x83\xcaV|\ufffdV"
MICROVOLTS += "|microV|µVolts|MICROVOLTS|micro volts|uV\0\0\0|''| "


@pytest.mark.parametrize("unit", MICROVOLTS.split("|"))
def test_microvolts_are_understood_in_any_spelling_and_character_set(unit: str) -> None:
    assert microvolts(unit) == 1.0


@pytest.mark.parametrize("raw", [b"uV      ", b"\xb5V", "µV".encode(), "μV".encode(), "㎶".encode(), b"\x83\xcaV", b""])
def test_bytes_of_a_unit_are_understood_in_any_character_set(raw: bytes) -> None:
    assert microvolts(raw) == 1.0


@pytest.mark.parametrize(("unit", "factor"), [("nV", 1e-3), ("mVolt", 1e3), ("MILLIVOLTS", 1e3), ("Volts", 1e6)])
def test_other_voltages_are_understood(unit: str, factor: float) -> None:
    assert microvolts(unit) == factor


@pytest.mark.parametrize("unit", ["µS", "uVs", "C", "%", "Boolean", "kV", "bpm", "uV/bit"])
def test_what_is_no_voltage_has_no_microvolts(unit: str) -> None:
    assert microvolts(unit) is None


def test_a_pair_comes_from_the_two_electrodes_of_one_reference() -> None:
    assert run(("Fp1-F7",), stream("Fp1-REF Fp1-AVG F7-AVG F7-REF"), [10, 5, 2, 7]) == [3]
    assert run(("Fp1-F7",), stream("Fp1-LE F7-A1A2"), [10, 7]) == [3]


@pytest.mark.parametrize("channels", ["Fp1-LE F7-REF", "Fp1-REF F7", "Fp1-AVG F7-A1", "Fp1-A1A2 F7-CAR"])
def test_a_pair_of_two_references_is_refused_with_both(channels: str) -> None:
    with pytest.raises(StreamMismatch, match="Fp1-F7 cannot be derived: Fp1 is recorded against"):
        run(("Fp1-F7",), stream(channels), [10, 7])


def test_of_several_references_the_one_that_serves_all_pairs_is_used_and_told() -> None:
    info = stream("Fp1-REF Fp1-AVG F7-REF F7-AVG T7-AVG")
    assert run(("Fp1-F7", "F7-T7"), info, [10, 5, 7, 1, 3]) == [4, -2]
    told = match(("Fp1-F7", "F7-T7"), info).choices
    assert told == ("Fp1-F7: recorded against REF and average; average is used",)
    assert match(("Fp1", "T7"), info).plus == (1, 4)


def test_a_channel_that_is_there_twice_is_taken_once_and_told() -> None:
    wiring = match(("T8-P8",), stream("T8-P8-0 T8-P8-1"))
    assert (wiring.plus, wiring.choices) == (
        (0,),
        ("T8-P8 is there 2 times (T8-P8-0, T8-P8-1); the first is used; --channels says another",),
    )


def test_channels_of_different_references_are_told_and_never_averaged() -> None:
    info = stream("C3-A2 C4-A1")
    assert match(("C3", "C4"), info).choices == (
        "channels are recorded against different references: A2 (C3), A1 (C4)",
    )
    with pytest.raises(StreamMismatch, match=r"one reference, these have several: A2 \(C3\), A1 \(C4\)"):
        Montage(MontageConfig(channels=("C3", "C4"), reference="average"), info)


def test_a_wanted_reference_is_not_replaced_by_another() -> None:
    assert run(("C3-LE",), stream("C3-AVG C3-A1A2"), [1, 2]) == [2]
    with pytest.raises(StreamMismatch, match="C3-LE is recorded against average, not against linked ears"):
        run(("C3-LE",), stream("C3-AVG"), [1])


def test_another_derivation_is_not_taken_for_a_misspelling() -> None:
    with pytest.raises(StreamMismatch) as error:
        match(("Fp1-F7",), stream("Fp1-F3 Fp2-F8"))
    assert "did you mean" not in str(error.value)
