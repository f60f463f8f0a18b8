"""Everything but the weights that turns a stream into probabilities and events: strict, frozen models."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, model_validator

from rtbci.config import (
    MAX_ANSWER_VALUES,
    MAX_CHANNELS,
    MAX_SFREQ,
    MAX_WINDOW_VALUES,
    Name,
    Names,
    Probability,
    Strict,
    nearest,
)
from rtbci.models.config import ModelConfig, is_plugin
from rtbci.stages.bad_channels import MaskConfig
from rtbci.stages.cues import CueConfig
from rtbci.stages.decision import DecisionConfig, watched_labels
from rtbci.stages.filters import FilterConfig
from rtbci.stages.gap_guard import GapConfig
from rtbci.stages.montage import MontageConfig
from rtbci.stages.scaling import ConstantScaling, NoScaling, RunningScaling, ScalingConfig

ProbabilityRow = Annotated[tuple[Probability, ...], Field(max_length=MAX_CHANNELS)]


class ChosenElectrodes(Strict):
    """Electrodes that a Gumbel-softmax selector chose out of the montage, and its probabilities.

    Attributes
    ----------
    channels
        The chosen channels, of the montage; no others are needed then.
    probabilities
        Of each selector, over all channels of the montage; written by `rtbci select`.
    """

    channels: Annotated[Names, Field(min_length=1)]
    probabilities: Annotated[tuple[ProbabilityRow, ...], Field(max_length=MAX_CHANNELS)] = ()


class PipelineConfig(Strict):
    """Everything but the weights that turns a stream into probabilities and events; JSON in the pipeline file.

    Attributes
    ----------
    name
        Of the pipeline: in outlets, reports and files.
    sfreq
        Rate of the network's input; other streams are resampled.
    classes
        What each column of the answers stands for. "background" or "rest" become no events.
    activation
        From logits to probabilities: "sigmoid", each class by itself; "softmax", one of them.
    window_hop
        For networks of epochs: samples from one live answer to the next; 0: whole epochs, one after another.
    """

    name: Name
    sfreq: Annotated[PositiveFloat, Field(ge=0.1, le=MAX_SFREQ)]
    classes: Annotated[tuple[Name, ...], Field(min_length=1, max_length=1000)] = ("seizure",)
    activation: Literal["sigmoid", "softmax"] = "sigmoid"
    montage: MontageConfig
    filters: FilterConfig = FilterConfig()
    selection: ChosenElectrodes | None = None
    scaling: ScalingConfig = NoScaling()
    mask: MaskConfig | None = None
    model: ModelConfig
    window_hop: NonNegativeInt = 0
    cues: CueConfig | None = None
    decision: DecisionConfig = DecisionConfig()
    gaps: GapConfig = GapConfig()

    @model_validator(mode="after")
    def _parts_agree(self) -> PipelineConfig:
        nyquist = self.sfreq / 2
        for key in ("low_hz", "high_hz"):
            edge = getattr(self.filters, key)
            if edge is not None and edge >= 0.9999 * nyquist:
                raise ValueError(f"filters.{key} = {edge:g} Hz is not below half of sfreq = {self.sfreq:g} Hz")
            if edge is not None and edge < 1e-6 * self.sfreq:
                raise ValueError(f"filters.{key} = {edge:g} Hz is less than a millionth of sfreq = {self.sfreq:g} Hz")
        low, high = self.filters.low_hz, self.filters.high_hz
        if low is not None and high is not None and low >= high:
            raise ValueError(f"filters.low_hz = {low:g} Hz is not below filters.high_hz = {high:g} Hz")
        if self.selection is not None:
            _require_known(self.selection.channels, self.montage.channels, "selection.channels")
        _require_known(self.decision.labels, self.classes, "decision.labels")
        _require_known(self.decision.alarms or (), watched_labels(self.decision, self.classes), "decision.alarms")
        self._sizes_agree()
        self._sizes_are_bounded()
        return self

    def _sizes_agree(self) -> None:
        chosen = self.montage.channels if self.selection is None else self.selection.channels
        if self.model.n_channels not in (None, len(chosen)):
            raise ValueError(f"model.n_channels = {self.model.n_channels}, but there are {len(chosen)} channels")
        # conv_pool_lstm answers for each sample of its window at once.
        if self.model.kind != "conv_pool_lstm" and self.model.n_classes not in (None, len(self.classes)):
            raise ValueError(f"model.n_classes = {self.model.n_classes}, but there are {len(self.classes)} classes")
        if isinstance(self.scaling, ConstantScaling):
            for key in ("center_uv", "scale_uv"):
                if (n := len(getattr(self.scaling, key))) not in (0, len(chosen)):
                    raise ValueError(f"scaling.{key} has {n} values for {len(chosen)} channels")
        known = self.model.kind != "selection" and not is_plugin(self.model)
        if self.cues is not None and known and not self._network("window"):
            raise ValueError(
                f"cues: a {self.model.kind} answers at every hop; only a network of windows answers at cues"
            )

    def _network(self, size: str) -> int:
        """A size of the network, of that behind a selector where there is one; 0 where it has no such size.

        Also 0 for a plug-in, whose class alone knows it: its bounds are checked when it is built (models/contract.py).
        """
        if is_plugin(self.model):
            return 0
        return getattr(getattr(self.model, "network", self.model), size, 0)

    def _sizes_are_bounded(self) -> None:
        """Bound the memory that this config can take, before anything is built (MEMORY_BYTES in pipeline/file.py)."""
        n = len(self.montage.channels if self.selection is None else self.selection.channels)
        block_s = self.scaling.block_s if isinstance(self.scaling, RunningScaling) else 0.0
        kept = {
            "model.window": self._network("window"),
            "model.hop": self._network("hop"),
            "window_hop": self.window_hop,
            "scaling.block_s": round(block_s * self.sfreq),
            "cues.keep_s": round(self.cues.keep_s * self.sfreq) if self.cues is not None else 0,
        }
        for key, samples in kept.items():
            if samples * n > MAX_WINDOW_VALUES:
                raise ValueError(f"{key} = {samples} samples of {n} channels are more than {MAX_WINDOW_VALUES} values")
        if is_plugin(self.model):
            return
        if (values := self.model.values(n)) > MAX_ANSWER_VALUES:
            raise ValueError(
                f"model: a {self.model.kind} of these sizes holds {values} values to give one answer; "
                f"at most {MAX_ANSWER_VALUES}"
            )


def _require_known(names: tuple[str, ...], known: tuple[str, ...], where: str) -> None:
    for name in names:
        if name not in known:
            some = ", ".join(known[:40]) + (" …" if len(known) > 40 else "")
            raise ValueError(f"{where}: {name!r} is not among {some}{nearest(name, known)}")
