"""One decoded frame as floats in its file's own colours, and floats as a frame to be encoded."""

import re
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bgm.video.colour_tags import ColourTags
from bgm.video.video_formats import pyav
from bgm.video.ycbcr import ROWS, Planes, from_rgb, to_rgb

YUV = re.compile(r"yuvj?(a?)(420|422|444)p(\d*)(?:le)?")
GBR = re.compile(r"gbr(a?)p(\d*)(f?)(\d*)(?:le)?")
GRAY = re.compile(r"gray(\d*)(?:le)?")
HALVED = {"420": (True, True), "422": (False, True), "444": (False, False)}
PLAIN = {"nv12": "yuv420p", "nv21": "yuv420p", "p010le": "yuv420p10le", "p016le": "yuv420p16le"}


def values_of(frame: Any, tags: ColourTags) -> Tensor:
    """A frame of PyAV as R'G'B' (3, H, W) float32 in the tags' encoding; white is 1.

    An alpha channel is not looked at. What is above white in a file of limited range stays there.
    """
    frame = _in_planes(frame)
    name = frame.format.name
    if gbr := GBR.fullmatch(name):
        x = torch.stack([_plane(frame, i) for i in (2, 0, 1)])
        return x if gbr[3] else x / (2 ** int(gbr[2] or 8) - 1)
    if gray := GRAY.fullmatch(name):
        planes = Planes(int(gray[1] or 8), (False, False), tags.full, tags.matrix or 1)
        middle = torch.full((frame.height, frame.width), float(2 ** (planes.bits - 1)))
        return to_rgb(_plane(frame, 0), middle, middle, planes)
    yuv = YUV.fullmatch(name)
    assert yuv, name
    planes = Planes(int(yuv[3] or 8), HALVED[yuv[2]], tags.full, tags.matrix)
    return to_rgb(_plane(frame, 0), _plane(frame, 1), _plane(frame, 2), planes)


def frame_of(x: Tensor, layout: str, tags: ColourTags) -> Any:
    """Values (C, H, W), C = 1, 3 or 4 (alpha last), white 1, as a frame of PyAV in pixel format.

    layout: yuv420p, yuv422p10le, yuva444p10le, gbrap16le, gray16le and their like. The frame
    carries the tags: ProRes writes what its frames say.
    """
    av = pyav("writing video")
    H, W = x.shape[1:]
    frame = av.VideoFrame(W, H, layout)
    frame.color_primaries, frame.color_trc = tags.primaries, tags.transfer
    frame.colorspace, frame.color_range = tags.matrix, 2 if tags.full else 1
    x = x.cpu()
    views = [_view(frame, plane)[:, : plane.width] for plane in frame.planes]
    for top in range(0, H, ROWS):  # a few rows stay in the cache, whole pictures are fresh memory
        for view, codes in zip(
            views, _planes_of(x[:, top : top + ROWS], layout, tags), strict=True
        ):
            first = top * view.shape[0] // H
            view[first : first + len(codes)] = codes.numpy()  # whole numbers, as the plane's type
    return frame


def _planes_of(x: Tensor, layout: str, tags: ColourTags) -> list[Tensor]:
    """Rows of values (C, h, W) as the codes of each plane that layout has, whole numbers."""
    rgb, alpha = x[:3].float(), x[3] if len(x) == 4 else None
    if gray := GRAY.fullmatch(layout):
        return [_codes(rgb[0], int(gray[1] or 8))]
    if gbr := GBR.fullmatch(layout):
        bits, has_alpha = int(gbr[2] or 8), gbr[1]
        codes = [_codes(rgb[channel % len(rgb)], bits) for channel in (1, 2, 0)]
    else:
        yuv = YUV.fullmatch(layout)
        assert yuv, layout
        bits, has_alpha = int(yuv[3] or 8), yuv[1]
        planes = Planes(bits, HALVED[yuv[2]], tags.full, tags.matrix)
        codes = list(from_rgb(rgb.expand(3, -1, -1), planes))
    if has_alpha:  # it has the full range in every codec that has it
        codes.append(_codes(_opaque(alpha, rgb), bits))
    return codes


def _in_planes(frame: Any) -> Any:
    """The frame with a plane for each component, unchanged in its colours and its range."""
    name = frame.format.name
    if any(p.fullmatch(name) for p in (YUV, GBR, GRAY)):
        return frame
    deep = max(c.bits for c in frame.format.components) > 8
    if frame.format.is_rgb or name == "pal8":
        return frame.reformat(format="gbrp16le" if deep else "gbrp", threads=1)
    layout = PLAIN.get(name) or ("yuv444p16le" if deep else "yuv444p")
    return frame.reformat(format=layout, threads=1)  # else every frame keeps some of its own


def _plane(frame: Any, index: int) -> Tensor:
    """A plane's codes (h, w) as float32."""
    plane = frame.planes[index]
    codes = _view(frame, plane)
    return torch.from_numpy(codes[:, : plane.width].astype(np.float32))


def _view(frame: Any, plane: Any) -> NDArray[Any]:
    name = frame.format.name
    if "f32" in name:
        kind: Any = np.float32
    else:
        kind = np.uint16 if max(c.bits for c in frame.format.components) > 8 else np.uint8
    return np.frombuffer(plane, kind).reshape(plane.height, -1)


def _codes(x: Tensor, bits: int) -> Tensor:
    return (x.float() * (2**bits - 1)).round_().clamp_(0, 2**bits - 1)


def _opaque(alpha: Tensor | None, rgb: Tensor) -> Tensor:
    return torch.ones_like(rgb[0]) if alpha is None else alpha
