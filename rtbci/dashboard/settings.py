"""What comes back at the next start: layout, theme, page, sensitivity, recent pipelines and streams."""

from __future__ import annotations

from typing import Any

from PyQt6.QtCore import QByteArray, QSettings

N_RECENT = 8
N_SESSIONS = 64  # whose settings are kept
OF_SESSION = frozenset(
    ("geometry", "page_s", "per_mm", "montage", "display_montage", "sweep", "sidebar", "trends", "trends_h")
)
# per_mm: of EEG, 0 where it is auto.
RANGES = {
    "zoom": (0.7, 2.0),
    "page_s": (1.0, 3600.0),
    "per_mm": (0.0, 1e5),
    "trends_h": (0.0, 24.0),
}  # per_mm: of EEG, 0 where it is auto


class Settings:
    """Typed access to the user's settings file."""

    def __init__(self, path: str | None = None) -> None:
        """path: a file of one's own, for tests and pictures."""
        if path is not None:
            self._store = QSettings(path, QSettings.Format.IniFormat)
        else:
            self._store = QSettings(QSettings.Format.IniFormat, QSettings.Scope.UserScope, "rtbci", "dashboard")
        self._session = ""

    def use_session(self, digest: str) -> bool:
        """From here on those of OF_SESSION are a session's own; returns whether it has any yet. digest: "" for no session."""
        self._session = digest
        if not digest:
            return False
        is_known = digest in self.recent("sessions")
        self.remember("sessions", digest, N_SESSIONS)
        self._store.beginGroup("sessions")
        known = self._store.childGroups()
        self._store.endGroup()
        for gone in set(known) - set(self.recent("sessions")):
            self._store.remove(f"sessions/{gone}")
        return is_known

    def _value(self, key: str) -> Any:
        own = f"sessions/{self._session}/{key}"
        return self._store.value(own if self._session and self._store.contains(own) else key)

    def get(self, key: str, otherwise: Any) -> Any:
        """The stored value as the type of `otherwise`; `otherwise` where it is missing, absurd or of another kind."""
        value = self._value(key)
        try:
            if isinstance(otherwise, bool):
                return otherwise if value is None else str(value).lower() == "true"
            kept = otherwise if value is None else type(otherwise)(value)
            low, high = RANGES.get(key, (-1e9, 1e9))
            return kept if not isinstance(kept, float) or low <= kept <= high else otherwise
        except (TypeError, ValueError, OverflowError):
            return otherwise

    def set(self, key: str, value: Any) -> None:
        """Of this session, and of those that have none of their own yet."""
        self._store.setValue(key, value)
        if self._session and key in OF_SESSION:
            self._store.setValue(f"sessions/{self._session}/{key}", value)

    def geometry(self) -> QByteArray | None:
        value = self._value("geometry")
        return value if isinstance(value, QByteArray) else None

    def recent(self, what: str) -> list[str]:
        value = self._store.value(f"recent/{what}") or []
        return [str(item) for item in ([value] if not isinstance(value, list) else value)]

    def remember(self, what: str, item: str, most: int = N_RECENT) -> None:
        """Put it first among the recent ones, of which `most` are kept."""
        others = [old for old in self.recent(what) if old != item]
        self._store.setValue(f"recent/{what}", [item, *others][:most])

    def save(self) -> None:
        self._store.sync()
