"""Clothes: pieces of MakeHuman's tights and skirt, cut along hems, cuffs and necklines."""

from dataclasses import dataclass, field

import bpy
import numpy as np
from numpy.typing import NDArray

from bgm.render import fabrics
from bgm.render.landmarks import Body, Landmarks, noise, smoothstep, unit, vertex_normals
from bgm.render.meshes import Patch, add_mesh, subdivide, thicken
from bgm.render.plan import Stream

Array = NDArray[np.float64]
FAR = 0.3  # metres: the value of a field where its line does not matter
TIGHTS = 0.006  # how far the tights lie off the skin


@dataclass
class Worn:
    """What the clothes of a body cover, and the surfaces that hair must not pass through."""

    covered: Array  # (V,) metres that a vertex of the body lies inside a garment, 0 outside
    points: list[Array] = field(default_factory=list)
    normals: list[Array] = field(default_factory=list)
    patches: dict[str, Patch] = field(default_factory=dict)
    words: list[str] = field(default_factory=list)
    dress_material: bpy.types.Material | None = None

    def add(self, name: str, patch: Patch, inside: Array | None) -> None:
        used = patch.used
        self.points.append(patch.attributes["position"][used])
        self.normals.append(patch.attributes["normal"][used])
        self.patches[name] = patch
        if inside is not None:
            self.covered = np.maximum(self.covered, inside)


TOPS = {
    # hem below the belt, sleeve (1 elbow, 2 wrist), looseness, thickness: metres but for sleeves
    "tee": ((0.08, 0.16), (0.35, 0.8), (0.006, 0.016), 0.002),
    "tank": ((0.06, 0.14), (0.02, 0.08), (0.002, 0.008), 0.002),
    "shirt": ((0.08, 0.18), (1.85, 1.95), (0.006, 0.018), 0.002),
    "rolled": ((0.08, 0.16), (1.0, 1.4), (0.006, 0.016), 0.002),
    "sweater": ((0.06, 0.14), (1.85, 1.98), (0.01, 0.022), 0.005),
    "turtleneck": ((0.06, 0.14), (1.85, 1.98), (0.004, 0.012), 0.004),
    "jacket": ((0.06, 0.2), (1.85, 1.95), (0.016, 0.026), 0.006),
    "coat": ((0.3, 0.75), (1.85, 1.95), (0.018, 0.028), 0.007),
}
WEIGHTS = {"tee": 3.0, "tank": 1, "shirt": 2, "rolled": 1, "sweater": 2, "turtleneck": 1}
WEIGHTS |= {"jacket": 1.6, "coat": 0.8}


def neck_field(marks: Landmarks, kind: str, width: float, depth: float) -> Array:
    """Metres (about) outside the neckline: a column around the neck, lower in front."""
    x, y, z = (marks.template - marks.neck).T
    if kind == "high":
        return np.minimum(0.075 - z - 0.35 * y, FAR)
    front = smoothstep(-y, -0.02, 0.06)
    drop = 0.012 + depth * front
    if kind == "v":
        drop = 0.012 + depth * front * np.clip(1 - np.abs(x) / (1.2 * width), 0, 1)
    below = np.maximum(0.0, -z) / drop
    across = np.hypot(x / width, (y + 0.028) / max(0.9 * width, 0.075))
    round_ = np.hypot(across, below) - 1.0
    # The neck leans out of the column in front: nothing stays above its base but the shoulders.
    throat = np.where(np.abs(x) < 1.05 * width, 0.012 - z, FAR)
    return np.minimum.reduce([round_ * 0.05, throat, np.full(len(x), FAR)])


def sleeve_field(marks: Landmarks, sleeve: float) -> Array:
    """Metres inside the end of the sleeves."""
    off = 3.0 * np.maximum(0.0, marks.off_arm - 0.12)
    return np.minimum((sleeve - marks.arm) * 0.26 + off, FAR)


def folds(marks: Landmarks, rng: np.random.Generator, amount: float) -> Array:
    """Displacement (V,) of loose cloth: long folds, more of them at elbows, knees and waist."""
    stretched = marks.template * np.array([1, 1, 0.4])
    broad = np.abs(noise(stretched, rng, 13)[:, 0])
    narrow = np.abs(noise(marks.template * np.array([1, 1, 1.6]), rng, 26)[:, 1])
    z = marks.template[:, 2]
    at_joint = np.exp(-(((marks.arm - 1) / 0.35) ** 2)) * (marks.off_arm < 0.14)
    at_joint += np.exp(-(((z - marks.belt) / 0.08) ** 2))
    at_joint += np.exp(-(((z - marks.knee) / 0.1) ** 2))
    at_joint += np.exp(-(((z - marks.ankle) / 0.12) ** 2))
    return amount * (0.7 * broad + 0.6 * narrow * np.minimum(at_joint, 1))


def fitted(
    body: Body,
    part: str,
    fields: dict[str, Array],
    offset: Array,
    snug: tuple[str, ...],
    over: float,
) -> Patch:
    """The tights or skirt moved out by offset (V,), cut where the fields say.

    snug: the fields at whose line the cloth lies close to the skin. over: metres that it lies
    above the tights everywhere, to clear what is worn below.
    """
    marks = body.marks
    normals = vertex_normals(body.vertices, marks.faces[part])
    edge = np.minimum.reduce([*fields.values(), np.full(len(normals), FAR)])
    close = np.ones(len(normals))
    for name in snug:
        close *= 0.15 + 0.85 * smoothstep(fields[name], 0.0, 0.05)
    lift = over + offset * close - TIGHTS * 0.55 * (1 - close)
    patch = Patch(
        marks.faces[part],
        position=body.vertices + normals * lift[:, None],
        rest=marks.template,
        normal=normals,
        edge=edge,
        **{f"_{name}": values for name, values in fields.items()},
    )
    for name in fields:
        patch = patch.cut(f"_{name}")
    return patch


def add_garment(
    name: str,
    patch: Patch,
    material: bpy.types.Material,
    parent: bpy.types.Object,
    thickness: float,
    wrinkles: float,
    size: float,
) -> None:
    """Put a garment into the scene: smooth, wrinkled, with a thickness."""
    made = add_mesh(name, patch, material, parent)
    subdivide(made, 2)
    texture = bpy.data.textures.new(name, "CLOUDS")
    texture.noise_scale, texture.noise_depth = size, 2
    modifier = made.modifiers.new("wrinkle", "DISPLACE")
    modifier.texture, modifier.strength, modifier.mid_level = texture, wrinkles, 0.35
    thicken(made, thickness)


def collar(patch: Patch, draw: Stream, height: float, open_front: bool) -> Patch:
    """A folded collar along the neckline: up the neck, then down and outwards."""
    at_line = np.abs(patch.attributes["_neck"]) < 1e-6
    border: dict[tuple[int, int], int] = {}
    for polygon in patch.polygons:
        for a, b in zip(polygon, polygon[1:] + polygon[:1], strict=True):
            if at_line[a] and at_line[b]:
                border[(a, b)] = border.get((a, b), 0) + 1
    position, rest = patch.attributes["position"], patch.attributes["rest"]
    used = np.unique(np.array(list(border), int)) if border else np.zeros(0, int)
    if len(used) < 8:
        return patch
    middle = position[used].mean(0)
    out = position[used] - middle
    up = np.array([0.0, 0.0, 1.0])
    out = unit(out - (out @ up)[:, None] * up)
    spread = draw.uniform((0.004, 0.014))
    rows = [
        position[used] + up * height * high + out * wide
        for high, wide in ((0.9, -0.004), (1.0, 0.004), (0.15, 0.012 + spread))
    ]
    first, count = len(position), len(used)
    new = {int(v): k for k, v in enumerate(used)}
    result = Patch([], **dict(patch.attributes))
    result.polygons = list(patch.polygons)
    extra = {"position": np.concatenate(rows), "normal": np.tile(out, (3, 1))}
    for key, values in patch.attributes.items():
        result.attributes[key] = np.concatenate(
            [values, extra[key] if key in extra else np.concatenate([values[used]] * 3)]
        )
    result.attributes["edge"][first:] = 0.03
    for a, b in border:
        if open_front and rest[a, 1] < 0 and min(abs(rest[a, 0]), abs(rest[b, 0])) < 0.01:
            continue
        i, j = new[a], new[b]
        lower = [a, b]
        for row in range(3):
            upper = [first + row * count + i, first + row * count + j]
            result.polygons.append([lower[1], lower[0], upper[0], upper[1]])
            lower = upper
    return result


def dress_body(
    body: Body, draw: Stream, parent: bpy.types.Object, ranges: dict, forced: dict
) -> Worn:
    """Draw an outfit for a body and put it into the scene."""
    marks = body.marks
    worn = Worn(np.zeros(len(marks.template)))
    top = draw.choose(WEIGHTS)
    lower = draw.choose({"trousers": 5, "shorts": 1, "skirt": 1.2, "dress": 1.4})
    if not body.female and lower in ("skirt", "dress"):
        lower = "trousers"
    top, lower = forced.get("top", top), forced.get("lower", lower)
    if lower == "dress" and top in ("jacket", "coat", "rolled"):
        top = "tee"
    worn.words += [top, lower]
    thin = draw.of("thin").chance(ranges["see_through"])
    add_lower(body, draw, parent, worn, lower, thin)
    add_top(body, draw.of("top"), parent, worn, top, lower)
    return worn


def add_lower(
    body: Body, draw: Stream, parent: bpy.types.Object, worn: Worn, kind: str, thin: bool
) -> None:
    """Trousers, shorts, or the skirt of a skirt or a dress (a dress's cloth is drawn here)."""
    marks = body.marks
    z = marks.template[:, 2]
    legs = 0.42 - np.abs(marks.template[:, 0])
    loose, wide = draw.uniform((0.002, 0.014)), draw.uniform((0.0, 0.03))
    short = draw.uniform((0.02, 0.22))
    length = draw.uniform((marks.ankle + 0.12, marks.knee + 0.22))
    ripple, waves = draw.uniform((0.008, 0.045)), int(draw.rng.integers(5, 12))
    fabric = draw.choose({"fine": 2, "denim": 3})
    pattern = draw.choose({"plain": 6, "heather": 2, "stripes": 0.4, "tartan": 0.5})
    worn_cloth = draw.of("cloth")
    amount = folds(marks, draw.rng, 0.012)
    if kind in ("trousers", "shorts"):
        end = marks.ankle + 0.0 if kind == "trousers" else marks.knee + short
        fields = {"belt": marks.belt - z, "leg": z - end, "side": legs}
        flare = wide * smoothstep(marks.crotch - z, 0.0, 0.5)
        patch = fitted(body, "tights", fields, loose + flare + amount, ("belt",), 0.001)
        inside = np.minimum.reduce([marks.belt - 0.01 - z, z - end - 0.03, legs])
        worn.add("lower", patch, inside)
        material = fabrics.cloth(worn_cloth, pattern, fabric)
        add_garment("trousers", patch, material, parent, 0.002, 0.006, 0.05)
        return
    faces = marks.faces["skirt"]
    normals = vertex_normals(body.vertices, faces)
    angle = np.arctan2(marks.template[:, 1], marks.template[:, 0])
    fall = np.clip((marks.belt - z) / 0.6, 0, 1)
    lift = 0.006 + fall * (0.01 + ripple * np.sin(angle * waves) ** 2) + 0.3 * amount * fall
    position = body.vertices + normals * lift[:, None]
    fields = {"_belt": marks.belt + 0.02 - z, "_hem": z - length}
    edge = np.minimum(fields["_hem"], FAR)
    patch = Patch(
        faces, position=position, rest=marks.template, normal=normals, edge=edge, **fields
    )
    patch = patch.cut("_belt").cut("_hem")
    top_of_leg = np.minimum(marks.belt - z, z - max(length + 0.1, marks.knee + 0.12))
    worn.add("lower", patch, np.minimum(top_of_leg, legs))
    opacity = draw.uniform((0.35, 0.75))
    material = fabrics.cloth(worn_cloth, see_through=1 - opacity if thin else 0.0)
    if thin:
        worn.words.append("thin")
    add_garment("skirt", patch, material, parent, 0.0015, 0.004, 0.06)
    worn.dress_material = material


def add_top(
    body: Body, draw: Stream, parent: bpy.types.Object, worn: Worn, kind: str, lower: str
) -> None:
    """A shirt, sweater, jacket, coat, or the upper half of a dress."""
    marks = body.marks
    z = marks.template[:, 2]
    hems, sleeves, looseness, thickness = TOPS[kind]
    hem, sleeve, loose = draw.uniform(hems), draw.uniform(sleeves), draw.uniform(looseness)
    width, depth = draw.uniform((0.084, 0.11)), draw.uniform((0.03, 0.12))
    neckline = draw.choose({"round": 3, "v": 1.2})
    tucked = draw.chance(0.3) and kind in ("tee", "shirt", "rolled", "tank", "turtleneck")
    fur, high, wrinkle = draw.chance(0.5), draw.uniform((0.028, 0.045)), draw.uniform((0.5, 1.3))
    collared = kind in ("shirt", "rolled", "jacket", "coat")
    if kind == "turtleneck":
        neckline = "high"
    elif collared:
        neckline, width, depth = "round", min(width, 0.088), 0.02 + 0.3 * depth
    tucked = tucked or lower in ("dress", "skirt")
    hem = 0.02 if tucked else hem
    fields = {
        "hem": z - (marks.belt - hem),
        "neck": neck_field(marks, neckline, width, depth),
        "sleeve": sleeve_field(marks, sleeve),
    }
    over = 0.002 if tucked else 0.006 + 0.4 * loose
    if lower in ("dress", "skirt"):
        over = 0.004
    amount = folds(marks, draw.rng, 0.8 * loose)
    if kind == "coat":  # wider towards its hem
        amount = amount + 0.03 * smoothstep(marks.belt - z, -0.1, 0.6)
    snug = ("neck", "sleeve") if sleeve > 1.7 or kind == "tank" else ("neck",)
    patch = fitted(body, "tights", fields, loose + amount, snug, over)
    legs = 0.42 - np.abs(marks.template[:, 0])
    inside = np.minimum.reduce(
        [fields["hem"] - 0.03, fields["neck"] - 0.015, fields["sleeve"] - 0.03, legs + 0.3]
    )
    if collared:
        patch = collar(patch, draw, high, open_front=True)
    elif kind == "turtleneck":
        inside = np.minimum(inside, fields["neck"] - 0.03)
    worn.add("top", patch, inside)
    is_fur = fur and kind == "coat"
    weave = {"sweater": "knit", "turtleneck": "knit"}.get(kind)
    material = fabrics.cloth(draw.of("cloth"), "plain" if is_fur else None, weave)
    if lower == "dress":
        material = worn.dress_material
    if is_fur:
        worn.words.append("fur")
    add_garment("top", patch, material, parent, thickness, 0.008 * wrinkle, 0.045)
