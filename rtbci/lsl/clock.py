"""The clock of a stream's host: what to add to its time stamps to have them on the local clock."""

from __future__ import annotations

import ctypes
import time
from typing import Any

import numpy as np
import pylsl.lib
from pylsl.util import TimeoutError as NotYet
from pylsl.util import handle_error

from rtbci.types import Times

_MEASURED = ctypes.CFUNCTYPE(
    ctypes.c_double,
    ctypes.c_void_p,  # inlet
    ctypes.POINTER(ctypes.c_double),  # remote time
    ctypes.POINTER(ctypes.c_double),  # uncertainty
    ctypes.c_double,  # timeout
    ctypes.POINTER(ctypes.c_int32),  # error
)(("lsl_time_correction_ex", pylsl.lib.lib))


def measure_offset(inlet: Any) -> tuple[float, float]:
    """liblsl's last measurement of a host's clock; never waits.

    Parameters
    ----------
    inlet
        A pylsl.StreamInlet.

    Returns
    -------
    offset_s : float
        Local clock minus host clock, s.
    uncertainty_s : float
        Half the round trip, the largest possible error of the offset, s; pylsl's own call does not return it.

    Raises
    ------
    pylsl.util.TimeoutError
        Before the first measurement.
    pylsl.util.LostError
        Once the connection is closed.
    """
    remote, round_trip, error = ctypes.c_double(), ctypes.c_double(), ctypes.c_int32()
    offset = _MEASURED(inlet.obj, ctypes.byref(remote), ctypes.byref(round_trip), 0.0, ctypes.byref(error))
    handle_error(error)
    return offset, round_trip.value / 2


class HostClock:
    """The offset of a host's clock, from what liblsl measures every few seconds.

    liblsl can apply the offset itself (proc_clocksync), but it waits up to 5 s for a host that does not answer, and accepts
    every measurement: the first ones after a network outage were seen to be 30 ms off, because packets were delayed on one
    of the two ways. The error of a measurement is at most half its round trip, and two quartz clocks drift apart by less
    than DRIFT, so a measurement that agrees with the present offset and is no more certain is ignored.

    Parameters
    ----------
    before
        What another inlet knows of the same host's clock.

    References
    ----------
    Time synchronization, labstreaminglayer.readthedocs.io/info/time_synchronization.html; the method is that of NTP
    (RFC 5905), with its slewing of small changes.
    """

    POLL_EVERY_S = 0.5
    DRIFT = 1e-4  # s/s
    SLEW = DRIFT  # of a grid of stamps this is far below a microsecond
    SLEW_S = 0.01  # between two stamps at most, so that a loss is a step of whole periods still
    STEP_S = 1e-3  # larger changes are made at once
    JUMP_S = 0.05  # larger changes are reported

    def __init__(self, before: HostClock | None = None) -> None:
        self.offset_s: float = before.offset_s if before else 0.0
        self.uncertainty_s: float | None = before.uncertainty_s if before else None
        self.known: bool = before.known if before else False
        self._measured_at: float = before._measured_at if before else time.monotonic()
        self._last: tuple[float, float] | None = None  # liblsl returns it again until it has measured anew
        self._due = 0.0
        self._jumped_s = 0.0
        self.applied_s: float = self.offset_s  # to the newest sample; what offset_s is on the way to
        self._newest = float("-inf")  # its stamp, by the host's clock

    @property
    def age_s(self) -> float | None:
        """Seconds since the last measurement; None if the host's clock has never answered."""
        return time.monotonic() - self._measured_at if self.uncertainty_s is not None else None

    def update(self, inlet: Any) -> None:
        """Read a new measurement, if there is one; at most twice a second once the offset is known."""
        now = time.monotonic()
        if self.known and now < self._due:
            return
        self._due = now + self.POLL_EVERY_S
        try:
            measurement = measure_offset(inlet)
        except NotYet:
            return
        if measurement != self._last:
            self._last = measurement
            self.add(*measurement, now)

    def add(self, offset_s: float, uncertainty_s: float, now: float) -> None:
        """Add a measurement, s; now: time.monotonic()."""
        step = offset_s - self.offset_s
        if self.uncertainty_s is not None:
            grown = self.uncertainty_s + self.DRIFT * (now - self._measured_at)
            if uncertainty_s > grown and abs(step) <= uncertainty_s + grown:
                offset_s, uncertainty_s = self.offset_s, grown
                step = 0.0
        if self.known and abs(step) > self.JUMP_S:
            self._jumped_s += step
        self.offset_s, self.uncertainty_s, self._measured_at, self.known = offset_s, uncertainty_s, now, True

    def assume(self, offset_s: float) -> None:
        """Set the offset of a host whose clock does not answer: its samples are taken to arrive without delay."""
        self.offset_s, self.known = offset_s, True

    def on_local_clock(self, stamps: Times) -> Times:
        """Stamps of the host's samples (n_samples,) on the local clock, s."""
        if not len(stamps):
            return stamps
        change, newest = self.offset_s - self.applied_s, self._newest
        if np.isfinite(stamps[-1]):
            self._newest = float(stamps[-1])
        if not change or abs(change) > self.STEP_S or not np.isfinite(newest):
            self.applied_s = self.offset_s
            return stamps + self.offset_s
        steps = np.nan_to_num(np.diff(stamps, prepend=newest))
        most = self.SLEW * np.cumsum(np.clip(steps, 0.0, self.SLEW_S))
        offsets: Times = self.applied_s + np.clip(change, -most, most)
        self.applied_s = float(offsets[-1])
        return stamps + offsets

    def pop_jump_s(self) -> float:
        """How far the offset has jumped since the last call, s."""
        jumped, self._jumped_s = self._jumped_s, 0.0
        return jumped
