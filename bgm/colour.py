"""What a picture's numbers mean: primaries and transfer, to light and to what a screen shows."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bgm.errors import BadInput

# CIE 1931 xy of red, green, blue and white (ITU-T H.273; Adobe RGB (1998)).
PRIMARIES = {
    "bt709": ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060), (0.3127, 0.3290)),
    "bt470bg": ((0.640, 0.330), (0.290, 0.600), (0.150, 0.060), (0.3127, 0.3290)),  # PAL
    "smpte170m": ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), (0.3127, 0.3290)),  # NTSC
    "bt2020": ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), (0.3127, 0.3290)),
    "p3": ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), (0.3127, 0.3290)),  # Display-P3
    "dcip3": ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), (0.314, 0.351)),
    "adobergb": ((0.640, 0.330), (0.210, 0.710), (0.150, 0.060), (0.3127, 0.3290)),
    "aces": ((0.7347, 0.2653), (0.0, 1.0), (0.0001, -0.077), (0.32168, 0.33767)),  # AP0
    "acescg": ((0.713, 0.293), (0.165, 0.830), (0.128, 0.044), (0.32168, 0.33767)),  # AP1
}
# Shown as they are by nearly every player; their red is at most 0.015 of xy away.
SHOWN_AS_BT709 = ("bt709", "bt470bg", "smpte170m")
TRANSFERS = ("srgb", "bt709", "linear", "hlg", "pq")  # and "gamma2.2" with any number
KNEE = 0.75  # of light: what is darker is shown as it is
HLG_WHITE = 0.2649613  # light of a signal of 0.75, which BT.2408 calls reference white
PQ_WHITE = 203 / 10_000  # BT.2408, of the highest light that PQ can say
# Players that map HDR to a standard screen keep luminance, with their white at 100 cd/m2 where
# BT.2408 puts the reference white of HDR at 203; what is brighter is bent. Its curve is BT.1886.
STANDARD_SCREEN = {"hlg": 2.03, "pq": 2.03}
SCREEN_GAMMA = 2.4
HLG_GAMMA = 1.2  # of a screen of 1,000 cd/m2 (BT.2100)
SAME_XY = 0.004  # rounded in the files of many programs
LUMA = (0.2627, 0.6780, 0.0593)  # BT.2020


class Encoding(NamedTuple):
    """What the numbers of a picture file mean."""

    primaries: str = "bt709"  # a key of PRIMARIES, or "xy" and eight numbers (`primaries_xy`)
    transfer: str = "srgb"  # of TRANSFERS, or "gamma" and a number
    icc: bytes = b""  # the file's ICC profile, carried into what is made of the file

    @property
    def bounded(self) -> bool:
        """Whether 1 is the most that can be said: no light above white."""
        return self.transfer not in ("linear", "hlg", "pq")

    @property
    def high_range(self) -> bool:
        """Whether it is made for screens brighter than standard ones."""
        return self.transfer in STANDARD_SCREEN

    @property
    def as_shown(self) -> bool:
        """Whether a screen of sRGB shows the numbers as they are."""
        return self.transfer in ("srgb", "bt709") and self.primaries in SHOWN_AS_BT709


SRGB = Encoding()
LINEAR = Encoding("bt709", "linear")


def to_display(x: Tensor, encoding: Encoding = SRGB) -> Tensor:
    """What a screen shows of (..., 3, H, W): its codes, of BT.709 primaries, in [0, 1], float32.

    x itself where that is what a screen shows.
    Light above `KNEE` is bent softly below 1 where an encoding knows light above white. HLG and PQ
    become video for a standard screen, of the same luminance (`STANDARD_SCREEN`).
    """
    if encoding.as_shown:
        x = x.float()
        low, high = torch.aminmax(x)
        return x if low >= 0 and high <= 1 else x.clamp(0, 1)  # fresh memory takes longer
    light = display_light(x, encoding).clamp(min=0)
    if encoding.high_range:
        light = shoulder(light * STANDARD_SCREEN[encoding.transfer])
        return light.clamp(0, 1) ** (1 / SCREEN_GAMMA)
    return srgb_code(light if encoding.bounded else shoulder(light)).clamp(0, 1)


def from_display(x: Tensor, encoding: Encoding = SRGB) -> Tensor:
    """The numbers (..., 3, H, W) of an encoding that `to_display` shows as x in [0, 1]."""
    if encoding.as_shown:
        return x
    light = x**SCREEN_GAMMA if encoding.high_range else srgb_light(x)
    light = light if encoding.bounded else unshoulder(light)
    if encoding.high_range:
        light = light / STANDARD_SCREEN[encoding.transfer]
    light = in_primaries(light, "bt709", encoding.primaries)
    if encoding.transfer == "hlg":
        light = light * luminance(light).clamp(min=1e-6) ** (1 / HLG_GAMMA - 1)
    if encoding.transfer == "bt709":
        return srgb_code(light)
    return from_linear(light, encoding)


def display_light(x: Tensor, encoding: Encoding) -> Tensor:
    """Linear light of BT.709 primaries as a screen gives it, 1 is white, not bent, not clipped."""
    if encoding.transfer == "bt709":  # screens undo another curve than cameras apply
        light = srgb_light(x.float())
    else:
        light = to_linear(x, encoding)
    if encoding.transfer == "hlg":
        light = light * luminance(light).clamp(min=1e-6) ** (HLG_GAMMA - 1)
    return in_primaries(light, encoding.primaries, "bt709")


def to_linear(x: Tensor, encoding: Encoding = SRGB) -> Tensor:
    """Linear light of the scene in the file's own primaries, float32; 1 is white, more is kept."""
    return _curves(encoding)[0](x.float())


def from_linear(x: Tensor, encoding: Encoding = SRGB) -> Tensor:
    """The opposite of `to_linear`."""
    return _curves(encoding)[1](x)


def convert(x: Tensor, source: Encoding, target: Encoding) -> Tensor:
    """The same light in another encoding, float32; x itself where both mean the same.

    BT.709's numbers count as sRGB's, as screens show them: a frame grabbed from a video into a PNG
    keeps its numbers.
    """
    source, target = (
        e._replace(transfer="srgb") if e.transfer == "bt709" else e for e in (source, target)
    )
    if source.as_shown and target.as_shown:
        return x
    if source[:2] == target[:2]:
        return x
    light = in_primaries(to_linear(x, source), source.primaries, target.primaries)
    return from_linear(light, target)


def in_primaries(light: Tensor, source: str, target: str) -> Tensor:
    """Linear light (..., 3, H, W) in other primaries."""
    if source == target or {source, target} <= set(SHOWN_AS_BT709):
        return light
    weights = torch.from_numpy(np.linalg.inv(to_xyz(target)) @ to_xyz(source)).to(light)
    return torch.einsum("ij,...jhw->...ihw", weights, light)


def luminance(light: Tensor) -> Tensor:
    """Of BT.2020 light (..., 3, H, W): (..., 1, H, W)."""
    return (light * torch.tensor(LUMA).to(light).view(3, 1, 1)).sum(-3, keepdim=True)


def shoulder(light: Tensor) -> Tensor:
    """Bend light above `KNEE` below 1, smoothly: 8 becomes 0.992, 50 becomes 0.9987."""
    over = (light - KNEE).clamp(min=0) / (1 - KNEE)
    return torch.where(light > KNEE, KNEE + (1 - KNEE) * over / (1 + over), light)


def unshoulder(light: Tensor) -> Tensor:
    """The opposite of `shoulder`, for light below 1; 1 comes back as 250."""
    bent = ((light - KNEE) / (1 - KNEE)).clamp(0, 0.999)
    return torch.where(light > KNEE, KNEE + (1 - KNEE) * bent / (1 - bent), light)


def srgb_light(code: Tensor) -> Tensor:
    """IEC 61966-2-1, odd: below 0 mirrored, above 1 continued."""
    size = code.abs()
    light = torch.where(
        size <= 0.04045, size / 12.92, ((size.clamp(min=0.04045) + 0.055) / 1.055) ** 2.4
    )
    return torch.copysign(light, code)


def srgb_code(light: Tensor) -> Tensor:
    """The opposite of `srgb_light`."""
    size = light.abs()
    code = torch.where(
        size <= 0.0031308, size * 12.92, 1.055 * size.clamp(min=0.0031308) ** (1 / 2.4) - 0.055
    )
    return torch.copysign(code, light)


def _bt709_light(code: Tensor) -> Tensor:
    size = code.abs()
    light = torch.where(size < 0.081, size / 4.5, ((size + 0.099) / 1.099) ** (1 / 0.45))
    return torch.copysign(light, code)


def _bt709_code(light: Tensor) -> Tensor:
    size = light.abs()
    code = torch.where(size < 0.018, size * 4.5, 1.099 * size.clamp(min=0.018) ** 0.45 - 0.099)
    return torch.copysign(code, light)


A, B, C = 0.17883277, 0.28466892, 0.55991073  # of HLG (BT.2100)


def _hlg_light(code: Tensor) -> Tensor:
    code = code.clamp(min=0)
    light = torch.where(code <= 0.5, code * code / 3, (((code - C) / A).exp() + B) / 12)
    return light / HLG_WHITE


def _hlg_code(light: Tensor) -> Tensor:
    light = light.clamp(min=0) * HLG_WHITE
    log = A * (12 * light - B).clamp(min=1e-6).log() + C
    return torch.where(light <= 1 / 12, (3 * light).sqrt(), log)


M1, M2 = 2610 / 16384, 2523 / 4096 * 128  # of PQ (SMPTE ST 2084)
C1, C2, C3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32


def _pq_light(code: Tensor) -> Tensor:
    power = code.double().clamp(0, 1) ** (1 / M2)
    light = ((power - C1).clamp(min=0) / (C2 - C3 * power)) ** (1 / M1)
    return (light / PQ_WHITE).float()


def _pq_code(light: Tensor) -> Tensor:
    power = (light.double().clamp(min=0) * PQ_WHITE).clamp(max=1) ** M1
    return (((C1 + C2 * power) / (1 + C3 * power)) ** M2).float()


Curve = Callable[[Tensor], Tensor]
CURVES: dict[str, tuple[Curve, Curve]] = {
    "srgb": (srgb_light, srgb_code),
    "bt709": (_bt709_light, _bt709_code),
    "linear": (lambda x: x, lambda x: x),
    "hlg": (_hlg_light, _hlg_code),
    "pq": (_pq_light, _pq_code),
}


def _curves(encoding: Encoding) -> tuple[Curve, Curve]:
    """Code to light and light to code."""
    name = encoding.transfer
    if name in CURVES:
        return CURVES[name]
    try:
        gamma = float(name.removeprefix("gamma"))
    except ValueError:
        raise BadInput(
            f"transfer {name} is none of {', '.join(TRANSFERS)}, gamma2.2 (or another number)"
        ) from None
    return (
        lambda x: torch.copysign(x.abs() ** gamma, x),
        lambda x: torch.copysign(x.abs() ** (1 / gamma), x),
    )


@lru_cache(maxsize=32)
def to_xyz(primaries: str) -> NDArray[np.float64]:
    """The matrix (3, 3) from light in primaries to XYZ, adapted to a white of D65 (Bradford)."""
    xy = primaries_xy(primaries)
    *colours, white = zip(xy[::2], xy[1::2], strict=True)
    columns = np.array([[x / y, 1.0, (1 - x - y) / y] for x, y in colours]).T
    matrix = columns * np.linalg.solve(columns, white_xyz(white))
    return adaptation(white, PRIMARIES["bt709"][3]) @ matrix


def white_xyz(xy: tuple[float, float]) -> NDArray[np.float64]:
    """XYZ of a white of Y = 1."""
    return np.array([xy[0] / xy[1], 1.0, (1 - xy[0] - xy[1]) / xy[1]])


def adaptation(source: tuple[float, float], target: tuple[float, float]) -> NDArray[np.float64]:
    """The matrix (3, 3) that turns XYZ seen under one white into XYZ seen under another."""
    bradford = np.array(
        [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
    )
    gain = (bradford @ white_xyz(target)) / (bradford @ white_xyz(source))
    return np.linalg.inv(bradford) @ np.diag(gain) @ bradford


def primaries_xy(primaries: str) -> list[float]:
    """CIE xy of red, green, blue and white, eight numbers; BadInput for an unknown name."""
    if primaries in PRIMARIES:
        return [value for xy in PRIMARIES[primaries] for value in xy]
    try:
        xy = [float(value) for value in primaries.removeprefix("xy").split(",")]
    except ValueError:
        xy = []
    if len(xy) != 8:
        raise BadInput(f"primaries {primaries} are none of {', '.join(PRIMARIES)}")
    return xy


def named_primaries(xy: Sequence[float]) -> str:
    """The name of primaries by xy of red, green, blue and white; "xy..." for those without one."""
    nearest = min(PRIMARIES, key=lambda name: _apart(PRIMARIES[name], xy))
    if _apart(PRIMARIES[nearest], xy) < SAME_XY:
        return nearest
    return "xy" + ",".join(f"{value:.5f}" for value in xy)


def _apart(primaries: Sequence[Sequence[float]], xy: Sequence[float]) -> float:
    return float(np.abs(np.array(primaries).flatten() - np.array(xy)).max())
