"""The key of this user's replays: who has it may command them. It stays on this machine, and never goes onto the network."""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress
from functools import cache
from pathlib import Path

from rtbci.errors import ConfigError
from rtbci.lsl.private import private_folder

VARIABLE = "RTBCI_REPLAY_KEY"
SHORTEST = 16  # characters of a key that a person chooses


def replay_key() -> tuple[bytes, str]:
    """The key of a new replay, made where there is none, and where a person finds it.

    Raises
    ------
    ConfigError
        For a key in RTBCI_REPLAY_KEY that can be guessed.
    """
    if chosen := chosen_key():
        return chosen, f"in {VARIABLE}"
    path = key_path()
    if path is not None:
        with suppress(OSError):
            _make(path)
    known = known_key()
    if known is not None:
        return known, f"in {path}"
    return _own_key(), "nowhere: no folder of this user can be made private"


@cache
def _own_key() -> bytes:
    """Of this process alone."""
    return secrets.token_bytes(32)


def known_key() -> bytes | None:
    """The key that this process has for replays, if any."""
    with suppress(ConfigError):
        if chosen := chosen_key():
            return chosen
    path = key_path()
    return _read(path) if path is not None else None


def chosen_key() -> bytes | None:
    """That of RTBCI_REPLAY_KEY. Raises ConfigError for one that can be guessed."""
    text = os.environ.get(VARIABLE, "").strip()
    if text and len(text) < SHORTEST:
        raise ConfigError(f"{VARIABLE} has {len(text)} characters; wanted at least {SHORTEST}")
    return text.encode("utf-8", "surrogateescape") or None


def key_path() -> Path | None:
    """The file that holds the key of this user; None where no folder is private."""
    folder = private_folder()
    return folder / "replay.key" if folder is not None else None


def _make(path: Path) -> None:
    """Create the file with a new key, whole or not at all; one that is there stays."""
    if path.exists():
        return
    new = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(secrets.token_hex(32) + "\n")
    try:
        with suppress(FileExistsError):
            os.link(new, path)
    finally:
        new.unlink()


def _read(path: Path) -> bytes | None:
    """The key in a file that only we can read; None for any other file."""
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
    except OSError:
        return None
    with os.fdopen(handle, "rb") as file:
        about = os.fstat(handle)
        if not stat.S_ISREG(about.st_mode):
            return None
        if hasattr(os, "getuid") and (about.st_uid != os.getuid() or about.st_mode & 0o077):
            return None
        text = file.read(1000).strip()
    return text if len(text) >= SHORTEST else None
