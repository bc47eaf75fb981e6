"""Temporal calm: a recursive filter on alpha that knows shot, plate and predicted error."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from bgm.errors import BadInput
from bgm.infer.any_size import Matte
from bgm.infer.frame import Frame

SURE = 0.05  # error of alpha where the network predicts none
DRIFT = 0.015  # by which alpha may change from frame to frame where the shot does not
STILL, MOVED = 3.0, 6.0  # change of the shot, in deviations of its noise: none, and a new thing
NOISE = (0.004, 0.02)  # least and most deviation that is taken for noise, in [0, 1]
CUT = 0.5  # share of pixels that change by more than `CUT_CHANGE` from one shot to another
CUT_CHANGE = 0.08
EQUAL = 3.0  # difference of shot and plate, in deviations of the noise, that says nothing is there
TEXTURE = 4.0  # deviation of a plate, in those of the noise, that a subject cannot have by chance


class _State(NamedTuple):
    """Of the frame before."""

    name: str
    src: Tensor  # (1, 3, H, W), as shown
    pha: Tensor  # (1, 1, H, W), filtered
    variance: Tensor  # (1, 1, H, W), of it
    noise: float


class Calm:
    """Alpha of a clip without its flicker; pictures that are no frames of a clip pass as they are.

    A Kalman filter for every pixel (Kalman 1960): the network's alpha counts by the error that it
    predicts, the past by how little the shot has changed there. Where the shot changes, the past
    has no say, so that nothing trails behind a fast hand; at a cut it is forgotten. Where the shot
    equals the plate in its texture, or equals it and the network is in doubt, alpha is 0. strength:
    0 (nothing) to 1.
    """

    def __init__(self, strength: float) -> None:
        if not 0 <= strength <= 1:
            raise BadInput(f"calm is {strength}, expected a number from 0 to 1")
        self.strength = strength
        self._state: _State | None = None

    def __call__(self, frame: Frame, matte: Matte) -> Matte:
        if frame.time is None or self.strength == 0:
            return matte
        src, bgr = (x.input_on(matte.pha.device) for x in (frame.src, frame.bgr))
        measured, before = matte.pha.float(), self._state
        error = (matte.err().float() + SURE) ** 2
        pha, variance, noise = measured, error, NOISE[0]
        if before and before.name == frame.name and before.src.shape == src.shape:
            change = (src - before.src).abs().amax(1, keepdim=True)
            if (change > CUT_CHANGE).float().mean() < CUT:
                noise = noise_of(change)
                moved = ((_mean(change, 3) / noise - STILL) / (MOVED - STILL)).clamp(0, 1)
                expected = before.variance + DRIFT**2 + moved**2
                gain = expected / (expected + error * (1 - moved))
                pha = before.pha + gain * (measured - before.pha)
                variance = (1 - gain) * expected
        nothing = equals_plate(src, bgr, measured, max(noise, before.noise if before else 0.0))
        pha = torch.where(nothing, torch.zeros_like(pha), pha).clamp(0, 1)
        self._state = _State(frame.name, src, pha, variance, noise)
        calmed = measured + self.strength * (pha - measured)
        return matte._replace(pha=calmed.to(matte.pha.dtype))


def noise_of(change: Tensor) -> float:
    """Deviation of the noise, from the change between two frames (1, 1, H, W) of a still camera."""
    # Of the largest of three channels the median is 1.26 deviations of a difference, which are
    # those of a picture times the root of 2.
    deviation = change.flatten()[:: max(change.numel() // 65536, 1)].median().item() / (
        1.26 * 2**0.5
    )
    return min(max(deviation, NOISE[0]), NOISE[1])


def equals_plate(src: Tensor, bgr: Tensor, pha: Tensor, noise: float) -> Tensor:
    """Where (1, 1, H, W) nothing stands before the plate, whatever alpha says.

    Within 7x7 px shot and plate differ by no more than noise does; and the plate has a texture
    there that a subject would not repeat, or the network itself doubts (pha below one half). Plain
    things before plain walls of their colour stay.
    """
    difference = _mean((src - bgr).abs().amax(1, keepdim=True), 7)
    gray = bgr.mean(1, keepdim=True)
    texture = (_mean(gray * gray, 7) - _mean(gray, 7) ** 2).clamp(min=0).sqrt()
    return (difference < EQUAL * noise) & ((texture > TEXTURE * noise) | (pha < 0.5))


def _mean(x: Tensor, side: int) -> Tensor:
    """Mean over side x side px, at the border of those there are."""
    return F.avg_pool2d(x, side, 1, side // 2, count_include_pad=False)
