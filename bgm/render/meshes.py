"""Polygons with attributes, cut along a line; strands; both handed to Blender."""

from collections.abc import Sequence

import bpy
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Patch:
    """Polygons over a table of vertices with attributes (position, rest, ...), cut where wanted."""

    def __init__(self, faces: Sequence[Sequence[int]], **attributes: Array) -> None:
        self.polygons = [list(dict.fromkeys(map(int, face))) for face in faces]
        self.attributes = attributes

    def cut(self, name: str) -> "Patch":
        """What is left where attribute `name` is positive; its border is the exact zero line."""
        field = self.attributes[name]
        made: dict[tuple[int, int], int] = {}
        mixes: list[tuple[int, int, float]] = []

        def crossing(a: int, b: int) -> int:
            key = (min(a, b), max(a, b))
            if key not in made:
                share = field[key[0]] / (field[key[0]] - field[key[1]])
                made[key] = len(field) + len(mixes)
                mixes.append((*key, float(share)))
            return made[key]

        kept = []
        for polygon in self.polygons:
            inside = [field[i] > 0 for i in polygon]
            if all(inside):
                kept.append(polygon)
            elif any(inside):
                shape = []
                for here, corner in enumerate(polygon):
                    after = (here + 1) % len(polygon)
                    if inside[here]:
                        shape.append(corner)
                    if inside[here] != inside[after]:
                        shape.append(crossing(corner, polygon[after]))
                kept.append(shape)
        result = Patch([], **self.attributes)
        result.polygons = kept
        if mixes:
            one, two, share = (np.array(column) for column in zip(*mixes, strict=True))
            for key, values in self.attributes.items():
                w = share.reshape(-1, *[1] * (values.ndim - 1))
                mixed = values[one] * (1 - w) + values[two] * w
                result.attributes[key] = np.concatenate([values, mixed])
        return result

    def split(self, name: str) -> tuple["Patch", "Patch"]:
        """What is where attribute `name` is positive, and what is where it is not."""
        there = self.cut(name)
        self.attributes["_opposite"] = -self.attributes[name]
        return there, self.cut("_opposite")

    @property
    def used(self) -> NDArray[np.int64]:
        """Indices of the vertices that polygons use."""
        return np.unique([index for polygon in self.polygons for index in polygon]).astype(int)


def add_mesh(
    name: str, patch: Patch, material: bpy.types.Material, parent: bpy.types.Object | None = None
) -> bpy.types.Object:
    """A smooth Blender object of a patch; "rest" and every other attribute go along."""
    used = patch.used
    new = np.full(len(patch.attributes["position"]), -1)
    new[used] = np.arange(len(used))
    data = bpy.data.meshes.new(name)
    data.from_pydata(
        patch.attributes["position"][used].tolist(), [], [new[p].tolist() for p in patch.polygons]
    )
    for key, values in patch.attributes.items():
        if key == "position" or key.startswith("_"):
            continue
        values = values[used].astype(np.float32)
        if values.ndim == 1:
            data.attributes.new(key, "FLOAT", "POINT").data.foreach_set("value", values)
        else:
            data.attributes.new(key, "FLOAT_VECTOR", "POINT").data.foreach_set(
                "vector", values.ravel()
            )
    data.polygons.foreach_set("use_smooth", np.ones(len(data.polygons), bool))
    data.materials.append(material)
    return add_object(name, data, parent)


def add_object(
    name: str, data: bpy.types.ID, parent: bpy.types.Object | None = None
) -> bpy.types.Object:
    """An object of this data in the scene."""
    made = bpy.data.objects.new(name, data)
    bpy.context.scene.collection.objects.link(made)
    made.parent = parent
    return made


def subdivide(made: bpy.types.Object, levels: int) -> None:
    """Catmull-Clark at render time."""
    modifier = made.modifiers.new("subdivide", "SUBSURF")
    modifier.levels = modifier.render_levels = levels


def thicken(made: bpy.types.Object, metres: float, offset: float = 1.0) -> None:
    """Give a surface a thickness, outwards."""
    modifier = made.modifiers.new("thicken", "SOLIDIFY")
    modifier.thickness, modifier.offset = metres, offset


def add_strands(
    name: str,
    points: NDArray[np.float64],
    radius: float,
    material: bpy.types.Material,
    parent: bpy.types.Object | None = None,
    tip: float = 0.25,
) -> bpy.types.Object:
    """Curves through points (N, K, 3), thinner towards the tip."""
    count, length, _ = points.shape
    curves = bpy.data.hair_curves.new(name)
    curves.add_curves([length] * count)
    curves.position_data.foreach_set("vector", np.ascontiguousarray(points, np.float32).ravel())
    taper = 1 - (1 - tip) * np.linspace(0, 1, length) ** 1.6
    radii = np.broadcast_to(radius * taper, (count, length)).astype(np.float32)
    attribute = curves.attributes.new("radius", "FLOAT", "POINT")
    attribute.data.foreach_set("value", np.ascontiguousarray(radii).ravel())
    curves.materials.append(material)
    return add_object(name, curves, parent)
