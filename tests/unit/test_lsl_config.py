"""How liblsl is set up: what the user's own configuration says is kept."""

from pathlib import Path

import pylsl
import pytest

from rtbci.lsl.config import responsive_lsl


@pytest.fixture
def content(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    given: list[str] = []
    monkeypatch.setattr(pylsl, "set_config_content", given.append)
    return given


def test_an_engine_looks_for_streams_often_unless_the_user_said_how_often(
    content: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = "[lab]\nSessionID = mine\n[tuning]\nMulticastMinRTT = 2.5\n"
    (tmp_path / "own.cfg").write_text(own)
    monkeypatch.setenv("LSLAPICFG", str(tmp_path / "own.cfg"))
    responsive_lsl()
    (text,) = content
    assert text.startswith(own)
    assert text.count("MulticastMinRTT") == 1  # liblsl falls back to its defaults where a key comes twice
    assert "UnicastMinRTT = 0.2\n" in text


def test_a_configuration_that_cannot_be_read_is_left_to_liblsl(
    content: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LSLAPICFG", str(tmp_path / "not-there.cfg"))
    responsive_lsl()
    assert content == []
