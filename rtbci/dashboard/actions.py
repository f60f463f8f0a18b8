"""What the keys and buttons of the window do: one short method each, named in keys.KEYS."""

from __future__ import annotations

from pathlib import Path

from PyQt6.QtWidgets import QFileDialog, QInputDialog, QMainWindow

from rtbci.dashboard import theme
from rtbci.dashboard.alarm import MUTES_MIN, Alarm
from rtbci.dashboard.model.commands import Commands
from rtbci.dashboard.model.display_montage import AS_RECORDED
from rtbci.dashboard.model.event_log import Book, Entry
from rtbci.dashboard.model.feed import Feed
from rtbci.dashboard.model.timeline import Timeline
from rtbci.dashboard.panels.events import export
from rtbci.dashboard.panels.replay_bar import ReplayBar
from rtbci.dashboard.panels.sidebar import Sidebar
from rtbci.dashboard.plots.plot_area import Monitor
from rtbci.dashboard.settings import Settings
from rtbci.dashboard.shortcuts import KeysDialog
from rtbci.stages.montage import derivation

LABELS = ("seizure", "spike", "artefact", "movement", "eyes closed", "medication")


class Hands(QMainWindow):
    """The window, as its keys know it."""

    theme: theme.Theme
    settings: Settings
    zoom: float
    as_model: bool
    feed: Feed | None
    commands: Commands
    timeline: Timeline
    alarm: Alarm
    book: Book
    monitor: Monitor
    replay_bar: ReplayBar
    sidebar: Sidebar

    def begin(self) -> None:
        raise NotImplementedError

    def dress(self) -> None:
        raise NotImplementedError

    def show_controls(self) -> None:
        raise NotImplementedError

    # -- time -------------------------------------------------------------------------------------------------

    def toggle_freeze(self) -> None:
        if self.timeline.frozen:
            self.timeline.go_live()
        else:
            self.timeline.freeze()

    def _scroll(self, pages: float) -> None:
        oldest = self.feed.signals.oldest_x if self.feed is not None and self.feed.signals is not None else 0.0
        self.timeline.scroll(pages * self.timeline.page_s, oldest)

    def scroll_back(self) -> None:
        self._scroll(-0.1)

    def scroll_on(self) -> None:
        self._scroll(0.1)

    def page_back(self) -> None:
        self._scroll(-1.0)

    def page_on(self) -> None:
        self._scroll(1.0)

    def go_oldest(self) -> None:
        self._scroll(-1e9)

    def go_live(self) -> None:
        self.timeline.go_live()

    def page_shorter(self) -> None:
        self.timeline.step_page(-1)

    def page_longer(self) -> None:
        self.timeline.step_page(1)

    def toggle_sweep(self) -> None:
        self.timeline.set_sweep(not self.timeline.sweep)

    # -- traces -----------------------------------------------------------------------------------------------

    def larger(self) -> None:
        self.monitor.signals.step_sensitivity(1)

    def smaller(self) -> None:
        self.monitor.signals.step_sensitivity(-1)

    def row_larger(self) -> None:
        self._row_sensitivity(1)

    def row_smaller(self) -> None:
        self._row_sensitivity(-1)

    def _row_sensitivity(self, by: int) -> None:
        if (row := self.monitor.labels.selection) is not None:
            self.monitor.signals.step_sensitivity(by, row)
            self.monitor.labels.update()

    def fit(self) -> None:
        self.monitor.signals.fit()

    def set_montage(self, montage: str) -> None:
        self.monitor.signals.set_montage(montage)

    def next_montage(self) -> None:
        names = self.monitor.signals.montages()
        now = self.monitor.signals.montage
        self.set_montage(names[(names.index(now) + 1) % len(names)] if now in names else AS_RECORDED)

    def toggle_source(self) -> None:
        self.as_model = not self.as_model
        self.monitor.signals.solo = None
        self.begin()

    def toggle_butterfly(self) -> None:
        self.monitor.signals.set_butterfly(not self.monitor.signals.butterfly)

    # -- channels ---------------------------------------------------------------------------------------------

    def next_row(self) -> None:
        self.monitor.labels.step(1)

    def previous_row(self) -> None:
        self.monitor.labels.step(-1)

    def toggle_solo(self) -> None:
        signals = self.monitor.signals
        signals.set_solo(None if signals.solo is not None else self.monitor.labels.selection)

    def hide_row(self) -> None:
        if (row := self.monitor.labels.selection) is not None:
            self.monitor.labels.step(1)
            self.monitor.signals.hide_row(row)

    def show_all_rows(self) -> None:
        self.monitor.signals.show_all()

    def solo_electrode(self, electrode: str) -> None:
        """The first row that this electrode is a part of, alone; again: all rows."""
        signals = self.monitor.signals
        made = signals.all_rows
        if signals.solo is not None and electrode in _ends(signals.solo):
            signals.set_solo(None)
        elif made is not None and (found := [name for name in made.names if electrode in _ends(name)]):
            signals.set_solo(found[0])

    # -- events -----------------------------------------------------------------------------------------------

    def jump_to(self, entry: Entry) -> None:
        self.timeline.jump(entry.mark.start)

    def older_event(self) -> None:
        self.sidebar.events.step(1)

    def newer_event(self) -> None:
        self.sidebar.events.step(-1)

    def annotate(self) -> None:
        """The moment is that of the key, however long the words take."""
        if self.feed is None or self.feed.clock is None:
            return
        clock, cursor = self.feed.clock, self.monitor.signals.cursor_x
        x = cursor if cursor is not None and self.timeline.frozen else self.timeline.head
        label, said = QInputDialog.getItem(self, "Annotate", "What is it?", LABELS, 0, True)
        if said and label.strip():
            self.commands.annotate(label.strip(), round(clock.recording_s(x), 3), clock.stamp(x))

    def confirm_event(self) -> None:
        self._review("confirmed")

    def reject_event(self) -> None:
        self._review("rejected")

    def _review(self, verdict: str) -> None:
        """Again the same verdict takes it back."""
        if (entry := self.sidebar.events.current()) is not None:
            self.commands.review(entry.label, entry.onset, "" if entry.verdict == verdict else verdict, entry.note)

    def note_event(self) -> None:
        if (entry := self.sidebar.events.current()) is None:
            return
        note, said = QInputDialog.getText(self, "Note", f"Note on {entry.label}:", text=entry.note)
        if said:
            self.commands.review(entry.label, entry.onset, entry.verdict, note.strip())

    def export_events(self) -> None:
        path, _ = QFileDialog.getSaveFileName(self, "Export events", "events.tsv", "Event tables (*.tsv)")
        if path:
            duration_s = self.feed.state.get("recording_s", 0.0) if self.feed is not None else 0.0
            export(self.book.entries, Path(path), duration_s)

    def threshold_up(self) -> None:
        self._threshold(0.05)

    def threshold_down(self) -> None:
        self._threshold(-0.05)

    def _threshold(self, by: float) -> None:
        if (now := self.monitor.strip.threshold) is not None:
            self.monitor.strip.ask(now + by)

    # -- a replay ---------------------------------------------------------------------------------------------

    def replay_toggle(self) -> None:
        self.replay_bar.toggle()

    def replay_back(self) -> None:
        self.replay_bar.skip(-10)

    def replay_on(self) -> None:
        self.replay_bar.skip(10)

    def replay_far_back(self) -> None:
        self.replay_bar.skip(-60)

    def replay_far_on(self) -> None:
        self.replay_bar.skip(60)

    def replay_faster(self) -> None:
        self.replay_bar.step_speed(1)

    def replay_slower(self) -> None:
        self.replay_bar.step_speed(-1)

    # -- the window -------------------------------------------------------------------------------------------

    def toggle_mute(self) -> None:
        """Longer each time, and then no more."""
        longer = [minutes for minutes in MUTES_MIN if 60 * minutes > self.alarm.muted_s + 1]
        if longer:
            self.alarm.mute(longer[0])
        else:
            self.alarm.unmute()

    def toggle_theme(self) -> None:
        self.theme = theme.LIGHT if self.theme.name == "dark" else theme.DARK
        self.dress()

    def toggle_sidebar(self) -> None:
        self.sidebar.setVisible(self.sidebar.isHidden())

    def toggle_full_screen(self) -> None:
        if self.isFullScreen():
            self.showNormal()
        else:
            self.showFullScreen()

    def text_larger(self) -> None:
        self._zoom(1.1)

    def text_smaller(self) -> None:
        self._zoom(1 / 1.1)

    def _zoom(self, by: float) -> None:
        self.zoom = min(2.0, max(0.7, self.zoom * by))
        self.dress()

    def show_keys(self) -> None:
        KeysDialog(self).show()

    def open_picker(self) -> None:
        """Only a dashboard that starts its own engine has one."""


def _ends(row: str) -> tuple[str, str]:
    meant = derivation(row)
    return meant.electrode, meant.reference
