"""Procedural training data: pictures out of a seed, good enough to matte photographs."""

from bgm.data.procedural.dataset import Procedural
from bgm.data.procedural.ranges import Ranges
