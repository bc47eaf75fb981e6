"""Rooms: walls, a window, furniture and clutter, behind somebody who stands at the origin."""

import math
from pathlib import Path

import bpy
import numpy as np

from bgm.render import fabrics, materials
from bgm.render.furniture import BUILDERS, FURNITURE, Room, wood
from bgm.render.lighting import add_lamp
from bgm.render.mesh_shapes import box, sheet, solid
from bgm.render.meshes import add_object
from bgm.render.plan import Stream
from bgm.render.wall_materials import picture, wall_paint


def add_room(draw: Stream, maps: list[Path], floor: float, extent: float) -> Room:
    """A furnished room around the origin, open behind the camera, whose view is extent metres.

    floor: z of the floor. Everybody stands within 0.7 m of the origin and looks to -y.
    """
    root = add_object("room", None)
    shell = draw.of("shell")
    half = shell.uniform((1.6, 3.2)) + 0.3 * extent
    room = Room(half, shell.uniform((1.1, 2.8)), shell.uniform((2.4, 3.0)), floor, root)
    add_shell(room, shell, maps)
    number = int(draw.rng.integers(3, 8))
    kinds = [draw.choose(FURNITURE) for _ in range(number)]
    slots = draw.rng.permutation(np.linspace(-half + 0.5, half - 0.5, number))
    for place, (kind, x) in enumerate(zip(kinds, slots, strict=True)):
        turn = draw.normal(0.08)
        at = (float(x), room.back - draw.uniform((0.28, 0.45)), floor)
        BUILDERS[kind](room, draw.of(f"{kind}{place}"), at, turn)
    for side in (-1, 1):
        kind = draw.choose(FURNITURE)
        at = (side * (half - 0.35), draw.uniform((-0.2, 0.8)), floor)
        BUILDERS[kind](room, draw.of(f"side{side}"), at, -side * math.pi / 2)
    add_clutter(room, draw.of("clutter"))
    return room


def add_shell(room: Room, draw: Stream, maps: list[Path]) -> None:
    """Floor, walls, ceiling, skirting board; a window or two; pictures; a lamp on the ceiling."""
    half, back, height, floor, root = room
    front = -8.0
    paint, trim = wall_paint(draw.of("paint")), wood(draw.of("trim"))
    ground = wood(draw.of("floor")) if draw.chance(0.7) else fabrics.cloth(draw.of("carpet"))
    plane = np.array([(-half, front, 0), (half, front, 0), (half, back, 0), (-half, back, 0)])
    solid("floor", plane, [[0, 1, 2, 3]], ground, (0, 0, floor), parent=root)
    white = materials.plain("ceiling", (0.75, 0.74, 0.72), 0.9)
    solid("ceiling", plane, [[3, 2, 1, 0]], white, (0, 0, floor + height), parent=root)
    windows = int(draw.rng.integers(0, 3))
    where, wide = draw.uniform((-0.6, 0.3)) * half, draw.uniform((0.7, 1.5))
    sill, tall = draw.uniform((0.6, 1.0)), draw.uniform((0.9, 1.5))
    openings = []
    if windows:
        openings = [(where, where + wide, sill, min(sill + tall, height - 0.15))]
    back_wall(room, paint, openings)
    for left, right, low, high in openings:
        add_window(room, draw.of("window"), trim, left, right, low, high)
    for side in (-1, 1):
        wall = np.array([(0, front, 0), (0, back, 0), (0, back, height), (0, front, height)])
        solid("wall", wall, [[0, 1, 2, 3]], paint, (side * half, 0, floor), parent=root)
        box(trim, (0.015, back - front, 0.09), (side * (half - 0.01), (back + front) / 2, floor),
            parent=root)  # fmt: skip
    box(trim, (2 * half, 0.015, 0.09), (0, back - 0.01, floor), parent=root)
    for number in range(int(draw.rng.integers(0, 6))):
        hung = draw.of(f"picture{number}")
        x, z = hung.uniform((-0.9, 0.9)) * half, hung.uniform((1.1, 1.9))
        size = (hung.uniform((0.2, 0.7)), hung.uniform((0.2, 0.6)))
        if any(left - 0.6 < x < right + 0.6 for left, right, *_ in openings):
            continue
        frame, inside = materials.plain("frame", materials.dye(hung), 0.4), picture(hung, maps)
        box(frame, (size[0] + 0.05, 0.02, size[1] + 0.05), (x, back - 0.015, floor + z - 0.025),
            parent=root)  # fmt: skip
        box(inside, (size[0], 0.02, size[1]), (x, back - 0.02, floor + z), parent=root)
    power, warm = draw.uniform((20, 120)), draw.uniform((0.05, 0.4))
    tint = materials.linear(0.09, warm, 1)
    above = np.array([draw.uniform((-1, 1)), draw.uniform((-1.5, 0.3)), floor + height - 0.15])
    add_lamp(above, above - [0, 0, 1], draw.uniform((0.3, 1.2)), power, tint)


def back_wall(room: Room, paint: bpy.types.Material, openings: list[tuple]) -> None:
    """The wall behind, in pieces around its openings (left, right, low, high)."""
    half, back, height, floor, root = room
    pieces = [(-half, half, 0.0, height)]
    for left, right, low, high in openings:
        pieces = [(-half, left, 0, height), (right, half, 0, height), (left, right, 0, low),
                  (left, right, high, height)]  # fmt: skip
    for left, right, low, high in pieces:
        corners = np.array([(left, 0, low), (right, 0, low), (right, 0, high), (left, 0, high)])
        solid("wall", corners, [[0, 1, 2, 3]], paint, (0, back, floor), parent=root)


def add_window(
    room: Room,
    draw: Stream,
    trim: bpy.types.Material,
    left: float,
    right: float,
    low: float,
    high: float,
) -> None:
    """Frame, bars, a sill, and curtains or a blind."""
    floor, root, y = room.floor, room.root, room.back
    wide, tall, middle = right - left, high - low, (left + right) / 2
    bars = int(draw.rng.integers(1, 4))
    for x in np.linspace(left, right, bars + 1):
        box(trim, (0.045, 0.05, tall), (float(x), y, floor + low), parent=root)
    for z in (low, high, (low + high) / 2 if draw.chance(0.5) else low):
        box(trim, (wide, 0.05, 0.045), (middle, y, floor + z - 0.02), parent=root)
    box(trim, (wide + 0.12, 0.22, 0.03), (middle, y - 0.08, floor + low - 0.03), parent=root)
    kind = draw.choose({"none": 2, "curtains": 3, "blind": 1.5})
    fabric = fabrics.cloth(draw.of("curtain"), see_through=0.0)
    drop = draw.uniform((0.05, low)) if draw.chance(0.6) else low - 0.1
    if kind == "curtains":
        for side in (-1, 1):
            x0 = left - 0.15 if side < 0 else right + 0.15
            span = draw.uniform((0.2, 0.45))
            u = np.linspace(0, 1, 60)
            fold = 0.035 * np.sin(u * 2 * np.pi * 7 + draw.uniform((0, 6)))
            rows = [
                np.c_[x0 - side * span * u, y - 0.12 + fold * (0.5 + 0.5 * t),
                      np.full(60, floor + drop + (high + 0.1 - drop) * (1 - t))]
                for t in np.linspace(0, 1, 6)
            ]  # fmt: skip
            sheet(fabric, np.array(rows), parent=root)
    elif kind == "blind":
        slat = materials.plain("slat", materials.dye(draw), 0.4)
        for z in np.arange(low + tall * draw.uniform((0, 0.5)), high, 0.045):
            box(slat, (wide, 0.035, 0.003), (middle, y - 0.06, floor + float(z)), (0.6, 0, 0), root)


def add_clutter(room: Room, draw: Stream) -> None:
    """A rug, boxes and balls on the floor."""
    if draw.chance(0.5):
        rug = fabrics.cloth(draw.of("rug"))
        size = (draw.uniform((1.2, 2.4)), draw.uniform((1.0, 1.8)), 0.008)
        box(rug, size, (draw.normal(0.4), draw.uniform((-0.6, 0.6)), room.floor), parent=room.root)
    for number in range(int(draw.rng.integers(0, 6))):
        thing = draw.of(f"thing{number}")
        tint = materials.plain("thing", materials.dye(thing), thing.uniform((0.2, 0.8)))
        side, x = thing.sign(), thing.uniform((0.75, 1.0)) * (room.half - 0.4)
        where = (side * x, thing.uniform((0.4, 1.0)) * (room.back - 0.3), room.floor)
        size = thing.uniform3((0.12, 0.45))
        box(tint, size, where, (0, 0, thing.uniform((0, 3))), room.root, 0.01)
