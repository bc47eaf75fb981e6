"""What hangs on walls and covers them: paint, wallpaper, bricks, tiles, panels, pictures."""

import math
from pathlib import Path

import bpy

from bgm.render import fabrics, materials
from bgm.render.materials import Graph
from bgm.render.plan import Stream


def wall_paint(draw: Stream) -> bpy.types.Material:
    """Paint, wallpaper, bricks, tiles or panels."""
    kind = draw.choose({"paint": 5, "wallpaper": 2, "brick": 1, "tiles": 0.7, "panels": 1})
    pale = draw.chance(0.7)
    hue, saturation = draw.uniform((0, 1)), draw.uniform((0.0, 0.3))
    value = draw.uniform((0.7, 0.95) if pale else (0.2, 0.6))
    one = materials.linear(hue, saturation if pale else saturation * 2, value)
    two = materials.linear(hue + 0.05, saturation, value * draw.uniform((0.6, 0.95)))
    scale = draw.uniform((0.6, 1.6))
    graph = Graph(f"wall {kind}")
    rest = graph.attribute("rest")
    stain = graph.noise(rest, 1.5, 5)
    colour: object = graph.mix(graph.math("MULTIPLY", stain, 0.25), one, two)
    height = graph.noise(rest, 90, 3)
    if kind in ("brick", "tiles"):
        made = graph.node("TexBrick")
        for name, tint in (("Color1", one), ("Color2", two), ("Mortar", (0.5, 0.48, 0.45))):
            graph.put(made.inputs[name], tint)
        made.inputs["Scale"].default_value = 4.5 * scale if kind == "brick" else 6 * scale
        if kind == "brick":
            graph.put(made.inputs["Color1"], materials.linear(0.03, 0.5, 0.3 + 0.4 * value))
            graph.put(made.inputs["Color2"], materials.linear(0.04, 0.55, 0.2 + 0.3 * value))
        else:
            made.offset, made.inputs["Brick Width"].default_value = 0.0, 0.25
        # Walls lie in x-z: the bricks' y axis has to be up.
        graph.link(graph.stretched(rest, (1, 1, 1), (-math.pi / 2, 0, 0)), made.inputs["Vector"])
        colour, height = made.outputs["Color"], made.outputs["Fac"]
    elif kind == "wallpaper":
        pattern = draw.choose({"stripes": 2, "dots": 1, "floral": 2, "print": 1, "tartan": 0.4})
        small = graph.stretched(rest, (0.25 * scale,) * 3)
        colour = fabrics.woven(graph, draw, pattern, small, one, two, one)
    elif kind == "panels":
        across = graph.node("SeparateXYZ")
        graph.link(rest, across.inputs[0])
        board = graph.math("FRACT", graph.math("MULTIPLY", across.outputs[0], 6 * scale))
        groove = graph.math("LESS_THAN", board, 0.04)
        colour, height = graph.mix(groove, one, tuple(0.3 * c for c in one)), groove
    graph.set(Base_Color=colour, Roughness=draw.uniform((0.4, 0.9)))
    graph.set(Normal=graph.bump(height, 0.003, 0.3))
    return graph.material


def picture(draw: Stream, maps: list[Path]) -> bpy.types.Material:
    """What hangs in a frame or is on a screen: a view cut from an HDR map, or a print."""
    graph = Graph("picture")
    photo = draw.chance(0.7)
    chosen = maps[int(draw.rng.integers(len(maps)))]
    start, low, part = draw.uniform((0, 0.8)), draw.uniform((0.35, 0.45)), draw.uniform((0.1, 0.3))
    if photo:
        image = graph.node("TexImage")
        image.image = bpy.data.images.load(str(chosen), check_existing=True)
        mapping = graph.node("Mapping", vector_type="POINT")
        mapping.inputs["Location"].default_value = (start, low, 0)
        mapping.inputs["Scale"].default_value = (part, part, part)
        flat = graph.node("CombineXYZ")
        apart = graph.node("SeparateXYZ")
        graph.link(graph.attribute("rest"), apart.inputs[0])
        graph.link(apart.outputs[0], flat.inputs[0])
        graph.link(apart.outputs[2], flat.inputs[1])
        graph.link(flat.outputs[0], mapping.inputs["Vector"])
        graph.link(mapping.outputs[0], image.inputs["Vector"])
        graph.set(Base_Color=image.outputs[0], Roughness=0.4)
    else:
        pattern = draw.choose({"print": 2, "floral": 1, "checks": 0.5, "dots": 0.5})
        dyes = [materials.dye(draw) for _ in range(3)]
        small = graph.stretched(graph.attribute("rest"), (0.5, 0.5, 0.5))
        graph.set(Base_Color=fabrics.woven(graph, draw, pattern, small, *dyes), Roughness=0.5)
    return graph.material
