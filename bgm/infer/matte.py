"""`bgm.matte`: pictures in memory to mattes in memory, with the defaults of predict.py."""

import warnings
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from PIL.ImageOps import exif_transpose as upright
from torch import Tensor, nn

from bgm.errors import BadInput
from bgm.infer.any_size import Matte, run_any_size
from bgm.infer.foreground import choose_foreground
from bgm.infer.frame import Frame, Shot, undefined_numbers
from bgm.infer.models import AUTO, Model, model_of
from bgm.infer.outputs import render
from bgm.infer.plate.fixes import plate_fixes
from bgm.model import choose_select
from bgm.pictures import to_uint8

Picture = TypeVar("Picture", Tensor, NDArray[Any], Image.Image)


class Mattes(NamedTuple, Generic[Picture]):
    """What `matte` returns, of the kind, size, number and type of `src`."""

    com: Picture  # RGBA: the foreground with straight alpha, black where alpha is 0
    pha: Picture  # alpha, one channel
    fgr: Picture  # the foreground's colour, RGB
    err: Picture  # the predicted error of alpha, one channel
    ref: Picture  # 1 (white) where patches were refined, one channel


def matte(
    net: nn.Module | Model,
    src: Picture,
    bgr: Picture,
    *,
    align: bool | str = AUTO,
    exposure: bool = False,
    fgr: str = AUTO,
    backbone_scale: float | str | None = AUTO,
    base_scale: float | None = None,
    select: str | nn.Module | None = None,
    sample_pixels: int | None = None,
    threshold: float | None = None,
) -> Mattes[Picture]:
    """Matte one picture or a batch, of any size, without gradients.

    net: of `bgm.load`, in eval mode, or any file opened with `bgm.infer.models.open_model` (which
    takes all but align, exposure and fgr itself). src, bgr: the shot and its plate, RGB: PIL
    pictures, numpy arrays (H, W, 3) or (B, H, W, 3), or tensors (3, H, W) or (B, 3, H, W); uint8 in
    0..255 or floats in [0, 1]; one plate may serve a batch. The rest: as in conf/predict.yaml, with
    its defaults. Outputs have the kind and type of src; arrays of one channel are (H, W) or
    (B, H, W), PIL pictures are upright. Raises BadInput for pictures that do not fit each other,
    for words that are unknown, and for a network in training mode.
    """
    if not isinstance(exposure, bool):
        raise BadInput(f"exposure is {exposure}, expected true or false")
    plate_fixes(align, exposure)  # refuses words that are none before anything is computed
    if isinstance(net, nn.Module):
        if net.training:
            raise BadInput("the network is in training mode, expected eval mode: net.eval()")
        chosen = choose_select(select, sample_pixels, threshold)
        net = model_of(net, "the network", backbone_scale, base_scale, chosen)
    shots, plates = to_batch(src, "src"), to_batch(bgr, "bgr")
    if plates.shape[2:] != shots.shape[2:] or len(plates) not in (1, len(shots)):
        raise BadInput(
            f"src is {list(shots.shape)} but bgr is {list(plates.shape)} (B, C, H, W): expected "
            "one size, and one plate or as many plates as shots"
        )
    foreground = choose_foreground(fgr)
    sources = [Shot.of_finite(shot) for shot in shots]
    places = [Shot.of_finite(plate) for plate in plates]
    for name, taken in (("src", sources), ("bgr", places)):
        if count := sum(shot.undefined for shot in taken):
            warnings.warn(undefined_numbers(name, count), stacklevel=2)
    frames = [
        with_fixed_plate(Frame("", shot, plate), align, exposure)
        for shot, plate in zip(sources, places * (len(shots) // len(places)), strict=True)
    ]
    inputs = (
        torch.cat([shot.input_on(net.device) for shot in pictures])
        for pictures in ([f.src for f in frames], [f.bgr for f in frames])
    )
    mattes = each(run_any_size(net.net, *inputs, scale=net.scale))
    mattes = [foreground(frame, matte) for frame, matte in zip(frames, mattes, strict=True)]
    return Mattes(
        *(like(torch.stack([render(kind, m) for m in mattes]), src) for kind in Mattes._fields)
    )


def each(mattes: Matte) -> list[Matte]:
    """The mattes of a batch, one by one."""
    pha, fgr, err, ref, padded = mattes
    refs = [None] * len(pha) if ref is None else ref.split(1)
    parts = zip(pha.split(1), fgr.split(1), err.split(1), refs, strict=True)
    return [Matte(*part, padded) for part in parts]


def to_batch(x: Picture, name: str) -> Tensor:
    """A picture or a batch of any kind as (B, 3, H, W), uint8 or float; BadInput names others."""
    if isinstance(x, Tensor):
        tensor, order = x, "3, H, W"
    else:
        array = np.array(upright(x).convert("RGB")) if isinstance(x, Image.Image) else x
        tensor, order = torch.from_numpy(np.ascontiguousarray(array)), "H, W, 3"
    batch = tensor if tensor.ndim == 4 else tensor[None]
    batch = batch if isinstance(x, Tensor) else batch.movedim(-1, 1)
    if batch.ndim != 4 or batch.shape[1] != 3 or 0 in batch.shape:
        raise BadInput(f"{name} has shape {list(tensor.shape)}, expected ({order}) or (B, {order})")
    if not (batch.is_floating_point() or batch.dtype == torch.uint8):
        raise BadInput(f"{name} has the type {tensor.dtype}, expected uint8, or floats in [0, 1]")
    return batch


def like(x: Tensor, src: Picture) -> Picture:
    """(B, C, H, W) in [0, 1] as a picture or a batch of src's kind and type, on src's device."""
    if isinstance(src, Tensor):
        x = (to_uint8(x) if src.dtype == torch.uint8 else x).to(src.device, src.dtype)
        return x if src.ndim == 4 else x[0]
    as_bytes = isinstance(src, Image.Image) or src.dtype == np.uint8
    array = (to_uint8(x) if as_bytes else x).movedim(1, -1).cpu().numpy()
    array = array[..., 0] if array.shape[-1] == 1 else array
    if isinstance(src, Image.Image):
        return Image.fromarray(array[0])
    return (array if src.ndim == 4 else array[0]).astype(src.dtype)


def with_fixed_plate(frame: Frame, align: bool | str, exposure: bool) -> Frame:
    """The frame with its plate moved onto the shot and exposed as it, as predict.py does."""
    for fix in plate_fixes(align, exposure):
        frame = frame._replace(bgr=fix(frame)[0])
    return frame
