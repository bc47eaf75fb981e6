"""The random choices of one sample: a dictionary of arrays that stack with other samples'."""

import math
from typing import Any

import numpy as np
from numpy.random import Generator

from bgm.data.procedural import fields, ranges
from bgm.data.procedural.bodies import KINDS, Figure, draw_figure
from bgm.data.procedural.ranges import Ranges
from bgm.data.procedural.strands import draw_fur, draw_hair, draw_whiskers

WALL, FLOOR, THING, SKIN, HAIR, TOP, BOTTOM = LAYERS = range(7)
CLUTTER = 12
PLANES = 5  # noise planes: wall and floor, things, subject, cloth, outline


def choose(rng: Generator, names: tuple[str, ...], r: Ranges) -> int:
    """Draw an index into names, whose weights are the fields of r of those names."""
    weight = np.array([getattr(r, name) for name in names])
    return int(rng.choice(len(names), p=weight / weight.sum()))


def _maybe(rng: Generator, p: float, pair: tuple[float, float]) -> float:
    """Uniform in pair with probability p, else 0; draws as much either way."""
    value = rng.uniform(*pair)
    return value if rng.random() < p else 0.0


def _layer(rng: Generator, anchors: np.ndarray, calm: float, r: Ranges) -> dict[str, np.ndarray]:
    """One layer's pattern and colours; calm > 0 leans towards plain surfaces (skin, hair)."""
    kind = 0 if rng.random() < calm else choose(rng, fields.KINDS, r)
    f = math.exp(rng.uniform(*np.log(r.frequency)))
    g = f * math.exp(rng.normal(0, 0.4))
    angle = rng.choice([0.0, math.pi / 2, rng.uniform(0, math.pi)]) + rng.normal(0, 0.05)
    c, s = math.cos(angle), math.sin(angle)
    low, high = r.warp
    bend = low + (high - low) * rng.random() ** 3 * 3
    contrast = rng.uniform(*r.contrast) * (1 - 0.6 * calm)
    return {
        "kind": np.array(kind, np.int64),
        "warp": np.array([c * f, s * f, -s * g, c * g, *rng.uniform(0, 200, 2), bend], np.float32),
        "style": rng.random(2, np.float32),
        "table": rng.random(fields.TABLE, np.float32),
        "palette": ranges.draw_palette(rng, anchors, contrast),
        "grain": np.array(rng.uniform(*r.grain) * rng.random(), np.float32),
    }


def _layers(rng: Generator, human: bool, r: Ranges) -> dict[str, np.ndarray]:
    coat, cloth = ranges.COAT, ranges.CLOTH
    anchors = [ranges.SCENERY] * 3
    if human:
        anchors += [ranges.SKIN, ranges.HAIR, cloth, cloth]
    else:
        coat = coat if rng.random() < 0.75 else ranges.SCENERY
        anchors += [coat] * 4
    calm = [0, 0, 0, 0.8, 0.8, 0.15, 0.3] if human else [0, 0, 0, 0.4, 0.7, 0.3, 0.3]
    layers = [_layer(rng, a, c, r) for a, c in zip(anchors, calm, strict=True)]
    if not human and rng.random() < 0.7:  # one coat all over
        for k in (SKIN, HAIR, BOTTOM):
            layers[k]["palette"] = layers[TOP]["palette"]
    for k in (SKIN, HAIR, TOP, BOTTOM):
        source = int(rng.integers(3))
        if rng.random() < r.disguise:
            layers[k]["palette"] = layers[source]["palette"]
    return {key: np.stack([layer[key] for layer in layers]) for key in layers[0]}


def _turned(angle: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
    """(cos, sin): taken here, as torch's differ in the last bit with the place in a batch."""
    return np.cos(angle), np.sin(angle)


def _clutter(rng: Generator, extent: tuple[float, float], r: Ranges) -> np.ndarray:
    """Boxes and ellipses in front of the wall; those not drawn lie outside the frame."""
    n = int(rng.uniform(r.clutter[0], r.clutter[1] + 1))
    small, large = r.clutter_size  # a power law: 1 / size is uniform
    size = 1 / rng.uniform(1 / large, 1 / small, CLUTTER)
    turn = rng.normal(0, 0.1, CLUTTER) + rng.random(CLUTTER) * (rng.random() < 0.3) * 3
    x, y = (rng.uniform(-0.6, 0.6, CLUTTER) * side for side in extent[::-1])
    spec = np.stack([x, y, size, size * rng.uniform(0.3, 3.0, CLUTTER), *_turned(turn)], 1)
    spec[min(n, CLUTTER) :, 0] += 100
    return spec.astype(np.float32)


def _strands(rng: Generator, fig: Figure, kind: str, extent, r: Ranges) -> np.ndarray:
    drawn = [np.zeros((0, 8))]
    opacity = rng.uniform(*r.strand_weight)
    if fig.head and rng.random() < (r.hair if kind in ("person", "portrait") else 0.1):
        drawn.append(draw_hair(rng, fig, r))
    furry = 0.0 if kind in ("person", "portrait", "objects") else r.fur
    if kind == "beast" or rng.random() < furry:
        drawn.append(draw_fur(rng, fig, extent, r))
    if fig.head and kind in ("beast", "animal") and rng.random() < r.whiskers:
        drawn.append(draw_whiskers(rng, fig))
    strands = np.concatenate(drawn)
    strands[:, 6] *= opacity * rng.uniform(0.5, 1.3, len(strands))
    return strands.astype(np.float32)


def _spots(rng: Generator, extent: tuple[float, float], r: Ranges) -> np.ndarray:
    """Ellipses (5, 6) that change alpha: 0 and 1 holes, 2 and 3 glass, 4 smoke."""
    x, y = (rng.uniform(-0.3, 0.3, 5) * side for side in extent[::-1])
    radii = rng.uniform(r.spot_size[0], r.spot_size[1], (2, 5))
    radii[:, 4] *= 3
    if rng.random() > r.holes:
        x[:2] += 100
    return np.stack([x, y, *radii, *_turned(rng.uniform(0, 3, 5))], 1).astype(np.float32)


def _edges(rng: Generator, r: Ranges) -> dict[str, float]:
    """What happens to the outline and to alpha."""
    return {
        "melt": rng.uniform(*r.melt),
        "bend": rng.uniform(*r.bend),
        "edge": rng.uniform(*r.edge),
        "frizz": _maybe(rng, r.frizz, r.frizz_size),
        "ragged": _maybe(rng, r.ragged, r.ragged_size),
        "soft": _maybe(rng, r.soft, r.soft_size),
        "glass": _maybe(rng, r.glass, r.glass_through),
        "ghost": 1 - _maybe(rng, r.ghost, (1 - r.ghost_pha[1], 1 - r.ghost_pha[0])),
        "smoke": _maybe(rng, r.smoke, r.smoke_pha),
    }


def _optics(rng: Generator, extent: tuple[float, float], r: Ranges) -> dict[str, float]:
    """Light, focus and the background's layout."""
    horizon = rng.uniform(*r.horizon_height) * extent[0]
    dark = rng.random() < r.dark
    return {
        "horizon": horizon if rng.random() < r.horizon else 99.0,
        "rough": _maybe(rng, 0.5, (0, r.horizon_rough)),
        "defocus": _maybe(rng, r.defocus, r.defocus_level),
        "fgr_defocus": _maybe(rng, r.fgr_defocus, r.fgr_defocus_level),
        "optics": rng.uniform(*r.optics),
        "gain": rng.uniform(*(r.dark_gain if dark else r.exposure)),
        "light": rng.uniform(*r.light),
        "gray": rng.random() < r.gray,
        "gloss": rng.uniform(*r.gloss),
        "relief": rng.uniform(*r.relief),
    }


def _tones(rng: Generator, r: Ranges) -> dict[str, np.ndarray]:
    """Colour and light that are vectors; tint and slope have rows for background and subject."""
    u, things = rng.uniform, CLUTTER + 1
    exponent = np.append(u(r.exponent[0], r.exponent[1], PLANES - 1), u(*r.outline_exponent))
    own, shared = u(-0.1, 0.1, (things, 3)), u(-0.4, 0.4, (things, 1))
    return {
        "clutter_tone": own + shared,
        "sun": np.array(_turned(u(0, 2 * math.pi))),
        "cast": u(r.cast[0], r.cast[1], 3),
        "tint": rng.normal(0, 1, (2, 3)) * u(r.chroma[0], r.chroma[1], (2, 1)),
        "slope": rng.normal(0, 0.5, (2, 2)) * u(r.shade[0], r.shade[1], (2, 1)),
        "falloff": 2.0 ** (1.0 - exponent),
        "mimic": rng.random(4) < r.mimic,
        "mimic_tone": np.array([*rng.normal(0, 0.7, 2) * u(*r.mimic_shift), u(*r.mimic_gain)]),
    }


def draw_motion(rng: Generator, r: Ranges) -> dict[str, np.ndarray]:
    """Draw which way and how far (x, y) the subject moved; from a stream of its own.

    What is drawn from `draw_scene`'s stream stays as it was before there was motion.
    """
    length = _maybe(rng, r.motion, r.motion_length)
    way = np.array(_turned(rng.uniform(0, 2 * math.pi)))
    return {"motion": (length * way).astype(np.float32)}


def draw_scene(rng: Generator, extent: tuple[float, float], r: Ranges) -> dict[str, np.ndarray]:
    """Draw all of one sample but its noise; extent = (height, width) / short side.

    Returns what `render.render` takes, without the batch axis; all but "strands" (n, 8) stack.
    """
    kind, kind2 = KINDS[choose(rng, KINDS, r)], KINDS[choose(rng, KINDS, r)]
    human = kind in ("portrait", "person")
    fig, extra = draw_figure(rng, kind, extent, r), draw_figure(rng, kind2, extent, r)
    role = rng.random()  # of the extra figure: 1 with the subject, 2 in the background, 0 nowhere
    role = 1 if role < r.second else 2 if role < r.second + r.standee else 0
    loose: dict[str, Any] = {"role": role, "plant": kind == "plant", "human": human}
    loose |= _edges(rng, r) | _optics(rng, extent, r) | _tones(rng, r)
    scene = {key: np.asarray(value, np.float32) for key, value in loose.items()}
    scene |= {f"layer_{key}": value for key, value in _layers(rng, human, r).items()}
    return scene | {
        "parts": fig.parts,
        "extra": extra.parts,
        "spot": _spots(rng, extent, r),
        "clutter": _clutter(rng, extent, r),
        "strands": _strands(rng, fig, kind, extent, r),
    }
