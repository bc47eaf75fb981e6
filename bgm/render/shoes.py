"""Shoes, and bags on straps that lie on the clothes."""

import bpy
import numpy as np

from bgm.render import fabrics, materials
from bgm.render.clothes import FAR, Array, Worn, fitted
from bgm.render.landmarks import Body, unit
from bgm.render.meshes import add_mesh, subdivide, thicken
from bgm.render.plan import Stream


def add_bag(body: Body, draw: Stream, parent: bpy.types.Object, worn: Worn) -> None:
    """A backpack, or a bag at the hip, on straps that lie on the clothes."""
    marks = body.marks
    backpack, side = draw.chance(0.5), draw.sign()
    x, _, z = marks.template.T
    off_arms = np.minimum(marks.off_arm - 0.075, FAR) + 2 * np.maximum(0.0, 0.2 - np.abs(x)) - 0.1
    if backpack:
        band = 0.022 - np.abs(np.abs(x) - 0.105)
        above, below = z - (marks.neck[2] - 0.34), marks.neck[2] + 0.0 - z
    else:  # from one shoulder to the other hip
        start = np.array([0.11 * side, 0.0, marks.neck[2] - 0.03])
        end = np.array([-0.17 * side, 0.0, marks.belt - 0.06])
        across = unit(np.cross(end - start, [0.0, 1.0, 0.0]))
        band = 0.02 - np.abs((marks.template - start) @ across)
        above, below = z - marks.belt + 0.1, marks.neck[2] + 0.02 - z
    fields = {"band": band, "above": above, "below": below, "arms": off_arms}
    strap = materials.plain("strap", materials.dye(draw), draw.uniform((0.3, 0.8)))
    leather = fabrics.cloth(draw.of("cloth"), "plain", "fine")
    patch = fitted(body, "tights", fields, np.zeros(len(z)), (), 0.026)
    if len(patch.used) < 6:
        return
    made = add_mesh("strap", patch, strap, parent)
    subdivide(made, 1)
    thicken(made, 0.005)
    motion = body.motion("spine01" if backpack else "spine05")
    at, size = np.array([0, 0.2, marks.neck[2] - 0.2]), np.array([0.27, 0.15, 0.4])
    if not backpack:
        at = np.array([-0.24 * side, 0.03, marks.belt - 0.16])
        size = np.array([0.08, 0.26, 0.2])
    size = size * draw.uniform((0.8, 1.15))
    # The template's place, where this body's own shape has it.
    near = np.linalg.norm(marks.template - at, axis=1).argmin()
    at = at + body.rest[near] - marks.template[near]
    corners = np.array([(i, j, k) for i in (-1, 1) for j in (-1, 1) for k in (-1, 1)]) / 2
    points = at + corners * size * np.where(corners[:, 2:] > 0, 0.85, 1.0)
    points = points @ motion[:3, :3].T + motion[:3, 3]
    blob = add_blob("bag", [points], leather, parent, 0.012)
    blob.modifiers["smooth"].iterations = 12
    worn.words.append("backpack" if backpack else "bag")


def add_shoes(body: Body, draw: Stream, parent: bpy.types.Object, worn: Worn) -> None:
    """Shoes: hulls of toes, foot and ankle, joined and smoothed; boots reach higher."""
    marks = body.marks
    z = marks.template[:, 2]
    boots, sole = draw.chance(0.3), draw.uniform((0.012, 0.03))
    colour, roughness = materials.dye(draw), draw.uniform((0.2, 0.7))
    sole_colour = materials.linear(0.1, 0.1, draw.uniform((0.05, 0.9)))
    high = marks.ankle + (0.14 if boots else 0.015)
    upper, under = materials.plain("shoe", colour, roughness), materials.plain("sole", sole_colour)
    for side in (-1, 1):
        foot = marks.is_body & (np.sign(marks.template[:, 0]) == side) & (z < high)
        length = body.vertices[foot & (z < marks.ankle)]
        hand = "L" if side == marks.left else "R"
        ahead = unit(body.joint(f"toe1-1.{hand}") - body.joint(f"foot.{hand}"))
        along = length @ ahead
        low, far = along.min(), along.max()
        share = (body.vertices @ ahead - low) / (far - low)
        down = np.array([0.0, 0.0, -1.0]) if body.vertices[foot, 2].ptp() < 0.4 else ahead * 0
        pieces = [
            foot & (share > 0.45) & (z < marks.ankle),
            foot & (share > 0.15) & (share < 0.75) & (z < marks.ankle - 0.015),
            foot & (share < 0.5),
        ]
        hulls = [body.vertices[p] + body.normals[p] * 0.006 for p in pieces if p.sum() > 8]
        bottom = foot & (body.normals[:, 2] < -0.5) & (z < marks.ankle - 0.04)
        ground = body.vertices[bottom] if bottom.sum() > 8 else body.vertices[foot]
        add_blob("shoe", hulls, upper, parent, 0.006)
        flat = np.concatenate(
            [
                ground * [1, 1, 1] + body.normals[bottom] * 0.004 if bottom.sum() > 8 else ground,
                ground + down * sole,
            ]
        )
        add_blob("sole", [flat], under, parent, 0.006)
    inside = np.minimum(high - 0.01 - z, FAR)
    worn.covered = np.maximum(worn.covered, np.where(inside > 0, inside + 0.02, 0))
    worn.words.append("boots" if boots else "shoes")


def add_blob(
    name: str,
    hulls: list[Array],
    material: bpy.types.Material,
    parent: bpy.types.Object,
    voxel: float,
) -> bpy.types.Object:
    """The convex hulls of point sets, joined to one smooth surface."""
    import bmesh

    data = bpy.data.meshes.new(name)
    joined = bmesh.new()
    for points in hulls:
        made = [joined.verts.new(p) for p in points]
        hull = bmesh.ops.convex_hull(joined, input=made)
        loose = [v for v in hull["geom_interior"] if isinstance(v, bmesh.types.BMVert)]
        bmesh.ops.delete(joined, geom=loose, context="VERTS")
    joined.to_mesh(data)
    joined.free()
    data.materials.append(material)
    blob = bpy.data.objects.new(name, data)
    bpy.context.scene.collection.objects.link(blob)
    blob.parent = parent
    remesh = blob.modifiers.new("join", "REMESH")
    remesh.mode, remesh.voxel_size, remesh.use_smooth_shade = "VOXEL", voxel, True
    smooth = blob.modifiers.new("smooth", "SMOOTH")
    smooth.factor, smooth.iterations = 0.5, 6
    return blob
