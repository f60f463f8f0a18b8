"""Recordings as a pipeline's stages before the network leave them: in memory where they are few, else kept on the disk."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import time
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from rtbci.errors import ConfigError
from rtbci.files import atomic_write, make_private_folder
from rtbci.pipeline.pipeline import Pipeline
from rtbci.provenance import __version__, commit, kernels
from rtbci.recordings.content import Digesting, content_digest, glance
from rtbci.recordings.recording import Recording
from rtbci.stages.gap_guard import GapGuard
from rtbci.text import size_text
from rtbci.training.data_config import DataConfig
from rtbci.training.stored import Signal
from rtbci.types import Chunk, Gap

IN_MEMORY = 256 * 2**20  # bytes of all signals: no more is held unless a folder is named
UNUSED_S = 86_400.0  # what was not used for so long makes room for others
ABANDONED_S = 7 * UNUSED_S  # what a killed run left
_CHUNK_S = 20.0
_ONE_FILE = ("EDF", "BDF", "GDF")  # formats of which a file that has not changed holds the same samples
# What the stages before the network depend on.
_SECTIONS = {"sfreq", "montage", "filters", "selection", "scaling", "mask", "gaps"}


class Preprocessed:
    """Signals of recordings, each made once.

    Parameters
    ----------
    folder
        Where they are kept, by the content of the recording and the configuration of the stages; None: in memory, those of
        the last two pipelines.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self._in_memory: dict[str, dict[int, tuple[Recording, Signal]]] = {}
        self._to_go: Path | None = None

    @classmethod
    def chosen(cls, config: DataConfig, pipeline: Pipeline, recordings: Sequence[Recording]) -> Preprocessed:
        """In memory, or in the folder that the config names, or that of the user's caches where there is much.

        Raises
        ------
        ConfigError
            If they are more than `data.cache_gb`, or than the disk has room for.
        """
        rate = pipeline.sfreq * pipeline.n_inputs * 4
        n_bytes = round(sum(recording.duration_s for recording in recordings) * rate)
        if not config.cache and n_bytes <= IN_MEMORY:
            return cls(None)
        folder = Path(config.cache).expanduser() if config.cache else user_caches() / "rtbci" / "preprocessed"
        if folder.exists() and not folder.is_dir():
            raise ConfigError(f"data.cache: {folder} is a file; wanted a folder")
        store = cls(folder)
        store.make_room(n_bytes, round(config.cache_gb * 1e9))
        return store

    def signal(self, pipeline: Pipeline, recording: Recording, hop: int, *, lasting: bool = True) -> Signal:
        """A recording through a pipeline's stages, in whole steps of `hop` samples.

        Parameters
        ----------
        pipeline
            Whose stages.
        recording
            To be read.
        hop
            Samples of a step.
        lasting
            Whether it can be wanted again by another run; else its files go with this object.

        Raises
        ------
        RecordingError, StreamMismatch
            If it cannot be read, or does not fit the pipeline.
        ConfigError
            If the disk does not take it.
        """
        stages = _of_stages(pipeline, hop)
        if self.folder is None:
            return self._held(stages, pipeline, recording, hop)
        try:
            return self._stored(
                self.folder if lasting else self._passing(self.folder), stages, pipeline, recording, hop
            )
        except OSError as error:
            if not str(error.filename).startswith(str(self.folder)):
                raise
            raise ConfigError(
                f"{self.folder}: {error.strerror or error}; data.cache names another folder for preprocessed recordings"
            ) from error

    def _held(self, stages: str, pipeline: Pipeline, recording: Recording, hop: int) -> Signal:
        known = self._in_memory.pop(stages, {})
        self._in_memory = dict([*self._in_memory.items()][-1:]) | {stages: known}
        if id(recording) not in known:  # with the recording, so that its id is not another's
            digesting = Digesting(recording)
            signal = Signal.joined(_steps(pipeline, digesting.recording, hop), pipeline.n_inputs)
            recording.note_content(digesting.text())
            known[id(recording)] = recording, signal
        return known[id(recording)][1]

    def _stored(self, folder: Path, stages: str, pipeline: Pipeline, recording: Recording, hop: int) -> Signal:
        make_private_folder(folder)
        note = folder / f"content-{_by_looks(recording)}"
        if recording.format not in _ONE_FILE:
            content = content_digest(recording)
        else:
            content = note.read_text() if note.exists() else ""
        if content and (found := self._opened(folder / _name(content, recording, stages))) is not None:
            recording.note_content(content)
            return found
        digesting, making = Digesting(recording), Path(tempfile.mkdtemp(prefix="making-", dir=folder))
        try:
            Signal.store(making / "signal", _steps(pipeline, digesting.recording, hop), pipeline.n_inputs)
            content = digesting.text()
            place = folder / _name(content, recording, stages)
            if Signal.stored(place) is None:
                shutil.rmtree(place, ignore_errors=True)  # a damaged one
                try:
                    (making / "signal").rename(place)
                except OSError:
                    if Signal.stored(place) is None:  # else another process was quicker
                        raise
        finally:
            shutil.rmtree(making, ignore_errors=True)
        if recording.format in _ONE_FILE:
            atomic_write(note, content)
        recording.note_content(content)
        signal = self._opened(place)
        assert signal is not None, "what was just written can be read"
        return signal

    def _passing(self, folder: Path) -> Path:
        """A folder that is removed with this object, or when the program ends."""
        if self._to_go is None:
            make_private_folder(folder)
            self._to_go = Path(tempfile.mkdtemp(prefix="passing-", dir=folder))
            weakref.finalize(self, shutil.rmtree, self._to_go, ignore_errors=True)
        return self._to_go

    @staticmethod
    def _opened(place: Path) -> Signal | None:
        signal = Signal.stored(place)
        if signal is not None:
            os.utime(place)  # when it was used last
        return signal

    def make_room(self, n_bytes: int, limit: int) -> None:
        """Remove what was not used for a day, the oldest first, while there is more than `limit` with `n_bytes` to come.

        Raises
        ------
        ConfigError
            If `n_bytes` are more than the limit, or than the disk has room for.
        """
        assert self.folder is not None
        if n_bytes > limit:
            raise ConfigError(
                f"the preprocessed recordings would take {size_text(n_bytes)} in {self.folder}, and data.cache_gb is "
                f"{limit / 1e9:g}; raise it, or train on fewer"
            )
        now = time.time()
        entries = [*self.folder.glob("signal-*"), *self.folder.glob("passing-*"), *self.folder.glob("making-*")]
        aged = sorted((one.stat().st_mtime, _size(one), one) for one in entries)
        total = sum(size for _, size, _ in aged)
        for used, size, one in aged:
            lasting = one.name.startswith("signal-")
            if now - used > (UNUSED_S if lasting else ABANDONED_S) and (not lasting or total + n_bytes > limit):
                shutil.rmtree(one, ignore_errors=True)
                total -= size
        there = next(one for one in (self.folder, *self.folder.absolute().parents) if one.is_dir())
        free = shutil.disk_usage(there).free
        if free < n_bytes - total:  # of what is there, some may be of these very recordings
            raise ConfigError(
                f"the preprocessed recordings would take {size_text(n_bytes)} in {self.folder}, where {size_text(free)} are "
                "free; name another folder with data.cache"
            )


def user_caches() -> Path:
    """The user's folder for what can be made again."""
    if named := os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA"):
        return Path(named)
    return Path.home() / ".cache"


def parts_of(pipeline: Pipeline, recording: Recording) -> list[Chunk]:
    """A whole recording through the stages before the network, as live, in uninterrupted parts.

    Gaps are filled, or reset every stage, as live: then another part begins.
    """
    parts = [[Chunk.empty(pipeline.n_inputs)]]
    for chunk in _chunks(pipeline, recording):
        if chunk is None:
            parts.append([Chunk.empty(pipeline.n_inputs)])
        else:
            parts[-1].append(chunk)
    return [Chunk.join(part) for part in parts]


def _chunks(pipeline: Pipeline, recording: Recording) -> Iterator[Chunk | None]:
    """What the stages make of a recording, bit by bit; None where they begin anew."""
    stages = pipeline.preprocessor(recording.info)
    guard = GapGuard(pipeline.config.gaps, recording.info.sfreq) if recording.stamps is not None else None
    for part in _guarded(guard, recording):
        if isinstance(part, Chunk):
            yield stages.process(part)
        elif not part.filled:
            stages.reset()
            yield None


def _guarded(guard: GapGuard | None, recording: Recording) -> Iterator[Chunk | Gap]:
    for chunk in recording.chunks(max(1, round(_CHUNK_S * recording.info.sfreq))):
        yield from guard.process(chunk) if guard is not None else (chunk,)
    yield from guard.flush() if guard is not None else ()


def _steps(pipeline: Pipeline, recording: Recording, hop: int) -> Iterator[Signal]:
    """The same in whole steps: as live, one that is incomplete where the samples end is not answered."""
    rest = Chunk.empty(pipeline.n_inputs)
    for chunk in _chunks(pipeline, recording):
        if chunk is None:
            rest = Chunk.empty(pipeline.n_inputs)
            continue
        rest = Chunk.join([rest, chunk])
        n = len(rest) // hop * hop
        whole, rest = rest[:n], rest[n:]
        yield Signal(whole.data, whole.times[hop - 1 :: hop], np.all(whole.valid.reshape(-1, hop), axis=1))


def _of_stages(pipeline: Pipeline, hop: int) -> str:
    """Digest of whatever but the recording decides on a signal, its last bits included."""
    config = pipeline.config.model_dump(mode="json", include=_SECTIONS)
    return hashlib.sha256(
        json.dumps([config, hop, __version__, commit(), kernels()], sort_keys=True).encode()
    ).hexdigest()


def _name(content: str, recording: Recording, stages: str) -> str:
    """Name of a signal's folder: the same samples under other channel names or units are another signal."""
    facts = repr((content, recording.info.channels, recording.info.units, recording.info.reference, stages))
    return f"signal-{hashlib.sha256(facts.encode('utf-8', 'surrogatepass')).hexdigest()[:40]}"


def _by_looks(recording: Recording) -> str:
    """Digest of what changes with a recording's content: the state of its file, and a second in three places."""
    looks: list[object] = [glance(recording), recording.info, recording.start]  # a part of a file begins elsewhere
    if recording.path.is_file():
        about = recording.path.stat()
        looks += [str(recording.path.absolute()), about.st_size, about.st_mtime_ns, about.st_ctime_ns, about.st_ino]
    return hashlib.sha256(repr(looks).encode("utf-8", "surrogatepass")).hexdigest()[:40]


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*"))
