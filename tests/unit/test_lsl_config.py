"""How liblsl is set up: what the user's own configuration says is kept."""

from pathlib import Path

import pylsl
import pytest

from rtbci.lsl.config import responsive_lsl, stays_on_this_machine


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


@pytest.mark.parametrize(
    ("content", "stays"),
    [
        ("[multicast]\nResolveScope = machine\n", True),
        ("[multicast]\nResolveScope = Machine\nAddressesOverride = {}\n[lab]\nKnownPeers = {127.0.0.1, localhost}\n", True),
        ("[multicast]\nResolveScope = machine\n[lab]\nKnownPeers = {127.0.0.1, 10.0.0.7}\n", False),
        ("[multicast]\nResolveScope = machine\nAddressesOverride = {224.0.0.183}\n", False),
        ("[multicast]\nResolveScope = link\n", False),
        ("[lab]\nSessionID = mine\n", False),
        ("", False),
    ],
)  # fmt: skip
def test_lsl_stays_on_this_machine_only_where_it_was_told_to(
    content: str, stays: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own.cfg").write_text(content)
    monkeypatch.setenv("LSLAPICFG", str(tmp_path / "own.cfg"))
    assert stays_on_this_machine() is stays


def test_without_a_configuration_lsl_does_not_stay_on_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LSLAPICFG", str(tmp_path / "not-there.cfg"))
    assert not stays_on_this_machine()
