"""One decoded frame as floats in its file's own colours, and floats as a frame to be encoded."""

import re
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bgm.video.colour_tags import ColourTags
from bgm.video.video_formats import pyav
from bgm.video.ycbcr import Planes, from_rgb, to_rgb

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
    C, H, W = x.shape
    frame = av.VideoFrame(W, H, layout)
    frame.color_primaries, frame.color_trc = tags.primaries, tags.transfer
    frame.colorspace, frame.color_range = tags.matrix, 2 if tags.full else 1
    rgb, alpha = x[: min(C, 3)].float(), x[3] if C == 4 else None
    if gray := GRAY.fullmatch(layout):
        _fill(frame, 0, _codes(rgb[0], int(gray[1] or 8)))
    elif gbr := GBR.fullmatch(layout):
        bits = int(gbr[2] or 8)
        for plane, channel in enumerate((1, 2, 0)):
            _fill(frame, plane, _codes(rgb[channel % rgb.shape[0]], bits))
        if gbr[1]:
            _fill(frame, 3, _codes(_opaque(alpha, rgb), bits))
    else:
        yuv = YUV.fullmatch(layout)
        assert yuv, layout
        bits = int(yuv[3] or 8)
        planes = Planes(bits, HALVED[yuv[2]], tags.full, tags.matrix)
        for plane, codes in enumerate(from_rgb(rgb.expand(3, -1, -1), planes)):
            _fill(frame, plane, codes)
        if yuv[1]:  # alpha has the full range in every codec that has it
            _fill(frame, 3, _codes(_opaque(alpha, rgb), bits))
    return frame


def _in_planes(frame: Any) -> Any:
    """The frame with a plane for each component, unchanged in its colours and its range."""
    name = frame.format.name
    if any(p.fullmatch(name) for p in (YUV, GBR, GRAY)):
        return frame
    deep = max(c.bits for c in frame.format.components) > 8
    if frame.format.is_rgb or name == "pal8":
        return frame.reformat(format="gbrp16le" if deep else "gbrp")
    layout = PLAIN.get(name) or ("yuv444p16le" if deep else "yuv444p")
    return frame.reformat(format=layout)


def _plane(frame: Any, index: int) -> Tensor:
    """A plane's codes (h, w) as float32."""
    plane = frame.planes[index]
    codes = _view(frame, plane)
    return torch.from_numpy(codes[:, : plane.width].astype(np.float32))


def _fill(frame: Any, index: int, codes: Tensor) -> None:
    plane = frame.planes[index]
    view = _view(frame, plane)
    view[:, : plane.width] = codes.cpu().numpy()  # whole numbers, as the plane's type


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
