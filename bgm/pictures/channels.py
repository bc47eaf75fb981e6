"""Which channels of a file with several hold its colours, and which are an alpha."""

import re
from typing import Any

GRAY = ("Y", "L", "gray", "channel0", "I")
LONE = (*GRAY, "R")  # the one channel of a file, where that is a picture


def colour_places(parts: list[Any], exr: bool, matte: bool) -> list[tuple[int, int]]:
    """Part and channel of R, G, B, else of gray; [] where there are none.

    Colours in one part come before colours in several, the default layer before others.
    """
    flat = [n for n, spec in enumerate(parts) if not spec.deep]
    name = {(n, i): text for n in flat for i, text in enumerate(parts[n].channelnames)}
    if len(name) == 1:
        ((place, lone),) = name.items()
        gray = not exr or lone.rpartition(".")[2] in LONE or (matte and is_alpha(lone))
        return [place] if gray else []
    groups = [[place for place in name if place[0] == n] for n in flat]
    found = []
    for group in (*groups, list(name)):
        index = colour_channels([name[place] for place in group])
        found.append([group[i] for i in index])
    found = [places for places in found if places]
    return min(found, key=lambda p: (-len(p), "." in name[p[0]]), default=[])


def colour_channels(names: list[str]) -> list[int]:
    """Where R, G, B of the default layer are, else of the first layer with all three, else Y."""
    plain = {name: i for i, name in reversed(list(enumerate(names)))}
    layers = dict.fromkeys(["", *(name.rpartition(".")[0] for name in names if "." in name)])
    for letters in ("RGB", "rgb", ("red", "green", "blue"), ("Red", "Green", "Blue")):
        for layer in layers:
            wanted = [f"{layer}.{letter}" if layer else letter for letter in letters]
            if all(name in plain for name in wanted):
                return [plain[name] for name in wanted]
    if "RY" in plain or "BY" in plain:  # colours as differences, at half the size
        return []
    return next(([plain[name]] for name in GRAY if name in plain), [])


def is_alpha(channel: str) -> bool:
    """Whether a channel of an EXR is an alpha, of whichever layer or part."""
    return re.split("[.:]", channel)[-1] in ("A", "a", "alpha")
