"""Which of some stored weights fit a network, by key and shape."""

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from torch import Tensor


class LoadReport(NamedTuple):
    """Keys of the network, but left_over: keys of the file."""

    matched: list[str]
    missing: list[str]
    left_over: list[str]
    reshaped: list[str]

    @property
    def complete(self) -> bool:
        """Whether each weight of the network has its own in the file, and no other is there."""
        return not (self.missing or self.left_over or self.reshaped)

    def __str__(self) -> str:
        named = {"missing": self.missing, "left over": self.left_over}
        named["of another shape"] = self.reshaped
        lines = [f"{len(keys)} {what}: {grouped(keys)}" for what, keys in named.items() if keys]
        return "; ".join([f"{len(self.matched)} weights matched", *lines])


def match_keys(own: Mapping[str, Tensor], theirs: Mapping[str, Tensor]) -> LoadReport:
    """Compare a network's own state with what a file holds under the network's names."""
    both = [k for k in own if k in theirs]
    return LoadReport(
        matched=[k for k in both if own[k].shape == theirs[k].shape],
        missing=[k for k in own if k not in theirs],
        left_over=[k for k in theirs if k not in own],
        reshaped=[k for k in both if own[k].shape != theirs[k].shape],
    )


def grouped(keys: list[str], most: int = 12) -> str:
    """Keys by their part of the network, with counts: "refiner.conv1 (2), refiner.bn1 (5)"."""
    groups = Counter(".".join(key.split(".")[:2]) for key in keys)
    shown = [f"{part} ({count})" for part, count in list(groups.items())[:most]]
    return ", ".join([*shown, *(["..."] if len(groups) > most else [])])
