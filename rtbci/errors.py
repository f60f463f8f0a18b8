"""User errors, each reported in one clear line; any other exception is a bug and keeps its traceback."""

from pathlib import Path

from rtbci.text import one_line


class RtbciError(Exception):
    """A user's mistake or bad input: the command line prints it as one line and exits with 2.

    The text is reduced to one line of printable characters, whatever names and values it quotes.
    """

    def __init__(self, text: str) -> None:
        super().__init__(one_line(text))


class ConfigError(RtbciError):
    """A configuration that is misspelt, incomplete or contradictory."""


class PluginError(ConfigError):
    """A plug-in that is not registered, cannot be found, or violates its contract."""


class RecordingError(RtbciError):
    """A recording that is missing, truncated, empty, or in a format that cannot be read."""


class DatasetError(RtbciError):
    """A dataset folder that is incomplete or holds something else."""


class PipelineFileError(RtbciError):
    """A pipeline file that is damaged, hostile, or written by a newer version."""


class StreamMismatch(RtbciError):
    """A stream or recording that does not fit the pipeline."""


class StreamNotFound(RtbciError):
    """No stream, or more than one, matches the query."""


class NotCausal(RtbciError):
    """A network that depends on future samples was asked to run live."""


class EngineFailed(Exception):
    """The engine's process ended unexpectedly, not because of a user's mistake."""


def error_text(error: Exception) -> str:
    """An error in one line: for one of the system, the file and what is wrong with it."""
    if isinstance(error, OSError):
        text = error.strerror or str(error)
        return one_line(f"{error.filename}: {text}" if error.filename else text)
    return one_line(str(error))


def about_file(reason: str, path: Path) -> str:
    """A reason that names its file."""
    return reason if path.name in reason else f"{path}: {reason}"
