"""XDF files that were cut off or damaged, and those with more than one stream: what is whole is read, the rest is told."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
from xdf_kit import XdfStream, write_xdf

from rtbci.errors import RecordingError
from rtbci.recordings.open import open_recording

SFREQ = 100.0
N, PER_CHUNK = 400, 20
BOUNDARY = bytes.fromhex("43a546dccbf5410fb30ed5467383cbe4")


def chunk(tag: int, content: bytes) -> bytes:
    return b"\x04" + struct.pack("<IH", len(content) + 2, tag) + content


def parts() -> list[bytes]:
    """A file in chunks, with a boundary after every fifth of samples, a clock offset beside it and a footer."""
    header = (
        "<info><name>Amp</name><type>EEG</type><channel_count>2</channel_count><nominal_srate>100</nominal_srate>"
        "<channel_format>float32</channel_format><source_id>a</source_id><desc><channels>"
        "<channel><label>C3</label><unit>microvolts</unit></channel>"
        "<channel><label>C4</label><unit>microvolts</unit></channel></channels></desc></info>"
    )
    out = [b"XDF:", chunk(1, b"<info><version>1.0</version></info>"), chunk(2, struct.pack("<I", 1) + header.encode())]
    for first in range(0, N, PER_CHUNK):
        rows = [b"\x08" + struct.pack("<dff", 50 + k / SFREQ, k, -k) for k in range(first, first + PER_CHUNK)]
        out.append(chunk(3, struct.pack("<IBB", 1, 1, PER_CHUNK) + b"".join(rows)))
        if first // PER_CHUNK % 5 == 4:
            out += [chunk(4, struct.pack("<Idd", 1, 50 + first / SFREQ, 0.0)), chunk(5, BOUNDARY)]
    footer = f"<info><sample_count>{N}</sample_count></info>"
    return [*out, chunk(6, struct.pack("<I", 1) + footer.encode())]


def test_a_whole_file_has_no_warning(tmp_path: Path) -> None:
    path = tmp_path / "a.xdf"
    path.write_bytes(b"".join(parts()))
    recording = open_recording(path)
    assert (recording.n_samples, recording.warnings) == (N, ())
    (tmp_path / "a.xdfz").write_bytes(gzip.compress(path.read_bytes()))
    packed = open_recording(tmp_path / "a.xdfz")
    assert (packed.n_samples, packed.warnings) == (N, ())


def test_a_file_that_is_cut_off_anywhere_is_read_as_far_as_it_is_whole_and_says_so(tmp_path: Path) -> None:
    whole = parts()
    ends = np.cumsum([len(part) for part in whole])
    content, path = b"".join(whole), tmp_path / "cut.xdf"
    samples = np.array([part[:7].endswith(b"\x03\x00") for part in whole])
    first = int(ends[np.flatnonzero(samples)[0]])
    for end in [*range(first, len(content), 37), *range(len(content) - 80, len(content)), int(ends[10]), int(ends[11])]:
        path.write_bytes(content[:end])
        recording = open_recording(path)
        n = PER_CHUNK * int(np.count_nonzero(samples & (ends <= end)))
        assert recording.n_samples == n
        np.testing.assert_array_equal(recording.read(0, n)[:, 0], np.arange(n))
        assert "the file is cut off: its last chunk is incomplete" in recording.warnings[0] or end in ends
        assert "stream 1 was not closed by its recorder; its end may be missing" in recording.warnings


def test_the_samples_of_the_chunk_that_is_cut_off_are_counted(tmp_path: Path) -> None:
    (tmp_path / "cut.xdf").write_bytes(b"".join(parts()[:8])[:-5])
    assert open_recording(tmp_path / "cut.xdf").warnings[0] == (
        "the file is cut off: its last chunk is incomplete, 20 samples of stream 1 are lost, and what would have followed"
    )
    (tmp_path / "cut.xdfz").write_bytes(gzip.compress(b"".join(parts()))[:-400])
    packed = open_recording(tmp_path / "cut.xdfz")
    assert 0 < packed.n_samples < N
    assert "its compressed content is cut off" in packed.warnings[0]


def test_damage_in_the_middle_is_left_out_and_is_a_gap(tmp_path: Path) -> None:
    whole = parts()
    at = sum(map(len, whole[:12])) + 30
    content = bytearray(b"".join(whole))
    content[at : at + 500] = bytes(500)
    (tmp_path / "a.xdf").write_bytes(content)
    recording = open_recording(tmp_path / "a.xdf")
    numbers = recording.read(0, recording.n_samples)[:, 0].astype(np.float64)
    np.testing.assert_allclose(recording.times(), numbers / SFREQ, rtol=0, atol=1e-9)
    assert recording.n_samples == N - 60
    damaged, counted, gap = recording.warnings
    assert damaged.startswith("the file is damaged: ")
    assert counted == "its footer counts 400 samples, 340 are in the file: 60 are missing"
    assert gap.startswith("it has a gap, 0.6 s without samples in all")


def test_a_footer_may_count_in_floats(tmp_path: Path) -> None:
    footer = b"<info><sample_count>400.0</sample_count></info>"
    (tmp_path / "a.xdf").write_bytes(b"".join([*parts()[:-1], chunk(6, struct.pack("<I", 1) + footer)]))
    assert open_recording(tmp_path / "a.xdf").warnings == ()
    words = b"<info><sample_count>many</sample_count></info>"
    (tmp_path / "b.xdf").write_bytes(b"".join([*parts()[:-1], chunk(6, struct.pack("<I", 1) + words)]))
    (told,) = open_recording(tmp_path / "b.xdf").warnings
    assert told == "its footer counts 'many' samples, which is no number; 400 are read"


def test_a_header_that_cannot_be_read_costs_its_stream_alone(tmp_path: Path) -> None:
    whole = parts()
    broken = whole[2].replace(struct.pack("<I", 1), struct.pack("<I", 2), 1).replace(b"<name>Amp", b"<name>A&B")
    file_header = chunk(1, b"<info>")
    samples = whole[3][:7] + struct.pack("<I", 2) + whole[3][11:]
    content = [whole[0], file_header, whole[2], broken, samples, *whole[3:]]
    (tmp_path / "a.xdf").write_bytes(b"".join(content))
    recording = open_recording(tmp_path / "a.xdf")
    assert recording.n_samples == N
    of_file, of_stream, orphans = recording.warnings
    assert of_file.startswith("the header of the file cannot be read (no element found")
    assert of_stream.startswith("the header of stream 2 cannot be read (not well-formed")
    assert orphans == "1 chunks of stream 2 have no header before them and are left out"


def two(path: Path) -> Path:
    values, stamps = np.zeros((500, 3)), np.arange(500) / SFREQ
    return write_xdf(
        path,
        *(XdfStream(f"Amp{k}", "EEG", values + k, stamps, sfreq=SFREQ, source_id=f"s{k}") for k in (1, 2)),
    )


@pytest.mark.parametrize("wanted", ["Amp2", "2", "s2"])
def test_one_of_two_streams_is_picked_by_name_number_or_source(tmp_path: Path, wanted: str) -> None:
    path = two(tmp_path / "two.xdf")
    with pytest.raises(RecordingError, match=r"pick one with --stream NAME or NUMBER .*: 1 'Amp1' .*; 2 'Amp2'"):
        open_recording(path)
    assert open_recording(path, stream=wanted).read(0, 1)[0, 0] == 2
    with pytest.raises(RecordingError, match=r"has no signal stream 'Amp3'; it has .*--stream"):
        open_recording(path, stream="Amp3")
