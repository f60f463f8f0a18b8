"""What keys and buttons do, one short method each; shortcuts.py names them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from rtbci.dashboard import theme
from rtbci.dashboard.alarm import MUTES_MIN, Alarm
from rtbci.dashboard.model.dashboard_model import DashboardModel
from rtbci.dashboard.model.display_montage import AS_RECORDED
from rtbci.dashboard.model.event_log import EventEntry
from rtbci.dashboard.panels.replay_bar import ReplayBar
from rtbci.dashboard.panels.sidebar import Sidebar
from rtbci.dashboard.plots.plot_area import PlotArea
from rtbci.monitor.messages import Verdict
from rtbci.recordings.channel_names import derivation

LABELS = ("seizure", "spike", "artefact", "movement", "eyes closed", "medication")


class WindowControl(Protocol):
    """What the actions need of the window itself. A question that the user cancels is answered by None."""

    theme: theme.Theme
    zoom: float

    def dress(self) -> None: ...

    def toggle_full_screen(self) -> None: ...

    def toggle_trends(self) -> None: ...

    def show_shortcuts(self) -> None: ...

    def choose_stream(self) -> None: ...

    def end(self) -> None: ...

    def ask_choice(self, title: str, question: str, choices: Sequence[str]) -> str | None: ...

    def ask_text(self, title: str, question: str, text: str) -> str | None: ...

    def ask_save_path(self, title: str, name: str, kinds: str) -> Path | None: ...


class Actions:
    """Acts on the model, the plots, the panels and the window that it is given."""

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

    # -- traces -----------------------------------------------------------------------------------------------

    def larger(self) -> None:
        self._traces.step_sensitivity(1)

    def smaller(self) -> None:
        self._traces.step_sensitivity(-1)

    def row_larger(self) -> None:
        self._step_row_sensitivity(1)

    def row_smaller(self) -> None:
        self._step_row_sensitivity(-1)

    def _step_row_sensitivity(self, by: int) -> None:
        if (row := self._labels.selection) is not None:
            self._traces.step_sensitivity(by, row)
            self._labels.update()

    def fit(self) -> None:
        self._traces.fit()

    def next_montage(self) -> None:
        names, now = self._traces.montages(), self._traces.montage
        self._traces.set_montage(names[(names.index(now) + 1) % len(names)] if now in names else AS_RECORDED)

    def toggle_source(self) -> None:
        self._traces.solo = None
        self._model.set_as_model(not self._model.as_model)

    def toggle_butterfly(self) -> None:
        self._traces.set_butterfly(not self._traces.butterfly)

    # -- channels ---------------------------------------------------------------------------------------------

    def next_row(self) -> None:
        self._labels.step(1)

    def previous_row(self) -> None:
        self._labels.step(-1)

    def toggle_solo(self) -> None:
        self._traces.set_solo(None if self._traces.solo is not None else self._labels.selection)

    def hide_row(self) -> None:
        if (row := self._labels.selection) is not None:
            self._labels.step(1)
            self._traces.hide_row(row)

    def show_all_rows(self) -> None:
        self._traces.show_all()

    def solo_electrode(self, electrode: str) -> None:
        """Show alone the first row that this electrode is a part of; again: all rows."""
        traces = self._traces
        if traces.solo is not None and electrode in _electrodes(traces.solo):
            traces.set_solo(None)
        elif traces.all_rows is not None:
            found = [name for name in traces.all_rows.names if electrode in _electrodes(name)]
            if found:
                traces.set_solo(found[0])

    # -- events -----------------------------------------------------------------------------------------------

    def jump_to(self, entry: EventEntry) -> None:
        self._timeline.jump(entry.mark.start)

    def older_event(self) -> None:
        self._sidebar.events.step(1)

    def newer_event(self) -> None:
        self._sidebar.events.step(-1)

    def annotate(self) -> None:
        """At the moment of the key, however long the label takes to write."""
        if self._model.feed is None or self._model.feed.clock is None:
            return
        cursor = self._traces.cursor_x
        x = cursor if cursor is not None and self._timeline.frozen else self._timeline.head
        label = self._window.ask_choice("Annotate", "What is it?", LABELS)
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
        path = self._window.ask_save_path("Export events", "events.tsv", "Event tables (*.tsv)")
        if path is not None:
            self._model.event_log.export(path, self._model.state.recording_s)

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
        longer = [minutes for minutes in MUTES_MIN if 60 * minutes > self._alarm.muted_s + 1]
        if longer:
            self._alarm.mute(longer[0])
        else:
            self._alarm.unmute()

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

    def show_shortcuts(self) -> None:
        self._window.show_shortcuts()

    def choose_stream(self) -> None:
        self._window.choose_stream()

    def close(self) -> None:
        self._window.end()


def _electrodes(row: str) -> tuple[str, str]:
    """Those that a row is made of."""
    meant = derivation(row)
    return meant.electrode, meant.reference
