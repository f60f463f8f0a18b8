"""What is believed of a stream: descriptions as data, the same for a live stream and for an XDF file."""

import string
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pylsl
import pytest
from cutting import assert_same, eeg, make_pipeline
from hypothesis import given, settings
from hypothesis import strategies as st
from xdf_kit import XdfStream, write_xdf

from rtbci.errors import RecordingError, StreamMismatch
from rtbci.lsl.discovery import read_description
from rtbci.recordings.description import DescribedChannel, Description, subtracted
from rtbci.recordings.open import open_recording
from rtbci.recordings.overrides import StreamOverrides
from rtbci.recordings.stream_reader import believed
from rtbci.stages.montage import Montage, MontageConfig
from rtbci.stages.wiring import match
from rtbci.types import Chunk, StreamInfo

FORMATS = {"float32": "f4", "double64": "f8", "int8": "i1", "int16": "i2", "int32": "i4", "int64": "i8"}
Channel = dict[str, str]


class Inlet:
    """An inlet that answers with a description, without a network."""

    def __init__(self, described: pylsl.StreamInfo) -> None:
        self.described = described

    def info(self, timeout: float) -> pylsl.StreamInfo:
        return self.described


def live(channels: list[Channel], n_values: int, form: str = "float32", **reference: str) -> Description:
    """As it is read from a live stream."""
    info = pylsl.StreamInfo("amp", "EEG", n_values, 100.0, form, "amp1")
    nodes = info.desc().append_child("channels")
    for channel in channels:
        node = nodes.append_child("channel")
        for key, value in channel.items():
            node.append_child_value(key, value)
    if reference:
        node = info.desc().append_child("reference")
        for key, value in reference.items():
            node.append_child_value(key, value)
    return read_description(Inlet(info))[0]


def in_xml(channels: list[Channel], **reference: str) -> str:
    def elements(fields: dict[str, str]) -> str:
        return "".join(f"<{key}>{value}</{key}>" for key, value in fields.items())

    told = f"<reference>{elements(reference)}</reference>" if reference else ""
    return f"<channels>{''.join(f'<channel>{elements(one)}</channel>' for one in channels)}</channels>{told}"


def labelled(*labels: str, **fields: str) -> list[Channel]:
    return [{"label": label, **fields} for label in labels]


def channels_of(*labels: str, unit: str = "uV") -> tuple[DescribedChannel, ...]:
    return tuple(DescribedChannel(label, unit) for label in labels)


def montage(wanted: tuple[str, ...], info: StreamInfo, row: list[float]) -> list[float]:
    chunk = Chunk(np.array([row], np.float32), np.zeros(1))
    return Montage(MontageConfig(channels=wanted), info).process(chunk).data[0].tolist()


@pytest.mark.parametrize(
    ("labels", "n_values"), [(("Trig1", "Fp1", "F7", "ECG"), 3), (("Fp1", "F7"), 3), (("Fp1",) * 200, 2)]
)
def test_a_description_of_more_or_fewer_channels_is_refused_with_both_counts_and_the_labels(
    tmp_path: Path, labels: tuple[str, ...], n_values: int
) -> None:
    described = live(labelled(*labels), n_values)
    says = rf"description names {len(labels) if len(labels) < 99 else ''}.*\({labels[0]}.* a sample has {n_values} values.*"
    with pytest.raises(StreamMismatch, match=rf"{says}give the {n_values} names in their order with --channels"):
        believed(described)
    stream = XdfStream(
        "amp", "EEG", np.zeros((9, n_values)), np.arange(9) / 100, sfreq=100.0, description=in_xml(labelled(*labels))
    )
    with pytest.raises(RecordingError, match=says):
        open_recording(write_xdf(tmp_path / "a.xdf", stream))


def test_names_that_are_told_stand_for_the_values_and_each_finds_its_own_unit() -> None:
    described = live([*labelled("Trig1", unit="bits"), *labelled("EEG FP1-Ref", "T3", unit="mV")], 2)
    reader = believed(described, StreamOverrides(channels=("Fp1", "T7")))
    assert reader.info.channels == ("Fp1", "T7")
    assert reader.info.units == ("uV", "uV")
    assert reader.factors.tolist() == [1000, 1000]
    with pytest.raises(StreamMismatch, match="--channels names 1 channels, a sample has 2 values"):
        believed(described, StreamOverrides(channels=("Fp1",)))


@pytest.mark.parametrize("key", ["name", "Label", "LABEL", "channel_name", "ch-name", "electrode", "ChannelLabel"])
def test_a_name_is_read_under_any_of_the_keys_that_vendors_use(tmp_path: Path, key: str) -> None:
    channels = [{key: "Fp1", "unit": "uV"}, {key: "F7", "Units": "mV"}]
    reader = believed(live(channels, 2))
    assert reader.info.channels == ("Fp1", "F7")
    assert reader.factors.tolist() == [1, 1000]
    stream = XdfStream("amp", "EEG", np.ones((9, 2)), np.arange(9) / 100, sfreq=100.0, description=in_xml(channels))
    recording = open_recording(write_xdf(tmp_path / "a.xdf", stream))
    assert recording.info.channels == ("Fp1", "F7")
    assert recording.read(0, 1).tolist() == [[1, 1000]]


def test_a_label_comes_before_a_name_and_what_has_neither_is_numbered() -> None:
    reader = believed(live([{"name": "wire 1", "label": "Fp1"}, {"label": " "}, {"position": "F7"}], 3))
    assert reader.info.channels == ("Fp1", "ch2", "F7")


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    "fields",
    [{"unit": "microvolts"}, {"unit": "mV"}, {"unit": "nV"}, {"unit": "0.1 uV"}, {"unit": "uV", "scaling_factor": "0.0715"},
     {"unit": "-6"}, {}],
)  # fmt: skip
def test_values_are_rounded_once_and_alike_live_and_in_a_file(tmp_path: Path, form: str, fields: Channel) -> None:
    rng = np.random.default_rng(1)
    large = 100.0 if form == "int8" else 30_000.0 if form == "int16" else 2e9
    rows = (rng.uniform(-large, large, (50, 2))).astype(FORMATS[form])
    channels = labelled("Fp1", "F7", **fields)
    reader = believed(live(channels, 2, form))
    got = reader.microvolts(rows)
    factor = {"mV": 1000, "nV": 1e-3, "0.1 uV": 0.1}.get(fields.get("unit", ""), 1.0) * float(
        fields.get("scaling_factor", 1)
    )
    np.testing.assert_array_equal(got, (rows.astype(np.float64) * factor).astype(np.float32))
    parts = [reader.chunk(rows[i : i + 7], np.arange(i, min(i + 7, 50)) / 100) for i in range(0, 50, 7)]
    assert_same(Chunk.join(parts), reader.chunk(rows, np.arange(50) / 100))
    stream = XdfStream("amp", "EEG", rows.tolist(), np.arange(50) / 100, form, 100.0, description=in_xml(channels))
    recording = open_recording(write_xdf(tmp_path / "a.xdf", stream))
    np.testing.assert_array_equal(recording.read(0, 50), got)
    assert recording.info.units == reader.info.units
    assert set(recording.warnings) >= set(reader.warnings)


def test_float32_in_microvolts_is_not_copied() -> None:
    rows = np.ones((5, 2), np.float32)
    assert believed(live(labelled("Fp1", "F7", unit="uV"), 2)).chunk(rows, np.arange(5.0)).data is rows


def test_a_factor_of_the_description_is_applied_and_told() -> None:
    described = live(labelled("Fp1", "F7", unit="microvolts", scaling_factor="0.1"), 2, "int16")
    reader = believed(described)
    assert reader.microvolts(np.array([[10, 30]], np.int16)).tolist() == [[1, 3]]
    assert reader.warnings == (
        "values are multiplied by their scaling_factor, 0.1 (--gain 1 where they are in their unit already): Fp1, F7",
    )
    assert believed(described, StreamOverrides(gain=1)).factors.tolist() == [1, 1]


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        ({"unit": "counts", "conversion": "0.5"}, "counts (conversion 0.5)"),
        ({"unit": "microvolts", "gain": "24"}, "microvolts (gain 24)"),
        ({"unit": "microvolts", "scaling_factor": "x"}, "microvolts (scaling_factor x)"),
        ({"unit": "microvolts", "scaling_factor": "-1"}, "microvolts (scaling_factor -1)"),
        ({"unit": "0.1 uV", "scaling_factor": "0.1"}, "0.1 uV (scaling_factor 0.1)"),
        ({"unit": "a.u."}, "a.u"),
        ({"unit": "uV/bit"}, "uV/bit"),
    ],
)
def test_what_is_no_voltage_or_not_clear_is_refused_where_it_is_used(fields: Channel, shown: str) -> None:
    described = live([{"label": "Fp1", "unit": "uV"}, {"label": "F7", **fields}], 2, "int16")
    info = believed(described).info
    assert montage(("Fp1",), info, [5, 6]) == [5]
    with pytest.raises(StreamMismatch) as error:
        match(("F7",), info)
    assert f"has unknown unit {shown!r}" in str(error.value)
    assert "--unit" in str(error.value)
    assert "--gain" in str(error.value)
    told = believed(described, StreamOverrides(unit="mV", gain=0.5))
    assert told.factors.tolist() == [500, 500]
    assert match(("F7",), told.info).gain_plus == (1.0,)


def test_a_unit_that_is_told_wins_and_leaves_the_factor_of_the_description() -> None:
    described = live(
        [{"label": "Fp1", "unit": "counts", "conversion": "0.25"}, {"label": "Trigger", "unit": "code"}], 2
    )
    reader = believed(described, StreamOverrides(unit="uV"))
    assert reader.factors.tolist() == [0.25, 1]
    assert reader.info.units == ("uV", "code")


def test_no_unit_is_told_and_integers_without_one_look_like_counts() -> None:
    channels = labelled("Fp1", "F7")
    assert believed(live(channels, 2)).warnings == ("2 of 2 channels name no unit; microvolts are assumed: Fp1, F7",)
    (said,) = believed(live(channels, 2, "int32")).warnings
    assert "int32 values look like counts (--gain says how many µV one is): Fp1, F7" in said
    assert believed(live([{"label": "Fp1", "unit": "uV"}, {"label": "Counter"}], 2)).warnings == ()


def test_a_bare_power_of_ten_is_one_of_volts_in_a_stream_and_told() -> None:
    reader = believed(live(labelled("Fp1", "F7", unit="0"), 2))
    assert reader.factors.tolist() == [1e6, 1e6]
    assert "taken as 10^0 V, as MNE-LSL writes it" in reader.warnings[0]


def test_of_two_channels_of_one_name_the_type_decides() -> None:
    described = Description(
        "amp", 100.0, 3,
        (DescribedChannel("C3", "uV", "AUX"), DescribedChannel("C3", "uV", "EEG"), DescribedChannel("C4", "uV", "EEG")),
    )  # fmt: skip
    wiring = match(("C3", "C4"), believed(described).info)
    assert wiring.plus == (1, 2)
    assert wiring.choices == ("C3 is there 2 times (C3, C3); the one of type EEG is used",)
    quality = Description(
        "amp", 100.0, 2, (DescribedChannel("C3", "%", "Quality"), DescribedChannel("C3", "uV")),
    )  # fmt: skip
    assert match(("C3",), believed(quality).info).plus == (1,)


def test_a_reference_that_is_no_channel_is_zero_and_told() -> None:
    described = live(labelled("Cz", "Oz", unit="uV"), 2, label="Pz")
    info = believed(described).info
    assert montage(("Cz-Pz", "Pz-Oz", "Cz-Oz", "Pz"), info, [5, 2]) == [5, -2, 3, 0]
    assert match(("Cz-Pz", "Cz-Oz"), info).choices == (
        "Pz is what the stream is recorded against, so it is taken as zero: Cz-Pz",
    )
    assert Montage(MontageConfig(channels=("Pz", "Cz")), info).uses.tolist() == [[False, False], [True, False]]
    average = Montage(MontageConfig(channels=("Cz", "Pz"), reference="average"), info)
    assert average.process(Chunk(np.array([[6, 0]], np.float32), np.zeros(1))).data.tolist() == [[3, -3]]


def test_a_reference_that_is_told_is_applied_unless_it_is_a_channel() -> None:
    described = live(labelled("Cz", "Oz", unit="uV"), 2)
    info = believed(described, StreamOverrides(reference="PZ")).info
    assert montage(("Cz-Pz",), info, [5, 2]) == [5]
    with pytest.raises(StreamMismatch, match="--reference Cz is one of its channels"):
        believed(described, StreamOverrides(reference="Cz"))
    with pytest.raises(StreamMismatch, match="if Pz is what it is recorded against, --reference says so"):
        match(("Cz-Pz",), believed(described).info)


@pytest.mark.parametrize(
    ("fields", "reference"),
    [
        ({"label": "Pz"}, "Pz"),
        ({"label": "pz", "subtracted": "Yes"}, "Pz"),
        ({"label": "Pz", "subtracted": "No"}, ""),
        ({"label": "Pz", "common_average": "Yes"}, ""),
        ({"label": "Cz"}, ""),
        ({"label": "nose"}, ""),
        ({}, ""),
    ],
)
def test_the_reference_of_a_description_is_one_electrode_that_was_subtracted_and_is_no_channel(
    tmp_path: Path, fields: Channel, reference: str
) -> None:
    channels = labelled("Cz", "Oz", unit="uV")
    assert believed(live(channels, 2, **fields)).info.reference == reference
    stream = XdfStream(
        "amp", "EEG", np.ones((9, 2)), np.arange(9) / 100, sfreq=100.0, description=in_xml(channels, **fields)
    )
    assert open_recording(write_xdf(tmp_path / "a.xdf", stream)).info.reference == reference
    assert subtracted(["A1", "A2"], "", "") == ""


def test_a_map_renames_by_label_by_pattern_and_by_number_and_a_name_is_given_once() -> None:
    described = Description("amp", 100.0, 4, channels_of("C3_1", "C4_1", "C3_2", "C4_2"))
    with pytest.raises(StreamMismatch, match=r"several heads: \*_1 \(2\), \*_2 \(2\); .* --channels '\*_1=\*'"):
        match(("C3", "C4"), believed(described).info)
    for renamed in ({"*_2": "*"}, {"C3_2": "C3", "c4_2": "C4"}, {"3": "C3", "4": "C4"}):
        reader = believed(described, StreamOverrides(renamed=renamed))
        assert montage(("C3", "C4"), reader.info, [1, 2, 3, 4]) == [3, 4]
    with pytest.raises(StreamMismatch, match=r"has none of the channels that --channels renames \(X\); it has 4: C3_1"):
        believed(described, StreamOverrides(renamed={"X": "C3"}))
    reader = believed(described, StreamOverrides(renamed={"*_1": "*", "X": "Cz"}))
    assert reader.warnings == ("--channels renames what is not there: X",)


def test_the_group_that_alone_has_what_is_needed_is_taken_and_told() -> None:
    info = believed(Description("amp", 100.0, 5, channels_of("S1-C3", "S1-C4", "S2-C3", "S2-C4", "S2-Cz"))).info
    wiring = match(("C3", "Cz"), info)
    assert wiring.plus == (2, 4)
    assert "S2-* is used, which alone has all that is needed" in wiring.choices[0]


def test_places_of_another_scheme_are_no_electrodes_but_by_a_map() -> None:
    labels = tuple(f"{bank}{k}" for bank in "ABCD" for k in range(1, 33))
    described = Description("amp", 100.0, 128, channels_of(*labels))
    with pytest.raises(
        StreamMismatch, match="its labels are BioSemi's A1 … D32, not of the 10-20 system: --channels MAP"
    ):
        match(("C3", "C4"), believed(described).info)
    reader = believed(described, StreamOverrides(renamed={"D19": "C3"}))
    assert match(("C3",), reader.info).plus == (labels.index("D19"),)
    with pytest.raises(StreamMismatch, match="lacks 1 of the 2 channels"):
        match(("C3", "C4"), reader.info)  # C4 is still the place of that name
    assert match(("A7", "B20"), StreamInfo("amp", 100.0, labels)).plus == (6, 51)  # a pipeline that was trained on them


def test_the_rate_that_is_told_wins() -> None:
    assert believed(Description("amp", 100.0, 1), StreamOverrides(sfreq=250)).info.sfreq == 250


def test_two_streams_are_read_alike_where_one_header_fits_both() -> None:
    one = believed(Description("amp", 100.0, 2, channels_of("Fp1", "F7")))
    assert one.reads_like(believed(Description("other", 100.0, 2, channels_of("Fp1", "F7"), source_id="x")))
    for other in (
        Description("amp", 100.0, 2, channels_of("F7", "Fp1")),
        Description("amp", 100.0, 2, channels_of("Fp1", "F7", unit="µV")),
        Description("amp", 100.0, 2, channels_of("Fp1", "F7"), format="int16"),
        Description("amp", 200.0, 2, channels_of("Fp1", "F7")),
    ):
        assert not one.reads_like(believed(other))


def test_what_is_told_wins_over_what_was_told_before() -> None:
    before = StreamOverrides(channels=("Fp1", "F7"), unit="mV", reference="Pz")
    now = StreamOverrides(renamed={"A1": "Fp1"}, unit="V")
    assert now.over(before) == StreamOverrides(renamed={"A1": "Fp1"}, unit="V", reference="Pz")
    assert StreamOverrides().over(before) == before
    assert StreamOverrides(**before.told()) == before


texts = st.text(string.printable + "µéΩ", max_size=12)
fields = st.dictionaries(st.sampled_from(["label", "name", "unit", "type", "scaling_factor", "gain"]), texts)


@settings(max_examples=200, deadline=None)
@given(st.lists(fields, min_size=1, max_size=8), st.sampled_from([*FORMATS]), texts, texts)
def test_a_description_of_anything_is_believed_or_refused_and_never_fails(
    channels: list[Channel], form: str, reference: str, renamed: str
) -> None:
    described = Description(
        "amp", 100.0, len(channels), tuple(DescribedChannel.of(c.items()) for c in channels), "EEG", "", form,
        subtracted([reference], "", ""),
    )  # fmt: skip
    pipeline = make_pipeline()
    for told in (StreamOverrides(), StreamOverrides(renamed={renamed: "Fp1"}), StreamOverrides(gain=1e-300)):
        try:
            reader = believed(described, told)
            rows = eeg(4, len(channels)).data.astype(FORMATS[form])
            assert reader.chunk(rows, np.arange(4.0)).data.dtype == np.float32
            pipeline.preprocessor(reader.info)
        except StreamMismatch as error:
            assert len(str(error).splitlines()) == 1


def test_the_marks_of_an_engine_say_how_its_recording_is_read(tmp_path: Path) -> None:
    path = with_marks(tmp_path, '{"channels": ["Fp1", "F7"], "unit": "mV", "reference": "Pz"}')
    recording = open_recording(path)
    assert recording.info.channels == ("Fp1", "F7")
    assert recording.info.reference == "Pz"
    assert recording.read(0, 1).tolist() == [[1000, 2000]]
    told = open_recording(path, told=StreamOverrides(unit="V"))
    assert told.info.channels == ("Fp1", "F7")
    assert told.read(0, 1).tolist() == [[1e6, 2e6]]


@pytest.mark.parametrize("told", ['{"unit": 3}', '{"of the future": true}', "[]", '{"gain": -1}', "null"])
def test_marks_that_cannot_be_meant_say_nothing(tmp_path: Path, told: str) -> None:
    assert open_recording(with_marks(tmp_path, told)).info.channels == ("A", "B")


def with_marks(folder: Path, told: str) -> Path:
    stamps = np.arange(50) / 100
    signal = XdfStream(
        "amp", "EEG", np.tile([1.0, 2.0], (50, 1)), stamps, sfreq=100.0, source_id="amp1",
        description=in_xml(labelled("A", "B")),
    )  # fmt: skip
    ours = "<manufacturer>rtbci</manufacturer><input>amp</input><input_source_id>amp1</input_source_id>"
    begin = '{"label": "rtbci", "state": "begin", "stamp": 0.0, "speed": 1.0, "told": ' + told + "}"
    marks = XdfStream("amp-events", "Markers", [[begin]], stamps[:1], "string", description=ours)
    return write_xdf(folder / "a.xdf", signal, marks)


Make = Callable[..., Path]


def test_a_recording_of_another_format_is_read_as_told(tmp_path: Path) -> None:
    from edf_fields import Signal, write_edf

    signals = [Signal("A1", np.full(100, 30), b""), Signal("A2", np.full(100, 10), b"")]
    path = write_edf(tmp_path / "a.edf", signals)
    plain = open_recording(path).read(0, 1)
    told = StreamOverrides(renamed={"A1": "Fp1", "A2": "F7"}, unit="mV", gain=0.5, reference="Pz")
    recording = open_recording(path, told=told)
    assert recording.info.channels == ("Fp1", "F7")
    assert recording.info.reference == "Pz"
    np.testing.assert_array_equal(recording.read(0, 1), plain * 500)
    with pytest.raises(RecordingError, match="--sfreq and --clock are for XDF files"):
        open_recording(path, told=StreamOverrides(sfreq=100))
    named = write_edf(tmp_path / "b.edf", [Signal("Fp1", np.full(100, 30), b"mV")])
    with pytest.raises(RecordingError, match="leave --unit out, or say with --gain"):
        open_recording(named, told=StreamOverrides(unit="uV"))


def test_a_channel_that_is_used_although_its_type_is_not_eeg_is_told() -> None:
    described = Description(
        "amp", 100.0, 2, (DescribedChannel("Fp1", "uV", "EOG"), DescribedChannel("F7", "uV", "EEG"))
    )
    assert match(("Fp1-F7",), believed(described).info).choices == (
        "channels are used by their names that are no EEG by their type: Fp1 (EOG)",
    )
