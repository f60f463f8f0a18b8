"""Real-time streaming BCI classifier: train on your recordings, go live on your amplifier, get the same answer."""

from __future__ import annotations

import lazy_loader

# The names of __init__.pyi, loaded when first used: `import rtbci` needs neither torch nor Qt nor MNE.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
