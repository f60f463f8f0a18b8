"""Recordings and tables: EDF, XDF with what an engine left in it, event tables, CHB-MIT."""

from __future__ import annotations

import io
import struct
from contextlib import suppress
from functools import cache

import edfio
import numpy as np

from fuzzing.contract import MIB, SCRATCH, scratch, target
from rtbci.cli.inspect import recording_facts
from rtbci.datasets.chbmit import read_seizures, read_summary
from rtbci.errors import DatasetError
from rtbci.recordings.edf import _Records, _records_held
from rtbci.recordings.edf_annotations import TalReader, events_of_records
from rtbci.recordings.edf_header import read_header
from rtbci.recordings.event_table import EventLog, read_events, write_events
from rtbci.recordings.open import open_recording
from rtbci.types import Event


@target(
    lambda: [_events(), b"onset\tduration\ttrial_type\n1\tn/a\tsz\n", b"\xef\xbb\xbfonset\tduration\teventType\r\n"]
)
def events(data: bytes) -> None:
    """An event table; what was read can be written, and is then read as the same."""
    found = read_events(scratch("fuzz_events.tsv", data))
    write_events(SCRATCH / "again.tsv", found)
    again = read_events(SCRATCH / "again.tsv")
    assert [(e.onset, e.duration, e.confidence) for e in again] == [(e.onset, e.duration, e.confidence) for e in found]


def _events() -> bytes:
    (SCRATCH / "seed.tsv").unlink(missing_ok=True)
    with EventLog(SCRATCH / "seed.tsv") as log:
        log.add(Event(1.5, 2.0, "seizure", 0.9, ("Fp1-F7", "C3")))
    return (SCRATCH / "seed.tsv").read_bytes()


@cache
def _edf() -> bytes:
    """Two records of three channels, and annotations."""
    ramp, content = np.arange(512, dtype=np.int16), io.BytesIO()
    signals = [
        edfio.EdfSignal.from_digital(ramp, 256, label=name, physical_dimension="uV", physical_range=(-800, 800))
        for name in ("FP1-F7", "F7-T7", "T7-P7")
    ]
    notes = [edfio.EdfAnnotation(0.5, 1.0, "seizure"), edfio.EdfAnnotation(1, None, "spike@@F7-T7")]
    edfio.Edf(signals, annotations=notes, data_record_duration=1).write(content)
    return content.getvalue()


@target(lambda: [_edf()], limit_bytes=128 * MIB)
def edf(data: bytes) -> None:
    """EDF and BDF: the header that we read ourselves, samples and annotations by it."""
    path = scratch("fuzz.edf", data)
    for kind in ("EDF", "BDF"):
        header = read_header(path, kind)
        n_records, _ = _records_held(path, header)
        signals = np.flatnonzero(header.samples == header.samples.max())
        records = _Records(path, header, n_records, signals)
        records(0, min(records.per_record * n_records, 1000))
        events_of_records(list(TalReader(path, header).records(n_records)), 0.0, header.labels)


@target(lambda: [_edf()], limit_s=5.0, limit_bytes=256 * MIB)
def recording(data: bytes) -> None:
    """An EDF file as `inspect` and `tag` open it."""
    path = scratch("fuzz_recording.edf", data)
    recording_facts(path)
    opened = open_recording(path)
    for chunk in opened.chunks(256, 0, 1000):
        assert len(chunk)


def _xdf(streams: list[tuple[bytes, list[tuple[float, bytes]]]]) -> bytes:
    """A file of streams: (header XML, samples: (stamp, values as bytes)); text samples are length-prefixed here."""

    def chunk(tag: int, content: bytes) -> bytes:
        return b"\x04" + struct.pack("<IH", len(content) + 2, tag) + content

    out = b"XDF:" + chunk(1, b'<?xml version="1.0"?><info><version>1.0</version></info>')
    for number, (header, samples) in enumerate(streams, 1):
        stream = struct.pack("<I", number)
        out += chunk(2, stream + header)
        rows = b"".join(b"\x08" + struct.pack("<d", stamp) + values for stamp, values in samples)
        out += chunk(3, stream + b"\x04" + struct.pack("<I", len(samples)) + rows)
        footer = b"<info><first_timestamp>1</first_timestamp><sample_count>%d</sample_count></info>" % len(samples)
        out += chunk(6, stream + footer)
    return out


_SIGNAL = b"""<info><name>Amp</name><type>EEG</type><channel_count>2</channel_count><nominal_srate>100</nominal_srate>
<channel_format>float32</channel_format><source_id>a</source_id><desc><channels><channel><label>Fp1</label>
<unit>microvolts</unit></channel><channel><label>C3</label><unit>mV</unit></channel></channels>
<replay><speed>2.0</speed></replay></desc></info>"""
_MARKS = b"""<info><name>Amp-p-events</name><type>Markers</type><channel_count>1</channel_count><nominal_srate>0</nominal_srate>
<channel_format>string</channel_format><source_id>b</source_id><desc><manufacturer>rtbci</manufacturer><input>Amp</input>
<input_source_id>a</input_source_id></desc></info>"""
_LINES = (
    b'{"state":"begin","stamp":1.0}', b'{"state":"gap","start":1.1,"end":1.2}', b'{"state":"end","stamp":2.0}',
    b'{"state":"annotation","label":"x","duration_s":1}', b"left",
)  # fmt: skip


_SAID = (
    b'"state"',
    b'"begin"',
    b'"move"',
    b'"until":',
    b'"speed":',
    b'"gap"',
    b'"stamp":',
    b'"start":',
    b'"end":',
    b"1e999",
    b"[[",
    b"{}",
    b"\0",
    b"<stream_id>",
)


@target(
    lambda: [b"\0".join([_SIGNAL, _MARKS, *_LINES]), b"\0".join([_SIGNAL, _SIGNAL])],
    words=(*_SAID, b"<label>", b"<unit>", b"<channel_count>", b"<nominal_srate>0</nominal_srate>", b"<speed>"),
    limit_bytes=128 * MIB,
)
def xdf(data: bytes) -> None:
    """XDF: two streams' descriptions and what the second says, with parts between zeros."""
    signal, marks, *texts = [*data.split(b"\0"), b"", b""]
    rows = [(1 + k / 100, np.float32([k, -k]).tobytes()) for k in range(120)]
    said = [(1 + k / 10, b"\x04" + struct.pack("<I", len(text)) + text) for k, text in enumerate(texts)]
    path = scratch("fuzz.xdf", _xdf([(signal, rows), (marks, said)]))
    recording_facts(path)
    opened = open_recording(path)
    opened.times()
    for chunk in opened.chunks(50):
        assert len(chunk)


_SUMMARY = b"File Name: chb01_03.edf\nNumber of Seizures in File: 1\nSeizure Start Time: 3 seconds\nSeizure End Time: 4 seconds"


@target(lambda: [b"Channel 1: FP1-F7\n\n" + _SUMMARY, struct.pack("<HH", (32 << 10) + 5, (33 << 10) + 9) + b"\0\0"])
def chbmit(data: bytes) -> None:
    """CHB-MIT's summaries and seizure annotations."""
    path = scratch("chb01-summary.txt", data)
    with suppress(DatasetError):
        read_summary(path)
    list(read_seizures(path))
