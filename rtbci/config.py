"""What a user may set: strict, frozen models; TOML in, JSON in the pipeline file."""

from __future__ import annotations

import difflib
import json
import tomllib
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeInt,
    PositiveFloat,
    ValidationError,
    model_validator,
)

from rtbci.errors import ConfigError
from rtbci.models.config import ModelConfig

# Bounds of a stranger's file: what it may make a machine hold, and what a filter's arithmetic can bear.
MAX_SFREQ = 100_000.0
MAX_CHANNELS = 4096
MAX_VALUES_S = 50_000_000  # that a stream may bring a second
MAX_WINDOW_VALUES = 20_000_000  # that a stage keeps of the signal
MAX_ANSWER_VALUES = 50_000_000  # that a network holds to give one answer
MAX_NOTCHES = 64
DAY_S = 86_400.0


def _printable(name: str) -> str:
    """A name goes to terminals, tables and other programs as it is."""
    if not name.isprintable():
        raise ValueError(f"holds a control character: {name[:60]!r}")
    return name


Probability = Annotated[float, Field(ge=0, le=1)]
Name = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_printable)]
Names = Annotated[tuple[Name, ...], Field(max_length=MAX_CHANNELS)]
Seconds = Annotated[float, Field(ge=0, le=DAY_S)]
Microvolts = Annotated[float, Field(ge=1e-6, le=1e9)]
Clip = Annotated[float, Field(ge=1e-3, le=1e6)]


class Strict(BaseModel):
    """The ground of every setting: an unknown key, a wrong type, NaN or infinity is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class MontageConfig(Strict):
    """Which channels, by canonical name: an electrode ("Fz") or a bipolar pair ("Fp1-F7")."""

    channels: Annotated[Names, Field(min_length=1)]
    reference: Literal["as_recorded", "average"] = "as_recorded"


class FilterConfig(Strict):
    """Causal filters at the pipeline's rate. A Butterworth band-pass of `order` on each side; None leaves a side open."""

    low_hz: PositiveFloat | None = None
    high_hz: PositiveFloat | None = None
    order: Annotated[int, Field(ge=1, le=12)] = 4
    notch_hz: Annotated[tuple[Annotated[float, Field(ge=1, le=MAX_SFREQ)], ...], Field(max_length=8)] = ()
    notch_q: Annotated[float, Field(ge=0.5, le=1000)] = 30.0
    notch_harmonics: Annotated[int, Field(ge=1, le=50)] = 1

    @model_validator(mode="after")
    def _few_notches(self) -> FilterConfig:
        if len(self.notch_hz) * self.notch_harmonics > MAX_NOTCHES:
            raise ValueError(f"notch_hz and notch_harmonics make more than {MAX_NOTCHES} notches")
        return self


class NoScaling(Strict):
    """µV as they are."""

    kind: Literal["none"] = "none"


class ConstantScaling(Strict):
    """Divide each channel by a constant learned in training (robust: median and 1.4826 · MAD); empty until then."""

    kind: Literal["constant"] = "constant"
    center_uv: Annotated[tuple[Annotated[float, Field(ge=-1e9, le=1e9)], ...], Field(max_length=MAX_CHANNELS)] = ()
    scale_uv: Annotated[tuple[Microvolts, ...], Field(max_length=MAX_CHANNELS)] = ()
    clip: Clip = 20.0


class RunningScaling(Strict):
    """Divide by a running robust amplitude of the whole montage, so that patients of any amplitude look alike.

    Once a block, the median over channels of 1.4826 · median |x| enters an exponential average of its logarithm
    with `time_constant_s`; a block is scaled by what was known before it. `start_uv` is learned in training and
    counts as `start_weight_s` of signal.
    """

    kind: Literal["running"] = "running"
    time_constant_s: Annotated[float, Field(ge=1e-3, le=DAY_S)] = 60.0
    block_s: Annotated[float, Field(ge=1e-3, le=60)] = 1.0
    start_uv: Microvolts | None = None
    start_weight_s: Seconds = 2.0
    floor_uv: Microvolts = 0.5
    clip: Clip = 20.0


ScalingConfig = Annotated[NoScaling | ConstantScaling | RunningScaling, Field(discriminator="kind")]


class DecisionConfig(Strict):
    """From probability to events: an exponential average, two thresholds, a shortest duration, a longest lull."""

    labels: Names = ()
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


class GapConfig(Strict):
    """What to do where samples are missing: fill a short stretch, start afresh after a long one."""

    max_fill_s: Annotated[float, Field(ge=0, le=10)] = 0.2
    warmup_s: Seconds = 2.0


Row = Annotated[tuple[Probability, ...], Field(max_length=MAX_CHANNELS)]


class SelectionConfig(Strict):
    """Electrodes that a Gumbel-softmax selector chose out of the montage, and its probabilities."""

    channels: Annotated[Names, Field(min_length=1)]
    probabilities: Annotated[tuple[Row, ...], Field(max_length=MAX_CHANNELS)] = ()


class MaskConfig(Strict):
    """A channel that goes bad (flat, saturated, noise) is masked as training's channel dropout masked it.

    Training sets this; `most` is the largest number of channels that its dropout took away at once, in all but 1 % of
    draws. Where more are masked the answer is marked invalid.
    """

    most: NonNegativeInt


class CueConfig(Strict):
    """Answers at cues, beside those of the sliding window: over the network's window, `offset_s` behind each marker.

    labels: texts of markers that are cues; all of them where none is named. keep_s: how late a marker may come.
    """

    labels: Names = ()
    offset_s: Annotated[float, Field(ge=-60, le=60)] = 0.0
    keep_s: Annotated[float, Field(ge=0, le=60)] = 5.0


class PipelineConfig(Strict):
    """All that turns a stream into probabilities and events, save the weights."""

    name: Name
    sfreq: Annotated[PositiveFloat, Field(ge=0.1, le=MAX_SFREQ)]
    classes: Annotated[tuple[Name, ...], Field(min_length=1, max_length=1000)] = ("seizure",)
    activation: Literal["sigmoid", "softmax"] = "sigmoid"
    montage: MontageConfig
    filters: FilterConfig = FilterConfig()
    selection: SelectionConfig | None = None
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
        if self.cues is not None and not self._network("window") and self.model.kind != "selection":
            raise ValueError(
                f"cues: a {self.model.kind} answers at every hop; only a network of windows answers at cues"
            )

    def _network(self, size: str) -> int:
        """A size of the network, of that behind a selector where there is one; 0 where it has no such size."""
        return getattr(getattr(self.model, "network", self.model), size, 0)

    def _sizes_are_bounded(self) -> None:
        """Before anything is built: what this config can make a machine hold (MEMORY_BYTES in pipeline_file.py)."""
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


@cache
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


LARGEST = 1e15  # of a number: beyond, arithmetic and the clock's words fail


class Number:
    """A finite number."""

    def __init__(self, least: float = -LARGEST, most: float = LARGEST) -> None:
        self.least, self.most = least, most

    def __contains__(self, value: object) -> bool:
        return isinstance(value, int | float) and self.least <= value <= self.most


def fits(value: object, shape: Any) -> bool:
    """Whether a value has a shape; keys that a shape does not name may be there."""
    if isinstance(shape, tuple):
        return any(fits(value, one) for one in shape)
    if isinstance(shape, Number):
        return value in shape
    if isinstance(shape, list):
        return isinstance(value, list) and all(fits(each, shape[0]) for each in value)
    if isinstance(shape, dict):
        if not isinstance(value, dict):
            return False
        if str in shape:
            return all(fits(each, shape[str]) for each in value.values())
        return all(_has(value, key, of) for key, of in shape.items())
    return isinstance(value, shape)


def _has(value: dict[str, Any], key: str, shape: Any) -> bool:
    name = key.removesuffix("?")
    return fits(value[name], shape) if name in value else name != key
