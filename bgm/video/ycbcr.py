"""Y'CbCr planes of a video to R'G'B' floats and back, to the last code.

FFmpeg's own conversion (swscale) is not used for this: from float R'G'B' to 10-bit planes it was
1.7 codes too high in the mean and up to 4.4 off (FFmpeg 8.1), which a matte that should change
nothing would add to every frame.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from bgm.errors import BadInput

# How much of red and of blue is in Y', by FFmpeg's number of a matrix (ITU-T H.273, table 4).
WEIGHTS = {
    1: (0.2126, 0.0722),  # BT.709
    4: (0.30, 0.11),  # FCC
    5: (0.299, 0.114),  # BT.601, 625 lines
    6: (0.299, 0.114),  # BT.601, 525 lines
    7: (0.212, 0.087),  # SMPTE 240M
    9: (0.2627, 0.0593),  # BT.2020
}


ROWS = 32  # of a picture that are converted at a time; even, as chroma's lines are pairs


class Planes(NamedTuple):
    """How a video's planes are stored."""

    bits: int  # of a code
    halved: tuple[bool, bool]  # (vertically, horizontally): chroma has half the samples
    full: bool  # codes from 0 to 2^bits - 1; else 16 to 235 (of 8 bits), as most videos have it
    matrix: int  # a key of WEIGHTS


def to_rgb(luma: Tensor, cb: Tensor, cr: Tensor, planes: Planes) -> Tensor:
    """Codes (H, W), (h, w), (h, w) of any type as float32 (3, H, W); white is 1, more is kept.

    Chroma samples lie on the left of each pair and between the lines, as MPEG-2, H.264 and HEVC
    have it unless they say otherwise. Colours that no screen has are cut at 0.
    """
    H, W = luma.shape
    matrix, black = _to_codes(planes)
    back = torch.linalg.inv(matrix)
    scale, offset = back.float(), (-back @ black).float()[:, None]
    chroma = _taller(torch.stack([cb.float(), cr.float()]), planes.halved[0])
    found, rows = torch.empty(3, H * W), torch.empty(3, ROWS, W)
    for top in range(0, H, ROWS):  # a few rows stay in the cache, whole pictures are fresh memory
        codes = rows[:, : min(ROWS, H - top)]
        end = top + codes.shape[1]
        codes[0] = luma[top:end]
        _widen(chroma[:, top:end], codes[1:], planes.halved[1])
        part = found[:, top * W : end * W]
        torch.addmm(offset, scale, codes.flatten(1), out=part)
        part.clamp_(min=0)
    return found.view(3, H, W)


def from_rgb(x: Tensor, planes: Planes) -> tuple[Tensor, Tensor, Tensor]:
    """The opposite of `to_rgb`: float (3, H, W) as whole float32 codes, within what is legal."""
    lowest, highest = (0, 2**planes.bits - 1) if planes.full else _legal(planes.bits)
    codes = _product(*_to_codes(planes), x.float())
    cb, cr = _halved(codes[1:], planes.halved)
    y, cb, cr = (v.round_().clamp_(lowest, highest) for v in (codes[0], cb, cr))
    return y, cb, cr


def _to_codes(planes: Planes) -> tuple[Tensor, Tensor]:
    """R'G'B' to Y', Cb, Cr in codes: a matrix (3, 3) and the codes of black (3,), float64."""
    red, blue = _weights(planes.matrix)
    scale, black, chroma_scale, middle = _levels(planes)
    luma = torch.tensor([red, 1 - red - blue, blue], dtype=torch.float64)
    of_red, _, of_blue = torch.eye(3, dtype=torch.float64)
    cb = (of_blue - luma) / (2 * (1 - blue))
    cr = (of_red - luma) / (2 * (1 - red))
    matrix = torch.stack([luma * scale, cb * chroma_scale, cr * chroma_scale])
    return matrix, torch.tensor([black, middle, middle], dtype=torch.float64)


def _product(matrix: Tensor, offset: Tensor, x: Tensor) -> Tensor:
    """matrix @ x + offset of (3, H, W): in one pass, since fresh memory is what takes the time."""
    matrix, offset = matrix.to(x), offset.to(x)  # mattes may lie on a GPU
    return torch.addmm(offset[:, None], matrix, x.reshape(3, -1)).view(x.shape)


def _weights(matrix: int) -> tuple[float, float]:
    if matrix not in WEIGHTS:
        raise BadInput(f"colours are coded by matrix {matrix}, expected one of {list(WEIGHTS)}")
    return WEIGHTS[matrix]


def _levels(planes: Planes) -> tuple[float, float, float, float]:
    """(codes from black to white, black, codes from -0.5 to 0.5 of chroma, no chroma)."""
    step = 2 ** (planes.bits - 8)
    if planes.full:
        return 256 * step - 1, 0, 256 * step - 1, 128 * step
    return 219 * step, 16 * step, 224 * step, 128 * step


def _legal(bits: int) -> tuple[int, int]:
    """The lowest and highest code that is no synchronisation word of SDI (BT.709)."""
    step = 2 ** (bits - 8)
    return step, 255 * step - 1


def _taller(x: Tensor, halved: bool) -> Tensor:
    """Chroma (2, h, w) at the picture's height, or a line more."""
    if not halved:
        return x
    tall = x.new_empty(2, 2 * x.shape[1], x.shape[2])
    tall[:, 0], tall[:, -1] = x[:, 0], x[:, -1]
    torch.lerp(x[:, 1:], x[:, :-1], 0.25, out=tall[:, 2::2])
    torch.lerp(x[:, :-1], x[:, 1:], 0.25, out=tall[:, 1:-1:2])
    return tall


def _widen(x: Tensor, out: Tensor, halved: bool) -> None:
    """Write chroma (2, h, w) into out (2, h, W)."""
    if not halved:
        out.copy_(x)
        return
    W = out.shape[2]
    out[..., ::2] = x
    between = (W - 1) // 2
    torch.lerp(x[..., :between], x[..., 1 : 1 + between], 0.5, out=out[..., 1 : 2 * between : 2])
    if W % 2 == 0:
        out[..., -1] = x[..., -1]


def _halved(x: Tensor, halved: tuple[bool, bool]) -> Tensor:
    """Chroma (2, H, W) as it is stored; a last odd line or column stands for itself."""
    H, W = x.shape[-2:]
    if halved[1]:
        x = F.pad(x, (1, 1 + W % 2, 0, 0), mode="replicate")
        x = (x[..., :-2:2] + 2 * x[..., 1:-1:2] + x[..., 2::2]) / 4
    if halved[0]:
        x = F.pad(x, (0, 0, 0, H % 2), mode="replicate")
        x = (x[:, ::2] + x[:, 1::2]) / 2
    return x
