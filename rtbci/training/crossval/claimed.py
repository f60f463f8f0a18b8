"""A folder that one run at a time writes to: what is finished there is kept; results of another config or data are refused."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, ClassVar

from rtbci.config import parse
from rtbci.errors import ConfigError
from rtbci.files import atomic_write, locked, make_private_folder
from rtbci.recordings.content import content_digest
from rtbci.text import json_text
from rtbci.training.config import TrainConfig
from rtbci.training.source import Source


@dataclass(frozen=True)
class Manifest:
    """What results depend on: the config, and a digest of each recording with its labels."""

    config: Mapping[str, Any]
    recordings: Mapping[str, str]

    @classmethod
    def of(cls, config: TrainConfig, sources: Sequence[Source]) -> Manifest:
        """Reads every recording to its end; where they lie does not count."""
        return cls(_values(config), {source.name: _digest_of(source) for source in sources})

    def as_written(self, file: Path) -> Manifest:
        """The same in the words of a manifest by a version with fewer keys, where that says the same."""
        found = read_json(file).get("config") if file.is_file() else None
        return replace(self, config=found) if found is not None and _completed(found) == self.config else self

    @property
    def digest(self) -> str:
        """Of all of it."""
        return hashlib.sha256(json.dumps([self.config, self.recordings], sort_keys=True).encode()).hexdigest()

    def train_config(self, where: str) -> TrainConfig:
        """The config, with the defaults of this version for keys that it is too old to have. Raises ConfigError."""
        return parse(TrainConfig, dict(self.config), where)

    def plain(self) -> dict[str, Any]:
        """Plain JSON, without the kind of folder."""
        return {"digest": self.digest, "config": self.config, "recordings": self.recordings}

    def difference(self, other: Mapping[str, Any]) -> str:
        """The first thing in which another one, as JSON, differs."""
        theirs = (_completed(other.get("config")), other.get("recordings"))
        pairs = zip((self.config, self.recordings), theirs, strict=True)
        for what, (mine, theirs) in zip(("config", "data"), pairs, strict=True):
            here, there = flat(mine), flat(theirs)
            for key in sorted({*here, *there}):
                if here.get(key) != there.get(key):
                    return (
                        f"{key} is {there.get(key)} there, {here.get(key)} here"
                        if what == "config"
                        else f"{key} differs"
                    )
        return "it is damaged"


def _values(config: TrainConfig) -> dict[str, Any]:
    """What of a config results depend on, as JSON."""
    values = config.model_dump(mode="json")
    for key in ("root", "cache", "cache_gb"):
        values["data"].pop(key)
    values.pop("electrodes")  # of `rtbci select` alone
    return values


def _completed(config: Any) -> Any:
    """A config of a manifest with the defaults of today for keys that it has not; as it is where it is none."""
    try:
        is_whole = isinstance(config, dict) and "electrodes" not in config  # of `rtbci crossval`
        return _values(parse(TrainConfig, config, "")) if is_whole else config
    except ConfigError:
        return config


class ClaimedFolder:
    """Where a run of folds writes, and no other run at the same time.

    Parameters
    ----------
    path
        The folder.
    digest
        Of the config and the data of this run.

    Attributes
    ----------
    KIND, WHAT
        What wrote it, as in its manifest and in words.
    MANIFEST, TABLES
        Names of files.
    """

    KIND: ClassVar[str]
    WHAT: ClassVar[str]
    MANIFEST: ClassVar[str]
    TABLES: ClassVar[tuple[str, ...]]

    def __init__(self, path: Path, digest: str) -> None:
        self.path = path
        self.digest = digest
        self._lock: IO[bytes] | None = None

    def claim(self, manifest: Manifest) -> None:
        """Make the folder this run's own, until it is closed; it is made where it is not there.

        Raises
        ------
        ConfigError
            If it holds results of another config or other data, files of something else, or another run is at work.
        """
        require_folder(self.path)
        make_private_folder(self.path)
        file = self.path / self.MANIFEST
        if not file.exists():
            foreign = [name for name in self.TABLES if (self.path / name).exists()]
            foreign += sorted(path.name for path in self.path.glob("fold-*"))
            if foreign:
                raise ConfigError(
                    f"{self.path / foreign[0]}: was not written by this {self.WHAT}, and is not replaced; name another "
                    "folder with --out"
                )
            atomic_write(file, json_text({"kind": self.KIND} | manifest.plain(), indent=1))
        self._lock = file.open("rb")
        if not locked(self._lock):
            self.close()
            raise ConfigError(f"{self.path}: another {self.WHAT} is writing to it")
        found = read_json(file)
        if found.get("kind") != self.KIND or found.get("digest") != self.digest:
            self.close()
            raise ConfigError(
                f"{self.path}: holds results of another config or other data ({manifest.difference(found)}); name "
                "another folder with --out"
            )

    def began_with(self, manifest: Manifest) -> bool:
        """Whether the recordings of a manifest, which may be some of all, are as they were when it was claimed first."""
        known = read_json(self.path / self.MANIFEST).get("recordings", {})
        return all(known.get(name) == digest for name, digest in manifest.recordings.items())

    def close(self) -> None:
        """Let another run claim it."""
        if self._lock is not None:
            self._lock.close()


def require_folder(path: Path) -> None:
    """Raise ConfigError where a folder for results is a file."""
    if path.exists() and not path.is_dir():
        raise ConfigError(f"--out {path} is a file; wanted a folder")


def _digest_of(source: Source) -> str:
    """Of a recording's samples, and of all that the config makes of it."""
    facts = (
        content_digest(source.recording), source.recording.info.channels, source.recording.info.units,
        source.stretches, source.elsewhere, source.repeats, source.subject, source.category,
    )  # fmt: skip
    return hashlib.sha256(repr(facts).encode("utf-8", "surrogatepass")).hexdigest()


def read_json(path: Path) -> dict[str, Any]:
    """An object; empty where the file is none."""
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def flat(value: Any, before: str = "") -> dict[str, Any]:
    """Values by their dotted keys."""
    if isinstance(value, dict) and value:
        return {k: v for key, one in value.items() for k, v in flat(one, f"{before}.{key}" if before else key).items()}
    return {before: value}
