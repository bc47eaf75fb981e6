"""Plants: branches that fork, bare or with leaves, needles or blossoms, tufts of grass, flowers.

What people's renders lack: thin dark lines before what is bright, islands, and gaps that show the
place through the subject.
"""

import math

import bpy
import numpy as np
from numpy.typing import NDArray

from bgm.render import materials
from bgm.render.landmarks import unit
from bgm.render.meshes import Patch, add_mesh, add_object, add_strands
from bgm.render.plan import Stream
from bgm.render.plant_shapes import UP, Twig, branches, frames, leaf, outline, rosette

Array = NDArray[np.float64]
HABITS = {"bough": 5, "bare": 1.5, "needles": 1, "grass": 1, "flowers": 1.5, "fern": 1}
LEAVES = {"oval": 3, "lance": 2, "round": 1, "heart": 1, "lobed": 3, "toothed": 2}
SEASONS = {"green": 4, "autumn": 3, "dark": 1.5, "dry": 1, "pale": 1}
SIDES = 6  # of a twig
MOST_LEAVES = 2500  # of a plant: thick foliage has its finer twigs, which come last, bare


class Surface:
    """Faces gathered from many parts, each vertex with a colour."""

    def __init__(self) -> None:
        self.points: list[Array] = []
        self.tints: list[Array] = []
        self.faces: list[list[int]] = []
        self.count = 0

    def add(self, points: Array, faces: NDArray[np.int64], tint: Array) -> None:
        """points (N, 3), faces (F, corners) over them, tint (N, 3) or (3,), linear RGB."""
        self.faces += (faces + self.count).tolist()
        self.points.append(points)
        self.tints.append(np.broadcast_to(tint, points.shape))
        self.count += len(points)

    def place(self, name: str, material: bpy.types.Material, root: bpy.types.Object) -> Array:
        """Put what was gathered into the scene; returns the vertices (0, 3) if there are none."""
        if not self.points:
            return np.zeros((0, 3))
        points = np.concatenate(self.points)
        patch = Patch(self.faces, position=points, rest=points, tint=np.concatenate(self.tints))
        add_mesh(name, patch, material, root)
        return points


def add_plant(draw: Stream) -> tuple[bpy.types.Object, Array, Array, dict]:
    """A plant about a metre tall; returns its empty, (low, high), a point to look at, words."""
    root = add_object("plant", None)
    habit = draw.choose(HABITS)
    season = draw.choose({"green": 1} if habit in ("fern", "needles") else SEASONS)
    colours = foliage(draw.of("colours"), season)
    bark = draw.of("bark")
    brown = np.array(
        materials.linear(bark.uniform((0.03, 0.11)), bark.uniform((0.1, 0.5)),
                         np.exp(bark.uniform((math.log(0.06), math.log(0.55)))))
    )  # fmt: skip
    words = {"plant": habit, "season": season}
    wood, green = Surface(), Surface()
    if habit in ("grass", "fern", "flowers"):
        twigs = rosette(draw.of("shape"), habit)
        stem = colours[0] * 0.8
    else:
        twigs = branches(draw.of("shape"), bare=habit == "bare")
        stem = brown
    if habit == "grass":
        add_blades(green, twigs, draw.of("blades"), colours)
    else:
        for twig in twigs:
            add_tube(wood, twig, stem)
    if habit in ("bough", "flowers"):
        words["leaf"] = add_leaves(green, twigs, draw.of("leaves"), colours, habit)
    elif habit == "fern":
        add_leaflets(green, twigs, draw.of("leaflets"), colours)
    elif habit == "needles":
        add_needles(twigs, draw.of("needles"), colours[0], root)
    if habit == "flowers" or (habit == "bough" and draw.of("blossoms").chance(0.2)):
        add_blossoms(green, twigs, draw.of("blossoms"), habit == "flowers")
    points = [
        wood.place("wood", tinted("bark", 0.85, 0.0), root),
        green.place("leaves", tinted("leaf", draw.uniform((0.3, 0.7)), 0.3), root),
    ]
    everything = np.concatenate(points)
    # What the camera looks at: some twig in the upper half, as it looks at a person's head.
    ends = np.array([twig.line[-1] for twig in twigs])
    high = ends[ends[:, 2] >= np.median(ends[:, 2])]
    look = high[int(draw.rng.integers(len(high)))]
    return root, np.array([everything.min(0), everything.max(0)]), look, words


def foliage(draw: Stream, season: str) -> Array:
    """Colours (4, 3) of one plant's leaves, linear RGB; of a place's palette where there is one."""
    found = []
    middle, value = draw.rng.random(), draw.rng.random()
    for _ in range(4):
        if draw.palette and draw.chance(0.6):
            found.append(materials.dye(draw))
            continue
        a, b = draw.normal(0.25), draw.normal(0.25)
        m, v = np.clip(middle + a, 0, 1), np.clip(value + b, 0, 1)
        found.append({
            "green": materials.linear(0.2 + 0.17 * m, 0.35 + 0.45 * v, 0.15 + 0.5 * (1 - v)),
            "autumn": materials.linear(0.0 + 0.14 * m, 0.6 + 0.35 * v, 0.35 + 0.6 * m),
            "dark": materials.linear(0.25 + 0.7 * m, 0.3 + 0.4 * v, 0.04 + 0.16 * v),
            "dry": materials.linear(0.07 + 0.06 * m, 0.2 + 0.4 * v, 0.3 + 0.5 * v),
            "pale": materials.linear(0.2 + 0.3 * m, 0.05 + 0.25 * v, 0.45 + 0.45 * v),
        }[season])  # fmt: skip
    return np.array(found)


def tinted(name: str, roughness: float, through: float) -> bpy.types.Material:
    """Coloured by attribute "tint"; through: share of light that shines through it."""
    graph = materials.Graph(name)
    tint = graph.attribute("tint", "Color")
    graph.set(Base_Color=tint, Roughness=roughness)
    if through:
        back, mixed = graph.node("BsdfTranslucent"), graph.node("MixShader")
        graph.link(tint, back.inputs[0])
        mixed.inputs[0].default_value = through
        graph.link(graph.surface.outputs[0], mixed.inputs[1])
        graph.link(back.outputs[0], mixed.inputs[2])
        graph.link(mixed.outputs[0], graph.tree.nodes["Material Output"].inputs["Surface"])
    return graph.material


def add_tube(surface: Surface, twig: Twig, tint: Array) -> None:
    """A twig as a tube of SIDES sides."""
    _, one, two = frames(twig.line)
    angle = np.arange(SIDES) * 2 * math.pi / SIDES
    ring = one[:, None] * np.cos(angle)[:, None] + two[:, None] * np.sin(angle)[:, None]
    points = twig.line[:, None] + ring * twig.radius[:, None, None]
    below, i = np.divmod(np.arange((len(points) - 1) * SIDES), SIDES)
    below, j = below * SIDES, (i + 1) % SIDES
    faces = np.stack([below + i, below + j, below + SIDES + j, below + SIDES + i], 1)
    surface.add(points.reshape(-1, 3), faces, tint)


def add_leaf(
    surface: Surface, shape: tuple, at: Array, way: Array, face: Array, size: float, tint: Array
) -> None:
    """A leaf of size metres at a point, its tip along way, its upper side towards face."""
    points, faces, vein = shape
    along = unit(way)
    across = unit(np.cross(face, along))
    turn = np.stack([along, across, np.cross(along, across)])
    shade = 1 + 0.35 * vein[:, None] - 0.25 * (points[:, :1] - 0.5) ** 2
    surface.add(at + size * points @ turn, faces, np.clip(tint * shade, 0, 1))


def add_leaves(
    surface: Surface, twigs: list[Twig], draw: Stream, colours: Array, habit: str
) -> str:
    """Leaves along the finer twigs; returns their shape."""
    kind = draw.choose(LEAVES)
    size = np.exp(draw.uniform((math.log(0.02), math.log(0.11)))) * (1.3 if kind == "lobed" else 1)
    dense = np.exp(draw.uniform((math.log(0.4), math.log(2.5))))
    dense *= 0.5 if habit == "flowers" else 1
    droop, ragged = draw.uniform((-0.2, 1.2)), draw.uniform((0.1, 0.6))
    shapes = [leaf(outline(kind, draw.of(f"{k}")), draw.of(f"{k}")) for k in range(5)]
    thin = np.median([twig.radius[0] for twig in twigs])
    places = [
        (twig, at)
        for twig in twigs
        if twig.radius[0] <= 1.6 * thin or habit == "flowers"
        for at in draw.rng.uniform(0.1, 1.0, 1 + draw.rng.poisson(
            dense * np.linalg.norm(np.diff(twig.line, axis=0), axis=1).sum() / (0.55 * size)))
    ]  # fmt: skip
    for twig, at in places[:MOST_LEAVES]:
        k = min(int(at * (len(twig.line) - 1)), len(twig.line) - 2)
        along = unit(twig.line[k + 1] - twig.line[k])
        aside = unit(np.cross(along, draw.rng.normal(0, 1, 3)))
        way = 0.5 * along + aside + ragged * draw.rng.normal(0, 1, 3) - droop * UP
        face = UP + np.array([0, -0.7, 0]) + ragged * draw.rng.normal(0, 1.2, 3)
        tint = colours[int(draw.rng.integers(len(colours)))] * draw.uniform((0.7, 1.25))
        shape = shapes[int(draw.rng.integers(len(shapes)))]
        add_leaf(surface, shape, twig.line[k], way, face, size * draw.uniform((0.5, 1.15)), tint)
    return kind


def add_leaflets(surface: Surface, twigs: list[Twig], draw: Stream, colours: Array) -> None:
    """Pairs of leaflets along each frond, shorter towards its tip."""
    shapes = [leaf(outline("lance", draw.of(f"{k}")), draw.of(f"{k}")) for k in range(3)]
    long, pairs = draw.uniform((0.1, 0.26)), int(draw.rng.integers(16, 34))
    for twig in twigs:
        line = twig.line
        at = np.linspace(0.12, 0.99, pairs) * (len(line) - 1)
        middle = np.stack([np.interp(at, np.arange(len(line)), line[:, c]) for c in range(3)], 1)
        along, _, _ = frames(middle)
        tint = colours[int(draw.rng.integers(len(colours)))]
        for k in range(pairs):
            aside = unit(np.cross(along[k], UP))
            size = long * math.sin(math.pi * (0.12 + 0.85 * k / pairs)) + 0.01
            for sign in (-1, 1):
                way = sign * aside + 0.45 * along[k] + draw.rng.normal(0, 0.08, 3)
                shape = shapes[int(draw.rng.integers(3))]
                light = tint * draw.uniform((0.85, 1.15))
                add_leaf(surface, shape, middle[k], way, np.cross(aside, along[k]), size, light)


def add_blades(surface: Surface, twigs: list[Twig], draw: Stream, colours: Array) -> None:
    """Blades of grass: flat, widest below, pointed."""
    wide = draw.uniform((1.0, 4.0))
    for twig in twigs:
        _, aside, _ = frames(twig.line)
        t = np.linspace(0, 1, len(twig.line))[:, None]
        half = aside * wide * twig.radius[0] * (1 - t**2)
        n = len(twig.line)
        points = np.concatenate([twig.line - half, twig.line + half])
        i = np.arange(n - 1)
        faces = np.stack([i, i + 1, n + i + 1, n + i], 1)
        tint = colours[int(draw.rng.integers(len(colours)))] * draw.uniform((0.7, 1.2))
        surface.add(points, faces, tint)


def add_needles(twigs: list[Twig], draw: Stream, colour: Array, root: bpy.types.Object) -> None:
    """Needles around all but the thickest twigs."""
    length, lean = draw.uniform((0.012, 0.05)), draw.uniform((0.3, 1.2))
    starts, ways = [], []
    for twig in twigs[1:]:
        long = np.linalg.norm(np.diff(twig.line, axis=0), axis=1).sum()
        at = draw.rng.uniform(0, len(twig.line) - 1.001, int(60 + 900 * long))
        k = at.astype(int)
        along, _, _ = frames(twig.line)
        starts.append(twig.line[k] + (at - k)[:, None] * (twig.line[k + 1] - twig.line[k]))
        ways.append(unit(unit(draw.rng.normal(0, 1, (len(k), 3))) + lean * along[k]))
    start, way = np.concatenate(starts), np.concatenate(ways)
    steps = np.linspace(0, 1, 4)[:, None]
    lengths = length * draw.rng.uniform(0.6, 1.1, (len(start), 1, 1))
    strands = start[:, None] + way[:, None] * steps * lengths
    red, green, blue = map(float, colour)
    shade = materials.plain("needle", (red, green, blue), 0.5)
    add_strands("needles", strands, draw.uniform((0.0004, 0.0009)), shade, root)


def add_blossoms(surface: Surface, twigs: list[Twig], draw: Stream, at_tips: bool) -> None:
    """Flowers of five to twenty petals at the tips, or small ones all along the twigs."""
    hue, pale = draw.uniform((0, 1)), draw.uniform((0.0, 0.9))
    colour = np.array(materials.linear(hue, pale, draw.uniform((0.55, 0.98))))
    heart = np.array(materials.linear(draw.uniform((0.05, 0.17)), 0.7, draw.uniform((0.2, 0.8))))
    petals = int(draw.choose({"5": 4, "6": 2, "8": 1, "14": 1, "20": 1}))
    size = draw.uniform((0.02, 0.06)) if at_tips else draw.uniform((0.008, 0.02))
    shape = leaf(outline("oval" if petals < 9 else "lance", draw.of("petal")), draw.of("petal"))
    disc = leaf(outline("round", draw.of("heart")), draw.of("heart"))
    for twig in twigs:
        spots = [len(twig.line) - 1] if at_tips else draw.rng.integers(3, len(twig.line), 3)
        for k in spots:
            at = twig.line[k]
            up = unit(twig.line[-1] - twig.line[-3] + draw.rng.normal(0, 0.5, 3) - [0, 0.4, 0])
            one = unit(np.cross(up, draw.rng.normal(0, 1, 3)))
            two = np.cross(up, one)
            grown_by = size * draw.uniform((0.6, 1.1))
            for angle in np.arange(petals) * 2 * math.pi / petals:
                way = one * math.cos(angle) + two * math.sin(angle) + up * draw.uniform((0.1, 0.5))
                add_leaf(surface, shape, at, way, up, grown_by, colour * draw.uniform((0.85, 1.1)))
            add_leaf(surface, disc, at - 0.2 * grown_by * one, one, up, 0.45 * grown_by, heart)
