"""Files of users: whole or as they were, on the disk when the call returns, and never under another's name."""

import os
import stat
from pathlib import Path
from typing import IO, Any

import pytest

from rtbci import files
from rtbci.files import SHARED, atomic_write, free, locked, make_private_folder, numbered


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("content", ["µV\n", "µV\n".encode(), lambda file: file.write("µV\n".encode())])
def test_text_bytes_and_what_a_function_writes_are_the_same_file(tmp_path: Path, content: Any) -> None:
    (tmp_path / "a").write_text("before")
    atomic_write(tmp_path / "a", content)
    assert (tmp_path / "a").read_bytes() == "µV\n".encode()
    assert names(tmp_path) == ["a"]


@pytest.mark.parametrize("call", ["replace", "fsync"])
@pytest.mark.parametrize("before", ["before", None])
def test_a_failure_leaves_what_was_there_and_nothing_beside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, before: str | None
) -> None:
    path = tmp_path / "a"
    if before is not None:
        path.write_text(before)

    def fails(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, call, fails)
    with pytest.raises(OSError, match="Input/output error") as caught:
        atomic_write(path, "after")
    assert caught.value.filename == str(path)  # not the hidden name
    assert (path.read_text() if path.exists() else None) == before
    assert names(tmp_path) == (["a"] if before else [])


@pytest.mark.parametrize("error", [ValueError("of the writer"), KeyboardInterrupt()])
def test_a_writer_that_fails_half_way_changes_nothing(tmp_path: Path, error: BaseException) -> None:
    (tmp_path / "a").write_text("before")

    def half(file: IO[bytes]) -> None:
        file.write(b"half")
        raise error

    with pytest.raises(type(error)):
        atomic_write(tmp_path / "a", half)
    assert (tmp_path / "a").read_text() == "before"
    assert names(tmp_path) == ["a"]


def test_the_file_is_on_the_disk_before_it_has_its_name_and_the_folder_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    happened = []
    fsync, replace = os.fsync, os.replace

    def synced(handle: int) -> None:
        happened.append("folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file")
        fsync(handle)

    def renamed(*paths: Any) -> None:
        happened.append("rename")
        replace(*paths)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", renamed)
    atomic_write(tmp_path / "a", "after")
    assert happened == ["file", "rename", "folder"]


def test_a_new_file_is_its_users_alone_unless_it_is_to_be_shared_and_an_old_one_keeps_its_permissions(
    tmp_path: Path,
) -> None:
    umask = os.umask(0o027)
    try:
        atomic_write(tmp_path / "new", "")
        atomic_write(tmp_path / "shared", "", SHARED)
        (tmp_path / "private").write_text("")
        (tmp_path / "private").chmod(0o600)
        atomic_write(tmp_path / "private", "after")
        (tmp_path / "group").write_text("")
        (tmp_path / "group").chmod(0o660)
        atomic_write(tmp_path / "group", "after")
        make_private_folder(tmp_path / "of one" / "patient")
    finally:
        os.umask(umask)
    assert [stat.S_IMODE((tmp_path / n).stat().st_mode) for n in ("new", "shared", "group")] == [0o600, 0o640, 0o660]
    assert {stat.S_IMODE(f.stat().st_mode) for f in (tmp_path / "of one", tmp_path / "of one" / "patient")} == {0o700}
    assert stat.S_IMODE((tmp_path / "private").stat().st_mode) == 0o600


def test_the_file_beside_is_hidden_and_its_name_cannot_be_guessed(tmp_path: Path) -> None:
    seen = []
    for _ in range(2):
        atomic_write(tmp_path / "a.tsv", lambda _: seen.append(names(tmp_path)[0]))
    assert len(set(seen)) == 2
    assert all(name.startswith(".a.tsv.") for name in seen)


def test_a_folder_a_device_and_a_file_that_may_not_be_written_are_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(IsADirectoryError):
        atomic_write(tmp_path, "")
    with pytest.raises(OSError, match="not a regular file"):
        atomic_write("/dev/null", "")
    (tmp_path / "kept").write_text("kept")
    monkeypatch.setattr(os, "access", lambda *_: False)  # as for anybody but root
    with pytest.raises(PermissionError):
        atomic_write(tmp_path / "kept", "")
    assert (tmp_path / "kept").read_text() == "kept"


def test_numbers_stand_before_the_suffix_and_the_first_free_one_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "night_events.tsv"
    several = numbered(path)
    assert [next(several).name for _ in range(3)] == [
        "night_events.tsv", "night_events-2.tsv", "night_events-3.tsv",
    ]  # fmt: skip
    assert free(path) == path
    for name in ("night_events.tsv", "night_events-2.tsv"):
        (tmp_path / name).touch()
    assert free(path).name == "night_events-3.tsv"


def test_a_thousand_names_are_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_MOST_NUMBERS", 2)
    for name in ("a", "a-2"):
        (tmp_path / name).touch()
    with pytest.raises(FileExistsError, match="2 files of this name are taken"):
        free(tmp_path / "a")


def test_a_file_is_held_by_one_at_a_time(tmp_path: Path) -> None:
    with open(tmp_path / "a", "wb") as first, open(tmp_path / "a", "rb+") as second:
        assert locked(first)
        assert not locked(second)
        first.close()
        assert locked(second)
