"""From probabilities to events: smoothing, hysteresis, minimum duration; the last stage of the path."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from pydantic import model_validator

from rtbci.config import Names, Probability, Seconds, Strict
from rtbci.recordings.vocabulary import is_seizure
from rtbci.types import Chunk, Detection, Event

QUIET_LABELS = {"background", "bckg", "rest", "non-seizure", "nonseizure", "normal"}


def watched_labels(config: DecisionConfig, classes: tuple[str, ...]) -> tuple[str, ...]:
    """The classes that become events: those of the config, else all but background."""
    return config.labels or tuple(c for c in classes if c.lower() not in QUIET_LABELS)


def alarm_labels(config: DecisionConfig, classes: tuple[str, ...]) -> tuple[str, ...]:
    """Those of them that ring an alarm: those of the config, else the seizures."""
    labels = watched_labels(config, classes)
    if config.alarms is not None:
        return tuple(label for label in labels if label in config.alarms)
    return tuple(label for label in labels if is_seizure(label))


class Decision:
    """Turns the probabilities of one stream into events. Invalid hops change nothing.

    For each label: an event begins where the smoothed probability reaches `threshold` (onset); once it has stayed at
    `release` or above for `min_duration_s`, the event is confirmed; it ends at the last hop at `release` or above, and
    is closed when `merge_s` have passed since without another crossing of `threshold`.

    Parameters
    ----------
    config
        Thresholds and durations.
    classes
        Columns of the scores.
    hop_s
        Seconds from one score to the next.
    """

    def __init__(self, config: DecisionConfig, classes: tuple[str, ...], hop_s: float) -> None:
        self.labels = watched_labels(config, classes)
        self._columns = [classes.index(label) for label in self.labels]
        self._keep = share_kept(config.smoothing_s, hop_s)
        self._min_hops = max(1, round(config.min_duration_s / hop_s))
        self._merge_hops = round(config.merge_s / hop_s)
        self.threshold = config.threshold
        self.release = config.threshold if config.release is None else config.release
        self._below = self.threshold - self.release
        self.reset()

    def set_threshold(self, threshold: float) -> None:
        """Use another threshold from the next hop on; `release` keeps its distance below it."""
        self.release = max(0.0, threshold - self._below)
        self.threshold = threshold

    def reset(self) -> None:
        self._trackers = [_EventTracker(label) for label in self.labels]
        self.smoothed = np.zeros(len(self.labels))

    def process(self, scores: Chunk) -> list[Detection]:
        """Decide.

        Parameters
        ----------
        scores
            Probabilities (n_hops, n_classes).

        Returns
        -------
        list of Detection
            Events that were confirmed or closed in this chunk, in order of time.
        """
        kept = scores if scores.valid.all() else _only_valid(scores)
        if not len(kept):
            return []
        found: list[Detection] = []
        for k, tracker in enumerate(self._trackers):
            smooth = self._smooth(k, kept.data[:, self._columns[k]].astype(np.float64))
            found += tracker.follow(smooth, kept.times, self.threshold, self.release, self._min_hops, self._merge_hops)
        return sorted(found, key=lambda d: d.time) if len(self._trackers) > 1 else found

    def flush(self) -> list[Detection]:
        """Close open events where the recording or the stream ends, and reset."""
        found = [d for tracker in self._trackers for d in tracker.finish(self._min_hops)]
        self.reset()
        return found

    @property
    def running(self) -> list[Event]:
        """The events that are confirmed and not over, each with its duration and peak so far."""
        return [event for tracker in self._trackers if (event := tracker.running) is not None]

    def _smooth(self, k: int, p: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        out = exponential_average(p, self._keep, float(self.smoothed[k]))
        if len(out):
            self.smoothed[k] = out[-1]
        return out


def share_kept(smoothing_s: float, hop_s: float) -> float:
    """Share of the old value in the average after a hop, for a time constant; 0: no smoothing."""
    return float(np.exp(-hop_s / smoothing_s)) if smoothing_s > 0 else 0.0


def exponential_average(p: npt.NDArray[np.float64], keep: float, value: float = 0.0) -> npt.NDArray[np.float64]:
    """Running average of probabilities, from `value` on; `keep` is the share of the old value."""
    # Hop by hop in order, so that the result does not depend on the chunks, to the bit.
    gain = 1 - keep
    out = np.empty(len(p))
    for i, x in enumerate(p.tolist()):
        value = keep * value + gain * x
        out[i] = value
    return out


def _only_valid(scores: Chunk) -> Chunk:
    return Chunk(scores.data[scores.valid], scores.times[scores.valid], scores.valid[scores.valid])


class _EventTracker:
    """Hysteresis of one label: its open event, if there is one."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._clear()
        self._hop = 0  # hops seen

    def _clear(self) -> None:
        self._onset: float | None = None
        self._onset_hop = 0
        self._end = 0.0
        self._end_hop = 0  # of the last hop at or above release
        self._down = False  # below release since _end_hop
        self._peak = 0.0
        self._confirmed = False

    def follow(
        self,
        p: npt.NDArray[np.float64],
        times: npt.NDArray[np.float64],
        threshold: float,
        release: float,
        min_hops: int,
        merge_hops: int,
    ) -> list[Detection]:
        found: list[Detection] = []
        i, n = 0, len(p)
        while i < n:
            if self._onset is None:
                ahead = np.flatnonzero(p[i:] >= threshold)
                if not len(ahead):
                    break
                i += int(ahead[0])
                self._onset, self._onset_hop = float(times[i]), self._hop + i
            i = self._step(i, p, times, threshold, release, min_hops, merge_hops, found)
        self._hop += n
        return found

    def _step(
        self,
        i: int,
        p: npt.NDArray[np.float64],
        times: npt.NDArray[np.float64],
        threshold: float,
        release: float,
        min_hops: int,
        merge_hops: int,
        found: list[Detection],
    ) -> int:
        """Process one hop of an open event; returns the next hop to look at."""
        value, hop, time = float(p[i]), self._hop + i, float(times[i])
        if value >= (threshold if self._down else release):
            self._down = False
            self._end, self._end_hop = time, hop
            self._peak = max(self._peak, value)
            if not self._confirmed and hop - self._onset_hop + 1 >= min_hops:
                self._confirmed = True
                found.append(Detection(time, self._event(), closed=False))
        else:
            self._down = True
            if not self._confirmed or hop - self._end_hop > merge_hops:
                if self._confirmed:
                    found.append(Detection(time, self._event(), closed=True))
                self._clear()
        return i + 1

    def finish(self, min_hops: int) -> list[Detection]:
        if not self._confirmed:
            return []
        return [Detection(self._end, self._event(), closed=True)]

    @property
    def running(self) -> Event | None:
        """The event that is confirmed and not over."""
        return self._event() if self._confirmed else None

    def _event(self) -> Event:
        assert self._onset is not None
        return Event(self._onset, self._end - self._onset, self._label, self._peak)


class DecisionConfig(Strict):
    """Smoothing and hysteresis.

    Attributes
    ----------
    labels
        Classes that become events; empty: all but background.
    alarms
        Those of them that ring an alarm; left out: the seizures, by their names. The others are shown, and nothing rings.
    smoothing_s
        Time constant of the exponential average.
    threshold, release
        Probabilities at which an event begins and ends; release None: the threshold.
    min_duration_s
        Shortest event.
    merge_s
        Longest interval between two crossings that belong to one event.
    """

    labels: Names = ()
    alarms: Names | None = None
    smoothing_s: Seconds = 1.0
    threshold: Probability = 0.5
    release: Probability | None = None
    min_duration_s: Seconds = 2.0
    merge_s: Seconds = 2.0

    @model_validator(mode="after")
    def _release_is_below(self) -> DecisionConfig:
        if self.release is not None and self.release > self.threshold:
            raise ValueError(f"release {self.release} is above threshold {self.threshold}")
        return self

    def with_threshold(self, threshold: float) -> DecisionConfig:
        """The same with another threshold; `release` keeps its distance below it."""
        below = None if self.release is None else self.threshold - self.release
        release = None if below is None else round(max(0.0, threshold - below), 9)
        return self.model_copy(update={"threshold": threshold, "release": release})
