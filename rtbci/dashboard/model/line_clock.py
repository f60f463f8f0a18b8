"""Lines of the engine's log on the session's clock: the engine counts its seconds from where it joined a replay."""

from __future__ import annotations

from collections.abc import Sequence

from rtbci.monitor.messages import AnnotationLine, ConnectedLine, DetectionLine, LogLine, ReviewLine, SeekLine


class LineClock:
    """What is added to the engine's seconds in each line; it changes where a replay is sought and where a stream begins."""

    def __init__(self) -> None:
        self.offset_s = 0.0  # of the next line

    def offsets(self, lines: Sequence[LogLine], begun: float | None) -> list[float]:
        """Of lines in order.

        Parameters
        ----------
        lines
            What was logged since the last call.
        begun
            The offset of the part of the session that these lines lead to; None: they lead to no new one.
        """
        before, offset_s = self.offset_s, self.offset_s
        if begun is not None:
            offset_s = begun
        elif any(isinstance(line, SeekLine) for line in lines):
            offset_s = 0.0
        self.offset_s = offset_s
        found = []
        for line in reversed(lines):
            if isinstance(line, SeekLine):
                offset_s = line.offset_s
            found.append(offset_s)
            if isinstance(line, ConnectedLine):
                offset_s = before
        return found[::-1]


def on_session_clock(line: LogLine, offset_s: float) -> LogLine:
    """The line with its seconds of the recording on the session's clock, to be read by a person."""
    if not offset_s:
        return line
    if isinstance(line, DetectionLine | AnnotationLine | ReviewLine):
        return line.model_copy(update={"onset": line.onset + offset_s})
    if isinstance(line, SeekLine):
        return line.model_copy(update={"from_s": line.from_s + offset_s})
    return line
