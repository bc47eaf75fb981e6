"""Plates out of clips: the temporal median of a range, or of a shot in which the subject moves."""

import re
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import torch

from bgm.errors import BadInput
from bgm.infer.frame import Shot
from bgm.infer.plate.median import median_plate
from bgm.infer.sources import video_shots

MEDIAN = "median"  # the word, in the place of a plate
MOST = 31  # frames of which a median is taken
MOST_BYTES = 1 << 29
FEWEST = 5  # of a median in which something moves


class ClipRange(NamedTuple):
    """A part of a clip, in seconds since its first frame."""

    path: Path
    start: Fraction
    end: Fraction


def parse_range(words: str) -> ClipRange | None:
    """ "clip.mp4@0:00-0:03" as a range; None for words without an @ and a time behind it.

    Times are seconds, m:s or h:m:s, with decimals. Raises BadInput for an end before its start.
    """
    time = r"(?:\d+:){0,2}\d+(?:\.\d+)?"
    match = re.fullmatch(rf"(.+)@({time})-({time})", words)
    if not match:
        return None
    start, end = (_seconds(match[i]) for i in (2, 3))
    if end < start:
        raise BadInput(f"bgr {words}: the range ends before it begins")
    return ClipRange(Path(match[1]), start, end)


def range_plate(part: ClipRange) -> Shot:
    """The median of a clip's frames from start to end; BadInput where there is none."""

    def frames() -> Iterable[Shot]:
        for shot, time in video_shots(part.path):
            if time > part.end:
                return
            if time >= part.start:
                yield shot

    where = f"bgr {part.path} from {float(part.start):g} to {float(part.end):g} s"
    return median_shot(frames(), where, fewest=1)


def median_shot(shots: Iterable[Shot], where: str, fewest: int = FEWEST) -> Shot:
    """The median over time of each value, of at most `MOST` shots that lie evenly among all.

    Memory is bounded by `MOST_BYTES`, or by three shots. Raises BadInput, naming where, for fewer
    than `fewest` shots and for shots of several sizes or encodings.
    """
    kept: list[Shot] = []
    step, count, most = 1, 0, MOST
    for count, shot in enumerate(shots, 1):
        if (count - 1) % step:
            continue
        if kept and (shot.size != kept[0].size or shot.encoding != kept[0].encoding):
            (h, w), (H, W) = shot.size, kept[0].size
            raise BadInput(f"{where}: pictures differ, {W}x{H} and {w}x{h}, or in their encoding")
        if not kept:
            most = max(3, min(MOST, MOST_BYTES // shot.stored.nbytes))
        if len(kept) == most:  # every second one makes room
            kept, step = kept[::2], step * 2
            if (count - 1) % step:
                continue
        kept.append(shot)
    if count < fewest:
        raise BadInput(f"{where}: {count} frames, at least {fewest} are needed for a median")
    if len(kept) < 3:
        return kept[0]
    stored = [shot.stored for shot in kept]
    if stored[0].dtype == torch.uint16:  # torch has no order for them
        return kept[0].with_stored(
            median_plate(torch.stack([x.int() for x in stored])).to(torch.uint16)
        )
    return kept[0].with_stored(median_plate(torch.stack(stored)))


def _seconds(text: str) -> Fraction:
    total = Fraction(0)
    for part in text.split(":"):
        total = total * 60 + Fraction(part)
    return total
