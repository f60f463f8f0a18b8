"""The mistakes a user can make, each said in one clear line; everything else is a bug and keeps its traceback."""

from rtbci.text import one_line


class RtbciError(Exception):
    """A user's mistake or bad input: the command line prints it as one line and exits with 2.

    The text is made one line of printable characters here, whatever names and values of others it quotes.
    """

    def __init__(self, text: str) -> None:
        super().__init__(one_line(text))


class ConfigError(RtbciError):
    """A configuration that is misspelt, incomplete or contradicts itself."""


class PluginError(ConfigError):
    """Code of the user's own that is not registered, not there, or does not keep its contract."""


class RecordingError(RtbciError):
    """A recording that is missing, truncated, empty, or of a kind that cannot be read."""


class DatasetError(RtbciError):
    """A dataset's folder that lacks what was published, or holds something else."""


class PipelineFileError(RtbciError):
    """A pipeline file that is damaged, hostile, or newer than this program."""


class StreamMismatch(RtbciError):
    """A stream or recording that does not fit the pipeline: says what came and what was wanted."""


class StreamNotFound(RtbciError):
    """No stream, or more than one, answers the query."""


class NotCausal(RtbciError):
    """A network that must see the future was asked to run live."""


class EngineFailed(Exception):
    """The engine's process ended by itself, and it was not the user's mistake."""
