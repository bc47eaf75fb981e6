"""What people wear on their heads and hold in their hands."""

import math
from typing import Any

import bpy
import numpy as np
from mathutils import Euler, Matrix, Vector

from bgm.render import materials
from bgm.render.hair import Head
from bgm.render.landmarks import Body, unit
from bgm.render.meshes import add_object
from bgm.render.streams import Stream


class LocalFrame:
    """Adds simple shapes in a frame of its own: metres, moved and turned as one."""

    def __init__(self, matrix: np.ndarray, parent: bpy.types.Object) -> None:
        self.matrix, self.parent = Matrix(matrix.tolist()), parent

    def add(
        self,
        shape: str,
        material: bpy.types.Material,
        where: tuple = (0, 0, 0),
        turn: tuple = (0, 0, 0),
        scale: tuple = (1, 1, 1),
        bevel: float = 0.0,
        **sizes: Any,
    ) -> bpy.types.Object:
        """A primitive of bpy.ops.mesh ("cube", "torus", ...), smooth shaded."""
        getattr(bpy.ops.mesh, f"primitive_{shape}_add")(**sizes)
        made = bpy.context.object
        local = Matrix.LocRotScale(Vector(where), Euler(turn), Vector(scale))
        made.parent = self.parent
        made.matrix_parent_inverse = Matrix.Identity(4)
        made.matrix_basis = self.matrix @ local
        made.data.materials.append(material)
        if bevel:
            modifier = made.modifiers.new("round", "BEVEL")
            modifier.width, modifier.segments = bevel, 3
        made.data.polygons.foreach_set("use_smooth", [True] * len(made.data.polygons))
        return made

    def tube(
        self, points: np.ndarray, radius: float, material: bpy.types.Material
    ) -> bpy.types.Object:
        """A bent rod through points (N, 3)."""
        curve = bpy.data.curves.new("tube", "CURVE")
        curve.dimensions, curve.bevel_depth, curve.bevel_resolution = "3D", radius, 2
        spline = curve.splines.new("POLY")
        spline.points.add(len(points) - 1)
        spline.points.foreach_set("co", np.c_[points, np.ones(len(points))].ravel())
        curve.materials.append(material)
        made = add_object("tube", curve, self.parent)
        made.matrix_basis = self.matrix
        return made


def head_frame(head: Head, parent: bpy.types.Object) -> LocalFrame:
    """Coordinates from between the eyes: x to the side, y back, z up."""
    motion = head.body.motion("head").copy()
    motion[:3, 3] = head.place(0, 0, 0)
    return LocalFrame(motion, parent)


def add_headwear(head: Head, draw: Stream, parent: bpy.types.Object, kind: str) -> None:
    """Glasses, sunglasses, a cap, a beanie, a hat with a brim, headphones, a hairband."""
    frame = head_frame(head, parent)
    rest = head.body.rest - head.rest_eyes
    skull = rest[head.marks.is_body & (head.marks.up > 0.05) & (head.marks.up < 0.09)]
    half_width = float(np.abs(skull[:, 0]).max())
    front, rear = float(skull[:, 1].min()), float(skull[:, 1].max())
    top = float(rest[head.marks.is_body & (head.marks.up > 0.05), 2].max())
    eye_x = float(np.abs(rest[np.unique(head.marks.faces["eyes"]), 0]).mean())
    metal, size, thin = (
        draw.chance(0.5),
        draw.uniform((0.019, 0.026)),
        draw.uniform((0.0008, 0.002)),
    )
    dark, brim = draw.uniform((0.6, 0.92)), draw.uniform((1.3, 1.75))
    frame_colour = materials.dye(draw)
    solid = materials.plain("frame", frame_colour, 0.25, float(metal))
    if kind in ("glasses", "sunglasses"):
        opaque = dark if kind == "sunglasses" else 0.08
        tint = (0.02, 0.02, 0.02) if kind == "sunglasses" else (0.6, 0.6, 0.62)
        lens = materials.glass(tint, opaque)
        size = size * (1.15 if kind == "sunglasses" else 1.0)
        for side in (-1, 1):
            where = (side * eye_x, -0.02, -0.003)
            flat = (math.pi / 2, 0, 0)
            frame.add(
                "torus", solid, where, flat, (1.18, 1, 1), major_radius=size, minor_radius=thin
            )
            frame.add("cylinder", lens, where, flat, (1.18, 1, 1), radius=size, depth=0.0008)
            temple = np.array(
                [
                    (side * (eye_x + 1.15 * size), -0.018, 0.004),
                    (side * (half_width + 0.003), 0.02, 0.006),
                    (side * (half_width + 0.004), 0.085, 0.004),
                    (side * (half_width - 0.002), 0.105, -0.015),
                ]
            )
            frame.tube(temple, thin * 1.1, solid)
        gap = eye_x - 1.15 * size
        bridge = np.array([(-gap, -0.021, 0.0), (0, -0.026, 0.004), (gap, -0.021, 0.0)])
        frame.tube(bridge, thin, solid)
        return
    middle = ((front + rear) / 2 + 0.004, 0.058)
    radius = (half_width + 0.014, (rear - front) / 2 + 0.014)
    felt = materials.cloth(
        draw.of("hat"),
        "plain" if kind != "beanie" else None,
        "knit" if kind == "beanie" else "fine",
    )
    if kind in ("cap", "beanie", "hat"):
        tall = top - middle[1] + (0.03 if kind != "beanie" else 0.018)
        crown = frame.add(
            "uv_sphere", felt, (0, middle[0], middle[1]), (-0.12, 0, 0),
            (radius[0], radius[1], tall), radius=1, segments=48, ring_count=24,
        )  # fmt: skip
        cut_below(crown, -0.02 if kind == "cap" else -0.3)
        coordinates(crown)
    if kind == "cap":
        peak = frame.add(
            "uv_sphere", felt, (0, front - 0.025, middle[1] + 0.004), (0.22, 0, 0),
            (radius[0] * 0.8, 0.085, 0.006), radius=1,
        )  # fmt: skip
        coordinates(peak)
    elif kind == "hat":
        around = frame.add(
            "torus", felt, (0, middle[0], middle[1] - 0.0), (-0.12, 0, 0),
            (radius[0], radius[1], 0.25), major_radius=(1 + brim) / 2,
            minor_radius=(brim - 1) / 2 + 0.04, major_segments=64,
        )  # fmt: skip
        around.scale[2] = 0.012
        coordinates(around)
    elif kind == "beanie":
        rim = frame.add(
            "torus", felt, (0, middle[0], middle[1] - 0.012), (-0.12, 0, 0),
            (radius[0] - 0.002, radius[1] - 0.002, 0.1), major_radius=1, minor_radius=0.08,
            major_segments=64,
        )  # fmt: skip
        rim.scale[2] = 0.2
        coordinates(rim)
    elif kind == "headphones":
        over = np.linspace(-0.15, math.pi + 0.15, 30)
        width, height = half_width + 0.022, top - 0.0 + 0.02
        arch = np.c_[width * np.cos(over), np.full(30, 0.1), 0.01 + height * np.sin(over)]
        frame.tube(arch, 0.006, solid)
        for side in (-1, 1):
            frame.add(
                "cylinder", solid, (side * (half_width + 0.02), 0.1, -0.015), (0, math.pi / 2, 0),
                (1.15, 1, 1), 0.008, radius=0.036, depth=0.032,
            )  # fmt: skip


def coordinates(made: bpy.types.Object) -> None:
    """Attribute "rest" for cloth on shapes that were not cut from the body."""
    size = np.array(made.matrix_basis.to_scale())
    points = np.empty(len(made.data.vertices) * 3, np.float32)
    made.data.vertices.foreach_get("co", points)
    points = points.reshape(-1, 3) * size
    made.data.attributes.new("rest", "FLOAT_VECTOR", "POINT").data.foreach_set(
        "vector", points.astype(np.float32).ravel()
    )
    made.data.attributes.new("edge", "FLOAT", "POINT").data.foreach_set(
        "value", np.full(len(points), 0.1, np.float32)
    )


def cut_below(made: bpy.types.Object, height: float) -> None:
    """Take away what lies below height, in the shape's own coordinates."""
    import bmesh

    shape = bmesh.new()
    shape.from_mesh(made.data)
    everything = [*shape.verts, *shape.edges, *shape.faces]
    bmesh.ops.bisect_plane(
        shape, geom=everything, plane_co=(0, 0, height), plane_no=(0, 0, 1), clear_inner=True
    )
    shape.to_mesh(made.data)
    shape.free()
    modifier = made.modifiers.new("thick", "SOLIDIFY")
    modifier.thickness = 0.03
    made.data.polygons.foreach_set("use_smooth", [True] * len(made.data.polygons))


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
    panels = materials.cloth(draw.of("panels"), None, "fine")
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
