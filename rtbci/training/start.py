"""Where a fit begins, other than at random weights: at those of a pipeline, which is trained further."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from rtbci.errors import ConfigError
from rtbci.evaluation.trained_on import TrainedOn
from rtbci.models import ModelConfig, from_config
from rtbci.models.config import is_plugin
from rtbci.models.network import Network
from rtbci.pipeline.config import PipelineConfig
from rtbci.pipeline.pipeline import Pipeline
from rtbci.stages.scaling import ConstantScaling, RunningScaling
from rtbci.text import listing
from rtbci.training.adaptation.output_layer import linear_output
from rtbci.training.config import Layers
from rtbci.training.crossval.claimed import flat
from rtbci.training.source import Source

# What weights do not depend on, or what is known by other keys.
_FREE = ("model.dropout", "model.n_channels", "model.n_classes")
_LEARNED = ("scaling.center_uv", "scaling.scale_uv", "scaling.start_uv")


@dataclass(frozen=True)
class Start:
    """A pipeline whose weights a fit begins with.

    Attributes
    ----------
    pipeline
        As loaded; it is not changed.
    path
        Of its file.
    digest
        SHA-256 of the file.
    """

    pipeline: Pipeline
    path: Path
    digest: str

    @classmethod
    def load(cls, path: str | Path) -> Start:
        """Raises PipelineFileError."""
        path = Path(path)
        pipeline = Pipeline.load(path)
        return cls(pipeline, path, hashlib.sha256(path.read_bytes()).hexdigest())

    @cached_property
    def trained_on(self) -> TrainedOn:
        return TrainedOn(self.pipeline.notes)

    def require_fit(self, config: PipelineConfig) -> None:
        """Raise ConfigError where weights of this pipeline mean something else under a config; it names the keys.

        Parameters
        ----------
        config
            With the network's sizes filled in.
        """
        here, there = (_meant(one) for one in (config, self.pipeline.config))
        keys = [key for key in sorted({*here, *there}) if here.get(key) != there.get(key)]
        if self._other_channels(config) and not _takes_any_channels(config.model):
            keys.append("montage.channels")
            here["montage.channels"], there["montage.channels"] = (
                _shown_channels(one) for one in (config, self.pipeline.config)
            )
        if keys:
            shown = [f"pipeline.{key} is {here.get(key)} in the config, {there.get(key)} there" for key in keys]
            raise ConfigError(
                f"{self.path}: a fit cannot begin with its weights: {listing(shown, 6)}; wanted the same, for it is under these "
                "that the weights were learned"
            )

    def told(self, config: PipelineConfig, sources: Sequence[Source], *, in_folds: bool) -> list[str]:
        """What a person should know of beginning with this pipeline, a line each.

        Parameters
        ----------
        config
            With the network's sizes filled in.
        sources
            All recordings.
        in_folds
            Whether each of them is held out in some fold.
        """
        lines = []
        if self._other_channels(config):
            mine, its = (_shown_channels(one) for one in (config, self.pipeline.config))
            lines.append(
                f"the montage is {mine}, that of {self.path.name} {its}: its weights are the same for any channel"
            )
        here, there = (_input(one) for one in (config, self.pipeline.config))
        if keys := [key for key in sorted({*here, *there}) if here.get(key) != there.get(key)]:
            shown = [f"pipeline.{key} is {here.get(key)}, there {there.get(key)}" for key in keys]
            lines.append(f"the network's input is not that of {self.path.name}: {listing(shown, 6)}")
        real = [
            source for source in sources if source.recording.format != "synthetic" and (source.held_out or in_folds)
        ]
        seen = [s.name for s in real if self.trained_on.find(s.recording.path, s.recording.content) is not None]
        if seen:
            lines.append(
                f"{self.path.name} was trained on what is held out here: {listing(seen, 6)}; its figures are better than those "
                "of new recordings"
            )
        return lines

    def scaled(self, config: PipelineConfig) -> PipelineConfig:
        """The config with this pipeline's constants of the scaling, where it sets none and the channels are the same."""
        mine, its = config.scaling, self.pipeline.config.scaling
        update: dict[str, Any] = {}
        if isinstance(mine, RunningScaling) and isinstance(its, RunningScaling) and mine.start_uv is None:
            update = {"start_uv": its.start_uv}
        elif isinstance(mine, ConstantScaling) and isinstance(its, ConstantScaling) and not mine.scale_uv:
            update = {} if self._other_channels(config) else {"center_uv": its.center_uv, "scale_uv": its.scale_uv}
        return config.model_copy(update={"scaling": mine.model_copy(update=update)}) if update else config

    def begin(self, network: Network, layers: Layers) -> None:
        """Put the weights into a network, and leave only those of `layers` to be trained. Raises ConfigError."""
        network.load_state_dict(self.pipeline.network.state_dict())
        if layers == "all":
            return
        last = linear_output(network)
        if last is None:
            raise ConfigError(
                f'training.layers = "last": the last layer of a {self.pipeline.config.model.kind} is not linear, so that it '
                'cannot be trained alone; "all" trains the whole network'
            )
        network.requires_grad_(False)
        last.requires_grad_(True)

    def noted(self, layers: Layers, held_out_loss: float | None) -> dict[str, Any]:
        """For the notes of the new pipeline; plain JSON."""
        return {
            "pipeline": self.pipeline.name,
            "file": self.path.name,
            "sha256": self.digest,
            "layers": layers,
            "held_out_loss": held_out_loss,
        }

    def with_its_recordings(self, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """What a pipeline was trained on, with the recordings of this one that are not among them: `earlier`."""
        known = self.pipeline.notes.get("trained_on")
        its = [row for row in (known if isinstance(known, list) else ()) if isinstance(row, dict)]
        mine = {_named(row) for row in rows}
        return [*rows, *({**row, "earlier": True} for row in its if _named(row) not in mine)]

    def _other_channels(self, config: PipelineConfig) -> bool:
        return _channels(config) != _channels(self.pipeline.config)


def _named(row: dict[str, Any]) -> tuple[str, str]:
    """What tells a recording in notes from others; those of a file are JSON of any shape."""
    return str(row.get("recording")), str(row.get("content"))


def _channels(config: PipelineConfig) -> tuple[str, ...]:
    return config.selection.channels if config.selection else config.montage.channels


def _shown_channels(config: PipelineConfig) -> str:
    return f"[{listing(_channels(config), 6)}]"


def _takes_any_channels(model: ModelConfig) -> bool:
    """Whether no weight depends on the number of channels, so that all of them have the same."""
    if is_plugin(model):
        return False
    more = model.model_copy(update={"n_channels": (model.n_channels or 0) + 1})
    one, other = ({k: v.shape for k, v in from_config(sized).state_dict().items()} for sized in (model, more))
    return one == other


def _meant(config: PipelineConfig) -> dict[str, Any]:
    """What the weights were learned under, by dotted keys."""
    values = flat({"model": config.model.model_dump(mode="json")})
    values |= {"classes": list(config.classes), "activation": config.activation, "sfreq": config.sfreq}
    values |= {"montage.reference": config.montage.reference, "scaling.kind": config.scaling.kind}
    return {key: value for key, value in values.items() if key not in _FREE}


def _input(config: PipelineConfig) -> dict[str, Any]:
    """What else changes the network's input."""
    values = flat(config.model_dump(mode="json", include={"filters", "scaling"}))
    return {key: value for key, value in values.items() if key not in _LEARNED}
