"""The augmentation recipe: the order in which a Sample becomes a Batch."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from bgm.augment.cast import CastShadow
from bgm.augment.crops import check_list, check_range, random_choice, random_size
from bgm.augment.draws import Draws
from bgm.augment.geometry import Affine, joint_map, warp_same
from bgm.augment.ground import ContactShadow, Reflection
from bgm.augment.photometry import Blur, ColourJitter, ExposureJitter, Jpeg, Noise, Sharpen
from bgm.augment.placing import Placing
from bgm.augment.rng import BatchRng, apply_drawn, row_chunks, take_rows
from bgm.augment.shadow import Shadow
from bgm.augment.spill import Spill
from bgm.errors import BadInput
from bgm.ops import composite
from bgm.types import Batch, Sample


class Augment(nn.Module):
    """Sample -> Batch by the recipe of Lin et al. 2021; everything off (the default) is identity.

    size: side of the square in which subject and background are placed. crop: range [low, high]
    of H and W (each uniform, rounded down to `multiple`), at most size; None: always size.
    crops: a list of sides or [H, W] to take one of, in the place of that range: a GPU's memory
    and a compiler's programs are those of a few shapes, where a new shape every step piles them up.
    Lengths in pixels (blur radius, shadow width) are those of a 512 picture and grow with size.
    How large subjects and backgrounds are at scale 1: see `bgm.augment.placing.Placing`.
    Ingredients: `fgr_*` and `bgr_*` act before composing (fgr_affine, _blur, _sharpen on alpha,
    too), `plate_*` on the captured background after it, shadow, noise, jpeg on the shot as well.
    spill, reflection, contact, cast: what subject and surroundings do to each other in the shot.
    """

    def __init__(
        self,
        size: int,
        crop: tuple[int, int] | None = None,
        multiple: int = 4,
        seed: int = 0,
        fgr_affine: Affine | None = None,
        bgr_affine: Affine | None = None,
        blur: Blur | None = None,
        sharpen: Sharpen | None = None,
        jitter: ColourJitter | None = None,
        shadow: Shadow | None = None,
        noise: Noise | None = None,
        plate_jitter: ColourJitter | None = None,
        plate_affine: Affine | None = None,
        plate_shift: Affine | None = None,
        plate_exposure: ExposureJitter | None = None,
        plate_blur: Blur | None = None,
        jpeg: Jpeg | None = None,
        crops: Sequence[int | Sequence[int]] | None = None,
        spill: Spill | None = None,
        reflection: Reflection | None = None,
        contact: ContactShadow | None = None,
        cast: CastShadow | None = None,
    ) -> None:
        super().__init__()
        self.multiple, self.seed = multiple, seed
        self.crops: list[tuple[int, int]] = []
        self.resize(size, crop, crops)
        self.placing = Placing(
            fgr_affine or Affine(),
            bgr_affine or Affine(),
            blur or Blur(),
            sharpen or Sharpen(),
            jitter or ColourJitter(),
        )
        self.shadow, self.noise = shadow or Shadow(), noise or Noise()
        self.plate_jitter = plate_jitter or ColourJitter()
        self.plate_affine, self.plate_shift = plate_affine or Affine(), plate_shift or Affine()
        self.plate_exposure = plate_exposure or ExposureJitter()
        self.plate_blur = plate_blur or Blur()
        self.jpeg = jpeg or Jpeg()
        self.spill, self.reflection = spill or Spill(), reflection or Reflection()
        self.contact, self.cast = contact or ContactShadow(), cast or CastShadow()

    def resize(
        self,
        size: int,
        crop: tuple[int, int] | None = None,
        crops: Sequence[int | Sequence[int]] | None = None,
    ) -> None:
        """Work at another size from the next batch on; the arguments are the constructor's."""
        if self.crops and not crops:
            raise BadInput(
                f"crops {self.crops} are fixed, and cannot grow with the steps as well: give up "
                "augment.crops or callbacks.grow"
            )
        low, high = crop or (size, size)
        check_range(low, high, self.multiple, size)
        self.crops = check_list(crops or (), self.multiple, size)
        self.size, self.crop = size, (low, high)

    @property
    def setting(self) -> tuple[int, int, int]:
        """What `resize` has set: size, and the range of crop."""
        return self.size, *self.crop

    def draw(self, draws: Tensor) -> Draws:
        """Draw for draw numbers (B,): row i from (seed, draws[i]), crop from (seed, draws[0])."""
        numbers = draws.tolist()
        rng, unit = BatchRng(self.seed, numbers), self.size / 512
        sides = BatchRng(self.seed, numbers[:1], salt=1)
        # What was added later has a stream of its own: older samples stay as they were.
        later = BatchRng(self.seed, numbers, salt=2)
        if self.crops:
            crop = random_choice(self.crops, sides)
        else:
            crop = random_size(self.crop, self.multiple, sides)
        shadow = self.shadow.draw(rng, unit)
        src_noise, plate_noise = self.noise.draw(rng)
        return Draws(
            crop=crop,
            **self.placing.draw(rng, unit),
            shadow=shadow,
            src_noise=src_noise,
            plate_noise=plate_noise,
            plate_jitter=self.plate_jitter.draw(rng),
            plate_affine=self.plate_affine.draw(rng),
            plate_shift=self.plate_shift.draw(rng),
            plate_exposure=self.plate_exposure.draw(rng),
            plate_blur=self.plate_blur.draw(rng, unit),
            src_jpeg=self.jpeg.draw(rng),
            plate_jpeg=self.jpeg.draw(rng),
            spill=self.spill.draw(later, unit),
            reflection=self.reflection.draw(later, unit),
            contact=self.contact.draw(later, unit),
            cast=self.cast.draw(later, unit),
        )

    @torch.no_grad()
    def replay(self, sample: Sample, params: Draws) -> Batch:
        """Apply what was drawn, without any randomness; sample as collated, it stays as it is.

        Replays to the bit on one device. In float32, autocast or not. Raises BadInput when
        samples and draws differ in number, fgr and pha in size.
        """
        B, drawn = len(sample.pha), len(params.shadow.on)
        if drawn != B:
            raise BadInput(f"augmentation got {B} samples and parameters for {drawn}")
        if sample.fgr.shape[-2:] != sample.pha.shape[-2:]:
            sizes = f"{tuple(sample.fgr.shape)} and pha {tuple(sample.pha.shape)}"
            raise BadInput(f"fgr {sizes} differ in height or width")
        device = sample.pha.device
        parts = row_chunks(B, self.size**2, device)
        with torch.autocast(device.type, enabled=False):
            done = [self._compose(take_rows(sample, rows), params.rows(rows)) for rows in parts]
        return Batch(*(torch.cat(x) for x in zip(*done, strict=True))) if len(done) > 1 else done[0]

    def forward(self, sample: Sample) -> Batch:
        """Draw for sample.draw, then apply."""
        return self.replay(sample, self.draw(sample.draw))

    def _compose(self, sample: Sample, params: Draws) -> Batch:
        fgr, pha = self.placing.subject(sample, params, self.size)
        bgr = self.placing.background(sample, params, self.size)
        fgr, backdrop = self._light(fgr, pha, bgr, params)
        src, bgr = self._shoot(fgr, pha, backdrop, bgr, params)
        return Batch(src=src, bgr=bgr, pha=pha, fgr=fgr, has_fgr=sample.has_fgr)

    def _light(self, fgr: Tensor, pha: Tensor, bgr: Tensor, d: Draws) -> tuple[Tensor, Tensor]:
        """fgr in the light of its surroundings; backdrop: bgr with the subject's traces on it."""
        steps: list[tuple[Any, Any]] = [(d.spill, self.spill), (d.reflection, self.reflection)]
        steps += [(d.contact, self.contact), (d.cast, self.cast)]
        if not any(drawn.on.any() for drawn, _ in steps):
            return fgr, bgr
        x = torch.cat([bgr, fgr, pha], dim=1)
        for drawn, step in steps:
            x = apply_drawn(x, drawn, step.apply)
        return x[:, 3:6], x[:, :3]

    def _shoot(
        self, fgr: Tensor, pha: Tensor, backdrop: Tensor, bgr: Tensor, d: Draws
    ) -> tuple[Tensor, Tensor]:
        """src: subject and its shadow before backdrop; bgr: the plate of another moment."""
        shaded = apply_drawn(torch.cat([backdrop, pha], dim=1), d.shadow, self.shadow.apply)[:, :3]
        src = apply_drawn(composite(fgr, pha, shaded), d.src_noise, self.noise.apply)
        bgr = apply_drawn(bgr, d.plate_exposure, self.plate_exposure.apply)
        bgr = apply_drawn(bgr, d.plate_blur, self.plate_blur.apply)
        bgr = apply_drawn(bgr, d.plate_noise, self.noise.apply)
        bgr = apply_drawn(bgr, d.plate_jitter, self.plate_jitter.apply)
        plate_map = joint_map(d.plate_affine, d.plate_shift, bgr.shape[-2:])
        bgr = apply_drawn(bgr, plate_map, warp_same)
        return (
            apply_drawn(src, d.src_jpeg, self.jpeg.apply),
            apply_drawn(bgr, d.plate_jpeg, self.jpeg.apply),
        )
