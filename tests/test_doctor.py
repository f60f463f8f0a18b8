"""The doctor finds this machine well, and says what to do where something is not."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pylsl
import pytest

from rtbci import doctor


def test_a_machine_on_which_streams_are_found_has_no_problem_with_lsl() -> None:
    findings = [*doctor.check_liblsl(), *doctor.check_network()]
    assert [(f.name, f.level) for f in findings] == [("liblsl", "ok"), ("discovery", "ok"), ("transport", "ok")]
    assert "lsl_api.cfg" in findings[0].text


def test_the_clock_of_each_stream_is_measured() -> None:
    outlet = pylsl.StreamOutlet(pylsl.StreamInfo("a clock", "EEG", 1, 100, "float32", "clock-1"))
    (finding,) = [f for f in doctor.check_streams() if "a clock" in f.text]
    assert finding.level == "ok"
    assert "ms from ours" in finding.text
    del outlet


def test_a_configuration_that_is_not_there_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LSLAPICFG", "/nowhere/lsl_api.cfg")
    found = {f.name: f for f in doctor.check_liblsl()}
    assert found["LSLAPICFG"].level == "problem"
    assert found["LSLAPICFG"].todo


def test_missing_qt_libraries_are_named_with_their_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    missing = ["libxcb-cursor.so.0", "libEGL.so.1", "libnew.so.7"]
    monkeypatch.setattr(doctor, "missing_libraries", lambda _: missing)
    (finding,) = doctor.check_qt()
    assert finding.level == "problem"
    assert "libxcb-cursor.so.0" in finding.text
    assert finding.todo == "sudo apt install libegl1 libnew.so.7 libxcb-cursor0"


def test_what_the_linker_does_not_find_is_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ldd = tmp_path / "ldd"
    ldd.write_text("#!/bin/sh\necho '  libxcb-cursor.so.0 => not found'\necho '  libc.so.6 => /lib/libc.so.6 (0x1)'\n")
    ldd.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda _: str(ldd))
    assert doctor.missing_libraries(tmp_path) == ["libxcb-cursor.so.0"]


def test_a_full_disk_is_a_problem_and_a_low_one_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(".")
    levels = []
    for free in (1 << 20, 1 << 30, 1 << 40):
        monkeypatch.setattr(shutil, "disk_usage", lambda _, free=free: usage._replace(free=free))
        levels += [f.level for f in doctor.check_disk()]
    assert levels == ["problem", "warning", "ok"]


def test_the_report_is_one_json_object_and_its_code_says_whether_there_is_a_problem() -> None:
    code = "import sys; from rtbci.doctor import doctor_report; sys.exit(doctor_report(True))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    report = json.loads(done.stdout)
    assert done.returncode == (report["problems"] > 0)
    assert {"liblsl", "discovery", "torch", "GPU", "Qt", "LabRecorder", "disk"} <= {
        f["name"] for f in report["findings"]
    }
    assert {f["level"] for f in report["findings"]} <= {"ok", "warning", "problem"}
    assert all(f["todo"] for f in report["findings"] if f["level"] != "ok")
    assert "machine" in report
