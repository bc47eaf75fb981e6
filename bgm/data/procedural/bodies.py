"""Skeletons of people, animals, plants and things: a figure's table of capsules, filled."""

import math

import numpy as np
from numpy.random import Generator

from bgm.data.procedural.ranges import Ranges

SKIN, HAIR, TOP, BOTTOM = range(4)
SLOTS = (6, 4, 8, 10)  # capsules of each group: a fixed table, so that figures batch
FIRST = (0, 6, 10, 18)
PARTS = sum(SLOTS)
FAR = 40.0  # parts beyond it are not there
NOWHERE = (50.0, 50.0, 50.0, 50.0, 0.01, 0.01)


class Figure:
    """A table of capsules (ax, ay, bx, by, ra, rb) filled group by group; y points down."""

    def __init__(self) -> None:
        self.parts = np.tile(np.array(NOWHERE, np.float32), (PARTS, 1))
        self.used = [0, 0, 0, 0]
        self.head: tuple[float, float, float] | None = None  # x, y, radius: hair grows here

    def add(self, group: int, a, b, ra: float, rb: float | None = None) -> None:
        """Add a capsule from a to b with radii ra, rb; beyond the group's slots it is left out."""
        if self.used[group] < SLOTS[group]:
            row = FIRST[group] + self.used[group]
            self.parts[row] = (*a, *b, ra, ra if rb is None else rb)
            self.used[group] += 1

    def limb(self, group: int, a, lengths, angles, radii) -> np.ndarray:
        """Add a chain of capsules; angles in radians from straight down; returns its far end."""
        for length, angle, ra, rb in zip(lengths, angles, radii[:-1], radii[1:], strict=True):
            b = np.array(a) + length * np.array([math.sin(angle), math.cos(angle)])
            self.add(group, a, b, ra, rb)
            a = b
        return np.array(a)

    def place(self, centre, scale: float, angle: float, mirror: bool) -> None:
        """Mirror, scale and rotate about the origin, then move the origin to centre."""
        turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
        turn = scale * turn @ np.diag([-1.0 if mirror else 1.0, 1.0])
        here = self.parts[:, 0] < FAR
        for k in (0, 2):
            self.parts[here, k : k + 2] = self.parts[here, k : k + 2] @ turn.T + np.array(centre)
        self.parts[here, 4:] *= scale
        if self.head:
            x, y = turn @ np.array(self.head[:2]) + np.array(centre)
            self.head = (float(x), float(y), self.head[2] * scale)


KINDS = ("portrait", "person", "animal", "beast", "plant", "objects")


def _human_head(fig: Figure, rng: Generator) -> None:
    """Head at the origin with radius 0.09, neck, mass of hair."""
    u = rng.uniform
    r = 0.09
    fig.head = (0.0, 0.0, r)
    fig.add(
        SKIN, (u(-0.01, 0.01), -0.015), (u(-0.01, 0.01), 0.045), r * u(0.8, 0.95), r * u(0.6, 0.75)
    )
    fig.add(SKIN, (0, 0.05), (0, 0.13), r * u(0.4, 0.6))  # neck
    if rng.random() < 0.8:  # a mass of hair; strands fray its border
        fig.add(HAIR, (u(-0.02, 0.02), -0.03), (u(-0.02, 0.02), -0.01), r * u(0.9, 1.15))
        if rng.random() < 0.5:
            down = u(0.06, 0.32)
            for side in (-1, 1):
                far = (side * u(0.05, 0.12), down * u(0.8, 1.1))
                fig.add(HAIR, (side * 0.06, -0.01), far, r * u(0.4, 0.6), r * u(0.15, 0.5))
        elif rng.random() < 0.3:
            fig.add(HAIR, (0, -0.1), (u(-0.05, 0.05), -0.13), r * u(0.3, 0.5))


def _arms(fig: Figure, rng: Generator, w: float) -> None:
    """Arms from shoulders w apart: down, akimbo, folded, stretched or raised."""
    u = rng.uniform
    for side in (-1, 1):
        pose = rng.choice(4)
        out = u(0.05, 0.5) if pose < 2 else u(0.5, 1.2) if pose == 2 else u(1.2, 2.9)
        fold = -u(0.2, 2.4) if pose in (1, 2) else u(-0.3, 0.3) if pose == 0 else u(-0.6, 1.5)
        sleeve = TOP if rng.random() < 0.7 else SKIN
        hand = fig.limb(
            sleeve, (side * w, 0.19), (u(0.15, 0.2), u(0.14, 0.19)),
            (side * out, side * (out + fold)), (u(0.04, 0.06), u(0.03, 0.045), u(0.022, 0.035)),
        )  # fmt: skip
        fig.add(SKIN, hand, hand + rng.normal(0, 0.02, 2), 0.025)
        if rng.random() < 0.12:  # something held
            fig.add(BOTTOM, hand, hand + rng.normal(0, 0.12, 2), u(0.006, 0.06))


def add_human(fig: Figure, rng: Generator) -> None:
    """A person below a head at the origin; what the frame cuts off makes it a portrait."""
    u = rng.uniform
    _human_head(fig, rng)
    w, hip = u(0.11, 0.19), u(0.07, 0.14)
    for side in (-1, 1):
        fig.add(TOP, (0, 0.17), (side * w, u(0.165, 0.2)), 0.05, 0.05)
    fig.add(TOP, (0, 0.22), (u(-0.03, 0.03), 0.46), w * 0.85, hip)
    _arms(fig, rng, w)
    if rng.random() < 0.25:  # skirt or coat
        fig.add(BOTTOM, (0, 0.46), (u(-0.05, 0.05), u(0.6, 0.85)), hip, hip * u(1.1, 1.9))
    stride = u(0.0, 0.5)
    for side in (-1, 1):
        fig.limb(
            BOTTOM, (side * hip * 0.55, 0.48), (u(0.2, 0.25), u(0.2, 0.25), 0.05),
            (side * stride * u(0.2, 1), side * stride * u(-0.3, 0.6), side * u(0.3, 1.4)),
            (hip * 0.6, u(0.045, 0.07), u(0.03, 0.05), 0.03),
        )  # fmt: skip


def add_animal(fig: Figure, rng: Generator) -> None:
    """Body along x, centred at the origin; the head is at positive x."""
    u = rng.uniform
    L, r = u(0.14, 0.26), u(0.08, 0.17)
    fig.add(TOP, (-L, u(-0.03, 0.03)), (L, u(-0.03, 0.03)), r * u(0.8, 1.1), r * u(0.9, 1.2))
    reach, lift = u(0.05, 0.2), u(-0.3, 0.02)
    head = np.array([L + reach, lift])
    hr = r * u(0.35, 0.65)
    fig.head = (float(head[0]), float(head[1]), hr * 1.4)
    fig.add(TOP, (L, -0.02), head, r * u(0.5, 0.9), hr)
    fig.add(SKIN, head, np.add(head, (u(0.03, 0.12), u(0.0, 0.08))), hr, hr * u(0.45, 0.8))
    horn = rng.random() < 0.35
    for side in (-0.5, 0.5):
        up = u(0.1, 0.3) if horn else u(0.03, 0.1)
        tip = np.add(head, (side * hr * u(1, 2.5) - 0.03, -hr - up))
        fig.add(SKIN, np.add(head, (side * hr, -hr * 0.7)), tip, hr * u(0.2, 0.45), 0.006)
    if rng.random() < 0.3:  # mane
        fig.add(HAIR, (L, -r * 0.6), head - (hr * 0.5, hr * 0.3), r * u(0.3, 0.7), hr * u(0.5, 1))
    for x in (-L * 0.95, -L * 0.7, L * 0.75, L):
        fig.limb(
            BOTTOM, (x, 0.02), (r + u(0.03, 0.15), u(0.08, 0.18)), (u(-0.4, 0.4), u(-0.3, 0.3)),
            (r * u(0.4, 0.6), r * u(0.2, 0.3), r * u(0.13, 0.25)),
        )  # fmt: skip
    fig.limb(TOP, (-L - r * 0.6, -0.03), (u(0.05, 0.15), u(0.05, 0.15)), -rng.uniform(0.2, 2.2, 2),
             (0.03, u(0.01, 0.03), u(0.005, 0.03)))  # fmt: skip


def add_beast(fig: Figure, rng: Generator) -> None:
    """An animal's head and chest from near: big rounded masses, ears, no limbs."""
    u = rng.uniform
    fig.head = (0.0, 0.0, 0.16)
    fig.add(SKIN, (0, 0), (u(-0.1, 0.1), u(0.0, 0.1)), u(0.13, 0.18), u(0.08, 0.16))
    for side in (-1, 1):
        tip = (side * u(0.08, 0.2), -u(0.1, 0.34))
        fig.add(SKIN, (side * 0.09, -0.08), tip, u(0.03, 0.07), u(0.008, 0.04))
    fig.add(TOP, (u(-0.1, 0.1), 0.12), (u(-0.2, 0.2), 0.55), u(0.1, 0.2), u(0.2, 0.38))
    fig.add(TOP, (0, 0.2), (u(-0.35, 0.35), 0.7), u(0.1, 0.18), u(0.2, 0.4))
    if rng.random() < 0.5:
        fig.add(HAIR, (0, -0.04), (0, 0.1), u(0.16, 0.24))


def add_scatter(fig: Figure, rng: Generator, thin: bool) -> None:
    """Lumps, bars and twigs that mostly hang together: plants and things."""
    spots = [np.zeros(2)]
    for k in range(int(rng.integers(3, 12))):
        a = spots[rng.integers(len(spots))]
        b = a + rng.normal(0, 0.18, 2)
        r = rng.uniform(0.006, 0.05) if thin and k else rng.uniform(0.02, 0.16)
        fig.add((TOP, BOTTOM, SKIN)[k % 3], a, b, r, r * rng.uniform(0.3, 1.5))
        spots.append(b)


def draw_figure(rng: Generator, kind: str, extent: tuple[float, float], r: Ranges) -> Figure:
    """Draw a figure of a kind in a frame of extent = (height, width) / short side, centred."""
    fig = Figure()
    h, w = extent
    x, tilt = rng.uniform(-0.3, 0.3) * w, rng.uniform(*r.tilt)
    scale = rng.uniform(*r.zoom) * math.sqrt(h * w)
    if kind == "portrait":
        add_human(fig, rng)
        scale, y = scale * rng.uniform(1.5, 2.6), rng.uniform(-0.25, 0.02) * h
    elif kind == "person":
        add_human(fig, rng)
        y = -0.5 * h + rng.uniform(0.08, 0.3) * scale
    elif kind == "animal":
        add_animal(fig, rng)
        scale, y = scale * rng.uniform(0.9, 1.4), rng.uniform(-0.15, 0.25) * h
    elif kind == "beast":
        add_beast(fig, rng)
        scale, y, tilt = scale * rng.uniform(0.9, 1.6), rng.uniform(-0.25, 0.15) * h, tilt * 3
    else:
        add_scatter(fig, rng, thin=kind == "plant")
        scale, y, tilt = scale * rng.uniform(0.9, 1.5), rng.uniform(-0.3, 0.3) * h, tilt * 10
    if rng.random() < r.empty:
        x, scale = x + math.copysign(0.5 * w, x), scale * 0.4
    elif rng.random() < r.full:
        scale = scale * 3
    fig.place((x, y), scale, tilt, mirror=rng.random() < 0.5)
    return fig
