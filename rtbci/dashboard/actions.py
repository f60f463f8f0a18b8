"""What keys and buttons do, one short method each; shortcuts.py names them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from rtbci.dashboard import theme
from rtbci.dashboard.alarm import Alarm
from rtbci.dashboard.model.dashboard_model import DashboardModel
from rtbci.dashboard.model.event_log import EventEntry
from rtbci.dashboard.panels.replay_bar import ReplayBar
from rtbci.dashboard.panels.sidebar import Sidebar
from rtbci.dashboard.plots.plot_area import PlotArea
from rtbci.dashboard.trace_actions import TraceActions, TraceWindow
from rtbci.monitor.alerts import next_pause_s
from rtbci.monitor.message import Verdict
from rtbci.text import tenths_text

LABELS = ("seizure", "spike", "artefact", "movement", "eyes closed", "medication")


class WindowControl(TraceWindow, Protocol):
    """What the actions need of the window itself. A question that the user cancels is answered by None."""

    theme: theme.Theme
    zoom: float

    def dress(self) -> None: ...

    def toggle_full_screen(self) -> None: ...

    def toggle_trends(self) -> None: ...

    def show_shortcuts(self) -> None: ...

    def show_menu(self) -> None: ...

    def choose_stream(self) -> None: ...

    def show_session_menu(self) -> None: ...

    def end(self) -> None: ...

    def ask_text(self, title: str, question: str, text: str) -> str | None: ...

    def tell(self, title: str, text: str) -> None: ...

    def show_news(self, text: str) -> None: ...

    def ask_save_path(self, title: str, name: str, kinds: str) -> Path | None: ...


class Actions(TraceActions):
    """Acts on the model, the plots, the panels and the window that it is given."""

    _window: WindowControl
    annotation_labels = LABELS

    def __init__(
        self,
        model: DashboardModel,
        plots: PlotArea,
        sidebar: Sidebar,
        replay_bar: ReplayBar,
        alarm: Alarm,
        window: WindowControl,
    ) -> None:
        self._model, self._timeline = model, model.timeline
        self._plots, self._traces, self._labels = plots, plots.traces, plots.labels
        self._sidebar, self._replay_bar = sidebar, replay_bar
        self._alarm, self._window = alarm, window

    def named(self, name: str) -> Callable[[], None]:
        """The action of a name in shortcuts.py.

        Raises
        ------
        AttributeError
            Where there is none.
        """
        action: Callable[[], None] = getattr(self, name)
        return action

    # -- time -------------------------------------------------------------------------------------------------

    def toggle_freeze(self) -> None:
        if self._timeline.frozen:
            self._timeline.go_live()
        else:
            self._timeline.freeze()

    def scroll_back(self) -> None:
        self._model.scroll(-0.1)

    def scroll_on(self) -> None:
        self._model.scroll(0.1)

    def page_back(self) -> None:
        self._model.scroll(-1.0)

    def page_on(self) -> None:
        self._model.scroll(1.0)

    def go_oldest(self) -> None:
        self._model.scroll(-1e9)

    def go_live(self) -> None:
        self._timeline.go_live()

    def page_shorter(self) -> None:
        self._timeline.step_page(-1)

    def page_longer(self) -> None:
        self._timeline.step_page(1)

    def toggle_sweep(self) -> None:
        self._timeline.set_sweep(not self._timeline.sweep)

    # -- events -----------------------------------------------------------------------------------------------

    def jump_to(self, entry: EventEntry) -> None:
        self._timeline.jump(entry.start)

    def older_event(self) -> None:
        self._sidebar.events.step(1)

    def newer_event(self) -> None:
        self._sidebar.events.step(-1)

    def annotate(self) -> None:
        """At the moment of the key, however long the label takes to write; on a frozen page, at one that it shows."""
        if self._model.feed is None or self._model.feed.clock is None:
            return
        cursor = self._traces.cursor_x
        x = cursor if cursor is not None and self._timeline.frozen else self._model.shown_moment
        self._traces.set_cursor(x)
        label = self._window.ask_choice("Annotate", f"What is it, at {tenths_text(x)}?", LABELS)
        if label is not None and label.strip():
            self._model.annotate(label.strip(), x)

    def confirm_event(self) -> None:
        self._review("confirmed")

    def reject_event(self) -> None:
        self._review("rejected")

    def _review(self, verdict: Verdict) -> None:
        """The same verdict again takes it back."""
        if (entry := self._sidebar.events.current()) is not None:
            taken_back = entry.verdict == verdict
            self._model.commands.review(entry.label, entry.onset, "" if taken_back else verdict, entry.note)

    def note_event(self) -> None:
        if (entry := self._sidebar.events.current()) is None:
            return
        note = self._window.ask_text("Note", f"Note on {entry.label}:", entry.note)
        if note is not None:
            self._model.commands.review(entry.label, entry.onset, entry.verdict, note.strip())

    def export_events(self) -> None:
        """Says how many rows were written, or that none was."""
        path = self._window.ask_save_path("Export events", "events.tsv", "Event tables (*.tsv)")
        if path is None:
            return
        try:
            n = self._model.event_log.export(path, self._model.length_s)
        except OSError as error:
            reason = error.strerror or str(error)
            self._window.tell("Export events", f"Nothing was saved: {path}: {reason}. Choose another place.")
        else:
            self._window.show_news(f"{n} row{'' if n == 1 else 's'} saved in {path}")

    def set_threshold(self, before: float, value: float) -> None:
        """Ask the engine for another threshold; it can be taken back for some seconds."""
        self._model.threshold_change.made(before, value)
        self._model.commands.set_threshold(value)

    def undo_threshold(self) -> None:
        if (value := self._model.threshold_change.undo()) is not None:
            self._plots.probability.show_asked(value)
            self._model.commands.set_threshold(value)

    def threshold_up(self) -> None:
        self._step_threshold(0.05)

    def threshold_down(self) -> None:
        self._step_threshold(-0.05)

    def _step_threshold(self, by: float) -> None:
        if (now := self._plots.probability.threshold) is not None:
            self._plots.probability.ask(now + by)

    # -- a replay ---------------------------------------------------------------------------------------------

    def replay_toggle(self) -> None:
        self._replay_bar.toggle()

    def replay_back(self) -> None:
        self._replay_bar.skip(-10)

    def replay_on(self) -> None:
        self._replay_bar.skip(10)

    def replay_far_back(self) -> None:
        self._replay_bar.skip(-60)

    def replay_far_on(self) -> None:
        self._replay_bar.skip(60)

    def replay_faster(self) -> None:
        self._replay_bar.step_speed(1)

    def replay_slower(self) -> None:
        self._replay_bar.step_speed(-1)

    # -- the window -------------------------------------------------------------------------------------------

    def toggle_mute(self) -> None:
        """Longer each time, and then no more."""
        seconds = next_pause_s(self._alarm.muted_s)
        self._alarm.mute(seconds)
        self._model.commands.pause_sound(seconds, self._model.operator)

    def acknowledge(self) -> None:
        self._model.acknowledge()

    def acknowledge_as(self) -> None:
        """By a name, which this window keeps for the next time."""
        name = self._window.ask_text("Acknowledge", "Who acknowledges the alarms?", self._model.operator)
        if name is not None and name.strip():
            self._model.acknowledge(name.strip())

    def toggle_theme(self) -> None:
        self._window.theme = theme.LIGHT if self._window.theme.name == "dark" else theme.DARK
        self._window.dress()

    def toggle_sidebar(self) -> None:
        self._sidebar.setVisible(self._sidebar.isHidden())

    def toggle_trends(self) -> None:
        self._window.toggle_trends()

    def toggle_full_screen(self) -> None:
        self._window.toggle_full_screen()

    def text_larger(self) -> None:
        self._step_zoom(1.1)

    def text_smaller(self) -> None:
        self._step_zoom(1 / 1.1)

    def _step_zoom(self, factor: float) -> None:
        self._window.zoom = min(2.0, max(0.7, self._window.zoom * factor))
        self._window.dress()

    def show_menu(self) -> None:
        self._window.show_menu()

    def show_shortcuts(self) -> None:
        self._window.show_shortcuts()

    def choose_stream(self) -> None:
        self._window.choose_stream()

    def session_menu(self) -> None:
        self._window.show_session_menu()

    def close(self) -> None:
        self._window.end()
