"""The clean foreground of `bgm.infer.foreground` in bands of rows, for large pictures.

What is full-size is computed for some rows at a time, and again where it is needed again; what is
of half the size or less is kept whole. So a band sees all of the picture, as the whole does.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from bgm.colour import from_linear, to_linear
from bgm.infer.any_size import Matte
from bgm.infer.foreground import (
    EMPTY,
    GAIN_CELL,
    UNSEEN_MISFIT,
    MatteStep,
    as_encoded,
    choose_foreground,
    direct_colours,
    gain_of,
    misfit_of,
    pull_push,
    with_spread,
)
from bgm.infer.frame import Frame, as_float
from bgm.ops import bilinear_taps


class Band(NamedTuple):
    """Some rows of a frame and its matte, in linear light; (1, C, rows, W)."""

    values: Tensor  # of the shot, in its own encoding
    shot: Tensor
    plate: Tensor
    alpha: Tensor
    err: Tensor
    network: Tensor | None


class BandedForeground:
    """A foreground step of `predict` that holds `rows` rows of what it computes at a time.

    with_network: as `auto_foreground`, else as `unmixed_foreground`; equal to them to 1e-5.
    """

    def __init__(self, with_network: bool, rows: int = 128) -> None:
        self.with_network, self.rows = with_network, max(rows // 2 * 2, 2)

    def __call__(self, frame: Frame, matte: Matte) -> Matte:
        frame_rows = FrameRows(frame, matte, self.with_network)
        H, W = frame.src.size
        bounded = frame.src.encoding.bounded
        plate = PlateLight(frame_rows, H, W)
        tops = range(0, H, self.rows)
        colours, weights, most = [], [], torch.zeros(())
        for top in tops:
            band = plate.relit(top, min(top + self.rows, H))
            known, variance, _ = direct_colours(*band, bounded=bounded)
            weight = band[2].square() / variance
            most = torch.maximum(most, weight.amax().cpu())
            colours.append(halved(known * weight))
            weights.append(halved(weight))
        most = most.clamp(min=1e-12).to(matte.pha.device)
        half = torch.cat(colours, 2) / most, torch.cat(weights, 2) / most
        filled, far = pull_push(*half)
        fgr = torch.empty_like(matte.fgr, dtype=torch.float32)
        for top in tops:
            bottom = min(top + self.rows, H)
            band = plate.relit(top, bottom)
            known, variance, guess = direct_colours(*band, bounded=bounded)
            share = band[2].square() / variance / most
            below = rows_of_resized(filled, (H, W), top, bottom)
            distance = rows_of_resized(far, (H, W), top, bottom) + 1
            light = with_spread(known, variance, guess, share, below, distance)
            values = frame_rows.values(top, bottom)
            rows = from_linear(light, frame.src.encoding)
            if bounded:
                rows = rows.clamp(0, 1)
            fgr[:, :, top:bottom] = torch.where(band[2] >= 1, values, rows)
        return matte._replace(fgr=fgr)


def foreground_in_rows(name: str, rows: int | None) -> MatteStep:
    """`choose_foreground`, some rows at a time; None: all."""
    whole = choose_foreground(name)
    if rows is None or name == "network":
        return whole
    return BandedForeground(name == "auto", rows)


class FrameRows:
    """Rows of a frame and its matte in linear light, computed when they are asked for."""

    def __init__(self, frame: Frame, matte: Matte, with_network: bool) -> None:
        self.frame, self.matte, self.with_network = frame, matte, with_network
        self.err = matte.err()

    def values(self, top: int, bottom: int) -> Tensor:
        """Of the shot, in its own encoding."""
        return as_float(self.frame.src.stored[:, top:bottom])[None].to(self.matte.pha.device)

    def pair(self, top: int, bottom: int) -> tuple[Tensor, Tensor, Tensor]:
        """Shot and plate in light, and alpha."""
        encoding, pha = self.frame.src.encoding, self.matte.pha
        plate = as_float(self.frame.bgr.stored[:, top:bottom])[None].to(pha.device)
        shot = to_linear(self.values(top, bottom), encoding)
        return shot, to_linear(plate, encoding), pha[:, :, top:bottom].float()

    def network(self, top: int, bottom: int) -> Tensor | None:
        """The network's foreground in light."""
        if not self.with_network:
            return None
        src = self.frame.src.with_stored(self.frame.src.stored[:, top:bottom])
        fgr = as_encoded(src, self.matte.fgr[:, :, top:bottom].float())
        return to_linear(fgr, self.frame.src.encoding)


class PlateLight:
    """How the plate is lit around the subject, see `relit`: gain and misfit by cells."""

    def __init__(self, rows: FrameRows, H: int, W: int) -> None:
        self.rows, self.size = rows, (H, W)
        self.small = (max(H // GAIN_CELL, 1), max(W // GAIN_CELL, 1))
        self.gain: Tensor | None = None
        self.misfit: Tensor | None = None
        parts = []
        for top, bottom, cells in self._cells():
            shot, plate, alpha = rows.pair(top, bottom)
            empty = (alpha < EMPTY).float()
            pooled = torch.cat([shot * empty, plate * empty, empty], 1)
            parts.append(F.adaptive_avg_pool2d(pooled, (cells, self.small[1])))
        light, lit, seen = torch.cat(parts, 2).split([3, 3, 1], 1)
        if not bool(seen.any()):
            return
        self.gain = gain_of(light, lit, seen)
        parts = []
        for top, bottom, cells in self._cells():
            shot, plate, alpha = rows.pair(top, bottom)
            off = (shot - self._lit(plate, top, bottom)).abs().amax(1, keepdim=True)
            off = off * (alpha < EMPTY)
            parts.append(F.adaptive_avg_pool2d(off, (cells, self.small[1])))
        self.misfit = misfit_of(torch.cat(parts, 2), seen)

    def relit(
        self, top: int, bottom: int
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor | None]:
        """What `direct_colours` takes, of these rows."""
        shot, plate, alpha = self.rows.pair(top, bottom)
        err = self.rows.err[:, :, top:bottom]
        if self.misfit is None:
            misfit = torch.full_like(alpha, UNSEEN_MISFIT)
        else:
            misfit = rows_of_resized(self.misfit, self.size, top, bottom)
        plate = self._lit(plate, top, bottom)
        return shot, plate, alpha, err, misfit, self.rows.network(top, bottom)

    def _lit(self, plate: Tensor, top: int, bottom: int) -> Tensor:
        if self.gain is None:
            return plate
        return plate * rows_of_resized(self.gain, self.size, top, bottom)

    def _cells(self) -> Iterator[tuple[int, int, int]]:
        """Rows of the picture, and rows of cells in them, that pooling sees as in the whole."""
        H, h = self.size[0], self.small[0]
        step = 16 if H % h == 0 else 1
        for first in range(0, h, step):
            last = min(first + step, h)
            yield first * H // h, -(-last * H // h), last - first


def halved(x: Tensor) -> Tensor:
    """The next level of a pyramid."""
    return F.avg_pool2d(x, 2, ceil_mode=True, count_include_pad=False)


def rows_of_resized(x: Tensor, size: tuple[int, int], top: int, bottom: int) -> Tensor:
    """Rows top to bottom of x (1, C, h, w), resized bilinearly to size = (H, W)."""
    low, high, share = bilinear_taps(size[0], x.shape[2])
    low, high, share = (taps[top:bottom].to(x.device) for taps in (low, high, share))
    first, last = int(low[0]), int(high[-1]) + 1
    wide = x[:, :, first:last]
    wide = F.interpolate(wide, (last - first, size[1]), mode="bilinear", align_corners=False)
    above, below = (wide.index_select(2, i - first) for i in (low, high))
    return torch.lerp(above, below, share[:, None].to(x))
