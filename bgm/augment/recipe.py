"""The augmentation recipe: the order in which a Sample becomes a Batch."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from bgm.augment.geometry import Affine, Parallax, joint_map, move, warp_same
from bgm.augment.image_ops import cover_crop, crop_centre, premultiply, to_float, unpremultiply
from bgm.augment.light import CastShadow, ContactShadow, Reflection, Shadow, Spill
from bgm.augment.outline import Fringe, SoftOutline
from bgm.augment.photometry import Blur, ColourJitter, ExposureJitter, Jpeg, Noise, Sharpen
from bgm.augment.rng import BatchRng, Draw, Ingredient, apply_drawn, take_rows
from bgm.errors import BadInput, check_at_least
from bgm.ops import composite
from bgm.types import Batch, Sample

CHUNK = 1 << 18  # pixels a CPU works on at once: more leave its caches (1.4 times slower at 512 px)
KINDS: dict[str, type[Ingredient]] = {
    **dict.fromkeys(("fgr_affine", "bgr_affine", "plate_affine", "plate_shift"), Affine),
    **dict.fromkeys(("blur", "plate_blur"), Blur),
    **dict.fromkeys(("jitter", "plate_jitter"), ColourJitter),
    **{"sharpen": Sharpen, "noise": Noise, "jpeg": Jpeg, "plate_exposure": ExposureJitter},
    **{"shadow": Shadow, "spill": Spill, "reflection": Reflection, "contact": ContactShadow},
    **{"cast": CastShadow, "plate_parallax": Parallax},
    **{"outline": SoftOutline, "fringe": Fringe},
}
# What is drawn, in this order, and by which ingredient where that has another name. `noise` is
# drawn for src and plate. What was added later has a stream of its own: older samples stay.
OF_BOTH = {f"{of}_{name}": name for of in ("fgr", "bgr") for name in ("blur", "sharpen", "jitter")}
INGREDIENT = OF_BOTH | {
    f"{of}_{name}": name for of in ("src", "plate") for name in ("noise", "jpeg")
}
ORDER = (
    *("shadow", "src_noise", "plate_noise"),
    *("fgr_affine", "fgr_blur", "fgr_sharpen", "fgr_jitter"),
    *("bgr_affine", "bgr_blur", "bgr_sharpen", "bgr_jitter"),
    *("plate_jitter", "plate_affine", "plate_shift", "plate_exposure", "plate_blur"),
    *("src_jpeg", "plate_jpeg"),
)
LIGHT = ("spill", "reflection", "contact", "cast")
LATER = (*LIGHT, "plate_parallax")
OUTLINE = ("outline", "fringe")  # a stream of their own, for the same reason
SOFTEN = ("fgr_blur", "fgr_sharpen", "outline")  # moves fgr and pha as one, premultiplied
# What sets shot and plate apart where the subject is not.
APART = (
    *("shadow", "reflection", "contact", "cast"),
    *("src_noise", "plate_noise", "src_jpeg", "plate_jpeg", "plate_parallax"),
    *("plate_jitter", "plate_affine", "plate_shift", "plate_exposure", "plate_blur"),
)


class Draws(NamedTuple):
    """Every random choice for a batch: keep it and `Augment.replay` repeats it."""

    crop: Tensor  # (2,) int64 H, W; the only choice that a batch shares
    drawn: dict[str, Draw]  # by the names of `ORDER`, `LATER` and `OUTLINE`


class Augment(nn.Module):
    """Sample -> Batch by the recipe of Lin et al. 2021; everything off (the default) is identity.

    size: side of the square in which subject and background are placed, each by itself. A subject
    whose canvas has both sides >= size is taken as delivered at scale 1 (short side == size,
    padding around it), a smaller one is enlarged until it covers size; a background always covers
    size at scale 1. crop: range [low, high] of H and W (each uniform, rounded down to `multiple`),
    at most size; a number: always that; None: always size. crops: a list of sides or [H, W] to take
    one of, in the place of that range: a GPU's memory and a compiler's programs are those of a few
    shapes, where a new shape every step piles them up.
    ingredients: of the kinds in `KINDS`, by name; None or absent: off. Before composing act
    fgr_affine and bgr_affine, and blur, sharpen and jitter, drawn for each of the two, and outline
    and fringe along the subject's edge; `plate_*` on the captured background after it, shadow on
    the shot, noise and jpeg on both. spill, reflection, contact, cast: what subject and
    surroundings do to each other in the shot. exact: probability that none of what sets the two
    apart happens to a sample: its shot shows the plate itself beside the subject, as composites and
    rendered shots do. Drawn one by one, many small probabilities leave next to none of these, and a
    network learns to mistrust every plate.
    """

    def __init__(
        self,
        size: int,
        crop: int | tuple[int, int] | None = None,
        multiple: int = 4,
        seed: int = 0,
        crops: int | Sequence[int | Sequence[int]] | None = None,
        exact: float = 0.0,
        **ingredients: Any,
    ) -> None:
        super().__init__()
        if strange := ingredients.keys() - KINDS.keys():
            raise BadInput(f"augment has no {', '.join(sorted(strange))}, but {', '.join(KINDS)}")
        if not 0 <= exact <= 1:
            raise BadInput(f"exact is {exact}, expected a probability from 0 to 1")
        check_at_least("augment", 1, multiple=multiple)
        check_at_least("augment", 0, seed=seed)
        self.multiple, self.seed, self.exact = multiple, seed, exact
        self.crops: list[tuple[int, int]] = []
        self.resize(size, crop, crops)
        self.ingredients: dict[str, Any] = {
            name: ingredients.get(name) or kind() for name, kind in KINDS.items()
        }

    def resize(
        self,
        size: int,
        crop: int | tuple[int, int] | None = None,
        crops: int | Sequence[int | Sequence[int]] | None = None,
    ) -> None:
        """Work at another size from the next batch on; the arguments are the constructor's."""
        if self.crops and not crops:
            raise BadInput(
                f"crops {self.crops} are fixed, and cannot grow with the steps as well: give up "
                "augment.crops or callbacks.grow"
            )
        crop = size if crop is None else crop
        low, high = (crop, crop) if isinstance(crop, int) else crop
        if not self.multiple <= low <= high <= size:
            raise BadInput(
                f"crop {low}-{high} does not lie in {self.multiple} (multiple)-{size} (size)"
            )
        crops = [crops] if isinstance(crops, int) else crops or ()
        self.crops = _pairs(crops, self.multiple, size)
        self.size, self.crop = size, (low, high)

    @property
    def setting(self) -> tuple[int, int, int]:
        """What `resize` has set: size, and the range of crop."""
        return self.size, *self.crop

    def draw(self, draws: Tensor) -> Draws:
        """Draw for draw numbers (B,): row i from (seed, draws[i]), crop from (seed, draws[0])."""
        numbers, unit = draws.tolist(), self.size / 512
        rng, sides, later, outline = (
            BatchRng(self.seed, n, salt)
            for salt, n in enumerate((numbers, numbers[:1], numbers, numbers))
        )
        if self.crops:
            crop = torch.tensor(self.crops[int(sides.integers(0, len(self.crops) - 1))])
        else:
            crop = torch.cat([sides.integers(*self.crop) for _ in range(2)])
            crop = crop // self.multiple * self.multiple
        drawn: dict[str, Draw] = {}
        for name in ORDER:
            if name == "plate_noise":  # noisy together, each with its own strength and grain
                drawn[name] = drawn["src_noise"] | self.ingredients["noise"].grain(rng)
            else:
                drawn[name] = self._ingredient(name).draw(rng, unit)
        drawn |= {name: self._ingredient(name).draw(later, unit) for name in LATER}
        differs = ~later.chance(self.exact)
        drawn |= {name: self._ingredient(name).draw(outline, unit) for name in OUTLINE}
        for name in APART:
            drawn[name] = drawn[name] | {"on": drawn[name]["on"] & differs}
        return Draws(crop, drawn)

    @torch.no_grad()
    def replay(self, sample: Sample, params: Draws) -> Batch:
        """Apply what was drawn, without any randomness; sample as collated, it stays as it is.

        Replays to the bit on one device. In float32, autocast or not. Raises BadInput when
        samples and draws differ in number, fgr and pha in size.
        """
        B, drawn = len(sample.pha), len(params.drawn["shadow"]["on"])
        if drawn != B:
            raise BadInput(f"augmentation got {B} samples and parameters for {drawn}")
        if sample.fgr.shape[-2:] != sample.pha.shape[-2:]:
            sizes = f"{tuple(sample.fgr.shape)} and pha {tuple(sample.pha.shape)}"
            raise BadInput(f"fgr {sizes} differ in height or width")
        device = sample.pha.device
        # A picture does not depend on the others: few large ones at once are faster on a CPU.
        step = max(1, CHUNK // self.size**2) if device.type == "cpu" else B
        done, (H, W) = [], params.crop.tolist()
        with torch.autocast(device.type, enabled=False):
            for start in range(0, B, step):
                rows = slice(start, start + step)
                some = {name: take_rows(draw, rows) for name, draw in params.drawn.items()}
                part = Sample(*(field[rows] for field in sample))
                done.append(self._compose(part, some, (H, W)))
        return Batch(*(torch.cat(x) for x in zip(*done, strict=True))) if len(done) > 1 else done[0]

    def forward(self, sample: Sample) -> Batch:
        """Draw for sample.draw, then apply."""
        return self.replay(sample, self.draw(sample.draw))

    def _ingredient(self, name: str) -> Any:
        return self.ingredients[INGREDIENT.get(name, name)]

    def _change(self, x: Tensor, d: dict[str, Draw], *names: str) -> Tensor:
        for name in names:
            x = apply_drawn(x, d[name], self._ingredient(name).apply)
        return x

    def _compose(self, sample: Sample, d: dict[str, Draw], crop: tuple[int, int]) -> Batch:
        fgr, pha = self._subject(sample, d, crop)
        bgr = self._background(sample, d, crop)
        backdrop = bgr
        if any(d[name]["on"].any() for name in LIGHT):
            x = self._change(torch.cat([bgr, fgr, pha], dim=1), d, *LIGHT)
            fgr, backdrop = x[:, 3:6], x[:, :3]
        shaded = self._change(torch.cat([backdrop, pha], dim=1), d, "shadow")[:, :3]
        src = self._change(composite(fgr, pha, shaded), d, "src_noise", "src_jpeg")
        return Batch(src, self._plate(bgr, d), pha, fgr, sample.has_fgr)

    def _subject(
        self, sample: Sample, d: dict[str, Draw], crop: tuple[int, int]
    ) -> tuple[Tensor, Tensor]:
        """fgr (B, 3, h, w) and pha at the crop's size; what averages pixels moves both as one."""
        x = torch.cat([to_float(sample.fgr), to_float(sample.pha)], dim=1)
        factor = max(1.0, self.size / min(x.shape[-2:]))
        names = ("fgr_affine", *SOFTEN)
        on = torch.stack([d[name]["on"] for name in names]).any(0) | (factor > 1)
        if on.all():
            x = self._average(x, d, factor)
        else:  # the rest keeps its colours to the bit, where alpha is 0, too
            rows = on.nonzero().squeeze(1)
            there = rows.to(x.device)
            unmoved = d["fgr_affine"] | {"on": on & False}
            still = move(x, unmoved, (self.size, self.size), 1.0, "zeros")
            if len(rows):
                some = {name: take_rows(d[name], rows) for name in names}
                y = self._average(x.index_select(0, there), some, factor)
                still = still.index_copy(0, there, y)
            x = still
        fgr, pha = self._change(x[:, :3], d, "fgr_jitter"), x[:, 3:]
        fgr = self._change(torch.cat([fgr, pha], dim=1), d, "fringe")[:, :3]
        if max(crop) == self.size:
            return crop_centre(fgr, crop), crop_centre(pha, crop)
        x = unpremultiply(cover_crop(premultiply(torch.cat([fgr, pha], dim=1)), crop))
        return x[:, :3], x[:, 3:]

    def _average(self, x: Tensor, d: dict[str, Draw], factor: float) -> Tensor:
        """Move, blur and sharpen fgr and pha (B, 4, h, w) premultiplied: (B, 4, size, size)."""
        x = move(premultiply(x), d["fgr_affine"], (self.size, self.size), factor, "zeros")
        return unpremultiply(self._change(x, d, *SOFTEN))

    def _background(self, sample: Sample, d: dict[str, Draw], crop: tuple[int, int]) -> Tensor:
        """bgr (B, 3, h, w) at the crop's size; what an affine map leaves empty is mirrored."""
        x = to_float(sample.bgr)
        factor = self.size / min(x.shape[-2:])
        x = move(x, d["bgr_affine"], (self.size, self.size), factor, "reflection")
        x = self._change(x, d, "bgr_blur", "bgr_sharpen").clamp(0.0, 1.0)
        return cover_crop(self._change(x, d, "bgr_jitter"), crop)

    def _plate(self, bgr: Tensor, d: dict[str, Draw]) -> Tensor:
        """The background of another moment."""
        bgr = self._change(bgr, d, "plate_exposure", "plate_blur", "plate_noise", "plate_jitter")
        bgr = self._change(bgr, d, "plate_parallax")
        joint = joint_map(d["plate_affine"], d["plate_shift"], bgr.shape[-2:])
        return self._change(apply_drawn(bgr, joint, warp_same), d, "plate_jpeg")


def _pairs(crops: Sequence[int | Sequence[int]], multiple: int, size: int) -> list[tuple[int, int]]:
    """Sides, or [H, W], as pairs; BadInput unless they are multiples up to size."""
    pairs: list[Any] = [(c, c) if isinstance(c, int) else tuple(c) for c in crops]
    for pair in pairs:
        if len(pair) != 2 or not all(n % multiple == 0 < n <= size for n in pair):
            raise BadInput(
                f"crops has {list(pair)}, expected sides or [H, W] that are multiples of "
                f"{multiple} up to {size} (size)"
            )
    return pairs
