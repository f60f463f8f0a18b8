"""The dashboard's model without a window, a display or Qt."""

from __future__ import annotations

import gc
import subprocess
import sys
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest

from rtbci.bench.synthetic_monitor import SyntheticMonitor
from rtbci.dashboard.model import commands
from rtbci.dashboard.model.changes import Changes
from rtbci.dashboard.model.commands import CommandSender
from rtbci.dashboard.model.dashboard_model import DashboardModel
from rtbci.dashboard.model.feed import Feed
from rtbci.dashboard.model.timeline import Timeline
from rtbci.monitor.messages import Annotate, Command, Review, SetThreshold

WITHOUT_QT = """
import importlib, pkgutil, sys
sys.modules["PyQt6"] = sys.modules["pyqtgraph"] = None  # whoever imports them fails
import rtbci.dashboard.model as room
for module in pkgutil.iter_modules(room.__path__):
    importlib.import_module(f"{room.__name__}.{module.name}")
"""


class Port:
    """Keeps what is sent."""

    def __init__(self) -> None:
        self.sent: list[Command] = []
        self.closed = False

    def send(self, what: Command) -> None:
        self.sent.append(what)

    def flush(self) -> None:
        """Nothing is ever left over."""

    def close(self) -> None:
        self.closed = True


class View:
    """Counts how often its model changed."""

    def __init__(self) -> None:
        self.changes = 0

    def update(self) -> None:
        self.changes += 1


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[SyntheticMonitor]:
    made = SyntheticMonitor(tmp_path, 8, start=1000.0)
    yield made
    made.close()


def watching(fake: SyntheticMonitor, port: Port | None = None) -> DashboardModel:
    model = DashboardModel()
    model.watch(Feed(fake.writer.folder), port)
    return model


def look(model: DashboardModel) -> None:
    assert model.feed is not None
    model.feed._status_due = 0.0
    model.advance()


def test_the_model_is_imported_where_there_is_no_qt() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT_QT], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


# -- the observer -------------------------------------------------------------------------------------------------


def test_subscribers_are_called_in_order_with_what_changed() -> None:
    changes: Changes[[int]] = Changes()
    called: list[tuple[str, int]] = []
    changes.subscribe(lambda row: called.append(("first", row)))
    changes.subscribe(lambda row: called.append(("second", row)))
    changes.notify(3)
    assert called == [("first", 3), ("second", 3)]


def test_a_closed_view_is_neither_called_nor_kept_alive() -> None:
    timeline = Timeline()
    kept, closed = View(), View()
    for view in (kept, closed):
        timeline.changed.subscribe(view.update)
    timeline.set_page(20.0)
    assert (kept.changes, closed.changes) == (1, 1)
    gone = weakref.ref(closed)
    del view, closed
    gc.collect()
    assert gone() is None
    timeline.set_page(30.0)
    assert kept.changes == 2


def test_a_subscriber_may_subscribe_another_while_it_is_called() -> None:
    changes: Changes[[]] = Changes()
    called: list[str] = []
    changes.subscribe(lambda: changes.subscribe(lambda: called.append("late")))
    changes.notify()
    assert called == []
    changes.notify()
    assert called == ["late"]


# -- the model ----------------------------------------------------------------------------------------------------


def test_a_frame_moves_the_page_on_and_fills_the_event_log(fake: SyntheticMonitor) -> None:
    model = watching(fake)
    lines: list[str] = []
    model.logged.subscribe(lambda line: lines.append(line.kind))
    fake.advance(4.0)
    model.advance()
    assert model.timeline.head == pytest.approx(4.0 - 1 / 256)
    fake.onset(2.0)
    fake.publish()
    look(model)
    assert lines == ["onset"]
    assert model.alarms.text == "!! SEIZURE 2 s so far, peak 0.80"
    assert [(e.duration, e.peak) for e in model.event_log.entries] == [(2.0, 0.8)]
    fake.event(2.0, 1.5)
    fake.publish()
    look(model)
    assert model.alarms.text.startswith("!! SEIZURE 1.5 s, peak 0.93 · over, unacknowledged since ")
    assert [(e.onset, e.duration) for e in model.event_log.entries] == [(2.0, 1.5)]


def test_a_stream_that_begins_anew_begins_a_new_page(fake: SyntheticMonitor) -> None:
    model = watching(fake)
    began, views = [], []
    model.began.subscribe(lambda: began.append(True))
    model.view_changed.subscribe(lambda: views.append(model.as_model))
    fake.advance(1.0)
    model.advance()
    assert (len(began), views) == (1, [False])
    model.set_as_model(True)
    assert views == [False, True]


def test_an_engine_that_is_watched_in_place_of_another_gets_the_commands(fake: SyntheticMonitor) -> None:
    first, second = Port(), Port()
    model = watching(fake, first)
    model.watch(Feed(fake.writer.folder), second)
    model.commands.review("seizure", 2.0, "confirmed", "")
    assert first.closed
    assert first.sent == []
    assert second.sent == [Review(label="seizure", onset=2.0, verdict="confirmed", note="")]


def test_an_annotation_is_of_the_moment_on_the_axis(fake: SyntheticMonitor) -> None:
    port = Port()
    model = watching(fake, port)
    fake.advance(4.0)
    model.advance()
    model.annotate("eyes closed", 3.0)
    (sent,) = port.sent
    assert isinstance(sent, Annotate)
    assert (sent.label, sent.onset, sent.duration) == ("eyes closed", 3.0, 0.0)
    assert sent.stamp == pytest.approx(1003.0, abs=1e-6)


def test_a_threshold_that_changes_fast_is_sent_ten_times_a_second_and_its_last_value_always(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 50.0
    monkeypatch.setattr(commands.time, "monotonic", lambda: now)
    port = Port()
    sender = CommandSender(port)
    for step in range(15):
        sender.set_threshold(step / 100)
        now += 1 / 32
    now += 0.1
    sender.flush()
    sender.flush()
    assert port.sent == [SetThreshold(value=value) for value in (0.0, 0.04, 0.08, 0.12, 0.14)]
