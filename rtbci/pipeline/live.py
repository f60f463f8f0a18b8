"""The stages in series that carry one stream through a pipeline, and the time that each took."""

from __future__ import annotations

from time import perf_counter
from typing import TypeVar

from rtbci.stages.cues import Cue, CueAnswer, CueTagger
from rtbci.stages.decision import Decision
from rtbci.stages.network import WholeTagger
from rtbci.types import Chunk, Detection, Stage

StageKind = TypeVar("StageKind")


class Chain:
    """Stage: stages in series.

    Parameters
    ----------
    stages
        Name and stage, in order.
    """

    def __init__(self, stages: list[tuple[str, Stage]]) -> None:
        self.stages = stages

    def reset(self) -> None:
        for _, stage in self.stages:
            stage.reset()

    def process(self, chunk: Chunk) -> Chunk:
        for _, stage in self.stages:
            chunk = stage.process(chunk)
        return chunk


class LivePipeline:
    """One stream on its way through a pipeline. `Pipeline.start` makes it.

    Parameters
    ----------
    stages
        Name and stage, in order; the last one holds the network.
    decision
        From scores to events.
    device
        Where the network runs.
    n_inputs
        Channels of the network's input.
    cues
        Answers cues; None where the pipeline has none.

    Attributes
    ----------
    seen
        Input of the network for the last chunk, (n_samples, n_inputs).
    stage_us
        Microseconds that each stage took for the last chunk.
    """

    def __init__(
        self,
        stages: list[tuple[str, Stage]],
        decision: Decision,
        device: str,
        n_inputs: int,
        cues: CueTagger | None = None,
    ) -> None:
        self.stages = stages
        self.n_inputs = n_inputs
        self.decision = decision
        self.cues = cues
        self._answers: list[CueAnswer] = []
        self.device = device
        self.stage_us = dict.fromkeys((name for name, _ in stages), 0.0)
        self.seen = Chunk.empty(n_inputs)  # input of the network for the last chunk

    def process(self, chunk: Chunk) -> Chunk:
        """Process samples; no decision is taken.

        Parameters
        ----------
        chunk
            Samples as the stream delivers them, of any length.

        Returns
        -------
        Chunk
            Probabilities (n_hops, n_classes), which may be none.
        """
        before = perf_counter()
        for name, stage in self.stages:
            self.seen = chunk
            chunk = stage.process(chunk)
            after = perf_counter()
            self.stage_us[name] = (after - before) * 1e6
            before = after
        if self.cues is not None:
            self._answers += self.cues.process(self.seen)
        return chunk

    def find(self, kind: type[StageKind]) -> StageKind | None:
        """The first stage of a class, or None."""
        return next((stage for _, stage in self.stages if isinstance(stage, kind)), None)

    def cue(self, time: float, text: str) -> str:
        """Add a marker.

        Parameters
        ----------
        time
            Seconds, on the clock of the samples.
        text
            Text of the marker.

        Returns
        -------
        str
            The cue that it is for this pipeline; "" where it is none.
        """
        return self.cues.tell(Cue(time, text)) if self.cues is not None else ""

    def answers(self) -> list[CueAnswer]:
        """Answers to cues since the last call."""
        answers, self._answers = self._answers, []
        return answers

    def decide(self, scores: Chunk) -> list[Detection]:
        """Events that the probabilities (n_hops, n_classes) confirm or close."""
        return self.decision.process(scores)

    @property
    def answers_at_once(self) -> bool:
        """False for a network that depends on future samples: it answers in `held_back`."""
        return not isinstance(self.stages[-1][1], WholeTagger)

    def held_back(self) -> Chunk:
        """Scores of a network that depends on future samples, since the last reset; empty for all others."""
        tagger = self.stages[-1][1]
        return tagger.flush() if isinstance(tagger, WholeTagger) else Chunk.empty(0)

    def end_cues(self) -> None:
        """End of the stream: cues whose window is incomplete are answered as missed."""
        if self.cues is not None:
            self._answers += self.cues.flush()

    def flush(self) -> tuple[Chunk, list[Detection]]:
        """End the recording or stream.

        Returns
        -------
        scores, detections
            Chunk of scores that were held back, and the list of events that they confirm or that were open.
        """
        scores = self.held_back()
        found = self.decide(scores) if len(scores) else []
        self.end_cues()
        return scores, found + self.decision.flush()

    def reset(self) -> None:
        """Reset all state, as if the stream began here."""
        for _, stage in self.stages:
            stage.reset()
        if self.cues is not None:
            self.cues.reset()
        self.decision.reset()
