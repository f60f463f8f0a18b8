"""Lines of text that are signed with a key: everybody on the network can read them, and who has the key knows its own.

A line is `SENDER NUMBER CODE TEXT`. The code is an HMAC-SHA256 (RFC 2104) of the purpose, the uid of the outlet that sends
it, the sender, the number and the text. The number grows, and no two outlets have one uid, so that a line that was overheard
is worth nothing when it is sent again.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets

import pylsl

_LINE = re.compile(r"([0-9a-f]{16}) ([0-9]{1,15}) ([0-9a-f]{32}) (.*)", re.DOTALL)
_LONGEST = 10_000  # characters of a line


class Signer:
    """Signs lines as one sender.

    Parameters
    ----------
    key
        The secret.
    purpose
        What the lines are for; a line of one purpose is worth nothing for another.
    """

    def __init__(self, key: bytes, purpose: str) -> None:
        self._key, self._purpose = key, purpose
        self._sender, self._n, self._uid = secrets.token_hex(8), 0, ""
        self.badge = f"{self._sender}-{_code(key, purpose, self._sender, 'badge')}"  # shows who it is before any line

    def push(self, outlet: pylsl.StreamOutlet, text: str, stamp: float = 0.0) -> None:
        """Send a text as a signed line; stamp: 0 for that of the moment."""
        self._uid = self._uid or outlet.get_info().uid()
        outlet.push_sample([self.sign(text, self._uid)], stamp)

    def sign(self, text: str, uid: str) -> str:
        """The text as a line that is signed for one outlet, to be sent once."""
        self._n += 1
        code = _code(self._key, self._purpose, uid, self._sender, str(self._n), text)
        return f"{self._sender} {self._n} {code} {text}"


class Verifier:
    """Checks the lines of all senders that have the key.

    Parameters
    ----------
    key, purpose
        As of the Signer.
    """

    def __init__(self, key: bytes, purpose: str) -> None:
        self._key, self._purpose = key, purpose
        self._newest: dict[str, int] = {}  # number of the newest line of each sender

    def knows(self, badge: str) -> str:
        """The sender whose badge it is; "" for a badge that was made without the key. It may have been copied."""
        sender, _, code = badge.partition("-")
        return sender if _is_equal(code, _code(self._key, self._purpose, sender, "badge")) else ""

    def is_genuine(self, line: str, uid: str) -> bool:
        """Whether a line was signed with the key, for the outlet of a uid; it may have been sent before."""
        return self._parts(line, uid) is not None

    def read(self, line: str, uid: str) -> tuple[str, str] | None:
        """(sender, text) of a genuine line that is newer than all before of its sender; else None."""
        parts = self._parts(line, uid)
        if parts is None or parts[1] <= self._newest.get(parts[0], 0):
            return None
        sender, number, text = parts
        self._newest[sender] = number
        return sender, text

    def _parts(self, line: str, uid: str) -> tuple[str, int, str] | None:
        found = _LINE.fullmatch(line) if len(line) <= _LONGEST else None
        if found is None:
            return None
        sender, number, code, text = found.groups()
        return (
            (sender, int(number), text)
            if _is_equal(code, _code(self._key, self._purpose, uid, sender, number, text))
            else None
        )


def unsigned(line: str) -> str:
    """The text of a line whose signature nobody here can check; "" for a line that has none."""
    found = _LINE.fullmatch(line) if len(line) <= _LONGEST else None
    return found[4] if found is not None else ""


def key_id(key: bytes, session: str) -> str:
    """By which two programs see that they have the same key, without showing it."""
    return _code(key, session, "key")


def _code(key: bytes, *parts: str) -> str:
    content = "\n".join(f"{len(part)} {part}" for part in parts)
    return hmac.new(key, content.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:32]


def _is_equal(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode("utf-8", "surrogatepass"), other.encode("utf-8", "surrogatepass"))
