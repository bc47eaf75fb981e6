"""Skeletons: where a subject's body parts lie, as capsules in units of the frame's short side."""

import math

import numpy as np

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
