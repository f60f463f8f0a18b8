"""Which rows the traces have: the montage, what is hidden or alone, and the part of it that is on the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rtbci.dashboard.model.display_montage import DisplayMontage
from rtbci.dashboard.model.montages import (
    AS_RECORDED,
    BY_REGION,
    MontageChoice,
    display_montage,
    montage_choices,
)
from rtbci.dashboard.model.stream_channels import Channels
from rtbci.errors import StreamMismatch
from rtbci.recordings.channel_names import canonical

ALL, AS_FIT = 0, -1  # rows a page: every one, or those that have room for their names
PER_PAGE = (AS_FIT, ALL, 8, 16, 24, 32, 64, 128)
FEW = 24  # rows that stand on one page whether or not there is room for each name
FEWEST = 4  # rows on a page that is as small as it gets


class TraceRows:
    """A montage's rows, and those of them that are shown.

    Attributes
    ----------
    montage
        What the user chose; where the channels do not let it be derived, `refused` says why, and the rows are as recorded.
    own
        The user's montages, by name: rows such as "F3-C3".
    all_rows, shown
        The whole montage, and what is on the page; None without a stream.
    first
        The first row on the page, of those that are not hidden.
    per_page
        Rows on a page, ALL, or AS_FIT.
    factors
        A row's own sensitivity, times that of its kind.
    """

    def __init__(self) -> None:
        self.channels = Channels.of(())
        self.montage = BY_REGION
        self._own: dict[str, tuple[str, ...]] = {}
        self._choices: list[MontageChoice] | None = None
        self._made: tuple[str, DisplayMontage] | None = None  # the montage made last, and its name
        self.refused = ""
        self.fixed = False  # the rows are the model's inputs: no montage is made of them
        self.hidden: set[str] = set()
        self.solo: str | None = None
        self.per_page = AS_FIT
        self.first = 0
        self.factors: dict[str, float] = {}
        self.all_rows: DisplayMontage | None = None
        self.shown: DisplayMontage | None = None
        self.n_kept = 0  # rows that are neither hidden nor beside a solo

    def set_channels(self, labels: Sequence[str], types: Sequence[str], *, fixed: bool) -> None:
        """Another stream, or the other view of it."""
        if (tuple(labels), fixed) != (self.channels.labels, self.fixed):
            self.first = 0
        self.channels, self.fixed = Channels.of(labels, types), fixed
        self._choices = self._made = None

    @property
    def own(self) -> dict[str, tuple[str, ...]]:
        return self._own

    @own.setter
    def own(self, own: dict[str, tuple[str, ...]]) -> None:
        self._own = own
        self._choices = self._made = None

    def choices(self) -> list[MontageChoice]:
        """The montages, those that cannot be derived with their reason."""
        if self.fixed or not self.channels.labels:
            return [MontageChoice(AS_RECORDED)]
        if self._choices is None:
            self._choices = montage_choices(self.channels, self.own)
        return self._choices

    def arrange(self, room: int) -> None:
        """Make the rows. room: as many as have room for their names."""
        self.all_rows = self._whole()
        if self.all_rows is None:
            self.shown, self.n_kept = None, 0
            return
        kept = [k for k, name in enumerate(self.all_rows.names) if self._is_kept(name)]
        kept = kept or list(range(len(self.all_rows)))
        self.n_kept = len(kept)
        n = self.page_rows(room)
        self.first = min(max(self.first, 0), len(kept) - n)
        self.shown = self.all_rows.only(kept[self.first : self.first + n])

    def page_rows(self, room: int) -> int:
        """How many of the rows are on a page."""
        if self.per_page == ALL or (self.per_page == AS_FIT and self.n_kept <= FEW):
            return self.n_kept
        return min(max(FEWEST, room) if self.per_page == AS_FIT else self.per_page, self.n_kept)

    def _whole(self) -> DisplayMontage | None:
        wanted = AS_RECORDED if self.fixed else self.montage
        if not self.channels.labels:
            return None
        if self._made is None or self._made[0] != wanted:
            self.refused = ""
            try:
                made = display_montage(wanted, self.channels, self.own)
            except StreamMismatch as error:
                self.refused = str(error)
                made = display_montage(AS_RECORDED, self.channels)
            self._made = wanted, made
        return self._made[1]

    def _is_kept(self, name: str) -> bool:
        return name == self.solo if self.solo is not None else name not in self.hidden

    def faults(self, quality: Mapping[str, str]) -> dict[str, str]:
        """What is wrong, by a row's name, from what is wrong with the channels that it is made of.

        quality: by a channel's label; the model's inputs are found by their canonical names.
        """
        if not quality or self.all_rows is None:
            return {}
        words = {canonical(name): word for name, word in quality.items()} if self.fixed else quality
        bad = {k: words[name] for k, name in enumerate(self.channels.labels) if name in words}
        rows = self.all_rows.made_of(set(bad))
        return {
            self.all_rows.names[row]: next(bad[k] for k in sorted(self.all_rows.sources(row)) if k in bad)
            for row in rows
        }

    @property
    def n_hidden(self) -> int:
        """Rows of this montage that the user hid."""
        return sum(name in self.hidden for name in self.all_rows.names) if self.all_rows is not None else 0

    @property
    def kinds(self) -> list[str]:
        """Of the rows on the page, each once, the most frequent first."""
        kinds = list(self.shown.kinds) if self.shown is not None else []
        return sorted(set(kinds), key=lambda kind: (-kinds.count(kind), kind))

    def page_text(self) -> str:
        """ "1–40 of 128" where there are more rows than the page has; "" otherwise."""
        n = len(self.shown) if self.shown is not None else 0
        return f"{self.first + 1}–{self.first + n} of {self.n_kept}" if n < self.n_kept else ""
