"""One person in the scene: skin, eyes, clothes, hair, what is worn and held."""

import bpy
import numpy as np
from numpy.typing import NDArray

from bgm.render import materials
from bgm.render.accessories import add_headwear
from bgm.render.clothes import Worn, dress_body
from bgm.render.hair import Head, hairdo, scatter, tufted
from bgm.render.hair_shapes import STYLES
from bgm.render.held import add_held
from bgm.render.landmarks import Body, noise, smoothstep
from bgm.render.meshes import Patch, add_mesh, add_object, add_strands, subdivide
from bgm.render.plan import Stream
from bgm.render.shoes import add_bag, add_shoes

Array = NDArray[np.float64]
FEMALE = {"long": 4, "wavy": 3, "bob": 2.5, "curly": 2, "afro": 0.8, "short": 0.6, "bun": 1.6}
FEMALE |= {"ponytail": 1.8, "buzz": 0.2, "crop": 0.3}
MALE = {"short": 4, "crop": 3, "quiff": 2, "buzz": 1.5, "curly": 1.2, "afro": 0.8, "bob": 0.5}
MALE |= {"long": 0.6, "bald": 0.8, "bun": 0.3, "wavy": 0.3}
HEADWEAR = {"none": 7, "glasses": 2, "sunglasses": 0.7, "cap": 0.7, "beanie": 0.6, "hat": 0.5}
HEADWEAR |= {"headphones": 0.5}


def add_person(
    body: Body, stream: Stream, plan: dict, close: float, options: dict, forced: dict
) -> tuple[bpy.types.Object, Head, dict]:
    """Everything of one person below one empty object; returns it, the head and what it is."""
    root = add_object(f"person{plan['number']}", None)
    clothes = stream.of("clothes")
    worn, bag = dress_body(body, clothes, root, options, forced), clothes.of("bag")
    if bag.chance(options["bag"]):
        add_bag(body, bag, root, worn)
    barefoot = stream.of("feet").chance(0.04)
    if not barefoot:
        add_shoes(body, stream.of("shoes"), root, worn)
    tone = add_skin(body, stream.of("skin"), root, worn, options)
    marks = body.marks
    points = np.concatenate([body.vertices[marks.is_body], *worn.points])
    normals = np.concatenate([body.normals[marks.is_body], *worn.normals])
    head = Head(body, points, normals)
    draw = stream.of("style")
    style = draw.choose(FEMALE if body.female else MALE)
    headwear = draw.choose(HEADWEAR)
    bearded, fuzzy = draw.chance(0.5), draw.chance(0.25)
    style, headwear = forced.get("hair", style), forced.get("headwear", headwear)
    covers_hair = headwear in ("cap", "beanie", "hat")
    if covers_hair and style in ("afro", "quiff", "bun", "curly"):
        style = "crop" if not body.female else "long"
    colour = materials.hair(
        stream.of("hair colour"), body.phenotype["age"], body.phenotype["caucasian"]
    )
    said = {"hair": style, "headwear": headwear, "clothes": worn.words, "held": plan["held"]}
    if style in STYLES:
        for number, part in enumerate(hairdo(head, stream.of("hair"), style, close)):
            points = part.points
            if covers_hair:
                points = below_hat(head, points)
            add_strands(f"hair{number}", points, part.radius, colour, root)
    add_facial_hair(head, stream.of("beard"), root, colour, close, bearded and not body.female)
    add_eyes(body, stream.of("eyes"), root)
    if "fur" in worn.words:
        add_fur(worn, stream.of("fur"), root, close)
    elif fuzzy:
        add_fuzz(worn, stream.of("fuzz"), root, close)
    if headwear != "none":
        add_headwear(head, stream.of("headwear"), root, headwear)
    if plan["held"] != "nothing":
        add_held(body, stream.of("held"), root, plan["held"])
    said["skin"] = [round(float(c), 3) for c in tone]
    return root, head, said


def add_skin(body: Body, draw: Stream, root: bpy.types.Object, worn: Worn, options: dict) -> Array:
    """The body, drawn in where clothes cover it, with its tints; returns the skin's colour."""
    marks = body.marks
    material, base = materials.skin(draw, body.phenotype, options["subsurface"])
    stubble = draw.uniform((0.0, 0.5)) * (not body.female)
    rosy = draw.uniform((0.3, 1.0))
    tint = np.tile(base, (len(marks.template), 1))
    tint = tint * (1 + 0.03 * noise(marks.template, draw.rng, 40)[:, :1])
    x = np.abs(marks.template[:, 0])
    cheek = np.exp(-(((x - 0.04) / 0.02) ** 2 + ((marks.up + 0.035) / 0.02) ** 2))
    nose = np.exp(-((x / 0.014) ** 2 + ((marks.up + 0.04) / 0.014) ** 2))
    red = ((cheek + 0.8 * nose) * (marks.back < 0.06))[:, None] * rosy
    tint = tint * (1 + red * np.array([0.08, -0.14, -0.12]))
    lipstick = (
        np.array([0.9, 0.68, 0.66])
        if not body.female
        else draw.rng.uniform([0.85, 0.4, 0.4], [1.0, 0.68, 0.68])
    )
    tint[marks.lips] *= lipstick
    shadow = (marks.beard | marks.moustache)[:, None] * stubble
    tint = tint * (1 - shadow * np.array([0.35, 0.3, 0.25]))
    scalp = smoothstep(marks.inside_hairline, 0.0, 0.02) * marks.scalp
    tint = tint * (1 - 0.45 * scalp[:, None])
    depth = 0.012 * smoothstep(worn.covered, 0.0, 0.03)
    position = body.vertices - body.normals * depth[:, None]
    patch = Patch(marks.faces["body"], position=position, rest=marks.template, tint=tint)
    made = add_mesh("body", patch, material, root)
    subdivide(made, 1)
    return base


def add_eyes(body: Body, draw: Stream, root: bpy.types.Object) -> None:
    """Eyeballs with iris and pupil, teeth, tongue, lashes."""
    marks = body.marks
    gaze = np.full(len(marks.template), 0.02)
    eyes = np.unique(marks.faces["eyes"])
    for side in (-1, 1):
        ball = eyes[np.sign(marks.template[eyes, 0]) == side]
        centre = ball[marks.template[ball, 1].argmin()]
        gaze[ball] = np.linalg.norm(marks.template[ball] - marks.template[centre], axis=1)
    patch = Patch(marks.faces["eyes"], position=body.vertices, rest=marks.template, gaze=gaze)
    subdivide(add_mesh("eyes", patch, materials.eye(draw), root), 2)
    enamel = materials.plain("teeth", (0.68, 0.63, 0.54), 0.2)
    flesh = materials.plain("tongue", (0.4, 0.13, 0.11), 0.4)
    for part, material in (("teeth", enamel), ("tongue", flesh)):
        if part in marks.faces:
            whole = Patch(marks.faces[part], position=body.vertices, rest=marks.template)
            subdivide(add_mesh(part, whole, material, root), 1)
    everything = np.ones(len(marks.template), bool)
    normals = np.tile(body.motion("head")[:3, :3] @ np.array([0, -1.0, 0.15]), (len(everything), 1))
    lashes = scatter(
        marks.faces["lashes"], everything, 420, draw.rng, body.vertices, normals, marks.template
    )
    out = np.sign(lashes[2][:, :1]) * (body.motion("head")[:3, 0])
    strands = tufted(lashes[:2], draw, out * 0.4, (0.002, 0.005), 1.0, 0.25, 4, 0.0, 0.2)
    black = materials.plain("lash", (0.012, 0.009, 0.007), 0.5)
    add_strands("lashes", strands, 0.00012, black, root)


def add_facial_hair(
    head: Head,
    draw: Stream,
    root: bpy.types.Object,
    colour: bpy.types.Material,
    close: float,
    bearded: bool,
) -> None:
    """Eyebrows, and a beard where there is one."""
    marks = head.marks
    turn = head.turn
    start, normals, rest = head.roots(marks.brow, 850, draw.rng)
    outwards = np.sign(rest[:, :1]) * turn[:, 0] * 1.3 + turn[:, 2] * 0.3
    brows = tufted((start, normals), draw, outwards, (0.006, 0.011), 0.35, 0.15, 5, 0.0, 0.2)
    add_strands("brows", brows, 0.00011, colour, root)
    length = draw.choose({"0.003": 2, "0.012": 2, "0.035": 1, "0.07": 0.6})
    count, whole = int(6000 * (0.5 + 0.5 * close)), draw.chance(0.75)
    if bearded:
        mask = marks.beard | marks.moustache if whole else marks.moustache
        start, normals, _ = head.roots(mask, count if whole else count // 4, draw.rng)
        metres = float(length)
        heading = turn @ np.array([0, -0.15, -0.9])
        beard = tufted(
            (start, normals), draw, heading, (metres * 0.5, metres * 1.2), 0.6, 0.3, 8, 0.2, 0.4
        )
        add_strands("beard", beard, 0.00011, colour, root)


def below_hat(head: Head, strands: Array) -> Array:
    """Strands that stay out of a hat: those rooted under it are pressed to the skull."""
    motion = head.body.motion("head")
    local = (strands - head.place(0, 0, 0)) @ motion[:3, :3]
    under = local[..., 2] > 0.05
    middle = np.array([0.0, 0.09, 0.05])
    away = local - middle
    distance = np.linalg.norm(away, axis=-1, keepdims=True)
    pressed = middle + away * np.minimum(1.0, 0.085 / np.maximum(distance, 1e-6))
    local = np.where(under[..., None], pressed, local)
    return local @ motion[:3, :3].T + head.place(0, 0, 0)


def add_fur(worn: Worn, draw: Stream, root: bpy.types.Object, close: float) -> None:
    """Fur on the coat."""
    length = draw.uniform((0.015, 0.05))
    colour = materials.hair(draw.of("colour"))
    strands = on_garment(worn.patches["top"], draw, int(36000 * (0.6 + 0.4 * close)), length, 0.9)
    add_strands("fur", strands, 0.00017, colour, root)


def add_fuzz(worn: Worn, draw: Stream, root: bpy.types.Object, close: float) -> None:
    """Fibres that stand off wool."""
    pale = materials.plain("fibre", materials.dye(draw), 0.8)
    length = draw.uniform((0.004, 0.01))
    strands = on_garment(worn.patches["top"], draw, int(6000 * (0.5 + 0.5 * close)), length, 0.8)
    add_strands("fuzz", strands, 0.00005, pale, root)


def on_garment(patch: Patch, draw: Stream, count: int, length: float, lift: float) -> Array:
    """Strands that stand on a garment and hang a little."""
    quads = np.array([(p + p[-1:] * 4)[:4] for p in patch.polygons], np.int32)
    position, normal = patch.attributes["position"], patch.attributes["normal"]
    everywhere = np.ones(len(position), bool)
    surface = scatter(quads, everywhere, count, draw.rng, position, normal)
    down = np.array([0, 0, -0.5])
    return tufted(surface, draw, down, (0.5 * length, 1.2 * length), lift, 0.4, 6, 0.4, 0.2)
