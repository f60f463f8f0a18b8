"""Shared memory between the engine and its viewers: one writer, any number of readers, and no reader can block it.

A monitor is a folder: `status` (the newest state, a JSON slot), `log.jsonl` (the log, appended) and, for each generation N
of a stream's samples, three rings: `signals-N` (as received, in µV where the unit is known), `model-N` (the input of the
network) and `scores-N`.
"""

from __future__ import annotations

import os
import shutil
import struct
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rtbci.monitor.folder import LEAST_BYTES
from rtbci.monitor.mapped_file import MappedFile
from rtbci.monitor.messages import EngineState, LogLine, read_state
from rtbci.monitor.open_log import OpenLog
from rtbci.text import json_text
from rtbci.types import Chunk

_SLOT_BYTES = 1 << 16
_HEAD = struct.Struct("<QI")
_RING_HEAD = 64  # bytes: magic, capacity, n_channels, n_written
_MAGIC = 0x72746263_69303031
_MOST_ROWS = 1 << 60
LOG_BYTES = 8 << 20  # then the log is rotated; one old file is kept
_LOG, _OLD = "log.jsonl", ".old"


class StateSlot:
    """The newest state, behind a sequence lock, whose number is odd during a write."""

    def __init__(self, path: Path, *, create: bool = False) -> None:
        self._file = MappedFile(path, _SLOT_BYTES if create else 0)
        self._sequence = 0
        if create:
            self.write(EngineState())
            self._file.publish()

    def write(self, state: EngineState) -> None:
        """Replace the state; if it does not fit, its largest values are left out."""
        value = state.plain()
        content = json_text(value).encode()
        while len(content) > _SLOT_BYTES - _HEAD.size:
            # Ten thousand bad channels must not displace the rest of the state.
            sizes = {key: len(json_text(one)) for key, one in value.items()}
            value = {key: one for key, one in value.items() if key != max(sizes, key=lambda key: sizes[key])}
            content = json_text(value).encode()
        memory = self._file.memory
        _HEAD.pack_into(memory, 0, self._sequence + 1, len(content))
        memory[_HEAD.size : _HEAD.size + len(content)] = content
        self._sequence += 2
        _HEAD.pack_into(memory, 0, self._sequence, len(content))

    @property
    def has_news(self) -> bool:
        """Whether it was written since it was last read."""
        memory = self._file.memory  # a truncated one has none
        return len(memory) >= _HEAD.size and int(_HEAD.unpack_from(memory, 0)[0]) != self._sequence

    def read(self) -> EngineState | None:
        """The newest state; None before the first one, and while (or after a crash in which) it is half written."""
        if len(self._file.memory) < _HEAD.size:
            raise ValueError("is no slot")
        for _ in range(100):
            before, length = _HEAD.unpack_from(self._file.memory, 0)
            content = self._file.memory[_HEAD.size : _HEAD.size + length]
            if before % 2 == 0 and _HEAD.unpack_from(self._file.memory, 0)[0] == before:
                self._sequence = before
                return read_state(content)
            time.sleep(0.0005)
        return None


def _ring_bytes(capacity: int, n_channels: int) -> int:
    return _RING_HEAD + capacity * (8 + 1 + 4 * n_channels)


class SharedRing:
    """The last `capacity` rows with their times and validity flags, in shared memory."""

    def __init__(self, path: Path, capacity: int = 0, n_channels: int = 0) -> None:
        """capacity > 0: created by the writer; 0: opened by a reader. Raises OSError or ValueError."""
        size = _ring_bytes(capacity, n_channels) if capacity else 0
        self._file = MappedFile(path, size)
        head = np.frombuffer(self._file.memory, np.uint64, 4)
        if capacity:
            head[:] = _MAGIC, capacity, n_channels, 0
        elif int(head[0]) != _MAGIC:
            raise ValueError(f"{path} is not a monitor's ring")
        self._head = head
        self.capacity, self.n_channels = int(head[1]), int(head[2])
        if len(self._file.memory) != _ring_bytes(self.capacity, self.n_channels) or not self.capacity:
            raise ValueError(f"{path} is not as large as a ring of {self.capacity} rows of {self.n_channels}")
        n, at = self.capacity, _RING_HEAD
        self._times = np.frombuffer(self._file.memory, np.float64, n, at)
        self._data = np.frombuffer(self._file.memory, np.float32, n * self.n_channels, at + 8 * n).reshape(n, -1)
        self._valid = np.frombuffer(self._file.memory, np.bool_, n, at + (8 + 4 * self.n_channels) * n)
        if capacity:
            self._file.publish()

    @property
    def n_written(self) -> int:
        """Rows that were ever appended."""
        return min(int(self._head[3]), _MOST_ROWS)

    def append(self, chunk: Chunk) -> None:
        """Add rows; the oldest ones are overwritten."""
        chunk_part = chunk[-self.capacity :] if len(chunk) > self.capacity else chunk
        written = self.n_written + len(chunk) - len(chunk_part)
        at = written % self.capacity
        head = min(len(chunk_part), self.capacity - at)
        for ring, values in (
            (self._times, chunk_part.times),
            (self._data, chunk_part.data),
            (self._valid, chunk_part.valid),
        ):
            ring[at : at + head] = values[:head]
            if head < len(chunk_part):
                ring[: len(chunk_part) - head] = values[head:]
        self._head[3] = written + len(chunk_part)

    def since(self, position: int) -> tuple[Chunk, int, int]:
        """Read the rows from `position` on.

        Returns
        -------
        rows : Chunk
            The rows that are still there.
        position : int
            Where to continue.
        n_lost : int
            Rows that were overwritten before they could be read.
        """
        end = self.n_written
        start = max(position, end - self.capacity, 0)
        where = np.arange(start, end) % self.capacity
        rows = Chunk(self._data[where], self._times[where], self._valid[where])
        # Rows that the writer has overwritten during the copy are inconsistent: drop them.
        torn = max(0, min(end, self.n_written - self.capacity) - start)
        return rows[torn:], end, start + torn - min(position, start + torn)


@dataclass(frozen=True, slots=True)
class Rings:
    """The rings of one generation of a stream's samples."""

    signals: SharedRing
    model: SharedRing
    scores: SharedRing


class MonitorWriter:
    """The engine's side; writing never waits for a reader."""

    KEEP_S = 120.0
    RING_BYTES = 256 << 20  # most memory of one ring

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._slot = StateSlot(folder / "status", create=True)
        self._path = folder / _LOG
        self._log = open(self._path, "a", encoding="utf-8", buffering=1)  # noqa: SIM115
        self._generation = 0
        self.rings: Rings | None = None

    def open_rings(
        self, sfreq: float, n_channels: int, model_sfreq: float, n_inputs: int, hop_s: float, n_classes: int
    ) -> int:
        """Create new rings, for samples that do not continue those before; shorter ones where memory is scarce.

        Returns
        -------
        int
            Their generation, by which a reader finds them.

        Raises
        ------
        OSError
            If there is no room at all; then there are no rings.
        """
        self._generation += 1
        self.rings = None
        for old in self.folder.glob(f"*-{self._generation - 2}"):
            old.unlink(missing_ok=True)
        rows = {"signals": (sfreq, n_channels), "model": (model_sfreq, n_inputs), "scores": (1 / hop_s, n_classes)}
        for keep_s in (self.KEEP_S, self.KEEP_S / 4, self.KEEP_S / 16):
            sizes = {name: (_capacity(keep_s * rate, n), n) for name, (rate, n) in rows.items()}
            free = shutil.disk_usage(self.folder).free - LEAST_BYTES // 2
            if sum(_ring_bytes(*size) for size in sizes.values()) < free or keep_s == self.KEEP_S / 16:
                break
        self.rings = Rings(
            **{n: SharedRing(self.folder / f"{n}-{self._generation}", *size) for n, size in sizes.items()}
        )
        return self._generation

    def status(self, state: EngineState) -> None:
        """Replace the newest state."""
        self._slot.write(state)

    def log(self, line: LogLine) -> None:
        """Append a line to the log, which is rotated at LOG_BYTES; the line is lost if memory is full."""
        with suppress(OSError):
            if self._log.tell() > LOG_BYTES:
                with suppress(OSError):
                    self._rotate()
            self._log.write(line.to_json() + "\n")

    def close(self) -> None:
        """Close the log."""
        self._log.close()

    def _rotate(self) -> None:
        """Raises OSError, with the old log still open, if there is no room or the folder is gone."""
        os.replace(self._path, self._path.with_suffix(_OLD))
        new = open(self._path, "a", encoding="utf-8", buffering=1)  # noqa: SIM115
        self._log.close()
        self._log = new


def _capacity(rows: float, n_channels: int) -> int:
    """Rows of a ring, of at most RING_BYTES."""
    return max(64, int(min(rows, MonitorWriter.RING_BYTES / (9 + 4 * n_channels))))


class MonitorReader:
    """A viewer's side: the newest state, new lines of the log, and the rings.

    Another process wrote them: what is not valid is dropped.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._slot: StateSlot | None = None
        self._log: OpenLog | None = None

    def status(self) -> EngineState | None:
        """The newest state; None before the engine has written one."""
        try:
            self._slot = self._slot or StateSlot(self.folder / "status")
            return self._slot.read()
        except (OSError, ValueError):
            return None

    @property
    def has_new_status(self) -> bool:
        """Whether the engine has written its state since it was last read; costs next to nothing."""
        return self._slot is not None and self._slot.has_news

    def new_log(self) -> list[LogLine]:
        """The lines that were completed since the last call, also of a log that was rotated, or whose folder is gone."""
        with suppress(OSError):
            self._log = self._log or OpenLog(self.folder / _LOG)
            lines, at_end = self._log.read()
            if at_end and self._log.was_rotated():
                more, at_end = self._log.read()  # what was written until then
                lines += more
                if at_end:
                    self._log = OpenLog(self.folder / _LOG)
                    lines += self._log.read()[0]
            return lines
        return []

    def rings(self, generation: int) -> Rings | None:
        """The rings of a generation; None if they are gone."""
        try:
            return Rings(*(SharedRing(self.folder / f"{name}-{generation}") for name in ("signals", "model", "scores")))
        except (OSError, ValueError):
            return None
