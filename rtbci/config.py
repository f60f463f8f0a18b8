"""What a user may set: strict, frozen models; TOML in, JSON in the pipeline file."""

from __future__ import annotations

import difflib
import json
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    ValidationError,
    model_validator,
)

from rtbci.errors import ConfigError
from rtbci.models.config import ModelConfig

Probability = Annotated[float, Field(ge=0, le=1)]
MAX_WINDOW_VALUES = 20_000_000
Name = Annotated[str, Field(min_length=1, max_length=200)]


class Strict(BaseModel):
    """The ground of every setting: an unknown key, a wrong type, NaN or infinity is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class MontageConfig(Strict):
    """Which channels, by canonical name: an electrode ("Fz") or a bipolar pair ("Fp1-F7")."""

    channels: Annotated[tuple[Name, ...], Field(min_length=1, max_length=4096)]
    reference: Literal["as_recorded", "average"] = "as_recorded"


class FilterConfig(Strict):
    """Causal filters at the pipeline's rate. A Butterworth band-pass of `order` on each side; None leaves a side open."""

    low_hz: PositiveFloat | None = None
    high_hz: PositiveFloat | None = None
    order: Annotated[int, Field(ge=1, le=12)] = 4
    notch_hz: Annotated[tuple[PositiveFloat, ...], Field(max_length=8)] = ()
    notch_q: PositiveFloat = 30.0
    notch_harmonics: Annotated[int, Field(ge=1, le=50)] = 1


class NoScaling(Strict):
    """µV as they are."""

    kind: Literal["none"] = "none"


class ConstantScaling(Strict):
    """Divide each channel by a constant learned in training (robust: median and 1.4826 · MAD); empty until then."""

    kind: Literal["constant"] = "constant"
    center_uv: tuple[float, ...] = ()
    scale_uv: tuple[PositiveFloat, ...] = ()
    clip: PositiveFloat = 20.0


class RunningScaling(Strict):
    """Divide by a running robust amplitude of the whole montage, so that patients of any amplitude look alike.

    Once a block, the median over channels of 1.4826 · median |x| enters an exponential average of its logarithm
    with `time_constant_s`; a block is scaled by what was known before it. `start_uv` is learned in training and
    counts as `start_weight_s` of signal.
    """

    kind: Literal["running"] = "running"
    time_constant_s: PositiveFloat = 60.0
    block_s: Annotated[float, Field(gt=0, le=60)] = 1.0
    start_uv: PositiveFloat | None = None
    start_weight_s: NonNegativeFloat = 2.0
    floor_uv: PositiveFloat = 0.5
    clip: PositiveFloat = 20.0


ScalingConfig = Annotated[NoScaling | ConstantScaling | RunningScaling, Field(discriminator="kind")]


class DecisionConfig(Strict):
    """From probability to events: an exponential average, two thresholds, a shortest duration, a longest lull."""

    labels: tuple[Name, ...] = ()
    smoothing_s: NonNegativeFloat = 1.0
    threshold: Probability = 0.5
    release: Probability | None = None
    min_duration_s: NonNegativeFloat = 2.0
    merge_s: NonNegativeFloat = 2.0

    @model_validator(mode="after")
    def _release_is_below(self) -> DecisionConfig:
        if self.release is not None and self.release > self.threshold:
            raise ValueError(f"release {self.release} is above threshold {self.threshold}")
        return self


class GapConfig(Strict):
    """What to do where samples are missing: fill a short stretch, start afresh after a long one."""

    max_fill_s: NonNegativeFloat = 0.2
    warmup_s: NonNegativeFloat = 2.0


class SelectionConfig(Strict):
    """Electrodes that a Gumbel-softmax selector chose out of the montage, and its probabilities."""

    channels: Annotated[tuple[Name, ...], Field(min_length=1)]
    probabilities: tuple[tuple[Probability, ...], ...] = ()


class CueConfig(Strict):
    """Answers at cues, beside those of the sliding window: over the network's window, `offset_s` behind each marker.

    labels: texts of markers that are cues; all of them where none is named. keep_s: how late a marker may come.
    """

    labels: tuple[Name, ...] = ()
    offset_s: Annotated[float, Field(ge=-60, le=60)] = 0.0
    keep_s: Annotated[float, Field(ge=0, le=60)] = 5.0


class PipelineConfig(Strict):
    """All that turns a stream into probabilities and events, save the weights."""

    name: Name
    sfreq: Annotated[float, Field(gt=0, le=100_000)]
    classes: Annotated[tuple[Name, ...], Field(min_length=1, max_length=1000)] = ("seizure",)
    activation: Literal["sigmoid", "softmax"] = "sigmoid"
    montage: MontageConfig
    filters: FilterConfig = FilterConfig()
    selection: SelectionConfig | None = None
    scaling: ScalingConfig = NoScaling()
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
            if edge is not None and edge >= nyquist:
                raise ValueError(f"filters.{key} = {edge:g} Hz is not below half of sfreq = {self.sfreq:g} Hz")
        low, high = self.filters.low_hz, self.filters.high_hz
        if low is not None and high is not None and low >= high:
            raise ValueError(f"filters.low_hz = {low:g} Hz is not below filters.high_hz = {high:g} Hz")
        if self.selection is not None:
            _require_known(self.selection.channels, self.montage.channels, "selection.channels")
        _require_known(self.decision.labels, self.classes, "decision.labels")
        self._sizes_agree()
        return self

    def _sizes_agree(self) -> None:
        chosen = self.montage.channels if self.selection is None else self.selection.channels
        if self.model.n_channels not in (None, len(chosen)):
            raise ValueError(f"model.n_channels = {self.model.n_channels}, but there are {len(chosen)} channels")
        # conv_pool_lstm answers for each sample of its window at once.
        if self.model.kind != "conv_pool_lstm" and self.model.n_classes not in (None, len(self.classes)):
            raise ValueError(f"model.n_classes = {self.model.n_classes}, but there are {len(self.classes)} classes")
        if isinstance(self.scaling, ConstantScaling) and len(self.scaling.scale_uv) not in (0, len(chosen)):
            raise ValueError(f"scaling.scale_uv has {len(self.scaling.scale_uv)} values for {len(chosen)} channels")
        window = getattr(self.model, "window", None) or 0
        if self.cues is not None and not window and self.model.kind != "selection":
            raise ValueError(
                f"cues: a {self.model.kind} answers at every hop; only a network of windows answers at cues"
            )
        if window * len(chosen) > MAX_WINDOW_VALUES or self.window_hop > MAX_WINDOW_VALUES:
            raise ValueError(
                f"model.window = {window} of {len(chosen)} channels is more than {MAX_WINDOW_VALUES} values"
            )


def _require_known(names: tuple[str, ...], known: tuple[str, ...], where: str) -> None:
    for name in names:
        if name not in known:
            raise ValueError(f"{where}: {name!r} is not among {', '.join(known)}{nearest(name, known)}")


def nearest(name: str, known: tuple[str, ...] | list[str]) -> str:
    """'; did you mean …?' for a name that is nearly one of the known, else nothing."""
    close = difflib.get_close_matches(name[:100], known, n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else ""


Config = TypeVar("Config", bound=BaseModel)


def parse(model: type[Config], values: dict[str, Any], where: str) -> Config:
    """Check `values` strictly. Raises ConfigError: one line that names the place, and the nearest key to a misspelt one."""
    try:
        return model.model_validate_json(json.dumps(values, default=str), strict=True)
    except (ValidationError, ValueError, RecursionError) as error:
        raise ConfigError(f"{where}: {explain(error, model)}") from None


def explain(error: Exception, model: type[BaseModel]) -> str:
    """The first mistake of a pydantic error, in one line."""
    if not isinstance(error, ValidationError):
        return f"not usable as a configuration ({type(error).__name__})"
    first = error.errors(include_url=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"unknown key {place!r}{nearest(str(first['loc'][-1]), sorted(_keys(model)))}"
    message = first["msg"].removeprefix("Value error, ")
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    if first["type"] == "missing":
        return f"{place} is missing{more}"
    got = "" if isinstance(first["input"], dict) or not place else f", got {str(first['input'])[:60]!r}"
    return f"{place + ': ' if place else ''}{message[0].lower()}{message[1:]}{got}{more}"


def _keys(model: type[BaseModel]) -> set[str]:
    """Every key of a model and of the models inside it."""
    schema = model.model_json_schema()
    parts = [schema, *schema.get("$defs", {}).values()]
    return {key for part in parts for key in part.get("properties", {})}


def read_toml(path: str | Path) -> dict[str, Any]:
    """A TOML file as a dict. Raises ConfigError that names the file and the line."""
    path = Path(path)
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        near = nearest(path.name, [p.name for p in path.parent.glob("*.toml")]) if path.parent.is_dir() else ""
        raise ConfigError(f"{path}: no such file{near}") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from None


def override(values: dict[str, Any], settings: list[str]) -> dict[str, Any]:
    """`a.b=c` set in a nested dict; c is TOML where it reads as TOML, else a string. Returns a new dict."""
    values = json.loads(json.dumps(values, default=str))
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals or not key.strip():
            raise ConfigError(f"--set wants key=value, got {setting!r}")
        try:
            value = tomllib.loads(f"v = {text}")["v"]
        except tomllib.TOMLDecodeError:
            value = text
        *path, last = key.strip().split(".")
        place = values
        for part in path:
            place = place.setdefault(part, {})
            if not isinstance(place, dict):
                raise ConfigError(f"--set {setting}: {part!r} is not a table")
        place[last] = value
    return values
