"""What people hold in their hands."""

import math

import bpy
import numpy as np
from mathutils import Euler, Matrix, Vector

from bgm.render import fabrics, materials
from bgm.render.accessories import LocalFrame, coordinates, cut_below
from bgm.render.landmarks import Body, unit
from bgm.render.plan import Stream


def hand_frame(body: Body, side: str, parent: bpy.types.Object) -> tuple[LocalFrame, np.ndarray]:
    """A frame in the palm: x along the fingers, z out of the palm, y across; and its middle."""
    wrist, knuckle = body.joint(f"wrist.{side}"), body.joint(f"finger3-1.{side}")
    index, little = body.joint(f"finger2-1.{side}"), body.joint(f"finger5-1.{side}")
    along = unit(knuckle - wrist)
    across = unit(index - little)
    palm = unit(np.cross(along, across))
    # The palm faces where the fingers curl to.
    tip = body.joint(f"finger3-3.{side}") - knuckle
    palm = palm if tip @ palm > 0 else -palm
    across = np.cross(palm, along)
    middle = knuckle * 0.85 + wrist * 0.15 + palm * 0.03
    matrix = np.eye(4)
    matrix[:3, 0], matrix[:3, 1], matrix[:3, 2], matrix[:3, 3] = along, across, palm, middle
    return LocalFrame(matrix, parent), middle


def upright(where: np.ndarray, turn: float, tilt: float, parent: bpy.types.Object) -> LocalFrame:
    """A frame at a place that stands upright but for a tilt, turned about the vertical."""
    matrix = Matrix.Translation(Vector(where)) @ Euler((tilt, 0, turn)).to_matrix().to_4x4()
    return LocalFrame(np.array(matrix), parent)


def add_held(body: Body, draw: Stream, parent: bpy.types.Object, kind: str) -> None:
    """Put what a person holds into the left hand, or between both hands."""
    frame, palm = hand_frame(body, "L", parent)
    _, other = hand_frame(body, "R", parent)
    between, apart = (palm + other) / 2, float(np.linalg.norm(palm - other)) / 2
    turn, tilt = draw.uniform((-0.6, 0.6)), draw.normal(0.15)
    one = materials.plain("thing", materials.dye(draw), draw.uniform((0.15, 0.6)))
    two = materials.plain("part", materials.dye(draw), draw.uniform((0.15, 0.6)))
    size, opaque = draw.uniform((0.8, 1.25)), draw.uniform((0.15, 0.45))
    if kind == "phone":
        box = (0.075, 0.038, 0.004)
        frame.add("cube", one, (0.03, 0.0, -0.005), (0, 0, 0), box, 0.0, size=2)
        frame.add("cube", two, (0.03, 0, -0.001), (0, 0, 0), (0.07, 0.034, 0.004), size=2)
    elif kind in ("cup", "bottle"):
        stand = upright(palm, turn, tilt, parent)
        if kind == "cup":
            stand.add("cylinder", one, (0, 0, 0.02), radius=0.04 * size, depth=0.1, bevel=0.004)
            stand.add(
                "torus", one, (0.045 * size, 0, 0.02), (math.pi / 2, 0, 0),
                major_radius=0.026, minor_radius=0.006,
            )  # fmt: skip
        else:
            clear = materials.glass(materials.dye(draw), opaque)
            stand.add("cylinder", clear, (0, 0, 0.02), radius=0.033, depth=0.16, bevel=0.006)
            stand.add("cone", clear, (0, 0, 0.125), radius1=0.033, radius2=0.013, depth=0.05)
            stand.add("cylinder", two, (0, 0, 0.165), radius=0.014, depth=0.03)
            stand.add("cylinder", one, (0, 0, 0.02), radius=0.0335, depth=0.06)
    elif kind == "umbrella":
        stand = upright(palm, turn, tilt, parent)
        add_umbrella(stand, draw, one, two)
    elif kind == "book":
        stand = upright(palm + np.array([0, 0, 0.04]), turn, -0.5 + tilt, parent)
        for side in (-1, 1):
            stand.add("cube", one, (side * 0.07, 0, 0.03), (0, -side * 0.15, 0), (0.07, 0.006, 0.1),
                      size=2)  # fmt: skip
    elif kind == "ball":
        radius = float(np.clip(apart - 0.01, 0.07, 0.15))
        stand = upright(between, turn, tilt, parent)
        stand.add("uv_sphere", one, radius=radius, segments=48, ring_count=24)
    elif kind == "box":
        scale = (float(np.clip(apart, 0.06, 0.25)), 0.1 * size, 0.09 * size)
        toward = math.atan2(*(other - palm)[[1, 0]])
        upright(between, toward, 0, parent).add("cube", one, (0, 0, 0.02), scale=scale, size=2)
    elif kind == "bouquet":
        add_bouquet(upright(palm, turn, tilt - 0.2, parent), draw)


def add_umbrella(
    frame: LocalFrame, draw: Stream, handle: bpy.types.Material, ribs: bpy.types.Material
) -> None:
    """An open umbrella over the head."""
    radius, high = draw.uniform((0.42, 0.55)), 0.62
    panels = fabrics.cloth(draw.of("panels"), None, "fine")
    frame.tube(np.array([(0, 0, -0.12), (0, 0, high + 0.2)]), 0.006, handle)
    made = frame.add(
        "uv_sphere", panels, (0, 0, high), scale=(radius, radius, 0.2), radius=1, segments=8,
        ring_count=32,
    )  # fmt: skip
    cut_below(made, 0.0)
    made.modifiers["thick"].thickness = 0.004
    coordinates(made)
    for angle in np.arange(8) * math.pi / 4:
        t = np.linspace(0, 1, 12)
        rib = np.c_[
            radius * np.sin(t * 1.57) * math.cos(angle),
            radius * np.sin(t * 1.57) * math.sin(angle),
            high + 0.2 * np.cos(t * 1.57),
        ]
        frame.tube(rib * [0.99, 0.99, 1.0] - [0, 0, 0.004], 0.0025, ribs)


def add_bouquet(frame: LocalFrame, draw: Stream) -> None:
    """Stems, thin leaves and flowers."""
    rng = draw.rng
    green = [
        materials.plain("leaf", materials.linear(0.27 + 0.08 * k, 0.6, 0.2 + 0.2 * k), 0.5)
        for k in rng.random(3)
    ]
    blossom = [
        materials.plain("petal", materials.linear(h, 0.5 * s + 0.2, 0.9), 0.6)
        for h, s in rng.random((3, 2))
    ]
    for _ in range(int(rng.integers(7, 16))):
        lean = rng.normal(0, 0.28, 2)
        length = rng.uniform(0.2, 0.42)
        t = np.linspace(0, 1, 10)
        bend = rng.normal(0, 0.05, 2)
        stem = np.c_[
            lean[0] * t * length + bend[0] * t**2,
            lean[1] * t * length + bend[1] * t**2,
            t * length - 0.08,
        ]
        frame.tube(stem, 0.0018, green[0])
        for at in rng.uniform(0.35, 1.0, int(rng.integers(3, 9))):
            here = stem[int(at * 9)]
            size = rng.uniform(0.02, 0.06)
            frame.add(
                "circle", green[int(rng.integers(3))], tuple(here + rng.normal(0, 0.4 * size, 3)),
                tuple(rng.uniform(0, 6.28, 3)), (size, size * 0.32, size), radius=1, vertices=12,
                fill_type="TRIFAN",
            )  # fmt: skip
        if rng.random() < 0.7:
            for _ in range(int(rng.integers(6, 12))):
                frame.add(
                    "circle", blossom[int(rng.integers(3))],
                    tuple(stem[-1] + rng.normal(0, 0.012, 3)), tuple(rng.uniform(0, 6.28, 3)),
                    (0.02, 0.012, 0.02), radius=1, vertices=10, fill_type="TRIFAN",
                )  # fmt: skip
