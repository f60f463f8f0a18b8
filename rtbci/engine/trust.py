"""How far an answer can be trusted while electrodes are bad: what is masked, and what that cost when it was measured."""

from __future__ import annotations

from typing import Any

from rtbci.config import Number, fits
from rtbci.pipeline.pipeline import LivePipeline
from rtbci.stages.bad_channels import MASKED, Mask
from rtbci.stages.montage import Montage

Json = dict[str, Any]


def trust_of(live: LivePipeline, bad: dict[str, str], channels: tuple[str, ...], notes: Json) -> Json:
    """bad: what is wrong, by channel of the stream (`channels`); notes: the pipeline's.

    level: "full"; "reduced": the channels in `masked` are masked, as in training; "none": so many are that answers are
    marked invalid; "untested": the network was never trained without a channel, and its answer goes on as it is.
    words: what that means, in a line; "" where all is well.
    auroc, auroc_whole: of held-out recordings with so many channels masked, and with none, where training measured it.
    """
    montage, mask = live.find(Montage), live.find(Mask)
    assert montage is not None
    hurt = [name for name, used in zip(channels, montage.used, strict=True) if used and bad.get(name) in MASKED]
    masked = mask.masked if mask is not None else ()
    if mask is None:
        level = "untested" if hurt else "full"
    else:
        level = "none" if len(masked) > mask.most else "reduced" if masked else "full"
    told = {"level": level, "bad": hurt, "masked": list(masked), "inputs": live.n_inputs}
    told |= _measured(notes, len(masked))
    return told | {"words": _in_words(told)}


def _in_words(trust: Json) -> str:
    level, n, inputs = trust["level"], len(trust["masked"]), trust["inputs"]
    if level == "full":
        return ""
    if level == "untested":
        return f"{_listed(trust['bad'])} bad; this pipeline was never trained without: do not trust its answer"
    if level == "none":
        return f"{n} of {inputs} channels masked, more than in training: its answer is marked invalid"
    cost = f"; AUROC {trust['auroc']:.2f} so, {trust['auroc_whole']:.2f} with all" if "auroc" in trust else ""
    return f"{n} of {inputs} channels masked{cost}"


def _listed(names: list[str]) -> str:
    return (
        ", ".join(names[:3])
        + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        + (" is" if len(names) == 1 else " are")
    )


def _measured(notes: Json, n: int) -> Json:
    # Notes are plain JSON of any shape: a stranger wrote them.
    scores: Any = notes.get("scores")
    rows: list[Json] = []
    if fits(scores, {"masked": list}):
        rows = [row for row in scores["masked"] if fits(row, {"masked": int, "held_out_auroc": Number(0, 1)})]
    measured = {row["masked"]: row["held_out_auroc"] for row in rows}
    return {"auroc": measured[n], "auroc_whole": measured[0]} if n and {0, n} <= measured.keys() else {}
