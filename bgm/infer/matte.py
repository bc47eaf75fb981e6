"""`bgm.matte`: pictures in memory to mattes in memory, with the defaults of predict.py."""

import warnings
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from bgm.colour import SRGB, Encoding, convert
from bgm.errors import BadInput
from bgm.infer.any_size import Matte, run_any_size
from bgm.infer.foreground import choose_foreground
from bgm.infer.frame import Frame, Shot, undefined_numbers
from bgm.infer.models import AUTO, Model, model_of
from bgm.infer.outputs import render
from bgm.infer.plate.fixes import plate_fixes
from bgm.model import choose_select
from bgm.pictures import encoded, to_uint8
from bgm.pictures.profiles import profile_of

OVERSHOOT = 0.25  # beyond black and white: what sharp resampling adds at edges and corners
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
    pictures of 8 bits, numpy arrays (H, W, 3) or (B, H, W, 3), or tensors (3, H, W) or
    (B, 3, H, W); uint8 in 0..255 or floats in [0, 1]; one plate may serve a batch. PIL pictures
    hold the colours of their profile, others sRGB. The rest: as in conf/predict.yaml, with its
    defaults. Outputs have the kind and type of src; arrays of one channel are (H, W) or (B, H, W),
    PIL pictures are upright, and com and fgr in the colours of src, with its profile. Raises
    BadInput for pictures that do not fit each other, for other types and numbers, for words that
    are unknown, and for a network in training mode.
    """
    if not isinstance(exposure, bool):
        raise BadInput(f"exposure is {exposure}, expected true or false")
    plate_fixes(align, exposure)  # refuses words that are none before anything is computed
    if isinstance(net, nn.Module):
        if net.training:
            raise BadInput("the network is in training mode, expected eval mode: net.eval()")
        chosen = choose_select(select, sample_pixels, threshold)
        net = model_of(net, "the network", backbone_scale, base_scale, chosen)
    if not isinstance(net, Model):
        raise BadInput(
            f"net is a {type(net).__name__}, expected a network as bgm.load(...) or "
            "bgm.infer.models.open_model(...) gives it"
        )
    (shots, encoding), (plates, plate_encoding) = to_batch(src, "src"), to_batch(bgr, "bgr")
    if plates.shape[2:] != shots.shape[2:] or len(plates) not in (1, len(shots)):
        raise BadInput(
            f"src is {list(shots.shape)} but bgr is {list(plates.shape)} (B, C, H, W): expected "
            "one size, and one plate or as many plates as shots"
        )
    foreground = choose_foreground(fgr)
    sources = [Shot.of_finite(shot, encoding) for shot in shots]
    places = [Shot.of_finite(plate, plate_encoding) for plate in plates]
    for name, taken in (("src", sources), ("bgr", places)):
        if count := sum(shot.undefined for shot in taken):
            warnings.warn(undefined_numbers(name, count), stacklevel=2)
    places = [plate.encoded_as(encoding) for plate in places]
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
    # 8 bits of light would have steps: codes, as predict.py writes them to PNG.
    codes = encoding if encoding.bounded else Encoding(encoding.primaries)
    rendered = (
        torch.stack([as_codes(render(kind, m, encoding=encoding), encoding, codes) for m in mattes])
        for kind in Mattes._fields
    )
    return Mattes(*(like(x, src, codes) for x in rendered))


def as_codes(x: Tensor, source: Encoding, target: Encoding) -> Tensor:
    """(C, H, W) with its colours, where it has some, in another encoding."""
    if len(x) == 1 or source == target:
        return x
    return torch.cat([convert(x[:3], source, target), x[3:]])


def each(mattes: Matte) -> list[Matte]:
    """The mattes of a batch, one by one."""
    pha, fgr, err, ref, padded = mattes
    refs = [None] * len(pha) if ref is None else ref.split(1)
    parts = zip(pha.split(1), fgr.split(1), err.split(1), refs, strict=True)
    return [Matte(*part, padded) for part in parts]


def to_batch(x: Picture, name: str) -> tuple[Tensor, Encoding]:
    """A picture or a batch of any kind as (B, 3, H, W), uint8 or float, and what its numbers mean.

    Raises BadInput for other types, shapes and ranges.
    """
    if isinstance(x, Image.Image):
        if x.mode.startswith(("I", "F")):
            raise BadInput(
                f"{name} has the mode {x.mode}, expected 8 bits a channel, or floats in [0, 1] as "
                "an array (predict.py reads files of 16 bits)"
            )
        tensor, encoding = encoded(x)
        return tensor[None], encoding
    if isinstance(x, Tensor):
        tensor, order = x, "3, H, W"
    elif isinstance(x, np.ndarray):
        tensor, order = tensor_of(x, name), "H, W, 3"
    else:
        raise BadInput(
            f"{name} is a {type(x).__name__}, expected a PIL picture (Image.open of a file), a "
            "numpy array or a tensor"
        )
    batch = tensor if tensor.ndim == 4 else tensor[None]
    batch = batch if isinstance(x, Tensor) else batch.movedim(-1, 1)
    if batch.ndim != 4 or batch.shape[1] != 3 or 0 in batch.shape:
        raise BadInput(f"{name} has shape {list(tensor.shape)}, expected ({order}) or (B, {order})")
    if not (batch.is_floating_point() or batch.dtype == torch.uint8):
        raise BadInput(f"{name} has the type {tensor.dtype}, expected uint8, or floats in [0, 1]")
    if batch.is_floating_point():
        check_range(batch, name)
    return batch, SRGB


def tensor_of(array: NDArray[Any], name: str) -> Tensor:
    """The tensor of an array of any order of bytes; BadInput for a type that torch has not."""
    if array.dtype.kind == "f":  # torch has no foreign order of bytes, and 8 of them at most
        array = array.astype(f"f{min(array.dtype.itemsize, 8)}")
    try:
        return torch.from_numpy(np.require(array, requirements=("C", "W")))
    except TypeError:
        raise BadInput(
            f"{name} has the type {array.dtype}, expected uint8, or floats in [0, 1]"
        ) from None


def check_range(x: Tensor, name: str) -> None:
    """Raise BadInput for floats that are codes of 0 to 255, or of -1 to 1, or light above white."""
    low, high = (float(x) for x in x.detach().nan_to_num(0.0, 0.0, 0.0).aminmax())
    if low < -OVERSHOOT or high > 1 + OVERSHOOT:
        raise BadInput(f"{name} has values from {low:.4g} to {high:.4g}, expected floats in [0, 1]")


def like(x: Tensor, src: Picture, encoding: Encoding = SRGB) -> Picture:
    """(B, C, H, W) in [0, 1] as a picture or a batch of src's kind and type, on src's device.

    encoding: of colours; a PIL picture of them has its profile, which Pillow saves.
    """
    coloured = x.shape[1] > 1
    if isinstance(src, Tensor):
        x = (to_uint8(x) if src.dtype == torch.uint8 else x).to(src.device, src.dtype)
        return x if src.ndim == 4 else x[0]
    as_bytes = isinstance(src, Image.Image) or src.dtype == np.uint8
    array = (to_uint8(x) if as_bytes else x).movedim(1, -1).cpu().numpy()
    array = array[..., 0] if array.shape[-1] == 1 else array
    if isinstance(src, Image.Image):
        picture = Image.fromarray(array[0])
        if coloured and (profile := profile_of(encoding)):
            picture.info["icc_profile"] = profile
        return picture
    return (array if src.ndim == 4 else array[0]).astype(src.dtype)


def with_fixed_plate(frame: Frame, align: bool | str, exposure: bool) -> Frame:
    """The frame with its plate moved onto the shot and exposed as it, as predict.py does."""
    for fix in plate_fixes(align, exposure):
        frame = frame._replace(bgr=fix(frame)[0])
    return frame
