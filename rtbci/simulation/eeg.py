"""Synthetic EEG as a source: a seeded patient with background, artefacts, seizure mimics and evolving seizures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np

from rtbci.recordings.recording import Recording
from rtbci.simulation.patient import MUSCLES, Patient, draw_patient
from rtbci.simulation.scalp import ELECTRODES, Array
from rtbci.simulation.scenario import arousals, artefacts, mimics, seizure, sleep
from rtbci.simulation.waveforms import Tension, Wave
from rtbci.types import Event, Samples, StreamInfo

BLOCK_S = 8.0  # samples are made in whole blocks, so that they do not depend on how they are read

Mimics = Literal["none", "some", "many"]


@dataclass(frozen=True)
class Script:
    """The content of a recording, by time: waves on the scalp, muscle activity, and the seizures among the waves."""

    waves: tuple[Wave, ...]
    tensions: tuple[Tension, ...]
    seizures: tuple[Event, ...]


def synthesise(
    seed: int,
    duration_s: float = 60.0,
    sfreq: float = 256.0,
    *,
    n_seizures: int = 1,
    mimics: Mimics = "some",
    with_arousals: bool = False,
    name: str = "",
) -> Recording:
    """A synthetic recording of the 19 electrodes of the 10-20 system against one reference, in µV.

    Memory does not depend on its length, and samples do not depend on how it is read.

    Parameters
    ----------
    seed
        The patient and everything that happens are drawn from it.
    duration_s
        Length in seconds.
    sfreq
        Rate in Hz, at least 100.
    n_seizures
        Number of seizures.
    mimics
        How many patterns resemble seizures: "none", "some" or "many".
    with_arousals
        Whether seven patients of ten stir in their sleep, up to four times a minute. All else is as without.
    name
        Name of the stream.

    Returns
    -------
    Recording
        Its annotations are its seizures ("seizure").

    Raises
    ------
    ValueError
        If the length or the rate is out of range.
    """
    if not (duration_s > 0 and np.isfinite(duration_s) and sfreq >= 100 and n_seizures >= 0):
        raise ValueError(f"synthetic EEG wants a length and at least 100 Hz, got {duration_s:g} s at {sfreq:g} Hz")
    rng = np.random.default_rng([seed, 0])
    patient = draw_patient(rng)
    script = write_script(rng, patient, duration_s, n_seizures, mimics)
    if with_arousals:
        waves, tensions = arousals(np.random.default_rng([seed, 2]), patient, duration_s)
        script = Script((*script.waves, *waves), (*script.tensions, *tensions), script.seizures)
    name = name or f"synthetic-{seed}"
    return Recording(
        path=Path(name),
        format="synthetic",
        info=StreamInfo(name, sfreq, ELECTRODES, ("uV",) * len(ELECTRODES)),
        n_samples=round(duration_s * sfreq),
        read=EegGenerator(seed, sfreq, patient, script),
        annotations=script.seizures,
    )


def write_script(
    rng: np.random.Generator, patient: Patient, duration_s: float, n_seizures: int, much: Mimics
) -> Script:
    """Draw the content of a recording. Seizures are spread evenly, one in each equal part of it."""
    waves: list[Wave] = []
    events = []
    for k in range(n_seizures):
        part_s = duration_s / n_seizures
        length_s = min(rng.uniform(12, 70), max(8.0, 0.8 * part_s))
        # One in ten has begun before the recording, as in a clip.
        onset = k * part_s + rng.uniform(0.05, 1.0) * max(0.0, part_s - length_s)
        if n_seizures == 1 and rng.random() < 0.1:
            onset = -0.6 * length_s
        waves += seizure(rng, patient, onset, length_s)
        start, stop = max(0.0, onset), min(duration_s, onset + length_s)
        events.append(Event(start, stop - start, "seizure"))
    swings, tensions = artefacts(rng, patient, duration_s)
    waves += swings
    if much != "none":
        more, bites = mimics(rng, patient, duration_s, often=1.0 if much == "many" else 0.4)
        waves += more + sleep(rng, patient, duration_s)
        tensions += bites
    return Script(tuple(waves), tuple(tensions), tuple(events))


class EegGenerator:
    """Computes samples of a synthetic recording: (stop - start, 19) float32."""

    def __init__(self, seed: int, sfreq: float, patient: Patient, script: Script) -> None:
        self._seed = seed
        self._sfreq = sfreq
        self._patient = patient
        self._n = round(BLOCK_S * sfreq)
        self._block_s = self._n / sfreq
        self._waves = self._by_block(script.waves)
        self._tensions = self._by_block(script.tensions)
        self._block = lru_cache(maxsize=4)(self._make_block)
        self._noise = lru_cache(maxsize=4)(self._make_noise)

    def __call__(self, start: int, stop: int) -> Samples:
        first, last = start // self._n, max(start // self._n + 1, -(-stop // self._n))
        blocks = np.concatenate([self._block(k) for k in range(first, last)])
        return blocks[start - first * self._n : stop - first * self._n]

    def _by_block(self, waves: Sequence[Wave]) -> dict[int, list[Wave]]:
        blocks: dict[int, list[Wave]] = defaultdict(list)
        for wave in waves:
            for k in range(int(max(0, wave.start) // self._block_s), int(wave.stop // self._block_s) + 1):
                blocks[k].append(wave)
        return blocks

    def _make_block(self, k: int) -> Samples:
        t = (k * self._n + np.arange(self._n)) / self._sfreq
        # Overlap-add of two segments of noise with constant power.
        fade = np.sin(0.5 * np.pi * (np.arange(self._n) + 0.5) / self._n)[:, None]
        scalp, muscle = (
            new[: self._n] * fade + old[self._n :] * fade[::-1]
            for new, old in zip(self._noise(k + 1), self._noise(k), strict=True)
        )
        for wave in self._waves.get(k, ()):
            self._add(scalp, wave, t)
        strength = np.zeros((self._n, MUSCLES.shape[0]))
        for tension in self._tensions.get(k, ()):
            self._add(strength, tension, t)
        p = self._patient
        scalp += (muscle * strength) @ MUSCLES
        scalp += p.mains_uv * np.sin(2 * np.pi * p.mains_hz * t)[:, None]
        return scalp.astype(np.float32)

    def _add(self, total: Array, wave: Wave, t: Array) -> None:
        # The same limits at all electrodes, whatever their lag: a rhythm's ends are ramps.
        first, last = np.searchsorted(t, [wave.start, wave.stop])
        if last > first:
            total[first:last] += wave.at(t[first:last])

    def _make_noise(self, k: int) -> tuple[Array, Array]:
        """Segment k, two blocks long: brain activity (2 n, 19) and muscle activity (2 n, n_muscles)."""
        rng = np.random.default_rng([self._seed, 1, k])
        hz: Array = np.fft.rfftfreq(2 * self._n, 1 / self._sfreq).astype(np.float64)
        sources = _coloured(rng, self._patient.spectra(hz))  # (2 n, n_sources)
        muscle = _coloured(rng, np.repeat(_muscle_spectrum(hz), len(MUSCLES), axis=1))
        return sources @ self._patient.mixing, muscle


def _muscle_spectrum(hz: Array) -> Array:
    """(n_freqs, 1): flat above 20 Hz, of power 1."""
    power = 1 / (1 + (20 / np.maximum(hz, 0.1)) ** 4)
    return np.asarray(np.sqrt(power / power.sum())[:, None])


def _coloured(rng: np.random.Generator, amplitude: Array) -> Array:
    """Gaussian noise with a given spectrum; a column whose squares sum to 1 has a standard deviation of 1.

    amplitude: (n_freqs, n) -> (2 (n_freqs - 1), n).
    """
    n = 2 * (len(amplitude) - 1)
    spectrum = amplitude * rng.standard_normal((*amplitude.shape, 2)).view(np.complex128)[..., 0]
    return np.asarray(np.fft.irfft(spectrum, n, axis=0) * n / 2)
