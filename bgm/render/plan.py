"""What is in each picture, decided before any body is made: plain data from a seed."""

from collections.abc import Mapping
from typing import Any

from bgm.render.streams import Stream

BOTH_HANDS = ("box", "ball")
POSE_OF_HELD = {"phone": "phone", "bottle": "hold", "cup": "hold", "umbrella": "umbrella"}


def plan(seed: int, index: int, ranges: Mapping[str, Any], forced: Mapping[str, Any]) -> dict:
    """The plan of picture number index.

    ranges: conf/ranges/rendered.yaml. forced: values that replace drawn ones (kind, shot, pose,
    held, sex); a draw that is replaced is made all the same. Returns kind ("person", "pair" or
    "animal"), shot, and people: a list of sex (0 male .. 1 female), pose and held.
    """
    draw = Stream(seed, index, "plan")
    kind = draw.choose(ranges["kinds"])
    shot = draw.choose(ranges["shots"])
    kind, shot = forced.get("kind", kind), forced.get("shot", shot)
    people = [person(seed, index, number, ranges, forced) for number in range(2)]
    count = {"person": 1, "pair": 2}.get(kind, 0)
    return {"seed": seed, "index": index, "kind": kind, "shot": shot, "people": people[:count]}


def person(seed: int, index: int, number: int, ranges: Mapping, forced: Mapping) -> dict:
    """One person's sex, pose, and what the hands hold."""
    draw = Stream(seed, index, f"person{number}")
    sex = "female" if draw.chance(0.5) else "male"
    pose = draw.choose(ranges["poses"])
    held = draw.choose(ranges["held"])
    sex, held = forced.get("sex", sex), forced.get("held", held)
    if held != "nothing":
        pose = POSE_OF_HELD.get(held, "carry" if held in BOTH_HANDS else "hold")
    return {"number": number, "sex": sex, "pose": forced.get("pose", pose), "held": held}
