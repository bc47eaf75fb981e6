"""Materials: skin, eyes, cloth, leather, plastic, metal, glass, hair; each knows its opacity."""

import colorsys

import bpy
import numpy as np

from bgm.render.plan import Stream

RGB = tuple[float, float, float]
OPACITY = "bgm_opacity"  # custom property: how opaque a material is in the alpha pass


def linear(hue: float, saturation: float, value: float) -> RGB:
    """Linear RGB of a display colour given as hue, saturation, value in [0, 1]."""
    return tuple(float(c) ** 2.2 for c in colorsys.hsv_to_rgb(hue % 1, saturation, value))


def dye(draw: Stream) -> RGB:
    """A colour that cloth has: greys, navy, earth and, now and then, loud ones.

    With a palette, three in four come from there.
    """
    kind = draw.choose({"grey": 3, "blue": 2, "earth": 2, "muted": 3, "loud": 1.5, "white": 1})
    hue, a, b = draw.uniform((0, 1)), draw.uniform((0, 1)), draw.uniform((0, 1))
    taken, number = draw.chance(0.75), int(draw.rng.integers(1 << 16))
    if taken and draw.palette:
        red, green, blue = draw.palette[number % len(draw.palette)]
        bright = 0.85 + 0.3 * b
        return tuple(min(1.0, (c * bright)) ** 2.2 for c in (red, green, blue))
    warm = 0.03 + 0.09 * hue
    return {
        "grey": linear(0.6, 0.06 * a, 0.06 + 0.7 * b),
        "white": linear(warm, 0.08 * a, 0.8 + 0.15 * b),
        "blue": linear(0.56 + 0.1 * hue, 0.3 + 0.5 * a, 0.15 + 0.5 * b),
        "earth": linear(warm, 0.25 + 0.4 * a, 0.2 + 0.6 * b),
        "muted": linear(hue, 0.15 + 0.3 * a, 0.25 + 0.55 * b),
        "loud": linear(hue, 0.6 + 0.35 * a, 0.45 + 0.5 * b),
    }[kind]


class Graph:
    """A material's node tree with short ways to add nodes and links."""

    def __init__(self, name: str, opacity: float = 1.0) -> None:
        self.material = bpy.data.materials.new(name)
        self.material.use_nodes = True
        self.material[OPACITY] = opacity
        self.tree = self.material.node_tree
        self.surface = self.tree.nodes["Principled BSDF"]

    def node(self, kind: str, **properties: object) -> bpy.types.Node:
        made = self.tree.nodes.new(f"ShaderNode{kind}")
        for key, value in properties.items():
            setattr(made, key, value)
        return made

    def link(self, source: bpy.types.NodeSocket, target: bpy.types.NodeSocket) -> None:
        self.tree.links.new(source, target)

    def attribute(self, name: str, output: str = "Vector") -> bpy.types.NodeSocket:
        return self.node("Attribute", attribute_name=name).outputs[output]

    def math(self, operation: str, a: object, b: object = 0.0) -> bpy.types.NodeSocket:
        made = self.node("Math", operation=operation)
        for socket, value in zip(made.inputs, (a, b), strict=False):
            self.put(socket, value)
        return made.outputs[0]

    def mix(self, factor: object, one: object, two: object) -> bpy.types.NodeSocket:
        """Colours mixed: one at factor 0, two at 1."""
        made = self.node("Mix", data_type="RGBA")
        for socket, value in zip(
            (made.inputs[0], made.inputs[6], made.inputs[7]), (factor, one, two), strict=True
        ):
            self.put(socket, value)
        return made.outputs[2]

    def put(self, socket: bpy.types.NodeSocket, value: object) -> None:
        """Link a socket into another, or set its value; colours may lack their alpha."""
        if isinstance(value, bpy.types.NodeSocket):
            self.link(value, socket)
        elif isinstance(value, tuple) and len(value) == 3 and socket.type == "RGBA":
            socket.default_value = (*value, 1.0)
        else:
            socket.default_value = value

    def set(self, **inputs: object) -> None:
        """Set inputs of the surface by name; an underscore stands for a space."""
        for key, value in inputs.items():
            self.put(self.surface.inputs[key.replace("_", " ")], value)

    def noise(self, where: object, scale: float, detail: float = 2.0) -> bpy.types.NodeSocket:
        made = self.node("TexNoise")
        made.inputs["Scale"].default_value = scale
        made.inputs["Detail"].default_value = detail
        self.put(made.inputs["Vector"], where)
        return made.outputs[0]

    def bump(
        self,
        height: bpy.types.NodeSocket,
        metres: float,
        strength: float = 1.0,
        under: bpy.types.NodeSocket | None = None,
    ) -> bpy.types.NodeSocket:
        """A normal bent by a height in [0, 1] that stands for so many metres."""
        made = self.node("Bump")
        made.inputs["Distance"].default_value = metres
        made.inputs["Strength"].default_value = strength
        self.link(height, made.inputs["Height"])
        if under is not None:
            self.link(under, made.inputs["Normal"])
        return made.outputs[0]

    def stretched(self, where: bpy.types.NodeSocket, scale: RGB, turn: RGB = (0, 0, 0)) -> object:
        """Coordinates scaled and turned."""
        made = self.node("Mapping")
        made.inputs["Scale"].default_value = scale
        made.inputs["Rotation"].default_value = turn
        self.link(where, made.inputs["Vector"])
        return made.outputs[0]


def plain(
    name: str, colour: RGB, roughness: float = 0.5, metallic: float = 0.0
) -> bpy.types.Material:
    """One colour."""
    graph = Graph(name)
    graph.set(Base_Color=colour, Roughness=roughness, Metallic=metallic)
    return graph.material


def skin(
    draw: Stream, phenotype: dict[str, float], subsurface: float
) -> tuple[bpy.types.Material, np.ndarray]:
    """Skin that takes its colour from attribute "tint"; returns it and the base colour (3,).

    How dark it is goes with descent, loosely.
    """
    middle = 0.72 * phenotype["african"] + 0.3 * phenotype["asian"] + 0.12 * phenotype["caucasian"]
    dark = float(np.clip(middle + draw.normal(0.14), 0.0, 1.0))
    pale, deep = np.array([0.62, 0.35, 0.25]), np.array([0.075, 0.034, 0.02])
    base = np.exp(np.log(pale) * (1 - dark) + np.log(deep) * dark)
    base = base * draw.rng.uniform([0.94, 0.92, 0.86], [1.06, 1.06, 1.1])
    graph = Graph("skin")
    rest = graph.attribute("rest")
    blotch = graph.noise(rest, 22, 4)
    spots = graph.math("GREATER_THAN", graph.noise(rest, 260, 1), draw.uniform((0.66, 0.86)))
    tint = graph.attribute("tint", "Color")
    shade = graph.node("HueSaturation")
    graph.put(shade.inputs["Color"], tint)
    graph.put(shade.inputs["Value"], graph.math("ADD", graph.math("MULTIPLY", blotch, 0.34), 0.83))
    freckled = tuple(base * 0.62)
    colour = graph.mix(graph.math("MULTIPLY", spots, 0.35), shade.outputs[0], freckled)
    roughness = graph.math(
        "ADD", graph.math("MULTIPLY", graph.noise(rest, 35, 3), 0.25), draw.uniform((0.3, 0.45))
    )
    graph.set(
        Base_Color=colour,
        Roughness=roughness,
        Specular_IOR_Level=0.4,
        Subsurface_Weight=subsurface,
        Subsurface_Radius=(1.0, 0.35, 0.18),
        Subsurface_Scale=0.008,
    )
    fine = graph.bump(graph.noise(rest, 900, 2), 0.0006, 0.35)
    graph.set(Normal=graph.bump(graph.noise(rest, 130, 3), 0.0012, 0.2, fine))
    return graph.material, base


def eye(draw: Stream) -> bpy.types.Material:
    """An eyeball by attribute "gaze": metres from the middle of the pupil."""
    kind = draw.choose({"brown": 5, "blue": 2, "green": 1, "hazel": 1, "grey": 1})
    hue = {"brown": 0.06, "blue": 0.58, "green": 0.28, "hazel": 0.1, "grey": 0.6}[kind]
    saturation = {"grey": 0.1, "blue": 0.45}.get(kind, 0.6)
    colour = linear(hue, saturation, draw.uniform((0.18, 0.4) if kind == "brown" else (0.35, 0.6)))
    graph = Graph("eye")
    gaze = graph.attribute("gaze", "Fac")
    ramp = graph.node("ValToRGB")
    graph.link(graph.math("MULTIPLY", gaze, 100.0), ramp.inputs[0])
    stops: tuple[tuple[float, tuple[float, ...]], ...] = (
        (0.0, (0.003,) * 3),
        (0.25, (0.003,) * 3),
        (0.29, colour),
        (0.5, colour),
    )
    stops += ((0.6, tuple(0.2 * c for c in colour)), (0.68, (0.36, 0.33, 0.31)))
    stops += ((1.0, (0.34, 0.25, 0.22)),)
    for number, (position, rgb) in enumerate(stops):
        if number < 2:
            stop = ramp.color_ramp.elements[number]
            stop.position = position
        else:
            stop = ramp.color_ramp.elements.new(position)
        stop.color = (*rgb, 1)
    graph.set(Base_Color=ramp.outputs[0], Roughness=0.08, Specular_IOR_Level=0.45)
    return graph.material


def glass(colour: RGB, opacity: float, roughness: float = 0.03) -> bpy.types.Material:
    """A thin pane that shows (1 - opacity) of what is behind it, with reflections."""
    graph = Graph("glass", opacity)
    through, shine = graph.node("BsdfTransparent"), graph.node("BsdfGlossy")
    shine.inputs["Roughness"].default_value = roughness
    shade, solid, mixed = (
        graph.node("BsdfDiffuse"),
        graph.node("MixShader"),
        graph.node("MixShader"),
    )
    shade.inputs[0].default_value = (*colour, 1)
    solid.inputs[0].default_value = 0.5
    graph.link(shade.outputs[0], solid.inputs[1])
    graph.link(shine.outputs[0], solid.inputs[2])
    mixed.inputs[0].default_value = opacity
    graph.link(through.outputs[0], mixed.inputs[1])
    graph.link(solid.outputs[0], mixed.inputs[2])
    graph.link(mixed.outputs[0], graph.tree.nodes["Material Output"].inputs["Surface"])
    return graph.material


def hair(draw: Stream, age: float = 0.7, fair: float = 0.6) -> bpy.types.Material:
    """Chiang's hair: mostly natural by melanin, grey with age, now and then dyed.

    fair: in [0, 1], how probable blond and red are.
    """
    natural, amount, red = draw.chance(0.96), draw.uniform((0, 1)), draw.uniform((0, 1))
    tones = {"black": 4.5 - 3.5 * fair, "brown": 2, "blond": 0.15 + 2.2 * fair, "red": 0.8 * fair}
    tone = draw.choose(tones)
    grey = draw.chance(0.12 + max(0.0, age - 0.8) * 3)
    dyed = linear(draw.uniform((0, 1)), draw.uniform((0.4, 0.9)), draw.uniform((0.4, 0.9)))
    if draw.palette and draw.chance(0.4):
        natural, dyed = False, dye(draw)
    graph = Graph("hair")
    bsdf = graph.node("BsdfHairPrincipled")
    if natural:
        bsdf.parametrization = "MELANIN"
        low, high = {
            "black": (0.8, 1),
            "brown": (0.5, 0.8),
            "blond": (0.14, 0.36),
            "red": (0.35, 0.6),
        }[tone]
        melanin = low + (high - low) * amount
        bsdf.inputs["Melanin"].default_value = 0.05 + 0.2 * amount if grey else melanin
        redness = 0.6 + 0.4 * red if tone == "red" else 0.15 + 0.4 * red
        bsdf.inputs["Melanin Redness"].default_value = 0.05 if grey else redness
    else:
        bsdf.parametrization = "COLOR"
        bsdf.inputs["Color"].default_value = (*dyed, 1)
    bsdf.inputs["Roughness"].default_value = draw.uniform((0.2, 0.4))
    bsdf.inputs["Radial Roughness"].default_value = draw.uniform((0.3, 0.6))
    for name, value in (("Random Color", 0.15), ("Random Roughness", 0.2)):
        if name in bsdf.inputs:
            bsdf.inputs[name].default_value = value
    graph.link(bsdf.outputs[0], graph.tree.nodes["Material Output"].inputs["Surface"])
    return graph.material


FURS = {
    "black": (0.0, 0.1, 0.12), "brown": (0.06, 0.6, 0.4), "tan": (0.09, 0.5, 0.75),
    "white": (0.1, 0.08, 0.92), "grey": (0.6, 0.05, 0.5), "ginger": (0.06, 0.75, 0.7),
}  # fmt: skip


def fur(draw: Stream) -> tuple[bpy.types.Material, RGB]:
    """The hair of animals, and its colour."""
    hue, saturation, value = FURS[draw.choose(dict.fromkeys(FURS, 1.0))]
    colour = linear(hue, saturation, float(np.clip(value * draw.uniform((0.8, 1.15)), 0, 0.95)))
    graph = Graph("fur")
    bsdf = graph.node("BsdfHairPrincipled")
    bsdf.parametrization = "COLOR"
    bsdf.inputs["Color"].default_value = (*colour, 1)
    bsdf.inputs["Roughness"].default_value = draw.uniform((0.3, 0.5))
    graph.link(bsdf.outputs[0], graph.tree.nodes["Material Output"].inputs["Surface"])
    return graph.material, colour
