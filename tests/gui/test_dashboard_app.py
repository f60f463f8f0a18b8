"""How the dashboard starts: pickers, an engine of its own, no display; and what its benchmark tells."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gui_kit  # noqa: F401
import pytest

from rtbci.bench.dashboard import bench_gui
from rtbci.dashboard import stream_picker
from rtbci.dashboard.app import has_display
from rtbci.dashboard.settings import Settings
from rtbci.dashboard.stream_picker import StreamPicker
from rtbci.dashboard.window import Window
from rtbci.lsl.discovery import FoundStream

STREAMS = [
    FoundStream("amplifier", "EEG", 32, 500.0, "float32", "lab", "acti-1", "u1"),
    FoundStream("notes", "Markers", 1, 0.0, "string", "lab", "", "u2"),
    FoundStream("nameless", "", 8, 250.0, "float32", "lab", "", "u3"),
]


@pytest.fixture
def settings(tmp_path: Path, qapp: Any) -> Settings:
    made = Settings(str(tmp_path / "settings.ini"))
    pipeline = tmp_path / "mine.rtbci"
    pipeline.touch()
    made.remember("pipelines", str(tmp_path / "gone.rtbci"))
    made.remember("pipelines", str(pipeline))
    return made


def test_the_picker_offers_streams_of_samples_and_pipelines_that_are_there(qtbot, settings, monkeypatch, tmp_path):
    monkeypatch.setattr(stream_picker, "list_streams", lambda timeout_s: STREAMS)
    picker = StreamPicker(settings)
    qtbot.addWidget(picker)
    qtbot.waitUntil(lambda: picker.streams.count() == 2, timeout=5000)
    assert picker.pipelines.item(0).text().startswith("mine")
    assert not any("gone" in picker.pipelines.item(k).text() for k in range(picker.pipelines.count()))
    picker.streams.setCurrentRow(0)
    picker.pipelines.setCurrentRow(0)
    assert picker.query == {"name": "amplifier", "type": "EEG"}
    assert picker.pipeline == str(tmp_path / "mine.rtbci")
    picker.streams.setCurrentRow(1)
    assert picker.query == {"name": "nameless"}


def test_without_a_stream_the_picker_says_what_to_do(qtbot, settings, monkeypatch):
    monkeypatch.setattr(stream_picker, "list_streams", lambda timeout_s: [])
    picker = StreamPicker(settings)
    qtbot.addWidget(picker)
    qtbot.waitUntil(lambda: "rtbci replay" in picker._hint.text(), timeout=5000)
    assert not picker._buttons.button(picker._buttons.StandardButton.Open).isEnabled()


def test_an_empty_dashboard_says_how_to_begin(qtbot, settings):
    window = Window(settings)
    qtbot.addWidget(window)
    window.show()
    for _ in range(6):
        window.tick()
    assert window.header.fact.text == "No stream chosen. Press Ctrl+O to choose one."
    window.close()


def test_a_missing_display_is_known_before_qt_is_asked(monkeypatch):
    monkeypatch.setattr("sys.platform", "linux")
    for name in ("QT_QPA_PLATFORM", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    assert not has_display()
    monkeypatch.setenv("DISPLAY", ":0")
    assert has_display()


def test_the_benchmark_measures_both_ways(qapp):
    told = bench_gui(channels=4, sfreq=100.0, page_s=5.0, seconds=0.2)
    assert (told.channels, told.sfreq, told.page_s) == (4, 100.0, 5.0)
    assert 0 < told.frame_ms.p50 <= told.frame_ms.p95
    assert 0 < told.set_data_ms.p50 <= told.set_data_ms.p95


def test_settings_come_back_as_what_they_were(tmp_path, qapp):
    path = str(tmp_path / "s.ini")
    first = Settings(path)
    for key, value in (("a", True), ("b", 2.5), ("c", "x")):
        first.set(key, value)
    first.remember("pipelines", "one")
    first.remember("pipelines", "two")
    first.save()
    again = Settings(path)
    assert (again.get("a", False), again.get("b", 0.0), again.get("c", ""), again.get("d", 7)) == (True, 2.5, "x", 7)
    assert again.recent("pipelines") == ["two", "one"]
