"""The menu of the right button on the traces, their labels and the table: for a channel, a moment, an event."""

from __future__ import annotations

from collections.abc import Callable

from PyQt6.QtWidgets import QMenu, QWidget

from rtbci.dashboard.model.event_log import EventEntry
from rtbci.dashboard.shortcuts import SHORTCUTS, key_text
from rtbci.text import clock_text, one_line

CHANNEL = ("toggle_solo", "hide_row", "row_larger", "row_smaller", "reset_row_sensitivity", "use_as_reference")
KIND = ("kind_larger", "kind_smaller", "auto_sensitivity")
MOMENT = ("put_cursor_1", "put_cursor_2", "choose_between", "clear_cursors", "annotate")
EVENT = ("confirm_event", "reject_event", "note_event")


def fill_trace_menu(
    menu: QMenu, call: Callable[[str], None], row: str, kind: str, has_moment: bool, entry: EventEntry | None
) -> None:
    """Add what can be done.

    Parameters
    ----------
    menu
        To be filled.
    call
        Carries out an action by its name; the row, the moment and the event are chosen already.
    row, kind
        The channel's name and kind, "" where there is none.
    has_moment
        Whether the menu was asked for at a moment of the page.
    entry
        The event or annotation there.
    """
    if entry is not None:
        add_heading(menu, f"{one_line(entry.label)}, {clock_text(entry.onset)}")
        _add(menu, call, EVENT)
    if row:
        add_heading(menu, one_line(row))
        _add(menu, call, CHANNEL)
        add_heading(menu, f"All {kind}")
        _add(menu, call, KIND)
    if has_moment:
        add_heading(menu, "Here")
        _add(menu, call, MOMENT)


def add_heading(menu: QMenu, text: str) -> None:
    """A line of text that nothing is chosen by: a style sheet shows no section's."""
    menu.addSeparator()
    heading = menu.addAction(text.replace("&", "&&"))
    assert heading is not None
    heading.setEnabled(False)


def _add(menu: QMenu, call: Callable[[str], None], actions: tuple[str, ...]) -> None:
    for name in actions:
        shortcut = next(s for s in SHORTCUTS if s.action == name)
        item = menu.addAction(f"{shortcut.text}\t{key_text(shortcut.keys[0])}")
        assert item is not None
        item.triggered.connect(lambda _checked=False, name=name: call(name))


class TraceMenu(QMenu):
    """Deletes itself once it is closed."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.aboutToHide.connect(self.deleteLater)
