"""Cloth, woven and knitted, in patterns and creases."""

import bpy

from bgm.render.materials import RGB, Graph, dye
from bgm.render.plan import Stream

PATTERNS = {"plain": 5, "heather": 2, "stripes": 1.6, "checks": 1, "dots": 0.6, "print": 1.2}

PATTERNS |= {"tartan": 0.7, "floral": 0.8}


def cloth(
    draw: Stream, pattern: str | None = None, weave: str | None = None, see_through: float = 0.0
) -> bpy.types.Material:
    """Woven or knitted cloth in attribute "rest" coordinates, creased; see_through in [0, 1]."""
    drawn_pattern = draw.choose(PATTERNS)
    drawn_weave = draw.choose({"fine": 4, "knit": 2, "denim": 1, "satin": 0.7})
    pattern, weave = pattern or drawn_pattern, weave or drawn_weave
    one, two, three = dye(draw), dye(draw), dye(draw)
    graph = Graph(f"cloth {pattern} {weave}", 1.0 - see_through)
    rest = graph.attribute("rest")
    colour = woven(graph, draw, pattern, rest, one, two, three)
    faded = graph.math("ADD", graph.math("MULTIPLY", graph.noise(rest, 6, 4), 0.3), 0.85)
    worn = graph.node("HueSaturation")
    graph.put(worn.inputs["Color"], colour)
    graph.put(worn.inputs["Value"], faded)
    rough = {"satin": (0.25, 0.4)}.get(weave, (0.65, 0.95))
    graph.set(Base_Color=worn.outputs[0], Roughness=draw.uniform(rough))
    graph.set(Sheen_Weight=draw.uniform((0.0, 0.3)), Sheen_Roughness=0.4)
    graph.set(Specular_IOR_Level=0.5 if weave == "satin" else 0.2)
    graph.set(Normal=creases(graph, draw, rest, weave))
    if see_through:
        through = graph.node("BsdfTransparent")
        mixed = graph.node("MixShader")
        mixed.inputs[0].default_value = 1.0 - see_through
        graph.link(through.outputs[0], mixed.inputs[1])
        graph.link(graph.surface.outputs[0], mixed.inputs[2])
        graph.link(mixed.outputs[0], graph.tree.nodes["Material Output"].inputs["Surface"])
    return graph.material


def woven(
    graph: Graph,
    draw: Stream,
    pattern: str,
    rest: bpy.types.NodeSocket,
    one: RGB,
    two: RGB,
    three: RGB,
) -> object:
    """The colour of a pattern: a colour or a socket."""
    scale, share = draw.uniform((0, 1)), draw.uniform((0.3, 0.7))
    level = draw.chance(0.7)
    if pattern == "plain":
        return one
    if pattern == "heather":
        near = tuple(0.6 * c for c in one)
        return graph.mix(graph.noise(graph.stretched(rest, (1, 1, 3)), 220, 3), one, near)
    if pattern in ("stripes", "tartan"):
        across = graph.node("SeparateXYZ")
        graph.link(rest, across.inputs[0])

        def bands(axis: int, width: float, part: float) -> object:
            return graph.math(
                "LESS_THAN",
                graph.math("FRACT", graph.math("MULTIPLY", across.outputs[axis], width)),
                part,
            )

        if pattern == "stripes":
            return graph.mix(bands(2 if level else 0, 10 + 50 * scale, share), one, two)
        width = 6 + 10 * scale
        base = graph.mix(graph.math("MULTIPLY", bands(0, width, 0.5), 0.5), one, two)
        base = graph.mix(graph.math("MULTIPLY", bands(2, width, 0.5), 0.5), base, two)
        return graph.mix(graph.math("MULTIPLY", bands(2, width * 2, 0.1), 0.7), base, three)
    if pattern == "checks":
        made = graph.node("TexChecker")
        made.inputs["Scale"].default_value = 20 + 60 * scale
        graph.link(rest, made.inputs["Vector"])
        return graph.mix(made.outputs["Fac"], one, two)
    if pattern == "dots":
        made = graph.node("TexVoronoi")
        made.inputs["Scale"].default_value = 20 + 40 * scale
        made.inputs["Randomness"].default_value = 0.3
        graph.link(rest, made.inputs["Vector"])
        return graph.mix(graph.math("LESS_THAN", made.outputs["Distance"], 0.32), one, two)
    if pattern == "floral":
        made = graph.node("TexVoronoi")
        made.inputs["Scale"].default_value = 14 + 26 * scale
        warped = graph.node("VectorMath", operation="ADD")
        graph.link(rest, warped.inputs[0])
        swirl = graph.node("TexNoise")
        swirl.inputs["Scale"].default_value = 40
        graph.link(rest, swirl.inputs["Vector"])
        small = graph.node("VectorMath", operation="SCALE")
        small.inputs["Scale"].default_value = 0.05
        graph.link(swirl.outputs["Color"], small.inputs[0])
        graph.link(small.outputs[0], warped.inputs[1])
        graph.link(warped.outputs[0], made.inputs["Vector"])
        petals = graph.mix(graph.math("LESS_THAN", made.outputs["Distance"], 0.36), one, two)
        return graph.mix(graph.math("LESS_THAN", made.outputs["Distance"], 0.14), petals, three)
    shape = graph.math("GREATER_THAN", graph.noise(rest, 6 + 14 * scale, 2), 0.52)
    again = graph.math("GREATER_THAN", graph.noise(rest, 9 + 20 * scale, 1), 0.58)
    return graph.mix(again, graph.mix(shape, one, two), three)


def creases(
    graph: Graph, draw: Stream, rest: bpy.types.NodeSocket, weave: str
) -> bpy.types.NodeSocket:
    """Creases of a few centimetres over the weave itself."""
    amount = draw.uniform((0.3, 0.9))
    turn = (draw.uniform((-0.5, 0.5)), draw.uniform((-0.5, 0.5)), 0.0)
    ridged = graph.noise(graph.stretched(rest, (1.0, 1.0, 0.45), turn), 16, 3)
    ridge = graph.math("ABSOLUTE", graph.math("SUBTRACT", ridged, 0.5))
    crease = graph.bump(graph.math("POWER", ridge, 0.7), 0.02 * amount, 0.8)
    if weave == "knit":
        rows = graph.node("TexWave", bands_direction="Z")
        rows.inputs["Scale"].default_value = draw.uniform((45, 90))
        rows.inputs["Distortion"].default_value = 2.5
        rows.inputs["Detail Scale"].default_value = 4
        graph.link(rest, rows.inputs["Vector"])
        return graph.bump(rows.outputs[1], 0.003, 0.6, crease)
    return graph.bump(graph.noise(rest, 500, 2), 0.001, 0.2, crease)
