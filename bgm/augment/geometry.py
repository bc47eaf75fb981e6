"""Random maps of a picture: affine ones, flip included, and the parallax of a camera that moved."""

from collections.abc import Sequence
from dataclasses import dataclass

import kornia
import torch
import torch.nn.functional as F
from torch import Tensor

from bgm.augment.image_ops import cover
from bgm.augment.rng import BatchRng, Draw, Ingredient, per_sample, take_rows
from bgm.errors import BadInput

NODES = 4  # of parallax along each side: how fast depth changes across the picture


@dataclass(frozen=True)
class Affine(Ingredient):
    """Rotate by +-degrees, shear by +-degrees, scale, translate by a +-fraction, flip; p each.

    The map is torchvision's RandomAffine: about the centre, shear first, translation last.
    `flip` has its own probability, independent of p, and comes after the map.
    """

    SHARES = ("flip",)

    degrees: float = 0.0
    translate: float = 0.0
    scale: tuple[float, float] = (1.0, 1.0)
    shear: float = 0.0
    flip: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.scale[0] <= self.scale[1]:
            raise BadInput(f"affine scale {list(self.scale)} is not a range above 0")

    def draw(self, rng: BatchRng, unit: float = 1.0) -> Draw:
        """Draw degrees, and shift (B, 2) as fractions of the output's width and height."""
        shift = rng.pair(self.translate)
        return {
            "on": rng.chance(self.p),
            "flip": rng.chance(self.flip),
            "angle": rng.uniform(-self.degrees, self.degrees),
            "shear": rng.uniform(-self.shear, self.shear),
            "scale": rng.uniform(*self.scale),
            "shift": shift,
        }

    def apply(self, x: Tensor, draw: Draw) -> Tensor:
        """Move pictures within their own size, black beyond the border."""
        size = tuple(x.shape[-2:])
        return warp(x, affine_matrix(draw, size, size), size, "zeros")


def affine_matrix(
    draw: Draw, given: Sequence[int], wanted: Sequence[int], factor: float = 1.0
) -> Tensor:
    """(B, 3, 3) pixel map from a picture of size given = (h, w) into wanted = (H, W).

    At scale 1 without rotation the picture, enlarged by factor, lies centred in the output.
    Rows that are not on are that map alone. Pixel centres are whole numbers. It is
    kornia.geometry.get_affine_matrix2d, and the mirror behind it, in a fifth of the calls.
    """
    (h, w), (H, W) = given, wanted
    on = draw["on"].to(torch.float64)
    turn, lean = torch.deg2rad(draw["angle"] * on), torch.tan(torch.deg2rad(draw["shear"] * on))
    scale = torch.where(draw["on"], draw["scale"], 1.0) * factor
    cos, sin = scale * torch.cos(turn), scale * torch.sin(turn)
    side = torch.where(draw["flip"], -1.0, 1.0)  # a mirror turns what comes out left-right
    across = [side * cos, -side * (cos * lean + sin)]
    down = [sin, cos - sin * lean]
    # The centre goes to the centre, moved by the shift.
    x, y = (w - 1) / 2, (h - 1) / 2
    right, below = draw["shift"][:, 0] * W * on, draw["shift"][:, 1] * H * on
    across.append((W - 1) / 2 + side * right - across[0] * x - across[1] * y)
    down.append((H - 1) / 2 + below - down[0] * x - down[1] * y)
    last = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64).expand(len(on), 3)
    rows = [torch.stack(row, dim=1) for row in (across, down)]
    return torch.stack([*rows, last], dim=1).to(torch.float32)


def warp(x: Tensor, matrix: Tensor, size: Sequence[int], padding: str) -> Tensor:
    """Resample (B, C, h, w) through (B, 3, 3) pixel maps to size; padding zeros or reflection."""
    return kornia.geometry.warp_affine(
        x, matrix[:, :2].to(x.device), (size[0], size[1]), padding_mode=padding, align_corners=True
    )


def move(x: Tensor, draw: Draw, size: tuple[int, int], factor: float, padding: str) -> Tensor:
    """Bring (B, C, h, w) to size through the drawn maps: one bilinear resampling for each row.

    factor is the cover factor (scale 1 enlarges by it). Rows not drawn are covered and centre
    cropped, so at factor 1 they keep their pixels; a flip without a map is exact, too.
    """
    if draw["on"].all():
        return warp(x, affine_matrix(draw, x.shape[-2:], size, factor), size, padding)
    still = cover(x, size, factor)
    if draw["flip"].any():
        still = torch.where(per_sample(draw["flip"], x), still.flip(-1), still)
    if not draw["on"].any():
        return still
    rows = draw["on"].nonzero().squeeze(1)
    there = rows.to(x.device)
    matrix = affine_matrix(take_rows(draw, rows), x.shape[-2:], size, factor)
    return still.index_copy(0, there, warp(x.index_select(0, there), matrix, size, padding))


def joint_map(first: Draw, second: Draw, size: Sequence[int]) -> Draw:
    """Both maps of a picture of size (H, W) onto itself, to be resampled once instead of twice."""
    on = first["on"] | second["on"] | first["flip"] | second["flip"]
    return {
        "on": on,
        "matrix": affine_matrix(second, size, size) @ affine_matrix(first, size, size),
    }


def warp_same(x: Tensor, draw: Draw) -> Tensor:
    """Resample (B, C, H, W) through its maps to its own size, mirrored beyond the border."""
    return warp(x, draw["matrix"], tuple(x.shape[-2:]), "reflection")


@dataclass(frozen=True)
class Parallax(Ingredient):
    """The plate seen from a little further on: each place moves along one line, by its nearness.

    No one shift or homography takes that back. translate: the largest movement, +-, as a fraction
    of the picture's side. nearness is smooth noise in [-1, 1]: registered is what lies between.
    """

    translate: float = 0.01

    def draw(self, rng: BatchRng, unit: float) -> Draw:
        """Draw shift (B, 2) of what is nearest, a fraction, and nearness (B, NODES, NODES)."""
        on, shift = rng.chance(self.p), rng.pair(self.translate)
        nodes = [rng.uniform(-1.0, 1.0) for _ in range(NODES**2)]
        nearness = torch.stack(nodes, dim=1).reshape(-1, NODES, NODES)
        return {"on": on, "shift": shift, "nearness": nearness}

    def apply(self, x: Tensor, draw: Draw) -> Tensor:
        """Move pictures, mirrored beyond the border."""
        H, W = x.shape[-2:]
        nodes = draw["nearness"][:, None].to(x.device)
        nearness = F.interpolate(nodes, size=[H, W], mode="bicubic", align_corners=True)
        nearness = nearness.clamp(-1.0, 1.0).permute(0, 2, 3, 1)  # (B, H, W, 1)
        ys, xs = (torch.arange(n, device=x.device) for n in (H, W))
        still = torch.stack(torch.meshgrid(ys, xs, indexing="ij")[::-1], dim=2)  # x, y of a pixel
        sides = torch.tensor([W, H], device=x.device)
        shift = (draw["shift"].to(x.device) * sides)[:, None, None]
        grid = (2 * (still + shift * nearness) + 1) / sides - 1
        return F.grid_sample(
            x, grid, mode="bilinear", padding_mode="reflection", align_corners=False
        )
