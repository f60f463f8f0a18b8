"""The engine's alarms in the window: the top line, the button that acknowledges, the sound and its pause."""

from __future__ import annotations

from PyQt6.QtGui import QColor

from rtbci.dashboard.alarm import Alarm
from rtbci.dashboard.model.alarm_view import AlarmView, Sound
from rtbci.dashboard.model.dashboard_model import DashboardModel
from rtbci.dashboard.panels.header import Header
from rtbci.monitor.describe_alerts import pause_text, running_text


class AlarmDisplay:
    """Shows what the engine's state says of alarms, and what else is wrong."""

    def __init__(self, model: DashboardModel, header: Header, alarm: Alarm) -> None:
        self._model, self._header, self._alarm = model, header, alarm

    def show(self, *, alive: bool) -> None:
        """alive: the engine answers. Alarms of one that has ended stay in sight; nobody can acknowledge them there."""
        model, header, alarms = self._model, self._header, self._model.alarms
        unwritten = model.unwritten_text if alive else ""
        is_wrong = bool(unwritten) or (alive and model.is_old)
        sound = max(alarms.sound, Sound.ON if is_wrong else Sound.NONE)
        self._alarm.set_sound(sound if alive else Sound.NONE)
        if alive:
            self._alarm.follow_pause(model.state.sound_paused_s)
        header.pause = pause_text(self._alarm.muted_s)
        header.alarm = "   ".join(filter(None, (alarms.text, unwritten)))
        header.is_latched = bool(alarms.waiting) and not (alarms.is_on or is_wrong or header.fact.wrong)
        header.decision = self._decision(alarms)
        header.show_waiting(bool(alarms.waiting) and alive)

    def _decision(self, alarms: AlarmView) -> tuple[str, QColor] | None:
        """What is on and does not ring: it was acknowledged, or is of a class that rings no alarm, in its colour."""
        theme, feed = self._header.theme, self._model.feed
        if alarms.seen_text:
            return alarms.seen_text, theme.colour("bad")
        classes = feed.layout.classes if feed is not None and feed.layout is not None else ()
        if not alarms.decisions or alarms.decisions[-1].label not in classes:
            return None
        text = "   ".join(map(running_text, alarms.decisions))
        return text, theme.of_class(classes.index(alarms.decisions[-1].label))
