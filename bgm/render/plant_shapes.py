"""Shapes of plants as numbers: twigs that fork, stems that rise from one place, leaves."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bgm.render.landmarks import unit
from bgm.render.plan import Stream

Array = NDArray[np.float64]
ENOUGH = 260  # twigs, after which none forks any more
RIM = 40  # vertices of a leaf's outline
UP = np.array([0.0, 0.0, 1.0])


class Twig(NamedTuple):
    """A line (N, 3) and its radius at each point (N,), in metres."""

    line: Array
    radius: Array


def grown(
    draw: Stream, start: Array, way: Array, length: float, wander: float, lift: float
) -> Array:
    """A line (12, 3) from start along way, that wanders and bends up (lift above 0) or down."""
    steps = 11
    turns = draw.rng.normal(0, wander, (steps, 3)).cumsum(0) / math.sqrt(steps)
    t = np.linspace(0, 1, steps)[:, None]
    ways = unit(way + turns + lift * t * UP)
    return np.concatenate([start[None], start + (ways * length / steps).cumsum(0)])


def branches(draw: Stream, bare: bool) -> list[Twig]:
    """Forked branches, from one that may come from any side to the finest twigs."""
    upright, wander = draw.chance(0.4), draw.uniform((0.15, 0.7))
    lean = draw.normal(0.5) if upright else draw.sign() * draw.uniform((1.0, 2.0))
    lift, open_ = draw.normal(0.4), draw.uniform((0.5, 1.1))
    flat = draw.uniform((0.3, 1.0))  # a bough spreads less in depth than across
    thick = np.exp(draw.uniform((math.log(0.005), math.log(0.022))))
    levels, many = 4, draw.uniform((3.5, 6.0) if bare else (4.0, 8.0))
    way = np.array([math.sin(lean), draw.normal(0.15), math.cos(lean)])
    trunk = grown(draw, np.zeros(3), unit(way), 1.1, wander, lift)
    found: list[Twig] = []
    todo = [(trunk, thick, 1.1, 0)]
    while todo:
        line, radius, length, level = todo.pop()
        found.append(Twig(line, radius * np.linspace(1, 0.45, len(line))))
        if level + 1 >= levels or len(found) > ENOUGH:
            continue
        side = draw.sign()
        for at in np.sort(draw.rng.uniform(0.2, 1.0, max(2, int(draw.rng.poisson(many))))):
            here = at * (len(line) - 1)
            k = min(int(here), len(line) - 2)
            start = line[k] + (here - k) * (line[k + 1] - line[k])
            along, side = unit(line[k + 1] - line[k]), -side
            across = unit(np.cross(along, draw.rng.normal(0, 1, 3) * [0.25, 1, 0.25]))
            turn = side * open_ * draw.uniform((0.6, 1.3))
            heading = (along * math.cos(turn) + across * math.sin(turn)) * [1, flat, 1]
            shorter = length * draw.uniform((0.3, 0.65)) * (1.15 - 0.5 * at)
            child = grown(draw, start, unit(heading), shorter, wander, lift * 0.6)
            thinner = max(radius * (1 - 0.5 * at) * draw.uniform((0.4, 0.7)), 0.0007)
            todo.insert(0, (child, thinner, shorter, level + 1))
    return found


def rosette(draw: Stream, habit: str) -> list[Twig]:
    """Stems that rise from one place and lean outwards: grass, ferns, flowers."""
    count = int(draw.uniform({"grass": (25, 140), "fern": (5, 16), "flowers": (4, 22)}[habit]))
    spread, fall = draw.uniform((0.1, 0.7)), draw.uniform((0.0, 1.6)) * (habit != "flowers")
    thick = {"grass": 0.003, "fern": 0.0022, "flowers": 0.0024}[habit] * draw.uniform((0.7, 1.8))
    wander, base = draw.uniform((0.05, 0.3)), draw.uniform((0.01, 0.12))
    found = []
    for _ in range(count):
        angle, length = draw.rng.uniform(0, 2 * math.pi), draw.uniform((0.45, 1.0))
        out = np.array([math.cos(angle), math.sin(angle), 0.0])
        way = unit(UP + out * spread * draw.uniform((0.1, 1.2)))
        start = out * base * draw.rng.random()
        line = grown(draw, start, way, length, wander, -fall * draw.rng.random())
        found.append(Twig(line, np.linspace(thick, 0.4 * thick, len(line))))
    return found


def frames(line: Array) -> tuple[Array, Array, Array]:
    """Unit vectors along a line (N, 3), and two across it."""
    along = unit(np.gradient(line, axis=0))
    aside = unit(np.cross(along, [0.31, 0.91, 0.27]))
    return along, aside, np.cross(along, aside)


def outline(shape: str, draw: Stream) -> Array:
    """(RIM, 2) of a leaf one long, its stalk at (0, 0) and its tip at (1, 0)."""
    angle = np.linspace(-math.pi, math.pi, RIM, endpoint=False)  # 0 is the tip
    wide = {"oval": 0.28, "lance": 0.11, "round": 0.44, "heart": 0.42, "toothed": 0.3}
    half = wide.get(shape, 0.5) * draw.uniform((0.8, 1.2))
    if shape == "lobed":
        lobes = np.array([0.0, 0.95, -0.95, 1.9, -1.9])
        reach = np.array([1.0, 0.85, 0.85, 0.5, 0.5]) * draw.rng.uniform(0.85, 1.1, 5)
        sharp = draw.uniform((2.2, 4.5))
        gap = np.abs(angle[:, None] - lobes)
        radius = (reach * np.exp(-sharp * gap)).max(1)
        radius = np.maximum(radius, 0.22) * (1 + 0.08 * np.cos(angle * 15))
        points = np.c_[radius * np.cos(angle), radius * np.sin(angle)] * [0.7, 2 * half]
        return points + np.array([0.3, 0.0])
    t = (1 + np.cos(angle)) / 2
    tip = draw.uniform((0.9, 1.5))
    width = half * np.sin(math.pi * t ** (0.75 if shape != "heart" else 0.55)) ** (tip / 1.2)
    if shape == "toothed":
        width = width * (1 + 0.12 * np.cos(angle * 13))
    points = np.c_[t, np.sign(angle) * np.maximum(width, 0.0)]
    if shape == "heart":
        points[:, 0] -= 0.12 * np.exp(-((t - 0.06) ** 2) / 0.004) * (np.abs(points[:, 1]) > 0.02)
    return points


def leaf(rim: Array, draw: Stream) -> tuple[Array, NDArray[np.int64], Array]:
    """Points (N, 3) of a curled leaf one long in x, triangles and quads as (F, 4), veins (N,)."""
    middle = np.array([0.42, 0.0])
    rings = [middle + s * (rim - middle) for s in (0.35, 0.72, 1.0)]
    flat = np.concatenate([middle[None], *rings])
    x, y = flat.T
    curl, fold, twist = draw.normal(0.35), draw.uniform((0.0, 0.5)), draw.normal(0.3)
    height = curl * x * (x - 0.3) + fold * np.abs(y) + twist * x * y
    i = 1 + np.arange(RIM)
    j = 1 + (np.arange(RIM) + 1) % RIM
    faces = [np.stack([0 * i, i, j, j], 1)]
    for inner in (0, RIM):
        faces.append(np.stack([inner + i, inner + RIM + i, inner + RIM + j, inner + j], 1))
    vein = np.exp(-((y / 0.035) ** 2))
    return np.c_[x, y, height], np.concatenate(faces), vein
