"""The kinds of picture that mattes are written as: `output=` of pictures and of sequences."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from bgm.colour import Encoding, convert
from bgm.errors import BadInput
from bgm.pictures import write_deep, write_png

ALPHAS = ("straight", "premultiplied")


class StillFormat(NamedTuple):
    """One word of `output=` that stands for a picture."""

    suffix: str
    levels: int | None  # that a channel can have, less one; None: float
    alphas: tuple[str, ...]  # what it can say of its alpha, its own custom first
    encoding: Callable[[Encoding], Encoding]  # the one to write, of the shot's

    def has_layers(self) -> bool:
        """Whether err and ref go into the file of com."""
        return self.suffix == ".exr"


def _coded(encoding: Encoding) -> Encoding:
    """As it is where 1 is the most; else with the curve of sRGB, cut off at 1."""
    return encoding if encoding.bounded else Encoding(encoding.primaries, "srgb")


def _light(encoding: Encoding) -> Encoding:
    return Encoding(encoding.primaries, "linear")


STILL_FORMATS = {
    "png": StillFormat(".png", 255, ("straight",), _coded),  # its standard knows no other alpha
    "png16": StillFormat(".png", 65535, ("straight",), _coded),
    "tiff": StillFormat(".tif", 65535, ALPHAS, lambda e: e if e.bounded else _light(e)),
    "exr": StillFormat(".exr", None, ALPHAS[::-1], _light),
}


OWN = ("png", "png16", "exr")  # what `own_format` says


def own_format(stored: torch.dtype, encoding: Encoding) -> str:
    """The format that loses nothing of a shot: of 8 bits, of 16 bits, or float, HLG and PQ."""
    if encoding.high_range:
        return "exr"
    return {torch.uint8: "png", torch.uint16: "png16"}.get(stored, "exr")


def check_still(output: str | None, alpha: str | None) -> None:
    """Raise BadInput for a format of pictures that is unknown or cannot say the alpha."""
    if output is not None and output not in STILL_FORMATS:
        raise BadInput(f"output {output} of pictures is none of {', '.join(STILL_FORMATS)}")
    if alpha is not None and alpha not in ALPHAS:
        raise BadInput(f"alpha {alpha} is none of {', '.join(ALPHAS)}")
    if alpha and output and alpha not in STILL_FORMATS[output].alphas:
        raise BadInput(f"alpha={alpha} cannot be said in {output}: output=exr and output=tiff can")


def write_still(
    path: Path,
    name: str,
    x: Tensor,
    source: Encoding,
    *,
    alpha: str = "straight",
    layers: dict[str, Tensor] | None = None,
    compression: str = "zip",
    pixel_aspect: float = 1.0,
) -> bool:
    """Write (C, H, W), C = 1, 3 or 4, in the encoding `source`, in the format `name`.

    C = 1 has no colours: it is written as it is. alpha: whether the colours of C = 4 are multiplied
    by it already. layers: more channels (1, H, W) of an EXR, by their name. pixel_aspect: see
    `write_png`. Returns whether light above 1 was cut off.
    """
    form = STILL_FORMATS[name]
    encoding = source if len(x) == 1 else form.encoding(source)
    cut_off = False
    if len(x) > 1 and encoding[:2] != source[:2]:
        x = _converted(x, source, encoding, alpha)
    if len(x) > 1 and form.levels is not None and not (name == "tiff" and not encoding.bounded):
        cut_off = not source.bounded and bool(x[:3].max() > 1 + 0.5 / form.levels)
    if name == "png":
        write_png(path, x, encoding, pixel_aspect)
        return cut_off
    channels = {1: ("Y",), 3: ("R", "G", "B"), 4: ("R", "G", "B", "A")}[len(x)]
    if len(x) == 1 and name == "tiff":
        encoding = Encoding()
    if layers:
        x = torch.cat([x, *layers.values()])
        channels += tuple(f"{layer}.Y" for layer in layers)
    straight = alpha == "straight"
    write_deep(
        path,
        x,
        encoding,
        name,
        channels,
        straight=straight,
        compression=compression,
        pixel_aspect=pixel_aspect,
    )
    return cut_off


def _converted(x: Tensor, source: Encoding, target: Encoding, alpha: str) -> Tensor:
    """(3 or 4, H, W) in another encoding; premultiplied colours are divided for it."""
    rgb, rest = x[:3], x[3:]
    if len(rest) == 0 or alpha == "straight":
        return torch.cat([convert(rgb, source, target), rest])
    seen = rest > 0
    straight = torch.where(seen, rgb / rest.clamp(min=1e-6), rgb)
    return torch.cat([convert(straight, source, target) * rest, rest])
