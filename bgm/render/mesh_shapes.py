"""Simple solids straight from numbers: boxes, turned profiles, sheets; fast without operators."""

import bpy
import numpy as np
from mathutils import Euler, Matrix, Vector
from numpy.typing import NDArray

from bgm.render.meshes import add_object

Array = NDArray[np.float64]
Triple = tuple[float, float, float]


def solid(
    name: str,
    vertices: Array,
    faces: list[list[int]],
    material: bpy.types.Material,
    where: Triple = (0, 0, 0),
    turn: Triple = (0, 0, 0),
    parent: bpy.types.Object | None = None,
    smooth: bool = False,
) -> bpy.types.Object:
    """An object of these vertices and faces; its attribute "rest" is where they are, in metres."""
    data = bpy.data.meshes.new(name)
    data.from_pydata(np.asarray(vertices).tolist(), [], faces)
    rest = np.ascontiguousarray(vertices, np.float32).ravel()
    data.attributes.new("rest", "FLOAT_VECTOR", "POINT").data.foreach_set("vector", rest)
    if smooth:
        data.polygons.foreach_set("use_smooth", np.ones(len(data.polygons), bool))
    data.materials.append(material)
    made = add_object(name, data, parent)
    made.matrix_basis = Matrix.LocRotScale(Vector(where), Euler(turn), Vector((1, 1, 1)))
    return made


def box(
    material: bpy.types.Material,
    size: Triple,
    where: Triple = (0, 0, 0),
    turn: Triple = (0, 0, 0),
    parent: bpy.types.Object | None = None,
    round_: float = 0.0,
) -> bpy.types.Object:
    """A box of size metres that stands on `where`; round_: radius of its edges."""
    x, y = size[0] / 2, size[1] / 2
    corners = [(i, j, k) for k in (0, size[2]) for i, j in ((-x, -y), (x, -y), (x, y), (-x, y))]
    faces = [[3, 2, 1, 0], [4, 5, 6, 7], [0, 1, 5, 4], [1, 2, 6, 5], [2, 3, 7, 6], [3, 0, 4, 7]]
    made = solid("box", np.array(corners), faces, material, where, turn, parent)
    if round_:
        modifier = made.modifiers.new("round", "BEVEL")
        modifier.width, modifier.segments = round_, 3
        made.data.polygons.foreach_set("use_smooth", np.ones(6, bool))
    return made


def turned(
    material: bpy.types.Material,
    profile: Array,
    where: Triple = (0, 0, 0),
    turn: Triple = (0, 0, 0),
    parent: bpy.types.Object | None = None,
    sides: int = 28,
) -> bpy.types.Object:
    """A solid of revolution: profile (N, 2) of radius and height."""
    angle = np.arange(sides) * 2 * np.pi / sides
    radius, height = np.asarray(profile, float).T
    rings = np.stack(
        [
            radius[:, None] * np.cos(angle),
            radius[:, None] * np.sin(angle),
            np.broadcast_to(height[:, None], (len(radius), sides)),
        ],
        -1,
    )
    faces = [
        [k * sides + i, k * sides + (i + 1) % sides, (k + 1) * sides + (i + 1) % sides,
         (k + 1) * sides + i]
        for k in range(len(radius) - 1)
        for i in range(sides)
    ]  # fmt: skip
    return solid("turned", rings.reshape(-1, 3), faces, material, where, turn, parent, smooth=True)


def sheet(
    material: bpy.types.Material,
    grid: Array,
    where: Triple = (0, 0, 0),
    turn: Triple = (0, 0, 0),
    parent: bpy.types.Object | None = None,
) -> bpy.types.Object:
    """A smooth surface through a grid of points (N, M, 3)."""
    n, m, _ = grid.shape
    faces = [
        [i * m + j, i * m + j + 1, (i + 1) * m + j + 1, (i + 1) * m + j]
        for i in range(n - 1)
        for j in range(m - 1)
    ]
    return solid("sheet", grid.reshape(-1, 3), faces, material, where, turn, parent, smooth=True)


def leaves(
    material: bpy.types.Material,
    stems: list[Array],
    width: float,
    where: Triple = (0, 0, 0),
    parent: bpy.types.Object | None = None,
) -> bpy.types.Object:
    """Blades along lines (N, 3), widest in the middle, in one object."""
    vertices: list[Array] = []
    faces: list[list[int]] = []
    for line in stems:
        first, n = sum(len(v) for v in vertices), len(line)
        along = np.gradient(line, axis=0)
        across = np.cross(along, [0.0, 0.0, 1.0])
        across /= np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-6)
        half = width / 2 * np.sin(np.linspace(0.08, 0.99, n) * np.pi)[:, None]
        vertices += [np.concatenate([line - across * half, line + across * half])]
        faces += [
            [first + i, first + i + 1, first + n + i + 1, first + n + i] for i in range(n - 1)
        ]
    return solid(
        "leaves", np.concatenate(vertices), faces, material, where, (0, 0, 0), parent, smooth=True
    )
