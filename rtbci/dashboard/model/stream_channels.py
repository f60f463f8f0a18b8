"""A stream's channels as montages look them up: by label, by electrode, by kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rtbci.dashboard.model.channel_kinds import kind_of
from rtbci.errors import StreamMismatch
from rtbci.recordings.channel_names import Derivation, derivation


@dataclass(frozen=True, slots=True)
class Channels:
    """A stream's channels, parsed once.

    labels, meant, kinds: one each. electrodes: by name, those against a common reference; of twins the first.
    """

    labels: tuple[str, ...]
    kinds: tuple[str, ...]
    meant: tuple[Derivation, ...]
    electrodes: dict[str, int]

    @classmethod
    def of(cls, labels: Sequence[str], types: Sequence[str] = ()) -> Channels:
        meant = tuple(derivation(label) for label in labels)
        electrodes: dict[str, int] = {}
        for k, one in enumerate(meant):
            if one.is_electrode and not one.reference:
                electrodes.setdefault(one.electrode, k)
        kinds = map(kind_of, labels, types or ("",) * len(labels))
        return cls(tuple(labels), tuple(kinds), meant, electrodes)

    def one_reference(self) -> None:
        """Raises StreamMismatch where electrodes are recorded against different references."""
        named = {self.meant[k].common for k in self.electrodes.values()} - {""}
        if len(named) > 1:
            raise StreamMismatch(f"the electrodes have several references ({', '.join(sorted(named))})")

    def find(self, name: str) -> int | None:
        """A channel by its label, or by its electrode."""
        if name in self.labels:
            return self.labels.index(name)
        meant = derivation(name)
        return self.meant.index(meant) if meant in self.meant else None
