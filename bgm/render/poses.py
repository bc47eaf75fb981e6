"""Poses of the MakeHuman skeleton as rotations by bone."""

from collections.abc import Callable

import numpy as np
from scipy.spatial.transform import Rotation

Pose = dict[str, Rotation]
ARMS_DOWN = -30.0  # degrees from the A-pose of the template to arms that hang


class Poser:
    """Collects rotations in world axes: front is -y, up is +z; the left side is at +x or -x."""

    def __init__(self, rng: np.random.Generator, left: float) -> None:
        self.rng, self.left = rng, left
        self.pose: Pose = {}

    def side(self, name: str) -> float:
        return self.left if name == "L" else -self.left

    def noise(self, degrees: float) -> float:
        return float(self.rng.normal(0, degrees))

    def arm(
        self, side: str, raised: float, forward: float, elbow: float, across: float = 0.0
    ) -> None:
        """Degrees: raised sideways from the A-pose, swung forward, elbow bent forward or across."""
        s = self.side(side)
        sideways = Rotation.from_euler("y", -s * raised, degrees=True)
        swing = Rotation.from_euler("x", -forward, degrees=True)
        self.pose[f"upperarm01.{side}"] = swing * sideways
        self.pose[f"shoulder01.{side}"] = Rotation.from_euler("y", -s * raised * 0.12, degrees=True)
        bend = Rotation.from_euler("x", -elbow, degrees=True)
        self.pose[f"lowerarm01.{side}"] = Rotation.from_euler("y", s * across, degrees=True) * bend

    def leg(self, side: str, forward: float, apart: float, knee: float) -> None:
        """Degrees: the thigh swung forward and apart, the knee bent."""
        s = self.side(side)
        swing = Rotation.from_euler("x", -forward, degrees=True)
        self.pose[f"upperleg01.{side}"] = swing * Rotation.from_euler("y", -s * apart, degrees=True)
        self.pose[f"lowerleg01.{side}"] = Rotation.from_euler("x", knee, degrees=True)

    def fingers(self, side: str, curl: float, spread: float = 4.0) -> None:
        """Curl all fingers by degrees a joint."""
        s = self.side(side)
        for finger in range(2, 6):
            for joint in (1, 2, 3):
                turn = s * (curl + self.noise(spread))
                self.pose[f"finger{finger}-{joint}.{side}"] = Rotation.from_euler(
                    "y", turn, degrees=True
                )

    def bend(self, bone: str, spread: float) -> None:
        """A small random rotation of a bone of spine, neck or head."""
        angles = [self.noise(spread * 0.6), self.noise(spread * 0.5), self.noise(spread)]
        self.pose[bone] = Rotation.from_euler("xyz", angles, degrees=True)


def relaxed(p: Poser) -> None:
    for side in "LR":
        p.arm(side, ARMS_DOWN + p.noise(5), p.noise(7), abs(p.noise(14)))
        p.leg(side, p.noise(3), -2 + p.noise(2), abs(p.noise(3)))


def apart(p: Poser) -> None:
    for side in "LR":
        p.arm(side, p.rng.uniform(-28, 8), p.noise(12), abs(p.noise(25)))
        p.leg(side, p.noise(5), p.rng.uniform(0, 9), 2)


def hips(p: Poser) -> None:
    for side in "LR":
        p.arm(side, -2 + p.noise(4), -22 + p.noise(4), 0, across=88 + p.noise(5))
        p.leg(side, p.noise(3), p.noise(3), 2)


def one_hip(p: Poser) -> None:
    relaxed(p)
    p.arm(p.rng.choice(["L", "R"]), -2 + p.noise(4), -22 + p.noise(4), 0, across=88 + p.noise(5))


def walk(p: Poser) -> None:
    swing = p.rng.uniform(14, 28) * p.rng.choice([-1, 1])
    for side, way in (("L", 1), ("R", -1)):
        p.arm(side, -32, -way * swing, 20 + abs(p.noise(12)))
        p.leg(side, way * swing, -3, max(4, -way * swing * 1.4))


def wave(p: Poser) -> None:
    relaxed(p)
    p.arm("L", p.rng.uniform(40, 100), p.noise(12), 0, across=-p.rng.uniform(0, 70))


def gesture(p: Poser) -> None:
    relaxed(p)
    p.arm("L", ARMS_DOWN + p.noise(8), p.rng.uniform(0, 35), p.rng.uniform(60, 115))
    p.arm("R", ARMS_DOWN + p.noise(8), p.rng.uniform(0, 35), p.rng.uniform(10, 110))


def hold(p: Poser) -> None:
    relaxed(p)
    p.arm("L", ARMS_DOWN + p.noise(4), p.rng.uniform(10, 30), p.rng.uniform(75, 105))


def phone(p: Poser) -> None:
    relaxed(p)
    p.arm("L", ARMS_DOWN + 8 + p.noise(3), p.rng.uniform(25, 40), p.rng.uniform(80, 100))


def umbrella(p: Poser) -> None:
    relaxed(p)
    p.arm("L", ARMS_DOWN + p.noise(2), 25 + p.noise(3), 95 + p.noise(5))


def carry(p: Poser) -> None:
    relaxed(p)
    forward, elbow = p.rng.uniform(10, 30), p.rng.uniform(70, 95)
    for side in "LR":
        p.arm(side, ARMS_DOWN - 4, forward, elbow, across=14)


def sit(p: Poser) -> None:
    for side in "LR":
        p.arm(side, ARMS_DOWN + p.noise(4), p.rng.uniform(15, 35), p.rng.uniform(20, 50))
        p.leg(side, 82 + p.noise(5), 4 + p.noise(3), 80 + p.noise(8))


POSES: dict[str, Callable[[Poser], None]] = {
    f.__name__: f
    for f in (relaxed, apart, hips, one_hip, walk, wave, gesture, hold, phone, umbrella, carry, sit)
}
GRIPS = {"hold": 38.0, "phone": 28.0, "umbrella": 55.0, "carry": 20.0}


def pose(rng: np.random.Generator, kind: str, left: float) -> Pose:
    """Rotations of a pose of this kind, with a spine, a head and fingers that differ each time.

    left: the sign of x of the left hand in the template.
    """
    p = Poser(rng, left)
    POSES[kind](p)
    for bone, spread in (("spine03", 4), ("spine02", 3), ("neck01", 5), ("neck02", 4)):
        p.bend(bone, spread)
    p.bend("head", 8)
    for side in "LR":
        curl = GRIPS.get(kind) if side == "L" or kind == "carry" else None
        p.fingers(side, rng.uniform(2, 26) if curl is None else curl)
    return p.pose
