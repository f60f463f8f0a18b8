"""The section `[sampling]` of a training config: sequences drawn from the recordings instead of each recording in turn."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, PositiveFloat, PositiveInt

from rtbci.config import Name, Strict


class SamplingConfig(Strict):
    """How the sequences of an epoch are drawn, for taggers; `data.recordings.repeats` and `training.visit_s` say nothing then.

    Each sequence begins with a fresh state. A group is drawn by its share, then a subject, then one of its recordings; so a
    patient with many seizures, or a long seizure, does not outweigh the others. Where recordings begin at the onset, a part
    of the sequences gets background before it, cross-faded, so that a network learns the change as well as the state.

    Attributes
    ----------
    shares
        Of the sequences, by pattern of groups (`data.recordings.group`); a recording belongs to the first pattern that
        matches. Shares are relative to each other.
    sequences
        Of an epoch.
    duration_s
        Of a sequence.
    subject_exponent
        A subject's weight is the number of its recordings to this power: 0, all subjects alike; 1, all recordings alike.
    lead_in
        Share of the sequences with background before the recording.
    lead_in_from
        Patterns of groups that this background is taken from; half of it is of the same subject, where there is such.
    lead_in_s
        Shortest and longest.
    crossfade_s
        In which one turns into the other.
    from_the_start
        Share of the sequences of a recording with a class that begin shortly before it begins to hold; of events more than a
        minute apart, each alike. The others, and those of background, begin anywhere.
    onset_s, onset_weight
        How much the first seconds of a class, in a recording or a sequence, count in the loss: the evidence is yet to come,
        and a network that is made to know by then guesses.
    """

    shares: Annotated[dict[Name, PositiveFloat], Field(min_length=1)]
    sequences: PositiveInt = 2400
    duration_s: PositiveFloat = 15.0
    subject_exponent: Annotated[float, Field(ge=0, le=1)] = 0.5
    lead_in: Annotated[float, Field(ge=0, le=1)] = 0.5
    lead_in_from: Annotated[tuple[Name, ...], Field(min_length=1)] = ("*",)
    lead_in_s: tuple[PositiveFloat, PositiveFloat] = (2.0, 7.5)
    crossfade_s: Annotated[float, Field(ge=0, le=60)] = 1.0
    from_the_start: Annotated[float, Field(ge=0, le=1)] = 0.6
    onset_s: Annotated[float, Field(ge=0, le=60)] = 3.0
    onset_weight: Annotated[float, Field(ge=0, le=1)] = 1.0
