"""Signed lines: who has no key can send none, nor one that was overheard; and the key stays where it is."""

import os
import stat
from pathlib import Path

import pytest

from rtbci.errors import ConfigError
from rtbci.lsl import private, replay_key
from rtbci.lsl.private import NumberedLock, private_folder
from rtbci.lsl.replay_key import chosen_key, key_path, known_key
from rtbci.lsl.replay_protocol import ReplayAddress, ReplayPosition
from rtbci.lsl.signed_lines import Signer, Verifier, key_id, unsigned

KEY, OTHER = b"k" * 32, b"o" * 32


def test_a_line_is_read_once_by_who_has_the_key() -> None:
    signer, verifier = Signer(KEY, "command"), Verifier(KEY, "command")
    line = signer.sign("seek 12 ü\n", "uid-1")
    read = verifier.read(line, "uid-1")
    assert read is not None
    assert read[1] == "seek 12 ü\n" == unsigned(line)
    assert verifier.read(line, "uid-1") is None  # overheard, and sent again
    assert verifier.is_genuine(line, "uid-1")


def test_an_older_line_is_not_read_after_a_newer_one() -> None:
    signer, verifier = Signer(KEY, "command"), Verifier(KEY, "command")
    old, new = (signer.sign(text, "uid") for text in ("pause", "resume"))
    assert verifier.read(new, "uid") is not None
    assert verifier.read(old, "uid") is None


@pytest.mark.parametrize(
    "verifier",
    [Verifier(OTHER, "command"), Verifier(KEY, "position"), Verifier(KEY, "another session command")],
)
def test_a_line_of_another_key_or_for_another_purpose_is_not_read(verifier: Verifier) -> None:
    signer = Signer(KEY, "command")
    assert verifier.read(signer.sign("pause", "uid"), "uid") is None
    assert not verifier.knows(signer.badge)


def test_a_line_is_worth_nothing_on_the_outlet_of_another() -> None:
    line = Signer(KEY, "command").sign("pause", "uid of one")
    assert Verifier(KEY, "command").read(line, "uid of another") is None


def test_a_line_that_was_changed_in_any_place_is_not_read() -> None:
    line = Signer(KEY, "command").sign("seek 1", "uid")
    for k in range(len(line)):
        changed = line[:k] + chr(ord(line[k]) ^ 1) + line[k + 1 :]
        assert Verifier(KEY, "command").read(changed, "uid") is None, changed


@pytest.mark.parametrize("line", ["", "pause", "a b c d", "\ud800", "0" * 16 + " 1 " + "0" * 32 + " x", "x" * 100_000])
def test_a_line_of_any_kind_is_not_read(line: str) -> None:
    verifier = Verifier(KEY, "command")
    assert verifier.read(line, "uid") is None
    assert not verifier.knows(line)


def test_a_badge_shows_who_has_the_key() -> None:
    assert Verifier(KEY, "ack x").knows(Signer(KEY, "ack x").badge)
    assert not Verifier(KEY, "ack x").knows("0123456789abcdef-" + "0" * 32)


def test_the_address_in_a_description_shows_the_key_to_who_has_it_alone() -> None:
    address = ReplayAddress.new("rtbci-replay-0123456789abcdef", KEY)
    assert address.is_opened_by(KEY) and not address.is_opened_by(OTHER)
    assert ReplayAddress.read(*address.fields().values()) == address
    assert key_id(KEY, "one") != key_id(KEY, "another")


@pytest.mark.parametrize(
    ("position", "session", "key"),
    [
        ("", "", ""),
        ("x' or '1'='1", "0" * 16, "0" * 32),
        ("rtbci-replay-0123456789abcdef'-position", "0" * 16, "0" * 32),
        ("rtbci-replay-0123456789abcdef", "0" * 16, "0" * 32),
        ("rtbci-replay-0123456789abcdef-position", "0" * 16, ""),
        ("rtbci-replay-0123456789abcdef-position", "\n", "0" * 32),
        ("rtbci-replay-0123456789abcdef-position\n", "0" * 16, "0" * 32),
    ],
)
def test_an_address_that_no_replay_writes_is_none(position: str, session: str, key: str) -> None:
    assert ReplayAddress.read(position, session, key) is None


@pytest.mark.parametrize(
    "change",
    ['"id":0|"id":-1', '"id":0|"id":0.5', '"speed":1.0|"speed":1e300', '"speed":1.0|"speed":1e-9', '"stamp":5.0|"stamp":1e300'],
)  # fmt: skip
def test_a_position_beyond_any_replay_is_no_position(change: str) -> None:
    text = ReplayPosition(0, 0.0, 0.0, 60.0, 1.0, True, stamp=5.0).to_json()
    assert ReplayPosition.from_json(text).stamp == 5.0
    with pytest.raises(ValueError, match="not the position"):
        ReplayPosition.from_json(text.replace(*change.split("|")))


# -- the key -----------------------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv(replay_key.VARIABLE, raising=False)
    return tmp_path / "state" / "rtbci"


def test_the_key_is_made_once_in_a_folder_that_nobody_else_may_open(home: Path) -> None:
    assert known_key() is None
    key, where = replay_key.replay_key()
    assert where == f"in {home / 'replay.key'}"
    assert key == known_key() == replay_key.replay_key()[0]
    assert len(key) == 64
    assert [p.name for p in home.iterdir()] == ["replay.key"]
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert stat.S_IMODE((home / "replay.key").stat().st_mode) == 0o600


def test_a_key_that_others_can_read_or_that_is_a_link_is_none(home: Path, tmp_path: Path) -> None:
    replay_key.replay_key()
    path = key_path()
    assert path is not None
    path.chmod(0o644)
    assert known_key() is None
    path.unlink()
    (tmp_path / "theirs").write_text("x" * 64)
    (tmp_path / "theirs").chmod(0o600)
    path.symlink_to(tmp_path / "theirs")
    assert known_key() is None
    key, where = replay_key.replay_key()
    assert len(key) == 32 and where.startswith("nowhere")


def test_a_key_may_be_chosen_and_not_be_guessed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(replay_key.VARIABLE, "correct horse battery")
    assert replay_key.replay_key() == (b"correct horse battery", "in RTBCI_REPLAY_KEY")
    assert known_key() == b"correct horse battery"
    monkeypatch.setenv(replay_key.VARIABLE, "1234")
    with pytest.raises(ConfigError, match="RTBCI_REPLAY_KEY has 4 characters; wanted at least 16"):
        chosen_key()
    assert known_key() is None


def test_a_folder_that_is_open_is_closed_and_one_of_another_kind_is_not_used(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.mkdir(parents=True, mode=0o755)
    assert private_folder() == home
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    home.rmdir()
    home.symlink_to(tmp_path)
    monkeypatch.setattr(private.tempfile, "gettempdir", lambda: str(tmp_path))
    assert private_folder() == tmp_path / f"rtbci-{os.getuid()}"
    (tmp_path / f"rtbci-{os.getuid()}").rmdir()
    (tmp_path / f"rtbci-{os.getuid()}").write_text("")
    assert private_folder() is None


def test_the_smallest_number_that_is_free_is_taken(home: Path) -> None:
    one, two, three = (NumberedLock("x") for _ in range(3))
    assert [lock.number for lock in (one, two, three)] == [1, 2, 3]
    two.free()
    again = NumberedLock("x")
    assert (again.number, NumberedLock("y").number) == (2, 1)
    for lock in (one, again, three):
        lock.free()
    assert not list(home.glob("x-*"))
