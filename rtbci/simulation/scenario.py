"""Events of a synthetic patient: seizures, seizure mimics and artefacts; drawn at random."""

from __future__ import annotations

import numpy as np

from rtbci.simulation.patient import MUSCLES, Patient
from rtbci.simulation.scalp import ELECTRODES, Array, at, distance, field, somewhere
from rtbci.simulation.waveforms import Bump, Pop, Rhythm, Sharp, Tension, Wave

_N = len(ELECTRODES)


def seizure(rng: np.random.Generator, patient: Patient, onset: float, duration: float) -> list[Wave]:
    """Draw a seizure: generalised spike and wave, or a focal rhythm that slows, grows and spreads."""
    if rng.random() < 0.3:
        return [_spike_and_wave(rng, patient, onset, duration)]
    place = somewhere(rng)
    hz = [(rng.uniform(4, 8), rng.uniform(2, 4)), (rng.uniform(8, 15), rng.uniform(3, 6))]
    hz += [(rng.uniform(2.5, 4), rng.uniform(1.2, 2.2)), (rng.uniform(2, 4), rng.uniform(4, 7))]
    glide = hz[rng.choice(4, p=[0.45, 0.25, 0.15, 0.15])]
    first = _evolving(rng, patient, place, onset, duration, glide)
    waves: list[Wave] = [first]
    if rng.random() < 0.5:
        # It spreads to the other side, later and at its own frequency.
        delay = rng.uniform(0.15, 0.6) * duration
        other = place * np.array([-1, 1, 1])
        slower = (glide[0] * rng.uniform(0.6, 1.0), glide[1] * rng.uniform(0.7, 1.0))
        waves.append(_evolving(rng, patient, other, onset + delay, duration - delay, slower))
    if rng.random() < 0.3:
        waves += _spikes(rng, patient, place, onset, onset + duration, rng.uniform(0.5, 2))
    return waves


def _spike_and_wave(rng: np.random.Generator, patient: Patient, onset: float, duration: float) -> Rhythm:
    start_hz = rng.uniform(3.0, 4.2)
    return Rhythm(
        onset,
        duration,
        hz=(start_hz, start_hz * rng.uniform(0.65, 0.9)),
        uv=(patient.amplitude_uv * rng.uniform(2, 6), patient.amplitude_uv * rng.uniform(3, 8)),
        gain=field(at("Fz"), rng.uniform(0.8, 1.6)) * rng.choice([-1, 1]),
        lag=distance(at("Fz")) * rng.uniform(0, 0.02),
        sharpness=rng.uniform(0.6, 1.0),
        wobble=_wobble(rng, 0.5),
        rise_s=rng.uniform(0.3, 1.5),
    )


def _evolving(
    rng: np.random.Generator, patient: Patient, place: Array, onset: float, duration: float, hz: tuple[float, float]
) -> Rhythm:
    end_uv = patient.amplitude_uv * np.exp(rng.uniform(np.log(2.0), np.log(10)))
    speed = rng.uniform(0.03, 0.3)  # of the scalp's radius per second
    return Rhythm(
        onset,
        duration,
        hz=hz,
        uv=(end_uv * rng.uniform(0.3, 0.9), end_uv),
        gain=field(place, rng.uniform(0.45, 1.1), rng.normal(0, 0.5, 3)) * rng.choice([-1, 1]),
        arrival=np.clip(distance(place) - 0.5, 0, None) / speed,
        lag=distance(place) * rng.uniform(0, 0.05),
        sharpness=rng.choice([0.0, rng.uniform(0.2, 1.0)]),
        harmonics=rng.uniform(0, 1),
        wobble=_wobble(rng, 1.5),
        rise_s=rng.uniform(0.5, 4),
    )


def _wobble(rng: np.random.Generator, depth: float) -> Array:
    rates = rng.uniform(0.05, 0.5, 4)
    return np.stack([depth * rng.uniform(0, 1, 4) * 0.15 / rates, rates, rng.uniform(0, 2 * np.pi, 4)], axis=1)


def mimics(
    rng: np.random.Generator, patient: Patient, duration_s: float, often: float
) -> tuple[list[Wave], list[Tension]]:
    """Draw patterns that an expert would not call a seizure; `often` scales the probability of each kind."""
    waves: list[Wave] = []
    tensions: list[Tension] = []
    start, stop = sorted(rng.uniform(-0.2, 1.2, 2) * duration_s)
    kind = rng.random() / often
    if kind < 0.35:
        waves += _periodic(rng, patient, start, stop)
    elif kind < 0.7:
        waves.append(_rhythmic_delta(rng, patient, start, stop))
    elif kind < 0.8:
        waves.append(_one_loose_electrode(rng, patient, start, stop))
    elif kind < 0.9:
        waves += _spikes(rng, patient, somewhere(rng), 0, duration_s, rng.uniform(0.02, 0.4))
    if rng.random() < 0.3 * often:
        tensions.append(_chewing(rng, patient, duration_s))
    return waves, tensions


def _periodic(rng: np.random.Generator, patient: Patient, start: float, stop: float) -> list[Wave]:
    """Lateralised or generalised periodic discharges, 0.4 to 2 Hz: alike, with rest between them."""
    hz = rng.uniform(0.4, 2.0)
    steps = 1 / hz * np.exp(rng.normal(0, rng.uniform(0.02, 0.2), int((stop - start) * hz) + 2))
    place, width = (somewhere(rng), rng.uniform(0.4, 0.9)) if rng.random() < 0.5 else (at("Fz"), rng.uniform(1, 2))
    gain = field(place, width, rng.normal(0, 0.4, 3)) * rng.choice([-1, 1])
    lag = distance(place) * rng.uniform(0, 0.05)
    uv, width_s = patient.amplitude_uv * np.exp(rng.uniform(np.log(2), np.log(12))), rng.uniform(0.025, 0.08)
    after = rng.uniform(0, 1.0)
    times = start + np.cumsum(steps)
    return [Sharp(float(t), uv * rng.uniform(0.75, 1.25), width_s, gain, after, lag) for t in times[times < stop]]


def _rhythmic_delta(rng: np.random.Generator, patient: Patient, start: float, stop: float) -> Rhythm:
    """Lateralised or generalised rhythmic delta, 0.7 to 2.8 Hz: blunt, without evolution."""
    hz, uv = rng.uniform(0.7, 2.8), patient.amplitude_uv * np.exp(rng.uniform(np.log(1.5), np.log(8)))
    place, width = (somewhere(rng), rng.uniform(0.4, 1.0)) if rng.random() < 0.5 else (at("Fz"), rng.uniform(0.8, 1.8))
    return Rhythm(
        start,
        max(4.0, stop - start),
        hz=(hz, hz * rng.uniform(0.93, 1.07)),
        uv=(uv, uv * rng.uniform(0.8, 1.2)),
        gain=field(place, width, rng.normal(0, 0.4, 3)),
        lag=distance(place) * rng.uniform(0, 0.08),
        harmonics=rng.uniform(0, 0.7),
        wobble=_wobble(rng, 2.5),
    )


def _one_loose_electrode(rng: np.random.Generator, patient: Patient, start: float, stop: float) -> Rhythm:
    """A rhythm at a single electrode, as from a pulse, a ventilator or patting."""
    hz, uv = rng.uniform(0.8, 7), patient.amplitude_uv * rng.uniform(2, 15)
    return Rhythm(
        start,
        max(4.0, stop - start),
        hz=(hz, hz),
        uv=(uv, uv),
        gain=np.eye(_N)[rng.integers(_N)],
        harmonics=rng.uniform(0, 1),
        wobble=_wobble(rng, 1.0),
        rise_s=0.5,
    )


def _spikes(
    rng: np.random.Generator, patient: Patient, place: Array, start: float, stop: float, hz: float
) -> list[Wave]:
    gain = field(place, rng.uniform(0.3, 0.7)) * rng.choice([-1, 1])
    uv, width_s = patient.amplitude_uv * rng.uniform(2, 8), rng.uniform(0.015, 0.04)
    times = rng.uniform(start, stop, rng.poisson(hz * (stop - start)))
    return [Sharp(float(t), uv * rng.uniform(0.5, 1.2), width_s, gain) for t in times]


def sleep(rng: np.random.Generator, patient: Patient, duration_s: float) -> list[Wave]:
    """Draw sleep patterns: frontal or central spindles, K-complexes, short theta bursts as in arousals."""
    waves: list[Wave] = []
    place = at("Fz") if rng.random() < 0.5 else at("Cz")
    hz, width, uv = rng.uniform(10, 15), rng.uniform(0.5, 1.1), patient.amplitude_uv * rng.uniform(0.7, 3)
    for time in _times(rng, patient.spindles, duration_s):
        gain, now_hz = field(place + rng.normal(0, 0.2, 3), width), hz * rng.uniform(0.93, 1.07)
        now_uv = uv * rng.uniform(0.4, 1.3)
        waves.append(
            Rhythm(time, rng.uniform(0.6, 3), (now_hz, now_hz), (now_uv, now_uv), gain, rise_s=0.3, fall_s=0.5)
        )
        if rng.random() < 0.3:
            waves.append(Bump(time, -patient.amplitude_uv * rng.uniform(2, 6), 0.15, field(at("Cz"), 0.8)))
    for time in _times(rng, patient.bursts, duration_s):
        hz, uv = rng.uniform(3, 9), patient.amplitude_uv * np.exp(rng.uniform(np.log(0.7), np.log(5)))
        gain = field(at("Fz" if rng.random() < 0.5 else "Cz"), rng.uniform(0.6, 1.8), rng.normal(0, 0.4, 3))
        waves.append(Rhythm(
            time, rng.uniform(1.5, 8), (hz, hz * rng.uniform(0.9, 1.1)), (uv, uv), gain,
            lag=rng.uniform(0, 0.04, _N), harmonics=rng.uniform(0, 0.5), wobble=_wobble(rng, 1.5), rise_s=0.7,
        ))  # fmt: skip
    return waves


def arousals(rng: np.random.Generator, patient: Patient, duration_s: float) -> tuple[list[Wave], list[Tension]]:
    """Draw arousals from sleep: a widespread rhythm of 3.5 to 8 Hz, often a slow wave before it and alpha after it, movement
    and muscle activity; it neither grows nor spreads as a seizure does."""
    waves: list[Wave] = []
    tensions: list[Tension] = []
    per_minute = rng.uniform(0.5, 4) if rng.random() < 0.7 else 0.0
    for time in _times(rng, per_minute, duration_s):
        length_s, hz = rng.uniform(4, 18), rng.uniform(3.5, 8)
        uv = patient.amplitude_uv * np.exp(rng.uniform(np.log(0.8), np.log(5)))
        place = at(rng.choice(["Fz", "Cz", "Pz"])) + rng.normal(0, 0.3, 3)
        if rng.random() < 0.6:
            uv_before = patient.amplitude_uv * rng.uniform(-6, 6)
            waves.append(Bump(time, uv_before, rng.uniform(0.15, 0.5), field(place, rng.uniform(0.8, 1.6))))
        waves.append(Rhythm(
            time + rng.uniform(0, 1), length_s, (hz, hz * rng.uniform(0.85, 1.3)), (uv, uv * rng.uniform(0.6, 1.3)),
            field(place, rng.uniform(0.8, 2.2), rng.normal(0, 0.4, 3)),
            lag=rng.uniform(0, 0.05, _N), harmonics=rng.uniform(0, 0.6), wobble=_wobble(rng, 1.5),
            rise_s=rng.uniform(0.5, 3),
        ))  # fmt: skip
        if rng.random() < 0.5:
            alpha_hz = rng.uniform(7, 11)
            gain = field(at("O1" if rng.random() < 0.5 else "Pz", "O2"), rng.uniform(0.6, 1.4))
            waves.append(Rhythm(
                time + length_s * rng.uniform(0.3, 0.9), rng.uniform(3, 12), (alpha_hz, alpha_hz), (uv / 2, uv / 2),
                gain, wobble=_wobble(rng, 1.5), rise_s=1.5,
            ))  # fmt: skip
        for _ in range(rng.poisson(2.0)):
            shape = rng.normal(0, 1, _N) * (rng.random(_N) < rng.uniform(0.2, 1))
            moved_uv = patient.amplitude_uv * rng.uniform(1, 6)
            waves.append(Bump(time + rng.uniform(0, length_s), moved_uv, rng.uniform(0.1, 0.6), shape))
        for _ in range(1 + rng.poisson(1.0)):
            strength = rng.uniform(0, 1, len(MUSCLES))
            tensions.append(Tension(time + rng.uniform(0, 6), rng.uniform(0.5, 5), rng.uniform(5, 60), strength))
    return waves, tensions


def _times(rng: np.random.Generator, per_minute: float, duration_s: float) -> list[float]:
    return [float(t) for t in rng.uniform(0, duration_s, rng.poisson(per_minute * duration_s / 60))]


def _chewing(rng: np.random.Generator, patient: Patient, duration_s: float) -> Tension:
    uv = patient.amplitude_uv * rng.uniform(1, 6) + 10
    start = rng.uniform(0, 0.8) * duration_s
    return Tension(start, rng.uniform(3, 20), uv, rng.uniform(0.2, 1, len(MUSCLES)), rng.uniform(0.8, 2.2))


def artefacts(rng: np.random.Generator, patient: Patient, duration_s: float) -> tuple[list[Wave], list[Tension]]:
    """Draw artefacts: blinks, lateral eye movements, cable movements, electrode pops, muscle activity."""

    eyes, aside = field(at("Fp1", "Fp2"), 0.45), field(at("F8"), 0.4) - field(at("F7"), 0.4)
    waves: list[Wave] = [
        Bump(t, rng.uniform(50, 250), rng.uniform(0.05, 0.1), eyes) for t in _times(rng, patient.blinks, duration_s)
    ]
    waves += [
        Bump(t, rng.uniform(-80, 80), rng.uniform(0.1, 0.5), aside) for t in _times(rng, patient.blinks / 3, duration_s)
    ]
    for t in _times(rng, patient.swings, duration_s):
        shape = rng.normal(0, 1, _N) * (rng.random(_N) < rng.uniform(0.1, 1))
        waves.append(Bump(t, patient.amplitude_uv * rng.uniform(1, 8), rng.uniform(0.1, 0.8), shape))
    for t in _times(rng, patient.pops, duration_s):
        waves.append(
            Pop(t, rng.choice([-1, 1]) * rng.uniform(50, 500), rng.uniform(0.05, 1), np.eye(_N)[rng.integers(_N)])
        )
    tense = [
        Tension(t, rng.uniform(0.3, 8), rng.uniform(3, 60), rng.uniform(0, 1, len(MUSCLES)))
        for t in _times(rng, patient.tensions, duration_s)
    ]
    return waves, tense
