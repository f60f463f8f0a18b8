"""Beside a figure stands the commit of the code that ran."""

import subprocess
from pathlib import Path

import pytest

import rtbci
from rtbci import provenance
from rtbci.provenance import built_from


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *identity, "-C", str(folder), *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which the running code lies, installed or checked out."""
    (tmp_path / "rtbci").mkdir()
    file = tmp_path / "rtbci" / "provenance.py"
    file.write_text("one\n")
    monkeypatch.setattr(provenance, "__file__", str(file))
    monkeypatch.setattr(provenance, "__version__", "0.1.1.dev65+g746d443d2")
    return tmp_path


def test_a_checkout_says_its_own_commit_whatever_was_installed(code: Path) -> None:
    git(code, "init", "-q")
    git(code, "add", ".")
    git(code, "commit", "-q", "-m", "one")
    first = git(code, "rev-parse", "HEAD")
    assert provenance.commit() == first
    (code / "rtbci" / "provenance.py").write_text("two\n")
    assert provenance.commit() == f"{first}+"
    git(code, "commit", "-q", "-a", "-m", "two")
    assert provenance.commit() == git(code, "rev-parse", "HEAD") != first


def test_an_installed_copy_says_the_commit_that_it_was_built_from(code: Path) -> None:
    assert provenance.commit() == "746d443d2"


@pytest.mark.parametrize(
    ("version", "commit"),
    [
        ("0.1.1.dev65+g746d443d2", "746d443d2"),
        ("0.1.1.dev65+g746d443d2.d20261127", "746d443d2+"),
        ("0.1.0", None),
        ("unknown", None),
    ],
)
def test_the_commit_stands_in_the_version(version: str, commit: str | None) -> None:
    assert built_from(version) == commit


def test_the_version_is_a_public_name() -> None:
    assert rtbci.__version__ == provenance.__version__
