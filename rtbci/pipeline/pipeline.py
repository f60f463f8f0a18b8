"""A pipeline: the result of training as one file, and the stages in series that process one stream."""

from __future__ import annotations

import copy
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rtbci.config import MAX_SFREQ, MAX_VALUES_S, MAX_WINDOW_VALUES
from rtbci.errors import ConfigError, NotCausal, StreamMismatch
from rtbci.models.config import is_plugin
from rtbci.pipeline.config import PipelineConfig
from rtbci.pipeline.live import Chain, LivePipeline
from rtbci.stages import filters, scaling
from rtbci.stages.bad_channels import BadChannelMask, BadChannelReplacer
from rtbci.stages.buffers import Framer
from rtbci.stages.cues import CueTagger
from rtbci.stages.decision import Decision
from rtbci.stages.montage import ChannelPicker, Montage
from rtbci.stages.network import Tagger, WholeTagger, WindowClassifier, WindowTagger
from rtbci.stages.scaling import ConstantScaling, NoScaling, RunningScaling
from rtbci.types import Stage, StreamInfo

if TYPE_CHECKING:
    from rtbci.models.network import Network


class Pipeline:
    """The result of training: immutable, shared by all streams that are started from it.

    Parameters
    ----------
    config
        Montage, filters, scaling, classes and decision.
    network
        With its learned weights.
    notes
        How and on what it was trained, and its scores; plain JSON.

    Raises
    ------
    ConfigError
        If the config asks for answers at cues, which a network without a window cannot give.
    """

    def __init__(self, config: PipelineConfig, network: Network, notes: dict[str, Any] | None = None) -> None:
        if config.cues is not None and network.window is None:
            raise ConfigError(
                f"cues: a {config.model.kind} answers at every hop; only a network of windows answers at cues"
            )
        self.config = config
        self.network = network.eval().requires_grad_(False)
        self.notes: dict[str, Any] = copy.deepcopy(notes or {})

    @classmethod
    def load(cls, path: str | Path) -> Pipeline:
        """Read a pipeline file.

        Parameters
        ----------
        path
            A ``.rtbci`` file.

        Returns
        -------
        Pipeline
            On the CPU.

        Raises
        ------
        PipelineFileError
            If it is damaged, hostile or newer than this version.
        """
        from rtbci.pipeline.file import read

        return cls(*read(Path(path)))

    def save(self, path: str | Path) -> None:
        """Write the pipeline file; a crash leaves the old file or the new one.

        Parameters
        ----------
        path
            The file to write or replace.

        Raises
        ------
        PipelineFileError
            If `path` exists and is not a pipeline file.
        OSError
            If it cannot be written.
        """
        from rtbci.pipeline.file import write

        write(Path(path), self.config, self.network, self.notes)

    def with_threshold(self, threshold: float | None) -> Pipeline:
        """The same pipeline with another threshold of its decision; `release` keeps its distance. None: as it is.

        Parameters
        ----------
        threshold
            Probability at which an event begins, above 0 and at most 1.

        Raises
        ------
        ConfigError
            If it is no such probability.
        """
        if threshold is None:
            return self
        if not 0 < threshold <= 1:
            raise ConfigError(f"threshold {threshold:g}: wanted a probability above 0 and at most 1")
        decision = self.config.decision.with_threshold(threshold)
        scores_of = {"scores_of": self.config.decision.model_dump(mode="json")} if "scores" in self.notes else {}
        config = self.config.model_copy(update={"decision": decision})
        return Pipeline(config, self.network, {**scores_of, **self.notes})

    @property
    def name(self) -> str:
        return self.config.name

    @property
    def channels(self) -> tuple[str, ...]:
        """Channels that a stream must have or allow to derive: the chosen electrodes; all for a common average."""
        chosen = self.config.selection
        if chosen is None or self.config.montage.reference == "average":
            return self.config.montage.channels
        return chosen.channels

    @property
    def sfreq(self) -> float:
        return self.config.sfreq

    @property
    def classes(self) -> tuple[str, ...]:
        return self.config.classes

    @property
    def hop(self) -> int:
        """Samples from one answer to the next, at the pipeline's rate."""
        if self.network.window is not None:
            return self.config.window_hop or int(self.network.window)
        return int(self.network.hop)

    @property
    def hop_s(self) -> float:
        return self.hop / self.sfreq

    @property
    def causal(self) -> bool:
        return bool(self.network.causal)

    def preprocessor(self, info: StreamInfo) -> Chain:
        """Fresh stages from a stream's samples to the network's input: the same in training, offline and live.

        Parameters
        ----------
        info
            The stream.

        Returns
        -------
        Chain
            Its output is (n_samples, n_inputs) at the pipeline's rate.

        Raises
        ------
        StreamMismatch
            If the stream lacks a channel, or its rate does not fit.
        """
        config = self.config
        check_rate(config, info)
        montage = Montage(config.montage, info, self.channels)
        replacer = BadChannelReplacer(info, montage) if config.mask is not None else None
        stages: list[tuple[str, Stage]] = [("electrodes", replacer)] if replacer is not None else []
        stages.append(("montage", montage))
        up = down = 1
        if info.sfreq != config.sfreq:
            resampler = filters.Resampler(info.sfreq, config.sfreq)
            up, down = resampler.up, resampler.down
            if (resampler.reach + down) * len(montage.channels) > MAX_WINDOW_VALUES:
                raise StreamMismatch(
                    f"stream {info.name!r}: resampling from {info.sfreq:g} Hz to {config.sfreq:g} Hz would keep more than "
                    f"{MAX_WINDOW_VALUES} values"
                )
            stages.append(("resample", resampler))
        if len(sos := filters.design(config.filters, config.sfreq)):
            stages.append(("filter", filters.SosFilter(sos)))
        if config.selection is not None and montage.channels != config.selection.channels:
            stages.append(
                ("select", ChannelPicker(tuple(montage.channels.index(c) for c in config.selection.channels)))
            )
        if isinstance(config.scaling, ConstantScaling):
            stages.append(("scale", scaling.ConstantScaler(config.scaling)))
        elif isinstance(config.scaling, RunningScaling):
            stages.append(("scale", scaling.RunningScaler(config.scaling, config.sfreq)))
        else:
            assert isinstance(config.scaling, NoScaling)
        if config.mask is not None and replacer is not None:
            stages.append(("mask", BadChannelMask(replacer, self.inputs, up, down, config.mask.most)))
        return Chain(stages)

    def choices(self, info: StreamInfo) -> tuple[str, ...]:
        """What is chosen where a stream allows more than one derivation of a channel, one line each."""
        return Montage(self.config.montage, info, self.channels).choices

    def start(self, info: StreamInfo, device: str = "cpu", *, offline: bool = False) -> LivePipeline:
        """Start processing one stream: montage matched, filters and network reset.

        Parameters
        ----------
        info
            The stream.
        device
            "cpu", "cuda", or "auto" (the faster of both, measured).
        offline
            Whether a network that depends on future samples is allowed.

        Returns
        -------
        LivePipeline
            The state of this stream.

        Raises
        ------
        StreamMismatch
            If the stream does not fit the pipeline.
        NotCausal
            If the network depends on future samples and `offline` is False.
        ConfigError
            If the device is unknown or not available.
        """
        from rtbci.models.step import make_step, resolve_device

        network, config = self.network, self.config
        if not self.causal and not offline:
            raise NotCausal(
                f"pipeline {self.name!r} cannot run live: its {config.model.kind} must see the future "
                f"({_why_not_causal(network, config)}); `rtbci tag` runs it on recordings"
            )
        device = resolve_device(network, device)
        # On the CPU all streams share the weights; on another device each stream has a copy.
        network = network if device == "cpu" else copy.deepcopy(network)
        n_channels, n_classes, hop = self.n_inputs, len(self.classes), self.hop
        values = config.model.values(n_channels)
        frames: list[tuple[str, Stage]] = []
        tagger: Tagger | WindowTagger | WholeTagger
        if network.window is not None:
            tagger = WindowTagger(
                network.to(device), n_channels, n_classes, int(network.window), hop, config.activation, device, values
            )
        elif not self.causal:
            tagger = WholeTagger(network.to(device), n_channels, n_classes, hop, config.activation, device)
        else:
            warmup_hops = round(config.gaps.warmup_s / self.hop_s)
            tagger = Tagger(make_step(network, device), n_classes, hop, config.activation, warmup_hops, values)
        if network.window is None:
            frames.append(("frame", Framer(hop, n_channels)))
        stages = [*self.preprocessor(info).stages, *frames, ("network", tagger)]
        cues = None
        if config.cues is not None and network.window is not None:
            classify = WindowClassifier(network, int(network.window), config.activation, device)
            cues = CueTagger(config.cues, classify, int(network.window), self.sfreq)
        return LivePipeline(stages, Decision(config.decision, self.classes, self.hop_s), device, self.n_inputs, cues)

    @property
    def inputs(self) -> tuple[str, ...]:
        """Channels of the network's input."""
        chosen = self.config.selection
        return self.config.montage.channels if chosen is None else chosen.channels

    @property
    def n_inputs(self) -> int:
        return len(self.inputs)

    def filter_delay_s(self, sfreq: float) -> dict[str, float]:
        """Group delay for a stream.

        Parameters
        ----------
        sfreq
            Rate of the stream in Hz.

        Returns
        -------
        dict
            Seconds: "resampler", "filters" (median over the pass band) and "total".
        """
        config = self.config
        resampler = filters.Resampler(sfreq, config.sfreq).delay_s if sfreq != config.sfreq else 0.0
        top = config.filters.high_hz or config.sfreq / 2
        low = config.filters.low_hz or 0.0
        # Without the edges of the band, where the delay is many times larger.
        band = np.geomspace(max(2 * low, 0.02 * top), 0.8 * top, 200)
        median = float(
            np.median(filters.group_delay_s(filters.design(config.filters, config.sfreq), config.sfreq, band))
        )
        return {"resampler": resampler, "filters": median, "total": resampler + median}


def _why_not_causal(network: Network, config: PipelineConfig) -> str:
    why = "its lookahead" if is_plugin(config.model) else "'same' padding"
    if network.lookahead == sys.maxsize:
        return "bidirectional: its backward pass starts at the recording's end"
    return f"{why}: {network.lookahead} samples ahead"


def check_rate(config: PipelineConfig, info: StreamInfo) -> None:
    """Raise StreamMismatch where a stream's rate is irregular, too high, or too low for this pipeline."""
    if not np.isfinite(info.sfreq) or info.sfreq <= 0:
        raise StreamMismatch(f"stream {info.name!r} has no regular rate; this pipeline runs at {config.sfreq:g} Hz")
    if info.sfreq > MAX_SFREQ or info.sfreq * len(info.channels) > MAX_VALUES_S:
        raise StreamMismatch(
            f"stream {info.name!r} brings {len(info.channels)} channels at {info.sfreq:g} Hz; at most {MAX_SFREQ:g} Hz "
            f"and {MAX_VALUES_S} values a second"
        )
    top = config.filters.high_hz
    # A slightly slower stream may be interpolated where the pass band ends well below its Nyquist frequency.
    enough = top is not None and info.sfreq >= 0.9 * config.sfreq and info.sfreq / 2 >= 1.25 * top
    if info.sfreq < config.sfreq and not enough:
        raise StreamMismatch(
            f"stream {info.name!r} runs at {info.sfreq:g} Hz, too slow for this pipeline, "
            f"which was trained at {config.sfreq:g} Hz"
        )
