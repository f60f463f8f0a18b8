"""The doctor finds this machine well, and says what to do where something is not."""

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pylsl
import pytest
from hostile_stream import PORTS
from network import Network
from network import network as a_network

from rtbci.doctor import machine, network
from rtbci.lsl import config as lsl_config


def test_a_machine_on_which_streams_are_found_has_no_problem_with_lsl() -> None:
    findings = [*network.check_liblsl(), *network.check_discovery()]
    assert [(f.name, f.level) for f in findings] == [("liblsl", "ok"), ("discovery", "ok"), ("transport", "ok")]
    assert "lsl_api.cfg" in findings[0].text


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration of liblsl of which the doctor alone is told."""
    path = tmp_path / "lsl_api.cfg"
    path.write_text("[log]\nlevel = -3\n")
    monkeypatch.setattr(lsl_config, "user_config_path", lambda: path)
    return path


@pytest.mark.parametrize(("n_taken", "level"), [(0, "ok"), (3, "warning"), (4, "problem")])
def test_ports_that_are_taken_are_counted(n_taken: int, level: str, config: Path) -> None:
    with ExitStack() as held:
        first = PORTS[-4]  # nobody else takes ports of ours
        taken = held.enter_context(socket.create_server(("", first)))
        for port in range(first + 1, first + n_taken):
            udp = held.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            udp.bind(("", port))
        if not n_taken:
            taken.close()
        config.write_text(f"[ports]\nbaseport = {first}\nPortRange=4\n")
        (finding,) = network.check_ports()
    assert (finding.level, finding.text.split(" are")[0]) == (level, f"{4 - n_taken} of 4")
    assert bool(finding.todo) == (level != "ok")


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[Network]:
    yield from a_network(tmp_path)


def test_multicast_that_comes_back_on_a_cable_and_a_machine_without_one(hosts: Network, tmp_path: Path) -> None:
    config = tmp_path / "plain.cfg"
    config.write_text("[log]\nlevel = -3\n")
    code = "from rtbci.doctor.network import check_multicast as c; print([(f.level, f.text[:15]) for f in c()])"

    def said() -> str:
        command = ["ip", "netns", "exec", hosts.names[0], sys.executable, "-c", code]
        environment = os.environ | {"LSLAPICFG": str(config)}
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60).stdout

    assert said().strip() == "[('ok', 'comes back on r')]"
    with hosts.unplugged(0):
        assert said().strip() == "[('warning', 'no network but ')]"


def test_multicast_that_is_not_heard_and_one_that_is_turned_off(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "_interfaces", lambda: [("eth7", "192.0.2.77")])  # no address of this machine's
    (finding,) = network.check_multicast()
    assert finding.level == "warning"
    assert "does not come back on eth7" in finding.text
    assert "KnownPeers" in finding.todo
    for text in ("[multicast]\nAddressesOverride = {}\n", "[multicast]\nResolveScope = machine\n"):
        config.write_text(text)
        (finding,) = network.check_multicast()
        assert finding.level == "ok"


def test_the_clock_of_each_stream_is_measured() -> None:
    outlet = pylsl.StreamOutlet(pylsl.StreamInfo("a clock", "EEG", 1, 100, "float32", "clock-1"))
    (finding,) = [f for f in network.check_streams() if "a clock" in f.text]
    assert finding.level == "ok"
    assert "ms from ours" in finding.text
    del outlet


def test_a_configuration_that_is_not_there_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LSLAPICFG", "/nowhere/lsl_api.cfg")
    found = {f.name: f for f in network.check_liblsl()}
    assert found["LSLAPICFG"].level == "problem"
    assert found["LSLAPICFG"].todo


def test_missing_qt_libraries_are_named_with_their_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    missing = ["libxcb-cursor.so.0", "libEGL.so.1", "libnew.so.7"]
    monkeypatch.setattr(machine, "missing_libraries", lambda _: missing)
    (finding,) = machine.check_qt()
    assert finding.level == "problem"
    assert "libxcb-cursor.so.0" in finding.text
    assert finding.todo == "sudo apt install libegl1 libnew.so.7 libxcb-cursor0"


def test_what_the_linker_does_not_find_is_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ldd = tmp_path / "ldd"
    ldd.write_text("#!/bin/sh\necho '  libxcb-cursor.so.0 => not found'\necho '  libc.so.6 => /lib/libc.so.6 (0x1)'\n")
    ldd.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda _: str(ldd))
    assert machine.missing_libraries(tmp_path) == ["libxcb-cursor.so.0"]


def test_a_full_disk_is_a_problem_and_a_low_one_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(".")
    levels = []
    for free in (1 << 20, 1 << 30, 1 << 40):
        monkeypatch.setattr(shutil, "disk_usage", lambda _, free=free: usage._replace(free=free))
        levels += [f.level for f in machine.check_disk()]
    assert levels == ["problem", "warning", "ok"]


def test_the_report_is_one_json_object_and_its_code_says_whether_there_is_a_problem() -> None:
    code = "import sys; from rtbci.cli.doctor import doctor_report; sys.exit(doctor_report(True))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    report = json.loads(done.stdout)
    assert done.returncode == (report["problems"] > 0)
    assert {"liblsl", "ports", "multicast", "discovery", "torch", "GPU", "Qt", "LabRecorder", "disk"} <= {
        f["name"] for f in report["findings"]
    }
    assert {f["level"] for f in report["findings"]} <= {"ok", "warning", "problem"}
    assert all(f["todo"] for f in report["findings"] if f["level"] != "ok")
    assert "machine" in report
