"""The new background that a foreground is composited over: a colour or a picture."""

import re
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from bgm.errors import BadInput
from bgm.pictures import read_picture

Background = Callable[[int, int], Tensor]


def open_background(background: str | Path) -> Background:
    """Read "#00ff00", "0,255,0" (0..255) or a picture file as a function (H, W) -> (3, H, W).

    The function returns float in [0, 1]. A picture is scaled to cover H x W and cropped at its
    centre. Raises BadInput when it is none of the three.
    """
    text = str(background).strip()
    if re.fullmatch(r"#[0-9a-fA-F]{6}", text):
        return _colour([int(text[i : i + 2], 16) for i in (1, 3, 5)])
    if re.fullmatch(r"\d+\s*(,\s*\d+\s*){2}", text):
        rgb = [int(part) for part in text.split(",")]
        if max(rgb) > 255:
            raise BadInput(f"background {text}: expected three numbers from 0 to 255")
        return _colour(rgb)
    if not Path(background).is_file():
        raise BadInput(
            f"background {text} is neither a colour (#00ff00 or 0,255,0) nor an existing picture"
        )
    picture = read_picture(background).float() / 255
    sized: dict[tuple[int, int], Tensor] = {}  # the last size only: frames mostly share one

    def of_size(H: int, W: int) -> Tensor:
        if (H, W) not in sized:
            sized.clear()
            sized[H, W] = cover(picture, H, W).clamp(0, 1)
        return sized[H, W]

    return of_size


def _colour(rgb: list[int]) -> Background:
    value = torch.tensor(rgb, dtype=torch.float32).view(3, 1, 1) / 255
    return lambda H, W: value.expand(3, H, W)


def cover(x: Tensor, H: int, W: int) -> Tensor:
    """Scale (3, h, w) with antialiasing until it covers H x W, then crop the centre."""
    h, w = x.shape[-2:]
    factor = max(H / h, W / w)
    size = [max(round(h * factor), H), max(round(w * factor), W)]
    x = F.interpolate(x[None], size=size, mode="bilinear", antialias=True)[0]
    top, left = (size[0] - H) // 2, (size[1] - W) // 2
    return x[:, top : top + H, left : left + W]
