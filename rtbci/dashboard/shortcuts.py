"""Every key and the action that it calls: the one table that shortcuts, tool tips and the help are made from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Shortcut:
    """Keys for one action.

    Parameters
    ----------
    keys
        As Qt writes them; any of them will do.
    action
        The name of a method of `rtbci.dashboard.actions.Actions`.
    text
        What it does, for tool tips and the help.
    group
        Its heading in the help.
    repeats
        A key that is held down calls it again and again.
    """

    keys: tuple[str, ...]
    action: str
    text: str
    group: str
    repeats: bool = False


SHORTCUTS = (
    Shortcut(("Space",), "toggle_freeze", "freeze, and go on live", "Time"),
    Shortcut(("Left",), "scroll_back", "scroll back", "Time", True),
    Shortcut(("Right",), "scroll_on", "scroll on, up to now", "Time", True),
    Shortcut(("PgUp",), "page_back", "a page back", "Time", True),
    Shortcut(("PgDown",), "page_on", "a page on", "Time", True),
    Shortcut(("Home",), "go_oldest", "the oldest data kept", "Time"),
    Shortcut(("End",), "go_live", "live", "Time"),
    Shortcut(("[",), "page_shorter", "shorter page", "Time"),
    Shortcut(("]",), "page_longer", "longer page", "Time"),
    Shortcut(("S",), "toggle_sweep", "sweep or scroll", "Time"),
    Shortcut(("Up", "+", "="), "larger", "larger traces", "Traces", True),
    Shortcut(("Down", "-"), "smaller", "smaller traces", "Traces", True),
    Shortcut(("Shift+Up",), "row_larger", "larger, the chosen channel alone", "Traces", True),
    Shortcut(("Shift+Down",), "row_smaller", "smaller, the chosen channel alone", "Traces", True),
    Shortcut(("F",), "fit", "fit this page to the lanes", "Traces"),
    Shortcut(("Shift+F",), "auto_sensitivity", "sensitivity: auto", "Traces"),
    Shortcut(("0",), "reset_row_sensitivity", "all channels of a kind alike", "Traces"),
    Shortcut(("M",), "next_montage", "next montage", "Traces"),
    Shortcut(("Shift+M",), "edit_montage", "a montage of your own", "Traces"),
    Shortcut(("R",), "toggle_source", "raw, or as the model sees it", "Traces"),
    Shortcut(("B",), "toggle_butterfly", "butterfly", "Traces"),
    Shortcut(("Shift++",), "kind_larger", "larger, all of the chosen channel's kind", "Traces", True),
    Shortcut(("Shift+-", "_"), "kind_smaller", "smaller, all of the chosen channel's kind", "Traces", True),
    Shortcut(("Ctrl+L",), "next_low_cut", "low cut for the eye: the next", "Filters"),
    Shortcut(("Ctrl+H",), "next_high_cut", "high cut for the eye: the next", "Filters"),
    Shortcut(("Ctrl+N",), "next_notch", "notch for the eye: 50, 60 Hz, none", "Filters"),
    Shortcut(("Ctrl+F",), "filters_off", "no filter for the eye", "Filters"),
    Shortcut(("1",), "put_cursor_1", "cursor 1 under the hand", "Measure"),
    Shortcut(("2",), "put_cursor_2", "cursor 2 under the hand", "Measure"),
    Shortcut(("Alt+Left",), "cursor_left", "move the cursor put last", "Measure", True),
    Shortcut(("Alt+Right",), "cursor_right", "move it on", "Measure", True),
    Shortcut(("Alt+Shift+Left",), "cursor_sample_left", "by one sample", "Measure", True),
    Shortcut(("Alt+Shift+Right",), "cursor_sample_right", "by one sample on", "Measure", True),
    Shortcut(("3",), "choose_between", "measure between the cursors", "Measure"),
    Shortcut(("Shift+A",), "annotate_stretch", "annotate the stretch", "Measure"),
    Shortcut(("Shift+E",), "export_stretch", "the stretch, or the page, as EDF+", "Measure"),
    Shortcut(("4",), "show_stretch", "the stretch fills the page", "Measure"),
    Shortcut(("Esc",), "clear_cursors", "no cursors, no stretch", "Measure"),
    Shortcut(("Ctrl+Down",), "next_row", "choose the next channel", "Channels", True),
    Shortcut(("Ctrl+Up",), "previous_row", "choose the channel before", "Channels", True),
    Shortcut(("O",), "toggle_solo", "the chosen channel alone", "Channels"),
    Shortcut(("H",), "hide_row", "hide the chosen channel", "Channels"),
    Shortcut(("Shift+H",), "show_all_rows", "show all channels", "Channels"),
    Shortcut(("V",), "choose_rows", "choose which are shown", "Channels"),
    Shortcut(("W",), "use_as_reference", "the chosen channel as reference", "Channels"),
    Shortcut(("Ctrl+PgDown",), "rows_down", "the next page of channels", "Channels", True),
    Shortcut(("Ctrl+PgUp",), "rows_up", "the page of channels before", "Channels", True),
    Shortcut(("}",), "more_rows", "more channels a page", "Channels"),
    Shortcut(("{",), "fewer_rows", "fewer channels a page", "Channels"),
    Shortcut(("A",), "annotate", "annotate this moment", "Events"),
    Shortcut((".",), "older_event", "go to the event before", "Events", True),
    Shortcut((",",), "newer_event", "go to the next event", "Events", True),
    Shortcut(("C",), "confirm_event", "confirm it", "Events"),
    Shortcut(("X",), "reject_event", "reject it", "Events"),
    Shortcut(("N",), "note_event", "add a note to it", "Events"),
    Shortcut(("Ctrl+E",), "export_events", "export the table", "Events"),
    Shortcut(("Ctrl+Shift+Up",), "threshold_up", "raise the threshold", "Events", True),
    Shortcut(("Ctrl+Shift+Down",), "threshold_down", "lower the threshold", "Events", True),
    Shortcut(("Ctrl+Z",), "undo_threshold", "take a change of the threshold back (10 s)", "Events"),
    Shortcut(("K",), "replay_toggle", "pause a replay, and go on", "Replay"),
    Shortcut(("J",), "replay_back", "10 s back", "Replay", True),
    Shortcut(("L",), "replay_on", "10 s on", "Replay", True),
    Shortcut(("Shift+J",), "replay_far_back", "a minute back", "Replay", True),
    Shortcut(("Shift+L",), "replay_far_on", "a minute on", "Replay", True),
    Shortcut((">",), "replay_faster", "faster", "Replay"),
    Shortcut(("<",), "replay_slower", "slower", "Replay"),
    Shortcut(("Ctrl+S",), "export_page", "the page as PDF, PNG or SVG", "Window"),
    Shortcut(("Ctrl+P",), "print_page", "print the page", "Window"),
    Shortcut(("G",), "acknowledge", "acknowledge the alarms", "Alarms"),
    Shortcut(("Shift+G",), "acknowledge_as", "acknowledge them by another name", "Alarms"),
    Shortcut(("U",), "toggle_mute", "pause their sound: 2, 5, 15, 60 min, no more", "Alarms"),
    Shortcut(("D",), "toggle_theme", "dark or light", "Window"),
    Shortcut(("P",), "toggle_sidebar", "show or hide the panels", "Window"),
    Shortcut(("T",), "toggle_trends", "show or hide the trends of the last day", "Window"),
    Shortcut(("F11",), "toggle_full_screen", "full screen", "Window"),
    Shortcut(("Ctrl+O",), "choose_stream", "choose stream and pipeline", "Window"),
    Shortcut(("F9",), "session_menu", "the session: recording, unit, end …", "Window"),
    Shortcut(("Ctrl++", "Ctrl+="), "text_larger", "larger text", "Window"),
    Shortcut(("Ctrl+-",), "text_smaller", "smaller text", "Window"),
    Shortcut(("F10",), "show_menu", "all actions as a menu", "Window"),
    Shortcut(("?", "F1"), "show_shortcuts", "this help", "Window"),
    Shortcut(("Ctrl+Q",), "close", "close the window", "Window"),
)


def hint(action: str) -> str:
    """What an action does and its first key, for a button's tool tip: "freeze, and go on live (Space)"."""
    shortcut = next(s for s in SHORTCUTS if s.action == action)
    return f"{shortcut.text} ({key_text(shortcut.keys[0])})"


def key_text(key: str) -> str:
    """A key as it is shown: "Shift+Up" is "Shift+↑"."""
    arrows = {"Left": "←", "Right": "→", "Up": "↑", "Down": "↓", "PgDown": "PgDn"}
    return "+".join(arrows.get(part, part) for part in key.split("+")) if len(key) > 1 else key
