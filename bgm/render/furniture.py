"""Furniture and what stands on it: shelves, sofas, tables, lamps, plants, chairs, doors."""

import math
from collections.abc import Callable
from typing import NamedTuple

import bpy
import numpy as np

from bgm.render import fabrics, materials
from bgm.render.materials import RGB, Graph
from bgm.render.mesh_shapes import box, leaves, turned
from bgm.render.meshes import add_object
from bgm.render.plan import Stream


class Room(NamedTuple):
    """Metres: half the width, where the back wall is, the height, and the empty that holds all."""

    half: float
    back: float
    height: float
    floor: float
    root: bpy.types.Object


def wood(draw: Stream) -> bpy.types.Material:
    """Boards with grain, from pale pine to dark walnut, or painted."""
    graph = Graph("wood")
    kind = draw.choose({"pale": 3, "brown": 3, "dark": 1.5, "white": 2, "black": 0.7})
    hue, value = draw.uniform((0.06, 0.1)), draw.uniform((0, 1))
    tone = {
        "pale": materials.linear(hue, 0.35, 0.7 + 0.2 * value),
        "brown": materials.linear(hue, 0.55, 0.35 + 0.3 * value),
        "dark": materials.linear(hue, 0.5, 0.15 + 0.15 * value),
        "white": materials.linear(hue, 0.03, 0.8 + 0.15 * value),
        "black": materials.linear(hue, 0.1, 0.06 + 0.08 * value),
    }[kind]
    rest = graph.attribute("rest")
    scale = (14.0, 14.0, 1.2) if draw.chance(0.5) else (1.2, 14.0, 14.0)
    grain = graph.noise(graph.stretched(rest, scale), 3.0, 6)
    depth = 0.1 if kind in ("white", "black") else 0.55
    darker = tuple((1 - depth) * c for c in tone)
    graph.set(Base_Color=graph.mix(grain, tone, darker), Roughness=draw.uniform((0.25, 0.65)))
    graph.set(Normal=graph.bump(grain, 0.001, 0.3))
    return graph.material


def glow(colour: RGB, strength: float) -> bpy.types.Material:
    """Something that shines."""
    graph = Graph("glow")
    graph.set(Base_Color=colour, Emission_Color=colour, Emission_Strength=strength)
    return graph.material


def add_shelf(room: Room, draw: Stream, at: tuple, turn: float) -> None:
    """A bookcase with books, boxes and vases."""
    wide, tall, deep = (
        draw.uniform((0.5, 1.3)),
        draw.uniform((0.8, 2.1)),
        draw.uniform((0.24, 0.36)),
    )
    board, boards = wood(draw.of("wood")), int(draw.rng.integers(2, 7))
    root = add_object("shelf", None, room.root)
    root.location, root.rotation_euler = at, (0, 0, turn)
    for x in (-wide / 2, wide / 2):
        box(board, (0.02, deep, tall), (x, 0, 0), parent=root)
    closed = draw.chance(0.5)
    if closed:
        box(board, (wide, 0.01, tall), (0, deep / 2, 0), parent=root)
    gap = tall / boards
    spines = [materials.plain("book", materials.dye(draw), 0.6) for _ in range(9)]
    for number in range(boards + 1):
        z = number * gap
        box(board, (wide, deep, 0.02), (0, 0, z - (number == boards) * 0.02), parent=root)
        if number == boards and not draw.chance(0.6):
            continue
        x, end = -wide / 2 + 0.03, wide / 2 - 0.05
        while x < end:
            kind = draw.choose({"books": 6, "gap": 1.5, "thing": 1.2, "box": 0.8})
            if kind == "gap":
                x += draw.uniform((0.03, 0.2))
            elif kind == "books":
                for _ in range(int(draw.rng.integers(2, 12))):
                    thick = draw.uniform((0.012, 0.05))
                    size = (thick, draw.uniform((0.12, 0.2)), draw.uniform((0.14, 0.26)))
                    if x + thick > end or (size[2] > gap - 0.03 and number < boards):
                        break
                    spine = spines[int(draw.rng.integers(9))]
                    lean = draw.normal(0.03)
                    box(spine, size, (x + thick / 2, -0.02, z + 0.02), (0, lean, 0), root)
                    x += thick + 0.002
            elif kind == "thing":
                radius = draw.uniform((0.03, 0.07))
                if x + 2 * radius < end:
                    add_vase(draw, (x + radius, 0, z + 0.02), radius, min(gap - 0.05, 0.3), root)
                x += 2 * radius + 0.02
            else:
                size = (draw.uniform((0.1, 0.25)), deep * 0.8, min(gap * 0.7, 0.2))
                if x + size[0] < end:
                    box(spines[int(draw.rng.integers(9))], size, (x + size[0] / 2, 0, z + 0.02),
                        parent=root)  # fmt: skip
                x += size[0] + 0.01


def add_vase(draw: Stream, at: tuple, radius: float, tall: float, root: bpy.types.Object) -> None:
    """A turned vessel of any outline."""
    t = np.linspace(0, 1, 14)
    bulge = draw.uniform((0.2, 0.9))
    outline = radius * (1 - bulge * np.abs(t - draw.uniform((0.2, 0.7))) ** 1.5)
    profile = np.r_[[(0, 0)], np.c_[np.maximum(outline, 0.2 * radius), t * max(tall, 0.08)]]
    shiny = draw.uniform((0.05, 0.6))
    turned(materials.plain("vase", materials.dye(draw), shiny), profile, at, parent=root)


def add_sofa(room: Room, draw: Stream, at: tuple, turn: float) -> None:
    """A sofa or an armchair with cushions."""
    wide, deep = draw.uniform((0.8, 2.0)), draw.uniform((0.75, 0.95))
    fabric, round_ = fabrics.cloth(draw.of("cover")), draw.uniform((0.03, 0.08))
    root = add_object("sofa", None, room.root)
    root.location, root.rotation_euler = (at[0], at[1] - deep / 2 + 0.2, at[2]), (0, 0, turn)
    high = draw.uniform((0.7, 0.95))
    box(fabric, (wide, deep, 0.42), (0, 0, 0.06), parent=root, round_=round_)
    box(fabric, (wide, 0.22, high - 0.1), (0, deep / 2 - 0.1, 0.1), parent=root, round_=round_)
    for side in (-1, 1):
        box(fabric, (0.2, deep, 0.6), (side * wide / 2, 0, 0.06), parent=root, round_=round_)
    for number in range(int(draw.rng.integers(0, 5))):
        cushion = fabrics.cloth(draw.of(f"cushion{number}"))
        lean = (-0.35 + draw.normal(0.1), draw.normal(0.2), draw.normal(0.3))
        x = draw.uniform((-0.4, 0.4)) * wide
        box(cushion, (0.42, 0.14, 0.4), (x, deep / 2 - 0.32, 0.46), lean, root, 0.06)


def add_table(room: Room, draw: Stream, at: tuple, turn: float) -> None:
    """A desk or a sideboard with things on it."""
    wide, deep, tall = (
        draw.uniform((0.7, 1.6)),
        draw.uniform((0.4, 0.65)),
        draw.uniform((0.45, 0.78)),
    )
    board = wood(draw.of("wood"))
    root = add_object("table", None, room.root)
    root.location, root.rotation_euler = (at[0], at[1] - 0.1, at[2]), (0, 0, turn)
    box(board, (wide, deep, 0.03), (0, 0, tall), parent=root, round_=0.004)
    if draw.chance(0.5):
        for x in (-1, 1):
            for y in (-1, 1):
                leg = (x * (wide / 2 - 0.05), y * (deep / 2 - 0.05), 0)
                box(board, (0.04, 0.04, tall), leg, parent=root)
    else:
        box(board, (wide - 0.04, deep - 0.04, tall - 0.08), (0, 0, 0.08), parent=root)
        knob = materials.plain("knob", (0.3, 0.3, 0.3), 0.2, 1.0)
        drawers = int(draw.rng.integers(2, 5))
        for x in np.linspace(-wide / 2, wide / 2, drawers + 1)[:-1] + wide / drawers / 2:
            front = (float(x), -deep / 2 + 0.01, 0.12)
            box(board, (wide / drawers - 0.02, 0.02, tall - 0.16), front, parent=root, round_=0.004)
            box(knob, (0.1, 0.02, 0.012), (float(x), -deep / 2 - 0.01, tall - 0.12), parent=root)
    z = tall + 0.03
    for number in range(int(draw.rng.integers(1, 7))):
        thing = draw.of(f"thing{number}")
        where = (thing.uniform((-0.42, 0.42)) * wide, thing.uniform((-0.3, 0.3)) * deep, z)
        kind = thing.choose(
            {"vase": 3, "box": 2, "pile": 2, "lamp": 1.3, "screen": 1.2, "plant": 1}
        )
        if kind == "vase":
            add_vase(thing, where, thing.uniform((0.03, 0.09)), thing.uniform((0.1, 0.35)), root)
        elif kind == "box":
            size = thing.uniform3((0.08, 0.25))
            tint = materials.plain("box", materials.dye(thing), 0.5)
            box(tint, size, where, (0, 0, thing.normal(0.4)), root, 0.004)
        elif kind == "pile":
            for level in range(int(thing.rng.integers(2, 7))):
                cover = materials.plain("book", materials.dye(thing), 0.5)
                low = (where[0], where[1], z + 0.03 * level)
                box(cover, (0.2, 0.15, 0.028), low, (0, 0, thing.normal(0.3)), root)
        elif kind == "lamp":
            add_table_lamp(thing, where, root)
        elif kind == "screen":
            black = materials.plain("screen", (0.01, 0.01, 0.012), 0.15)
            lit = glow(materials.linear(0.58, thing.uniform((0, 0.6)), 0.8), 0.8)
            box(black, (0.5, 0.03, 0.3), (where[0], where[1], z + 0.1), parent=root)
            shown = lit if thing.chance(0.5) else black
            box(shown, (0.47, 0.01, 0.27), (where[0], where[1] - 0.02, z + 0.115), parent=root)
            box(black, (0.06, 0.05, 0.12), where, parent=root)
        else:
            add_plant(thing, where, 0.35, root)


def add_table_lamp(draw: Stream, at: tuple, root: bpy.types.Object, tall: float = 0.4) -> None:
    """A foot and a shade that shines."""
    foot = materials.plain("foot", materials.dye(draw), 0.3, float(draw.chance(0.5)))
    shade = glow(materials.linear(0.09, draw.uniform((0.1, 0.5)), 0.9), draw.uniform((0.0, 4.0)))
    profile = np.array([(0, 0), (0.09, 0), (0.09, 0.015), (0.015, 0.03), (0.012, tall)])
    turned(foot, profile, at, parent=root)
    cone = np.array([(0.15, tall - 0.08), (0.09, tall + 0.14)])
    turned(shade, cone, at, parent=root)


def add_floor_lamp(room: Room, draw: Stream, at: tuple, turn: float) -> None:
    """A lamp that stands on the floor."""
    root = add_object("lamp", None, room.root)
    root.location, root.rotation_euler = at, (0, 0, turn)
    add_table_lamp(draw, (0, 0, 0), root, draw.uniform((1.2, 1.6)))


def add_plant(draw: Stream, at: tuple, size: float, root: bpy.types.Object) -> None:
    """A pot with blades or with leaves on stems."""
    rng = draw.rng
    pot = materials.plain("pot", materials.dye(draw), 0.5)
    radius = 0.16 * size + 0.03
    profile = np.array(
        [(0, 0), (0.7 * radius, 0), (radius, 1.6 * radius), (0.85 * radius, 1.6 * radius)]
    )
    turned(pot, profile, at, parent=root)
    green = materials.plain(
        "leaf", materials.linear(draw.uniform((0.22, 0.38)), 0.65, draw.uniform((0.2, 0.55))), 0.45
    )
    top = np.array(at) + np.array([0, 0, 1.5 * radius])
    t = np.linspace(0, 1, 9)[:, None]
    blades = draw.chance(0.5)
    lines = []
    for _ in range(int(rng.integers(14, 40) * (1 if blades else 2))):
        angle, reach, high = rng.uniform(0, 6.28), rng.uniform(0.15, 0.6), rng.uniform(0.5, 1.0)
        out = np.array([math.cos(angle), math.sin(angle), 0.0]) * reach * size
        line = top + out * t**1.4 + np.array([0, 0, 1.0]) * size * high * (t - 0.45 * reach * t**2)
        if not blades:  # a short leaf somewhere along an unseen stem
            start = line[int(rng.integers(2, 8))]
            lean = rng.normal(0, 1, 3) * 0.14 * size
            line = start + lean * t + np.array([0, 0, -0.05]) * size * t**2
        lines.append(line)
    leaves(green, lines, (0.05 if blades else 0.09) * size, parent=root)


def add_big_plant(room: Room, draw: Stream, at: tuple, turn: float) -> None:
    """A plant that stands on the floor."""
    root = add_object("plant", None, room.root)
    root.location, root.rotation_euler = at, (0, 0, turn)
    add_plant(draw, (0, 0, 0), draw.uniform((0.6, 1.5)), root)


def add_chair(room: Room, draw: Stream, at: tuple, turn: float) -> None:
    """A chair with bars in its back."""
    root = add_object("chair", None, room.root)
    root.location, root.rotation_euler = (
        (at[0], at[1] - 0.15, at[2]),
        (0, 0, turn + draw.normal(0.6)),
    )
    stuff = (
        wood(draw.of("wood"))
        if draw.chance(0.7)
        else materials.plain("metal", (0.4, 0.4, 0.42), 0.25, 1.0)
    )
    for x in (-0.2, 0.2):
        box(stuff, (0.035, 0.035, 0.45), (x, -0.2, 0), parent=root)
        box(stuff, (0.035, 0.035, 0.95), (x, 0.2, 0), parent=root)
    box(stuff, (0.45, 0.45, 0.035), (0, 0, 0.44), parent=root, round_=0.01)
    for z in (0.6, 0.75, 0.88):
        box(stuff, (0.4, 0.02, 0.05), (0, 0.2, z), parent=root)


def add_door(room: Room, draw: Stream, at: tuple, turn: float) -> None:
    """A door in the wall."""
    paint = wood(draw.of("wood"))
    root = add_object("door", None, room.root)
    root.location = (at[0], room.back if abs(turn) < 1 else at[1], at[2])
    root.rotation_euler = (0, 0, turn if abs(turn) > 1 else 0)
    box(paint, (0.98, 0.05, 2.08), (0, 0, 0), parent=root)
    for x in (-0.2, 0.2):
        for z, tall in ((0.15, 0.7), (1.0, 0.9)):
            box(paint, (0.3, 0.02, tall), (x, -0.03, z), parent=root, round_=0.008)
    knob = materials.plain("knob", (0.6, 0.55, 0.4), 0.2, 1.0)
    box(knob, (0.12, 0.03, 0.02), (0.38, -0.05, 1.02), parent=root)


FURNITURE = {"shelf": 3, "sofa": 1.6, "table": 2.5, "lamp": 1, "plant": 1.8, "chair": 1.4}

FURNITURE |= {"door": 0.7}

Builder = Callable[[Room, Stream, tuple, float], None]

BUILDERS: dict[str, Builder] = {
    "shelf": add_shelf,
    "sofa": add_sofa,
    "table": add_table,
    "lamp": add_floor_lamp,
    "plant": add_big_plant,
    "chair": add_chair,
    "door": add_door,
}
