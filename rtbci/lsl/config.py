"""The configuration of liblsl, to be set before its first call."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_QUIET = "[log]\nlevel = -3\n"  # the lowest valid level; with a lower one liblsl ignores the whole file
# An engine queries for streams twice a second instead of every 1.75 s (each query occupies a port for MaxRTT), and measures
# a clock in 0.37 s instead of 0.64 s, so that it reconnects that much sooner.
_FAST_DISCOVERY = {
    "MulticastMinRTT": 0.2,
    "MulticastMaxRTT": 1.0,
    "UnicastMinRTT": 0.2,
    "UnicastMaxRTT": 1.0,
    "ContinuousResolveInterval": 0.1,
    "TimeProbeInterval": 0.03,
}
_THIS_HOST = {"127.0.0.1", "localhost", "::1"}
_THIS_MACHINE = "[multicast]\nResolveScope = machine\n[lab]\nKnownPeers = {127.0.0.1}\n"


def user_config_path() -> Path | None:
    """The user's own liblsl configuration file, if any; it is never overruled."""
    if path := os.environ.get("LSLAPICFG"):
        return Path(path)
    places = (Path("lsl_api.cfg"), Path.home() / "lsl_api" / "lsl_api.cfg", Path("/etc/lsl_api/lsl_api.cfg"))
    return next((place for place in places if place.is_file()), None)


def user_setting(key: str, default: str) -> str:
    """Value of a key, in any section of the user's configuration; `default` where it is not set."""
    own = user_config_path()
    try:
        text = own.read_text() if own is not None else ""
    except (OSError, UnicodeDecodeError):
        return default
    found = re.search(rf"^[ \t]*{key}[ \t]*=[ \t]*(.*?)[ \t]*$", text, re.MULTILINE | re.IGNORECASE)
    return found[1] if found else default


def quiet_lsl() -> None:
    """Keep liblsl's log off the terminal. To be called in each process before liblsl is used."""
    if user_config_path() is None:
        import pylsl

        pylsl.set_config_content(_QUIET)


def responsive_lsl() -> None:
    """As `quiet_lsl`, with frequent stream discovery; settings of the user's own configuration are kept."""
    own = user_config_path()
    try:
        text = own.read_text() if own is not None else _QUIET
    except (OSError, UnicodeDecodeError):
        return  # liblsl reports a file that it cannot read
    import pylsl

    pylsl.set_config_content(text + _tuning({key: value for key, value in _FAST_DISCOVERY.items() if key not in text}))


def _tuning(values: dict[str, float]) -> str:
    return "\n[tuning]\n" + "".join(f"{key} = {value}\n" for key, value in values.items())


def stays_on_this_machine() -> bool:
    """Whether LSL is told to show streams to this machine only, so that what they say goes onto no network."""
    others = _hosts(user_setting("KnownPeers", "")) | _hosts(user_setting("AddressesOverride", ""))
    return user_setting("ResolveScope", "").lower() == "machine" and others <= _THIS_HOST


def _hosts(text: str) -> set[str]:
    return {part.strip() for part in text.strip("{} ").split(",") if part.strip()}


@contextmanager
def on_this_machine() -> Iterator[None]:
    """Streams of this process and its children are visible on this machine only."""
    if user_config_path() is not None:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="rtbci-lsl-") as folder:
        path = Path(folder) / "lsl_api.cfg"
        path.write_text(_QUIET + _THIS_MACHINE)
        os.environ["LSLAPICFG"] = str(path)
        try:
            yield
        finally:
            del os.environ["LSLAPICFG"]
