"""What comes back at the next start: layout, theme, page, sensitivity, recent pipelines and streams."""

from __future__ import annotations

from typing import Any

from PyQt6.QtCore import QByteArray, QSettings

N_RECENT = 8


class Settings:
    """Typed access to the user's settings file."""

    def __init__(self, path: str | None = None) -> None:
        """path: a file of one's own, for tests and pictures."""
        if path is not None:
            self._store = QSettings(path, QSettings.Format.IniFormat)
        else:
            self._store = QSettings(QSettings.Format.IniFormat, QSettings.Scope.UserScope, "rtbci", "dashboard")

    def get(self, key: str, otherwise: Any) -> Any:
        """The stored value as the type of `otherwise`; `otherwise` where it is missing or of another kind."""
        value = self._store.value(key)
        try:
            if isinstance(otherwise, bool):
                return otherwise if value is None else str(value).lower() == "true"
            return otherwise if value is None else type(otherwise)(value)
        except (TypeError, ValueError):
            return otherwise

    def set(self, key: str, value: Any) -> None:
        self._store.setValue(key, value)

    def geometry(self) -> QByteArray | None:
        value = self._store.value("geometry")
        return value if isinstance(value, QByteArray) else None

    def recent(self, what: str) -> list[str]:
        value = self._store.value(f"recent/{what}") or []
        return [value] if isinstance(value, str) else list(value)

    def remember(self, what: str, item: str) -> None:
        """Put it first among the recent ones."""
        others = [old for old in self.recent(what) if old != item]
        self._store.setValue(f"recent/{what}", [item, *others][:N_RECENT])

    def save(self) -> None:
        self._store.sync()
