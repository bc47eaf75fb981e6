"""`bgm.matte`: pictures in memory to mattes in memory, with the defaults of predict.py."""

from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from PIL.ImageOps import exif_transpose as upright
from torch import Tensor, nn

from bgm.errors import BadInput
from bgm.infer.any_size import run_any_size
from bgm.infer.models import AUTO, Model, model_of
from bgm.infer.plate.align import align as align_plate
from bgm.infer.plate.align import move
from bgm.infer.plate.exposure import match_exposure
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
    backbone_scale: float | str | None = AUTO,
    base_scale: float | None = None,
    select: str | nn.Module | None = None,
    sample_pixels: int | None = None,
    threshold: float | None = None,
) -> Mattes[Picture]:
    """Matte one picture or a batch, of any size, without gradients.

    net: of `bgm.load`, in eval mode, or any file opened with `bgm.infer.models.open_model` (which
    takes all but align and exposure itself). src, bgr: the shot and its plate, RGB: PIL pictures,
    numpy arrays (H, W, 3) or (B, H, W, 3), or tensors (3, H, W) or (B, 3, H, W); uint8 in 0..255 or
    floats in [0, 1]; one plate may serve a batch. The rest: as in conf/predict.yaml. Outputs have
    the kind and type of src; arrays of one channel are (H, W) or (B, H, W), PIL pictures are
    upright. Raises BadInput for pictures that do not fit each other, and for a network in training
    mode.
    """
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
    plates = plates.expand_as(shots)
    if align or exposure:
        pairs = zip(shots, plates, strict=True)
        plates = torch.stack([fixed_plate(*pair, bool(align), exposure) for pair in pairs])
    pictures = (x.to(net.device, torch.float32) for x in (shots, plates))
    mattes = run_any_size(net.net, *pictures, scale=net.scale)
    com = torch.cat([mattes.fgr * (mattes.pha > 0), mattes.pha], dim=1)
    return Mattes(
        *(like(x, src) for x in (com, mattes.pha, mattes.fgr, mattes.err(), mattes.ref()))
    )


def to_batch(x: Picture, name: str) -> Tensor:
    """A picture or a batch of any kind as float (B, 3, H, W) in [0, 1]; BadInput names others."""
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
    return batch / 255 if batch.dtype == torch.uint8 else batch


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


def fixed_plate(shot: Tensor, plate: Tensor, align: bool, exposure: bool) -> Tensor:
    """The plate (3, H, W) in [0, 1], moved onto the shot and exposed as it; found in 8 bits."""
    if align:
        found = align_plate(to_uint8(shot), to_uint8(plate))
        plate = plate if found.kept else move(shot, plate, found.homography)
    if exposure:
        found_exposure = match_exposure(to_uint8(shot), to_uint8(plate))
        plate = plate if found_exposure.kept else found_exposure.bgr / 255
    return plate
