"""All targets, by name."""

from fuzzing import pipelines, processes, recordings, settings, streams
from fuzzing.contract import TARGETS

__all__ = ["TARGETS", "pipelines", "processes", "recordings", "settings", "streams"]
