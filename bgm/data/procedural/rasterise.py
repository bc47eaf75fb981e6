"""From drawn scenes and white noise to pictures: pha, fgr and bgr of a batch at once."""

import math

import torch
from torch import Tensor

from bgm.data.procedural import fields
from bgm.data.procedural.mattes import Scene, column, figures, matte, relief, strands, union
from bgm.data.procedural.noise import (
    blur_motion,
    defocus,
    fractal,
    frame_grid,
    shifted,
    soften,
    upsample,
)
from bgm.data.procedural.scene_draws import FLOOR, HAIR, SKIN, THING, WALL

# Noise planes that bend each layer's pattern, lie on each side as grain, and vary the hue.
BENDING = (0, 1, 0, 2, 3, 2, 3)
GRAIN = (1, 3)
HUE = 4
SHADES = 128  # colours of a layer's palette, interpolated


def _paint(s: Scene, label: Tensor, field: Tensor, n: Tensor, side: int) -> Tensor:
    """Colour (B, 3, H, W) of pixels of layer `label` (B, H, W); side 0: background, 1: subject."""
    B, H, W = label.shape
    x, y = frame_grid((H, W), label.device)
    v = field.gather(1, label[:, None])[:, 0].clamp(0, 1) * (SHADES - 1)
    index = (label * SHADES + v.long()).flatten(1)
    table = upsample(s["layer_palette"].permute(0, 3, 1, 2), (s["layer_palette"].shape[1], SHADES))
    grain = s["layer_grain"].gather(1, label.flatten(1)).view(B, H, W)
    slope = s["slope"][:, side, :, None, None]
    light = 1 + slope[:, 0] * x + slope[:, 1] * y
    light = light * (1 + 2 * grain * n[:, GRAIN[side]])
    channels = []
    for c in range(3):
        colour = table[:, c].flatten(1).gather(1, index).view(B, H, W)
        hue = n[:, HUE] * s["tint"][:, side, c, None, None]
        channels.append((colour + hue) * light)
    return torch.stack(channels, 1)


def _background(s: Scene, other: Tensor, field: Tensor, n: Tensor) -> Tensor:
    """Wall, floor, clutter and bystanders, out of focus where drawn so: (B, 3, H, W)."""
    B, _, H, W = n.shape
    x, y = frame_grid((H, W), n.device)
    border = s["horizon"][:, None, None] + s["rough"][:, None, None] * n[:, 4] * 0.3
    label = torch.where(y + 0 * x > border, FLOOR, WALL)
    top = fields.dead_leaves(s["clutter"], x, y).long()
    label = torch.where(top > 0, torch.where(top % 3 == 0, WALL, THING), label)
    near, group = other.min(1)
    person = near < 0
    label = torch.where(person, SKIN + group, label)
    bgr = _paint(s, label, field, n, 0)
    top = torch.where(person, 0, top).flatten(1)
    tone = torch.stack([s["clutter_tone"][..., c].gather(1, top) for c in range(3)], 1)
    lit = torch.where(top > 0, 1.0, 0.0)[:, None]
    bgr = bgr * (1 + tone * lit).view(B, 3, H, W)
    level = s["defocus"] + (math.log2(min(H, W) / 30) - 5) * (s["defocus"] > 0)
    return defocus(soften(bgr.clamp(0, 1), s["optics"]), level.clamp(0, 8))


def _mimic(s: Scene, bgr: Tensor, fgr: Tensor, label: Tensor) -> Tensor:
    """Dress the layers that drew it in the background itself, shifted and a little off in tone."""
    rows = torch.nonzero(s["mimic"].amax(1) > 0)[:, 0]
    if len(rows) == 0:
        return fgr
    tone = s["mimic_tone"][rows]
    shown = shifted(bgr[rows], -tone[:, :2], "reflection") * column(tone[:, 2])
    flat = (label[rows] - SKIN).flatten(1)
    layer = s["mimic"][rows].gather(1, flat).view(-1, 1, *fgr.shape[-2:]) > 0
    out = fgr.clone()
    out[rows] = torch.where(layer, shown, fgr[rows])
    return out


def _grade(s: Scene, picture: Tensor) -> Tensor:
    """Exposure and, for black and white pictures, luminance instead of colour."""
    luma = picture[:, 0:1] * 0.299 + picture[:, 1:2] * 0.587 + picture[:, 2:3] * 0.114
    picture = torch.where(column(s["gray"]) > 0, luma, picture)
    return (picture * column(s["gain"])).clamp(0, 1)


def render(s: Scene, white: list[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """Render stacked scenes (`draws.draw_scene`) to pha (B,1,H,W), fgr, bgr (B,3,H,W) in [0, 1].

    white: uniform noise in [-0.5, 0.5], (B, PLANES, h, w) for each of `noise.octaves(size)`;
    s["strands"]: (n, 8) of all samples, s["strand_sample"]: (n,) their places in the batch.
    A picture depends on its own scene and noise alone, not on the others of its batch.
    """
    B, _, H, W = white[-1].shape
    size = (H, W)
    x, y = frame_grid(size, white[-1].device)
    n = fractal(white, s["falloff"])
    layers = s["layer_kind"].shape[1]
    field = fields.draw_fields(
        s["layer_kind"].flatten(), s["layer_warp"].flatten(0, 1), s["layer_style"].flatten(0, 1),
        s["layer_table"].flatten(0, 1), n[:, list(BENDING)].flatten(0, 1), x, y,
    ).view(B, layers, H, W)  # fmt: skip
    subject, other = figures(s, white, size)
    bgr = _background(s, upsample(other, size), field, n)

    strand = strands(s, B, size)
    near, group = upsample(subject, size).min(1)
    curls = torch.where(group == HAIR - SKIN, s["frizz"][:, None, None] * n[:, 3], 0.0)
    d = (near - curls.clamp(min=0))[:, None]
    pha = matte(s, d, strand, n, white)
    hairy = (strand > 0.15)[:, 0] & (s["human"] > 0)[:, None, None]  # fur is the coat's own colour
    label = torch.where(hairy, HAIR, SKIN + group)
    fgr = _paint(s, label, field, n, 1)
    streak = torch.where(label[:, None] == HAIR, strand - 0.3, 0.0)
    fgr = fgr * (1 + column(s["gloss"]) * streak)
    shade = relief(union(subject), s["sun"], size)
    fgr = fgr * (1 + column(s["relief"]) * shade) * column(s["light"])
    fgr = (fgr + s["cast"][:, :, None, None]).clamp(0, 1)
    fgr = _mimic(s, bgr, fgr, label)
    fgr = defocus(soften(fgr.clamp(0, 1), s["optics"]), s["fgr_defocus"])
    pha, fgr = blur_motion(pha.clamp(0, 1), fgr, s["motion"])
    return pha, _grade(s, fgr), _grade(s, bgr)
