"""Animals with fur: a body of joined balls, its size and proportions drawn, and combed strands."""

import bpy
import numpy as np
from numpy.typing import NDArray

from bgm.render import materials
from bgm.render.hair import scatter, tufted
from bgm.render.landmarks import noise, unit
from bgm.render.mesh_shapes import turned
from bgm.render.meshes import add_object, add_strands
from bgm.render.plan import Stream

Array = NDArray[np.float64]
VOXEL = 0.012  # metres, of an animal as tall as a person's knee


class Balls:
    """Balls along lines, to be joined to one skin."""

    def __init__(self) -> None:
        self.centres: list[Array] = []
        self.radii: list[Array] = []

    def limb(self, start: Array, end: Array, thick: float, thin: float, bulge: float = 0.0) -> None:
        """A limb from start to end, with a radius at each and a bulge between."""
        length = float(np.linalg.norm(end - start))
        count = max(2, int(length / (0.35 * min(thick, thin) + 1e-4)))
        t = np.linspace(0, 1, min(count, 24))[:, None]
        self.centres.append(start + (end - start) * t)
        self.radii.append((thick + (thin - thick) * t + bulge * np.sin(np.pi * t))[:, 0])


def add_animal(draw: Stream, close: float) -> tuple[bpy.types.Object, Array, Array, dict]:
    """A four-legged animal that looks to -y; returns its empty, (low, high), its head, words."""
    root = add_object("animal", None)
    tall = np.exp(draw.uniform((np.log(0.3), np.log(1.2))))  # at the shoulder
    balls, head, size, tip, words = skeleton(draw.of("shape"), tall)
    skin = joined(balls, VOXEL * tall / 0.45, root)
    vertices, normals, faces = mesh_of(skin)
    coat = draw.of("coat")
    one, colour = materials.fur(coat.of("one"))
    two, _ = materials.fur(coat.of("two"))
    pattern = coat.choose({"plain": 3, "belly": 3, "patches": 3, "back": 1})
    field = noise(vertices / tall, coat.rng, 5)[:, 0]
    light = {
        "plain": np.zeros(len(vertices), bool),
        "belly": normals[:, 2] < -0.25,
        "patches": field > 0.35,
        "back": normals[:, 2] > 0.5,
    }[pattern]
    length, curly = coat.uniform((0.012, 0.07)) * tall**0.6, coat.uniform((0.1, 0.6))
    count = int(60000 * (0.55 + 0.45 * close))
    # Fur lies backwards and down, shorter on legs and face.
    near_head = np.exp(-((np.linalg.norm(vertices - head, axis=1) / (1.6 * size)) ** 2))
    low = np.clip(1 - vertices[:, 2] / (0.45 * tall), 0, 1)
    short = 1 - 0.75 * np.maximum(near_head, low)
    red, green, blue = (0.5 * c for c in colour)
    shade = materials.plain("undercoat", (red, green, blue), 0.9)
    skin.data.materials.clear()
    skin.data.materials.append(shade)
    for number, (mask, material) in enumerate(((~light, one), (light, two))):
        share = mask[faces].all(1).mean()
        if share < 0.01:
            continue
        start, normal, where = scatter(
            faces, mask, int(count * share), coat.rng, vertices, normals, np.c_[short, short, short]
        )
        flow = np.tile([0.0, 1.0, -0.55], (len(start), 1))
        flow -= (flow * normal).sum(1, keepdims=True) * normal
        strands = tufted((start, normal), coat, unit(flow), (0.6, 1.2), 0.45, curly, 7, 0.25, 0.35)
        strands = start[:, None] + (strands - start[:, None]) * (length * where[:, :1, None])
        radius = 0.00028 * (1 + 0.8 * (1 - close)) * tall**0.6
        add_strands(f"fur{number}", strands, radius, material, root)
    add_face(head, size, tip, root, draw.of("face"), length)
    words |= {"tall": round(float(tall), 2), "coat": pattern, "fur": round(float(length), 3)}
    return root, np.array([vertices.min(0), vertices.max(0)]), head, words


def skeleton(draw: Stream, tall: float) -> tuple[Balls, Array, float, Array, dict]:
    """Balls of trunk, neck, head, ears, legs, tail; the head, its radius, the tip of the snout."""
    balls = Balls()
    long, deep = draw.uniform((0.9, 1.35)) * tall, draw.uniform((0.17, 0.26)) * tall
    neck, lift = draw.uniform((0.2, 0.5)) * tall, draw.uniform((0.2, 0.95))
    size, snout = draw.uniform((0.14, 0.2)) * tall, draw.uniform((0.0, 0.13)) * tall
    leg, step = draw.uniform((0.045, 0.075)) * tall, draw.normal(0.1)
    ears = draw.choose({"pointed": 3, "hanging": 3, "round": 2})
    tail, tail_up = draw.uniform((0.1, 0.8)) * tall, draw.uniform((-0.9, 0.9))
    aside = draw.normal(0.35)
    shoulder = np.array([0, -long / 2, tall - deep])
    hip = np.array([0, long / 2, tall - 1.05 * deep])
    balls.limb(shoulder, hip, deep, 0.9 * deep, 0.06 * tall)
    head = shoulder + neck * unit(np.array([0, -1.0, lift])) + np.array([0, -0.6 * size, 0])
    balls.limb(shoulder + np.array([0, 0, 0.2 * deep]), head, 0.75 * deep, 0.7 * size)
    balls.limb(head, head, size, size)
    facing = np.array([np.sin(aside), -np.cos(aside), -0.25])
    muzzle = head + facing * (0.8 * size + snout)
    balls.limb(head, muzzle, 0.75 * size, 0.42 * size)
    side = np.array([np.cos(aside), np.sin(aside), 0])
    for sign in (-1, 1):
        base = head + sign * 0.7 * size * side + np.array([0, 0, 0.6 * size])
        if ears == "pointed":
            peak = base + np.array([0, 0, 0.9 * size]) + sign * 0.1 * size * side
            balls.limb(base, peak, 0.3 * size, 0.07 * size)
        elif ears == "hanging":
            flap = base + 0.5 * sign * size * side - np.array([0, 0, 1.1 * size])
            balls.limb(base, flap, 0.22 * size, 0.3 * size)
        else:
            balls.limb(base, base + np.array([0, 0, 0.25 * size]), 0.3 * size, 0.3 * size)
        for joint, way in ((shoulder, 1), (hip, -1)):
            top = joint + np.array([sign * 0.6 * deep, 0, -0.3 * deep])
            knee = np.array([top[0], top[1] + 0.06 * tall * way, 0.3 * tall])
            foot = np.array([top[0], top[1] + sign * way * step * tall, leg])
            balls.limb(top, knee, 2.1 * leg, 1.15 * leg)
            balls.limb(knee, foot, 1.15 * leg, 0.9 * leg)
            balls.limb(foot, foot - np.array([0, 1.1 * leg, 0.2 * leg]), 1.0 * leg, 0.8 * leg)
    end = hip + tail * unit(np.array([0.3 * aside, 1.0, tail_up])) + np.array([0, deep, 0])
    balls.limb(hip + np.array([0, 0.7 * deep, 0.4 * deep]), end, 0.05 * tall, 0.025 * tall)
    return balls, head, size, muzzle + facing * 0.42 * size, {"ears": ears}


def joined(balls: Balls, voxel: float, root: bpy.types.Object) -> bpy.types.Object:
    """One smooth skin around all balls."""
    angle = np.linspace(0, np.pi, 9)
    made = []
    plain = materials.plain("skin", (0.1, 0.1, 0.1))
    for centres, radii in zip(balls.centres, balls.radii, strict=True):
        for centre, radius in zip(centres, radii, strict=True):
            profile = np.c_[radius * np.sin(angle), -radius * np.cos(angle)]
            made.append(turned(plain, profile, tuple(centre), sides=12))
    vertices = [
        np.array([v.co for v in ball.data.vertices]) + np.array(ball.location) for ball in made
    ]
    first = np.cumsum([0, *(len(v) for v in vertices)])
    faces = [
        [first[k] + i for i in face.vertices]
        for k, ball in enumerate(made)
        for face in ball.data.polygons
    ]
    data = bpy.data.meshes.new("animal")
    data.from_pydata(np.concatenate(vertices).tolist(), [], [[int(i) for i in f] for f in faces])
    for ball in made:
        bpy.data.objects.remove(ball)
    data.materials.append(plain)
    skin = add_object("animal", data, root)
    remesh = skin.modifiers.new("join", "REMESH")
    remesh.mode, remesh.voxel_size, remesh.use_smooth_shade = "VOXEL", voxel, True
    smooth = skin.modifiers.new("smooth", "SMOOTH")
    smooth.factor, smooth.iterations = 0.6, 14
    return skin


def mesh_of(made: bpy.types.Object) -> tuple[Array, Array, NDArray[np.int32]]:
    """Vertices, normals and quads of an object with its modifiers; a triangle repeats a corner."""
    graph = bpy.context.evaluated_depsgraph_get()
    data = made.evaluated_get(graph).to_mesh()
    vertices = np.array([v.co for v in data.vertices], float)
    normals = np.array([v.normal for v in data.vertices], float)
    faces = [list(p.vertices) for p in data.polygons]
    return vertices, normals, np.array([(f + f[-1:])[:4] for f in faces], np.int32)


def add_face(
    head: Array, size: float, tip: Array, root: bpy.types.Object, draw: Stream, fur: float
) -> None:
    """Eyes and a nose."""
    black = materials.plain("nose", (0.01, 0.009, 0.009), 0.25)
    iris = materials.plain("eye", materials.linear(draw.uniform((0.05, 0.14)), 0.7, 0.25), 0.05)
    ahead = unit((tip - head) * [1, 1, 0])
    side = np.array([-ahead[1], ahead[0], 0.0])
    eyes = ahead * (0.8 * size + 0.3 * fur) + np.array([0, 0, 0.35 * size])
    for name, where, radius, material in (
        ("left", eyes - 0.42 * size * side, 0.13 * size, iris),
        ("right", eyes + 0.42 * size * side, 0.13 * size, iris),
        ("nose", tip - head + np.array([0, 0, 0.12 * size]), 0.17 * size, black),
    ):
        angle = np.linspace(0, np.pi, 12)
        profile = np.c_[radius * np.sin(angle), -radius * np.cos(angle)]
        turned(material, profile, tuple(head + where), parent=root).name = name
