"""How far answers can be trusted: channels that are bad or masked and the AUROC with them, and a rate that is wrong."""

from __future__ import annotations

from typing import Any

from rtbci.config import Number, fits
from rtbci.lsl.rate_check import RateVerdict
from rtbci.monitor.messages import TrustState
from rtbci.pipeline.live import LivePipeline
from rtbci.pipeline.stream import StreamSession
from rtbci.stages.bad_channels import MASKED, BadChannelMask
from rtbci.stages.montage import Montage
from rtbci.types import TrustChanged

Notes = dict[str, Any]  # a pipeline's notes: JSON of any shape, from a file that may be a stranger's


class TrustWatch:
    """Reports when the trust in a stream's answers changes; `notes` are the pipeline's."""

    def __init__(self, notes: Notes) -> None:
        self._notes = notes
        self._reported: tuple[str, tuple[str, ...]] = ("full", ())

    def changed(self, stream: StreamSession, rate: RateVerdict | None = None) -> TrustChanged | None:
        """The trust, if it has changed since the last call; else None."""
        trust = trust_of(stream.live, stream.quality.bad(), stream.info.channels, self._notes, rate)
        now = trust.level, trust.masked
        if now == self._reported:
            return None
        self._reported = now
        return TrustChanged(trust.level, trust.masked, trust.words)


_LEVELS = ("full", "reduced", "untested", "none")  # from the best to the worst


def trust_of(
    live: LivePipeline,
    bad: dict[str, str],
    channels: tuple[str, ...],
    notes: Notes,
    rate: RateVerdict | None = None,
) -> TrustState:
    """How far the answers can be trusted now.

    Parameters
    ----------
    live
        The running pipeline.
    bad
        What is wrong, by name of each bad channel of the stream.
    channels
        The channels of the stream.
    notes
        The pipeline's notes, in which training wrote what masking cost.
    rate
        What is wrong with the stream's rate; None: nothing.

    Returns
    -------
    TrustState
        Level, masked channels, and AUROC where it was measured.
    """
    montage, mask = live.find(Montage), live.find(BadChannelMask)
    assert montage is not None
    hurt = [name for name, used in zip(channels, montage.used, strict=True) if used and bad.get(name) in MASKED]
    masked = mask.masked if mask is not None else ()
    if mask is None:
        level = "untested" if hurt else "full"
    else:
        level = "none" if len(masked) > mask.most else "reduced" if masked else "full"
    measured = measured_auroc(notes, len(masked))
    trust = TrustState(level=level, bad=tuple(hurt), masked=tuple(masked), inputs=live.n_inputs, words="", **measured)
    words = [text for text in (_in_words(trust), rate.words if rate is not None else "") if text]
    if rate is not None:
        level = max(level, "none" if rate.kind == "wrong" else "reduced", key=_LEVELS.index)
    return trust.model_copy(update={"level": level, "words": "; ".join(words)})


def _in_words(trust: TrustState) -> str:
    n, inputs = len(trust.masked), trust.inputs
    if trust.level == "full":
        return ""
    if trust.level == "untested":
        return f"{_names_text(trust.bad)} bad; this pipeline was not trained with channels masked: do not trust its answers"
    if trust.level == "none":
        return f"{n} of {inputs} channels masked, more than in training: answers are marked invalid"
    if trust.auroc is None:
        return f"{n} of {inputs} channels masked"
    return f"{n} of {inputs} channels masked; AUROC {trust.auroc:.2f}, with all channels {trust.auroc_whole:.2f}"


def _names_text(names: tuple[str, ...]) -> str:
    return (
        ", ".join(names[:3])
        + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        + (" is" if len(names) == 1 else " are")
    )


def measured_auroc(notes: Notes, n: int) -> dict[str, float]:
    """Held-out AUROC with n channels masked and with none, by keys of TrustState; {} where the notes lack either."""
    scores: Any = notes.get("scores")
    rows: list[Notes] = []
    if fits(scores, {"masked": list}):
        rows = [row for row in scores["masked"] if fits(row, {"masked": int, "held_out_auroc": Number(0, 1)})]
    measured = {row["masked"]: row["held_out_auroc"] for row in rows}
    return {"auroc": measured[n], "auroc_whole": measured[0]} if n and {0, n} <= measured.keys() else {}
