"""The random affine map of a picture: drawn per sample, flip included, one resampling."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import kornia
import torch
from torch import Tensor

from bgm.augment.image_ops import cover
from bgm.augment.rng import BatchRng, take_rows
from bgm.errors import BadInput


class AffineDraw(NamedTuple):
    """One map a sample; rows where `on` is false keep their pixels (but for an exact flip)."""

    on: Tensor  # (B,) bool
    flip: Tensor  # (B,) bool, left-right, after the map
    angle: Tensor  # (B,) degrees
    shear: Tensor  # (B,) degrees, along x
    scale: Tensor  # (B,)
    shift: Tensor  # (B, 2) x, y as fractions of the output's width and height


@dataclass(frozen=True)
class Affine:
    """Rotate by +-degrees, shear by +-degrees, scale, translate by a +-fraction, flip; p each.

    The map is torchvision's RandomAffine: about the centre, shear first, translation last.
    `flip` has its own probability, independent of p.
    """

    p: float = 0.0
    degrees: float = 0.0
    translate: float = 0.0
    scale: tuple[float, float] = (1.0, 1.0)
    shear: float = 0.0
    flip: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.scale[0] <= self.scale[1]:
            raise BadInput(f"affine scale {list(self.scale)} is not a range above 0")

    def draw(self, rng: BatchRng) -> AffineDraw:
        """Draw (B,) parameters, seven columns."""
        shift = [rng.uniform(-self.translate, self.translate) for _ in range(2)]
        return AffineDraw(
            on=rng.chance(self.p),
            flip=rng.chance(self.flip),
            angle=rng.uniform(-self.degrees, self.degrees),
            shear=rng.uniform(-self.shear, self.shear),
            scale=rng.uniform(*self.scale),
            shift=torch.stack(shift, dim=1),
        )


def affine_matrix(
    draw: AffineDraw, given: Sequence[int], wanted: Sequence[int], factor: float = 1.0
) -> Tensor:
    """(B, 3, 3) pixel map from a picture of size given = (h, w) into wanted = (H, W).

    At scale 1 without rotation the picture, enlarged by factor, lies centred in the output.
    Rows that are not `on` are that map alone. Pixel centres are whole numbers. It is
    kornia.geometry.get_affine_matrix2d, and the mirror behind it, in a fifth of the calls.
    """
    (h, w), (H, W) = given, wanted
    on = draw.on.to(torch.float64)
    turn, lean = torch.deg2rad(draw.angle * on), torch.tan(torch.deg2rad(draw.shear * on))
    scale = torch.where(draw.on, draw.scale, 1.0) * factor
    cos, sin = scale * torch.cos(turn), scale * torch.sin(turn)
    side = torch.where(draw.flip, -1.0, 1.0)  # a mirror turns what comes out left-right
    across = [side * cos, -side * (cos * lean + sin)]
    down = [sin, cos - sin * lean]
    # The centre goes to the centre, moved by the shift.
    x, y = (w - 1) / 2, (h - 1) / 2
    across.append((W - 1) / 2 + side * draw.shift[:, 0] * W * on - across[0] * x - across[1] * y)
    down.append((H - 1) / 2 + draw.shift[:, 1] * H * on - down[0] * x - down[1] * y)
    last = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64).expand(len(on), 3)
    rows = [torch.stack(row, dim=1) for row in (across, down)]
    return torch.stack([*rows, last], dim=1).to(torch.float32)


def warp(x: Tensor, matrix: Tensor, size: Sequence[int], padding: str) -> Tensor:
    """Resample (B, C, h, w) through (B, 3, 3) pixel maps to size; padding zeros or reflection."""
    return kornia.geometry.warp_affine(
        x, matrix[:, :2].to(x.device), (size[0], size[1]), padding_mode=padding, align_corners=True
    )


def move(x: Tensor, draw: AffineDraw, size: tuple[int, int], factor: float, padding: str) -> Tensor:
    """Bring (B, C, h, w) to size through the drawn maps: one bilinear resampling for each row.

    factor is the cover factor (scale 1 enlarges by it). Rows not drawn are covered and centre
    cropped, so at factor 1 they keep their pixels; a flip without a map is exact, too.
    """
    if draw.on.all():
        return warp(x, affine_matrix(draw, x.shape[-2:], size, factor), size, padding)
    still = cover(x, size, factor)
    if draw.flip.any():
        still = torch.where(draw.flip.to(x.device)[:, None, None, None], still.flip(-1), still)
    if not draw.on.any():
        return still
    rows = draw.on.nonzero().squeeze(1)
    there = rows.to(x.device)
    matrix = affine_matrix(take_rows(draw, rows), x.shape[-2:], size, factor)
    return still.index_copy(0, there, warp(x.index_select(0, there), matrix, size, padding))


class MapDraw(NamedTuple):
    """A pixel map a sample."""

    on: Tensor  # (B,) bool
    matrix: Tensor  # (B, 3, 3)


def joint_map(first: AffineDraw, second: AffineDraw, size: Sequence[int]) -> MapDraw:
    """Both maps of a picture of size (H, W) onto itself, to be resampled once instead of twice."""
    matrix = affine_matrix(second, size, size) @ affine_matrix(first, size, size)
    return MapDraw(first.on | second.on | first.flip | second.flip, matrix)


def warp_same(x: Tensor, draw: MapDraw) -> Tensor:
    """Resample (B, C, H, W) through its maps to its own size, mirrored beyond the border."""
    return warp(x, draw.matrix, tuple(x.shape[-2:]), "reflection")
