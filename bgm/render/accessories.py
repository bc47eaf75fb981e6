"""What people wear on their heads."""

import math
from typing import Any

import bpy
import numpy as np
from mathutils import Euler, Matrix, Vector

from bgm.render import fabrics, materials
from bgm.render.hair import Head
from bgm.render.meshes import add_object
from bgm.render.plan import Stream


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
    felt = fabrics.cloth(
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
