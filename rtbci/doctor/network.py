"""Checks of LSL on this machine and towards others."""

from __future__ import annotations

import os
import socket
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from rtbci.doctor.machine import Finding
from rtbci.errors import StreamMismatch
from rtbci.lsl.config import user_config_path, user_setting

FOUND_WITHIN_S = 2.0
CLOCK_WITHIN_S = 3.0
UNSURE_S = 0.01  # uncertainty of a clock that is worth a warning
RETURNS_WITHIN_S = 0.5
GROUP = "239.255.172.215"  # of liblsl, in the scope "site", its default


def check_liblsl() -> Iterable[Finding]:
    """The library, and the configuration file that it reads."""
    try:
        import pylsl

        version = pylsl.library_version()
    except Exception as error:  # pylsl raises various errors if its library is missing
        yield Finding("liblsl", "problem", f"cannot be loaded: {error}", "pip install --force-reinstall pylsl")
        return
    config = user_config_path()
    yield Finding("liblsl", "ok", f"{version // 100}.{version % 100}, configuration: {config or 'its own defaults'}")
    named = os.environ.get("LSLAPICFG")
    if named and not Path(named).is_file():
        yield Finding("LSLAPICFG", "problem", f"names {named}, which is not there", "correct the variable or unset it")


def check_ports() -> Iterable[Finding]:
    """Ports for outlets: each takes one of a range; without a free one it is found by multicast only, or not at all."""
    first, n = int(user_setting("BasePort", "16572")), int(user_setting("PortRange", "32"))
    free = sum(_is_free(port) for port in range(first, first + n))
    text = f"{free} of {n} are free (UDP and TCP {first} to {first + n - 1})"
    todo = (
        f"end programs that hold streams, or allow more: [ports] PortRange = {4 * n} in lsl_api.cfg, on every machine"
    )
    if free == 0:
        yield Finding("ports", "problem", text, todo)
    else:
        yield Finding("ports", "warning" if free <= n // 4 else "ok", text, todo if free <= n // 4 else "")


def _is_free(port: int) -> bool:
    try:
        for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
            with socket.socket(socket.AF_INET, kind) as tried:
                tried.bind(("", port))
    except OSError:
        return False
    return True


def check_multicast() -> Iterable[Finding]:
    """Multicast on each interface, by loopback: what a switch does with it cannot be seen from here."""
    if not user_setting("AddressesOverride", "as liblsl has them").strip("{} "):
        yield Finding("multicast", "ok", "turned off by your lsl_api.cfg: only its KnownPeers are queried")
        return
    if user_setting("ResolveScope", "site") == "machine":
        yield Finding("multicast", "ok", "kept on this machine by your lsl_api.cfg (ResolveScope = machine)")
        return
    todo = (
        "allow UDP 16571-16604 in the firewall, or name the amplifier's host in lsl_api.cfg: [lab] KnownPeers = {HOST}"
    )
    interfaces = list(_interfaces())
    if not interfaces:
        text = "no network but the loopback is up: only streams of this machine can be found"
        yield Finding("multicast", "warning", text, "plug in the cable or join the network that the amplifier is on")
    for name, address in interfaces:
        if _comes_back(address):
            yield Finding("multicast", "ok", f"comes back on {name} ({address})")
        else:
            text = f"does not come back on {name} ({address}); streams behind it will not be found"
            yield Finding("multicast", "warning", text, todo)


def _interfaces() -> Iterator[tuple[str, str]]:
    """Name and IPv4 address of each interface that is up, without the loopback."""
    states = psutil.net_if_stats()
    for name, addresses in psutil.net_if_addrs().items():
        for address in addresses:
            if address.family == socket.AF_INET and states[name].isup and not address.address.startswith("127."):
                yield name, address.address


def _comes_back(address: str) -> bool:
    """Whether a packet that is sent through an interface to liblsl's group and port is received there."""
    payload, port = uuid.uuid4().bytes, int(user_setting("MulticastPort", "16571"))
    member = socket.inet_aton(GROUP) + socket.inet_aton(address)
    with (
        suppress(OSError),
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
    ):
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # every outlet listens here
        receiver.bind(("", port))
        receiver.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
        sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))
        sender.sendto(payload, (GROUP, port))
        deadline = time.monotonic() + RETURNS_WITHIN_S
        while (left := deadline - time.monotonic()) > 0:
            receiver.settimeout(left)
            if receiver.recv(2048) == payload:
                return True
    return False


def check_discovery() -> Iterable[Finding]:
    """Discovery and transport: an outlet of our own is found, and a sample arrives from it."""
    import pylsl

    source_id = f"rtbci-doctor-{uuid.uuid4().hex}"
    outlet = pylsl.StreamOutlet(pylsl.StreamInfo("rtbci-doctor", "doctor", 1, 0, "float32", source_id))
    began = time.monotonic()
    found = pylsl.resolve_byprop("source_id", source_id, 1, FOUND_WITHIN_S)
    took = time.monotonic() - began
    if not found:
        yield Finding(
            "discovery", "problem", f"a stream of this machine is not found within {FOUND_WITHIN_S:g} s",
            "allow UDP 16571-16604 in the firewall; with no multicast (VPN, container), name the peers in lsl_api.cfg: "
            "[lab] KnownPeers = {127.0.0.1, HOST}",
        )  # fmt: skip
        return
    yield Finding("discovery", "ok", f"a stream of this machine was found after {took * 1e3:.0f} ms")
    inlet = pylsl.StreamInlet(found[0], recover=False)
    try:
        inlet.open_stream(timeout=FOUND_WITHIN_S)
        outlet.push_sample([1.0])
        arrived = inlet.pull_sample(timeout=FOUND_WITHIN_S)[0] == [1.0]
    except (pylsl.util.TimeoutError, pylsl.util.LostError):
        arrived = False
    if arrived:
        yield Finding("transport", "ok", "a sample arrived")
    else:
        yield Finding("transport", "problem", "found, but no sample arrives", "allow TCP 16572-16604")


def _has_sane_sizes(stream: Any) -> bool:
    from rtbci.lsl.discovery import check_sizes

    try:
        check_sizes(stream)
    except StreamMismatch:
        return False
    return True


def check_streams() -> Iterable[Finding]:
    """The clock of each stream's host; any offset that can be measured is corrected."""
    import pylsl

    found = [s for s in pylsl.resolve_streams(1.0) if s.type() != "doctor" and _has_sane_sizes(s)]
    if not found:
        yield Finding("streams", "ok", "none on the network at present")
    for info, (offset_s, uncertainty_s) in zip(found, _clocks(found), strict=True):
        name = f"{info.name()} on {info.hostname()}"
        offset = f"{offset_s * 1e3:+.3f} ms" if abs(offset_s) < 1 else f"{offset_s:+.6f} s"
        text = f"{name}: {offset} from ours, within {uncertainty_s * 1e3:.3f} ms, corrected"
        if not np.isfinite(uncertainty_s):
            todo = "allow UDP between the two machines; without it the stamps of this stream cannot be trusted"
            yield Finding("clock", "warning", f"{name}: its clock does not answer", todo)
        elif uncertainty_s > UNSURE_S:
            todo = "use a cable instead of Wi-Fi, or a network with less traffic: stamps are as uncertain as this"
            yield Finding("clock", "warning", text, todo)
        else:
            yield Finding("clock", "ok", text)


def _clocks(found: Sequence[Any]) -> list[tuple[float, float]]:
    """(offset, uncertainty) of each stream's host, s, measured in parallel; (nan, inf) for one that does not answer."""
    import pylsl

    from rtbci.lsl.clock import measure_offset

    inlets = [pylsl.StreamInlet(info, recover=False) for info in found]
    clocks = dict.fromkeys(range(len(inlets)), (np.nan, np.inf))
    deadline = time.monotonic() + CLOCK_WITHIN_S
    while time.monotonic() < deadline and not np.isfinite([u for _, u in clocks.values()]).all():
        for k, inlet in enumerate(inlets):
            with suppress(pylsl.util.TimeoutError, pylsl.util.LostError):
                clocks[k] = measure_offset(inlet)
        time.sleep(0.02)
    return list(clocks.values())
