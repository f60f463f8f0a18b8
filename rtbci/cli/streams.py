"""`rtbci streams`: the LSL streams on the network, as a table or as JSON."""

from __future__ import annotations

import sys
from dataclasses import asdict

from rich.table import Table

from rtbci.cli.terminal import Terminal
from rtbci.lsl.discovery import list_streams
from rtbci.results import Result, Text, print_json
from rtbci.text import one_line


class StreamRow(Result):
    """A stream on the network."""

    name: Text
    """Its name."""
    type: Text
    """What it carries: EEG, Markers, …"""
    n_channels: int
    """Number of channels."""
    sfreq: float
    """Nominal rate; 0: irregular."""
    format: Text
    """Of a sample."""
    hostname: Text
    """Host that sends it."""
    source_id: Text
    """Stable id of the sender; empty: it cannot be distinguished from others of its name after a restart."""
    uid: Text
    """Changes with each start of the sender."""


class StreamList(Result):
    """The streams that answered."""

    streams: tuple[StreamRow, ...]


def show_streams(wait_s: float, *, json: bool) -> None:
    """Print the streams that answer within `wait_s`."""
    found = list_streams(wait_s)
    if json:
        return print_json(StreamList(streams=tuple(StreamRow(**asdict(stream)) for stream in found)))
    if not found:
        sys.stderr.write("no LSL stream answers; `rtbci doctor` checks why\n")
        return
    table = Table("name", "type", "channels", "rate", "format", "host", "source id")
    for stream in found:
        rate = f"{stream.sfreq:g} Hz" if stream.sfreq else "irregular"
        texts = stream.name, stream.type, str(stream.n_channels), rate, stream.format, stream.hostname, stream.source_id
        table.add_row(*map(one_line, texts))  # a stranger may have given it lines of its own
    Terminal().print(table)
