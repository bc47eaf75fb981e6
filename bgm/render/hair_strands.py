"""Strands into Blender."""

import bpy
import numpy as np
from numpy.typing import NDArray

from bgm.render.meshes import add_object


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
