"""How liblsl is set up before its first call: quiet, and for the demonstration on this machine alone."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_QUIET = "[log]\nlevel = -3\n"  # the lowest that liblsl takes; below it the whole file is ignored
# An engine asks for streams twice a second instead of every 1.75 s (each question holds a port for MaxRTT), and measures a
# clock in 0.37 s instead of 0.64 s: a stream that returns is answered that much sooner.
_FAST_DISCOVERY = {
    "MulticastMinRTT": 0.2,
    "MulticastMaxRTT": 1.0,
    "UnicastMinRTT": 0.2,
    "UnicastMaxRTT": 1.0,
    "ContinuousResolveInterval": 0.1,
    "TimeProbeInterval": 0.03,
}
_THIS_MACHINE = "[multicast]\nResolveScope = machine\n[lab]\nKnownPeers = {127.0.0.1}\n"


def user_config_path() -> Path | None:
    """The configuration that the user has for liblsl, if any; it is never overruled."""
    if path := os.environ.get("LSLAPICFG"):
        return Path(path)
    places = (Path("lsl_api.cfg"), Path.home() / "lsl_api" / "lsl_api.cfg", Path("/etc/lsl_api/lsl_api.cfg"))
    return next((place for place in places if place.is_file()), None)


def user_setting(key: str, default: str) -> str:
    """What the user's configuration says of a key, whatever section it stands in; what liblsl does where it is silent."""
    own = user_config_path()
    try:
        text = own.read_text() if own is not None else ""
    except (OSError, UnicodeDecodeError):
        return default
    found = re.search(rf"^[ \t]*{key}[ \t]*=[ \t]*(.*?)[ \t]*$", text, re.MULTILINE | re.IGNORECASE)
    return found[1] if found else default


def quiet_lsl() -> None:
    """Keep liblsl's own chatter off the terminal. To be called in each process before liblsl is used."""
    if user_config_path() is None:
        import pylsl

        pylsl.set_config_content(_QUIET)


def responsive_lsl() -> None:
    """As `quiet_lsl`, and streams are looked for often; what the user's own configuration says of that is kept."""
    own = user_config_path()
    try:
        text = own.read_text() if own is not None else _QUIET
    except (OSError, UnicodeDecodeError):
        return  # liblsl says what it makes of it
    import pylsl

    pylsl.set_config_content(text + _tuning({key: value for key, value in _FAST_DISCOVERY.items() if key not in text}))


def _tuning(values: dict[str, float]) -> str:
    return "\n[tuning]\n" + "".join(f"{key} = {value}\n" for key, value in values.items())


@contextmanager
def on_this_machine() -> Iterator[None]:
    """Streams of this process and its children are found on this machine, and nowhere else."""
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
