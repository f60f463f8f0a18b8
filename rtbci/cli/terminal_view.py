"""The terminal view: stream, rate, staleness, latency, the probability as a moving bar, and the events."""

from __future__ import annotations

from collections import deque

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from rtbci.monitor.describe import describe
from rtbci.monitor.describe_alerts import alert_text, pause_text, running_text
from rtbci.monitor.messages import EngineState, LogLine
from rtbci.text import tenths_text

_BLOCKS = " ▁▂▃▄▅▆▇█"
_STYLES = {
    "running": "bold green",
    "waiting": "bold yellow",
    "paused": "bold yellow",
    "stale": "bold red",
    "lost": "bold red",
}
_NOTE_STYLES = {"alert": "red", "alarm": "bold red", "onset": "bold", "event": "bold"} | dict.fromkeys(
    ("lost", "stale", "gap", "warning"), "yellow"
)
_ALERT_STYLES = {"on": "bold white on red", "latched": "bold red", "ack": "yellow"}


class TerminalView:
    """Lays out the engine's state and log as a rich renderable."""

    def __init__(self, title: str, history: int = 60) -> None:
        self._title = title
        self._trace: deque[float] = deque(maxlen=history)
        self._happened: deque[Text] = deque(maxlen=8)

    def note(self, line: LogLine) -> None:
        """Add a line of the engine's log."""
        if text := describe(line):
            self._happened.append(Text(text, style=_NOTE_STYLES.get(line.kind, "dim")))

    def render(self, state: EngineState) -> RenderableType:
        """The view of a state."""
        happened = Group(*self._happened) if self._happened else Text("nothing yet", style="dim")
        return Panel(
            Group(self._facts(state), *_warnings(state), Text(), self._bars(state), Text(), happened),
            title=Text(self._title),
            title_align="left",
        )

    def _facts(self, state: EngineState) -> Table:
        table = Table.grid(padding=(0, 2))
        for _ in range(4):
            table.add_column(no_wrap=True)
        style = _STYLES.get(state.state, "bold")
        table.add_row("state", Text(_sentence(state), style=style), "pipeline", state.pipeline or "…")
        if stream := state.stream:
            latency, samples = state.latency_ms, state.samples
            speed = "" if stream.speed == 1 else f"  × {stream.speed:g}" if stream.speed else "  unpaced"
            table.add_row(
                "stream", f"{stream.name}  ({stream.channels} ch, {stream.sfreq:g} Hz{speed})",
                "rate", f"{state.rate_hz or 0:.1f} Hz{_by_stamps(state)}",
            )  # fmt: skip
            table.add_row(
                "latency", f"p50 {_ms(latency.p50)}   p99 {_ms(latency.p99)}   max {_ms(latency.max)}",
                "staleness", f"{state.staleness_s * 1e3:.0f} ms",
            )  # fmt: skip
            table.add_row(
                "samples", f"{samples.received} received, {samples.filled} filled, {samples.lost} lost",
                "filters", f"{state.filter_delay_s * 1e3:.0f} ms group delay",
            )  # fmt: skip
            table.add_row("time", tenths_text(state.recording_s), "device", state.device)
        return table

    def _bars(self, state: EngineState) -> RenderableType:
        if not state.probability:
            return Text("no answer yet", style="dim")
        watched = state.smoothed or state.probability
        self._trace.append(max(watched.values()))
        table = Table.grid(padding=(0, 2))
        for name, value in list(state.probability.items())[:8]:
            table.add_row(
                name, _bar(value, 30), f"{value:.3f}", f"smoothed {watched[name]:.3f}" if name in watched else ""
            )
        trace = Text()
        for value in self._trace:
            trace.append(_BLOCKS[min(8, int(value * 8.999))], style="red" if value >= state.threshold else "green")
        return Group(table, trace)


def _warnings(state: EngineState) -> list[Text]:
    """Alarms, what is on, and trust on lines of their own: as sentences they are too long for the table."""
    alarming = {alert.label for alert in state.alerts}
    rows = (
        *(("ALARM", alert_text(state, alert), _ALERT_STYLES.get(alert.presence, "red")) for alert in state.alerts),
        *(
            ("now", running_text(one), "bold cyan")
            for one in state.running
            if one.label not in alarming and not one.is_rejected
        ),
        ("keys", "g acknowledges, u pauses the sound" if state.alerts else "", "dim"),
        ("paused", pause_text(state.sound_paused_s), "bold yellow"),
        ("trust", state.trust.words if state.trust is not None else "", "bold yellow"),
        ("alarm", state.alarm, "bold red"),
    )
    return [Text(f"{name}  {text}", style=style) for name, text, style in rows if text]


def _by_stamps(state: EngineState) -> str:
    return f"  ({state.rate_by_stamps_hz:.1f} by stamps)" if state.rate_by_stamps_hz is not None else ""


def _bar(value: float, width: int) -> Text:
    full = round(value * width)
    return Text("█" * full, style="red" if value >= 0.5 else "green") + Text("░" * (width - full), style="dim")


def _ms(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f} ms"


def _sentence(state: EngineState) -> str:
    """The state as a phrase."""
    query = ", ".join(f"{key}={value}" for key, value in state.query.items())
    if state.state == "waiting":
        left = f", {max(0.0, state.wait_s - state.waiting_s):.0f} s left" if state.wait_s is not None else ""
        return f"waiting for {query} ({state.waiting_s:.0f} s{left})"
    if state.engine_silent_s is not None:
        return f"the engine has not answered for {state.engine_silent_s:.0f} s"
    if state.state == "stale" and state.silent_s < state.staleness_s / 2:
        return f"{state.staleness_s:.1f} s behind, catching up"
    if state.state in ("lost", "stale"):
        return f"no data for {state.silent_s:.1f} s, waiting for {query}"
    return state.state
