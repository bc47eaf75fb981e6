"""Procedural training data: pictures out of a seed, good enough to matte photographs."""

from .dataset import Procedural, preview
from .ranges import Ranges

__all__ = ["Procedural", "Ranges", "preview"]
