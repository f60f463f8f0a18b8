"""One synthetic patient: amplitude and spectrum of the EEG, places of the sources, frequency of artefacts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rtbci.simulation.scalp import ELECTRODES, Array, at, field, somewhere

# Field of muscles at each electrode: temporal left and right, frontal. (n_muscles, 19)
MUSCLES = np.stack([field(at("T7"), 0.45), field(at("T8"), 0.45), field(at("Fp1", "Fp2"), 0.5)])


@dataclass(frozen=True)
class Patient:
    """Parameters of a patient's EEG. All amplitudes of events scale with `amplitude_uv`; rates are per minute.

    The first sources are background; the next three alpha (left, right, middle), two rhythms of the patient's own that
    wax and wane, one focal slowing, one noise for each electrode, and the reference last.

    Attributes
    ----------
    amplitude_uv
        Standard deviation of the whole background at an electrode.
    slope
        Exponent of the background's 1/f power spectrum.
    alpha_hz, alpha_width_hz
        Centre and width of the alpha rhythm.
    rhythms_hz
        (2, 2), centre and width of the other rhythms.
    shares
        Standard deviation of each source in µV.
    mixing
        (n_sources, 19), from sources to electrodes.
    n_background
        Number of background sources.
    mains_hz, mains_uv
        Frequency of the mains, and its amplitude at each electrode (19,).
    spindles, bursts, blinks, tensions, pops, swings
        Rates of sleep spindles, theta bursts, blinks, muscle activity, electrode pops and cable artefacts.
    """

    amplitude_uv: float
    slope: float
    alpha_hz: float
    alpha_width_hz: float
    rhythms_hz: Array  # (2, 2): centre and width
    shares: Array  # standard deviation of each source, in µV
    mixing: Array  # (n_sources, 19)
    n_background: int
    mains_hz: float
    mains_uv: Array  # (19,)
    spindles: float
    bursts: float
    blinks: float
    tensions: float
    pops: float
    swings: float

    def spectra(self, hz: Array) -> Array:
        """Amplitude of each source by frequency: (n_freqs, n_sources); a column's squares sum to its variance."""
        f = np.maximum(hz, 0.1)
        background = np.where(hz > 0.3, f ** (-self.slope / 2), 0.0)
        alpha = np.exp(-0.5 * ((hz - self.alpha_hz) / self.alpha_width_hz) ** 2)
        rhythms = [np.exp(-0.5 * ((hz - centre) / width) ** 2) for centre, width in self.rhythms_hz]
        slowing = np.where(hz > 0.3, np.exp(-0.5 * ((hz - 1.5) / 0.8) ** 2), 0.0)
        white = np.where(hz > 0.3, 1.0, 0.0)
        kinds = (
            [background] * self.n_background
            + [alpha] * 3
            + rhythms
            + [slowing]
            + [white] * len(ELECTRODES)
            + [background]
        )
        columns = np.stack(kinds, axis=1)
        return np.asarray(self.shares * columns / np.sqrt((columns**2).sum(axis=0)))


def draw_patient(rng: np.random.Generator) -> Patient:
    """Draw a patient, awake, drowsy or in intensive care, with any amplitude."""
    n = 28
    amplitude = float(np.exp(rng.normal(np.log(18), 0.7)))
    ill = rng.random() < 0.5
    background = np.stack([field(somewhere(rng), rng.uniform(0.35, 1.2)) * rng.choice([-1, 1]) for _ in range(n)])
    background /= np.sqrt((background**2).sum(axis=0).mean())
    alpha = np.stack([field(at(*names), 0.5) for names in (("O1", "P3"), ("O2", "P4"), ("Pz",))])
    rhythms = np.stack([field(somewhere(rng), rng.uniform(0.4, 1.6)) for _ in range(2)])
    slowing = field(somewhere(rng), rng.uniform(0.4, 1.0))[None]
    # One row for each source; noise is separate for each electrode, the reference equal at all.
    mixing = np.concatenate(
        [background, alpha, rhythms, slowing, np.eye(len(ELECTRODES)), np.ones((1, len(ELECTRODES)))]
    )
    alpha_share = (rng.uniform(0, 0.3) if ill else rng.uniform(0.2, 3.5)) * amplitude
    slow_share = rng.uniform(0, 2.0) * amplitude * (rng.random() < (0.5 if ill else 0.15))
    shares = np.concatenate(
        [
            np.full(n, amplitude),
            np.full(3, alpha_share),
            rng.uniform(0.3, 2.5, 2) * (rng.random(2) < 0.5) * amplitude,
            [slow_share],
            rng.uniform(0.2, 1.0, len(ELECTRODES)) * rng.uniform(0.3, 2.0),
            [amplitude * rng.uniform(0, 1)],
        ]
    )
    return Patient(
        amplitude_uv=amplitude,
        slope=rng.uniform(1.4, 3.0) if ill else rng.uniform(1.0, 2.0),
        alpha_hz=rng.uniform(7.5, 11.5),
        alpha_width_hz=rng.uniform(0.3, 1.0),
        rhythms_hz=np.stack([rng.uniform(3, 15, 2), rng.uniform(0.3, 1.5, 2)], axis=1),
        shares=shares,
        mixing=mixing,
        n_background=n,
        mains_hz=float(rng.choice([50, 60])),
        mains_uv=np.exp(rng.normal(0.5, 1.2)) * rng.uniform(-1, 1, len(ELECTRODES)),
        spindles=float(rng.choice([0.0, 0.0, rng.uniform(2, 20)])),
        bursts=float(rng.choice([0.0, rng.uniform(0.5, 4)])),
        blinks=0.0 if ill and rng.random() < 0.7 else rng.uniform(0, 25),
        tensions=rng.uniform(0, 4),
        pops=float(rng.choice([0.0, 0.0, rng.uniform(0, 4)])),
        swings=float(rng.choice([0.0, rng.uniform(0, 10)])),
    )
