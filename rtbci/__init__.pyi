# The public names: type checkers read them here, and __init__.py loads each when it is first used.
from . import models as models
from .errors import RtbciError as RtbciError
from .evaluation.tagging import Tagged as Tagged
from .evaluation.tagging import tag as tag
from .pipeline.live import LivePipeline as LivePipeline
from .pipeline.pipeline import Pipeline as Pipeline
from .plugins import plugin as plugin
from .provenance import __version__ as __version__
from .recordings.open import open_recording as open_recording
from .recordings.recording import Recording as Recording
from .types import Chunk as Chunk
from .types import Event as Event
from .types import Gap as Gap
from .types import StreamInfo as StreamInfo

__all__: list[str]
