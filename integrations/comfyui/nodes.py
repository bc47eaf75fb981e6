"""ComfyUI nodes over `bgm.matte`: load a network, matte, a plate out of a batch, a report.

IMAGE is (B, H, W, C) in [0, 1], MASK is (B, H, W) in [0, 1], 1 on the subject.
"""

import warnings
from collections.abc import Callable
from math import ceil

import torch
from torch import Tensor

import bgm
from bgm.errors import BadInput
from bgm.infer.frame import undefined_numbers
from bgm.infer.models import AUTO, Model, open_model
from bgm.infer.plate.exposure import MISMATCH, mismatch
from bgm.infer.plate.median import median_plate
from bgm.ops import composite
from bgm.pictures import to_uint8
from bgm.pictures.deep import finite

try:  # inside ComfyUI; the nodes run without it as well
    from comfy.utils import ProgressBar
except ImportError:
    ProgressBar = None

CATEGORY = "bgm"
MODEL = "BGM_MODEL"
MEGABYTE = 1_000_000
# What one pixel of one picture costs in `bgm.matte`: 65 to 270 measured (docs/comfyui.md).
BYTES_A_PIXEL = 300
MEMORY = ("INT", {"default": 2000, "min": 1, "max": 1_000_000, "tooltip": "MB, work of one pass"})


class BgmLoadModel:
    """A network: one that comes with bgm, a file, or hf:owner/name."""

    CATEGORY = CATEGORY
    FUNCTION = "load"
    RETURN_TYPES = (MODEL,)
    RETURN_NAMES = ("model",)

    @classmethod
    def INPUT_TYPES(cls) -> dict:
        scale = {"default": 0.0, "min": 0.0, "max": 0.5, "step": 0.01, "tooltip": "0: by itself"}
        return {
            "required": {
                "model": (
                    "STRING",
                    {"default": "efficientnet_lite0", "tooltip": "name, file, hf:..."},
                ),
                "device": (["auto", "cpu", "cuda", "mps"], {"default": "auto"}),
                "backbone_scale": ("FLOAT", scale),
            }
        }

    def load(self, model: str, device: str, backbone_scale: float) -> tuple[Model]:
        name = model.strip()
        return (open_model(name, device=device, backbone_scale=backbone_scale or AUTO),)


class BgmMatte:
    """Shots and their plate to composites, alpha and foreground, a few pictures at a time."""

    CATEGORY = CATEGORY
    FUNCTION = "matte"
    RETURN_TYPES = ("IMAGE", "MASK", "IMAGE")
    RETURN_NAMES = ("image", "mask", "foreground")

    @classmethod
    def INPUT_TYPES(cls) -> dict:
        return {
            "required": {
                "model": (MODEL,),
                "images": ("IMAGE", {"tooltip": "the shots"}),
                "plate": ("IMAGE", {"tooltip": "the empty place: one picture, or one a shot"}),
                "align": ("BOOLEAN", {"default": False, "tooltip": "move the plate onto the shot"}),
                "exposure": ("BOOLEAN", {"default": False, "tooltip": "expose it as the shot"}),
                "memory_mb": MEMORY,
            },
            "optional": {"background": ("IMAGE", {"tooltip": "behind the image; else black"})},
        }

    def matte(
        self,
        model: Model,
        images: Tensor,
        plate: Tensor,
        align: bool,
        exposure: bool,
        memory_mb: int,
        background: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """image (B, H, W, 3) is the foreground over the background, or over black."""
        if not isinstance(model, Model | torch.nn.Module):
            raise BadInput(f"model is a {type(model).__name__}, expected what BgmLoadModel gives")
        images, plate = to_rgb(images, "images"), fitting(to_rgb(plate, "plate"), images, "plate")
        behind = torch.zeros_like(images[:1])
        if background is not None:
            behind = fitting(to_rgb(background, "background"), images, "background")
        image, foreground = torch.empty_like(images), torch.empty_like(images)
        mask = images.new_empty(images.shape[:3])
        shown, plate = up_to_white(images, "images"), up_to_white(plate, "plate")
        step, advance = pictures_at_once(images, memory_mb), progress(len(images))
        for start in range(0, len(images), step):
            part = slice(start, start + step)
            shots, plates = channels_first(shown[part]), channels_first(of_part(plate, part))
            found = bgm.matte(model, shots, plates, align=align, exposure=exposure)
            com = composite(found.fgr, found.pha, channels_first(of_part(behind, part)))
            image[part], foreground[part] = com.movedim(1, -1), found.fgr.movedim(1, -1)
            mask[part] = found.pha[:, 0]
            advance(len(shots))
        return image, mask, foreground


class BgmPlateFromBatch:
    """A plate out of shots of a standing camera: the median of every pixel."""

    CATEGORY = CATEGORY
    FUNCTION = "plate"
    RETURN_TYPES = ("IMAGE",)
    RETURN_NAMES = ("plate",)

    @classmethod
    def INPUT_TYPES(cls) -> dict:
        return {"required": {"images": ("IMAGE",), "memory_mb": MEMORY}}

    def plate(self, images: Tensor, memory_mb: int) -> tuple[Tensor]:
        shots = to_rgb(images, "images").movedim(-1, 1)
        if memory_mb < 1:
            raise BadInput(f"memory_mb is {memory_mb}, expected 1 or more")
        return (median_plate(shots, memory_mb * MEGABYTE)[None].movedim(1, -1),)


class BgmReport:
    """What is likely to go wrong, in words: a plate that does not fit, mattes that are empty."""

    CATEGORY = CATEGORY
    FUNCTION = "report"
    RETURN_TYPES = ("STRING",)
    RETURN_NAMES = ("report",)
    OUTPUT_NODE = True

    @classmethod
    def INPUT_TYPES(cls) -> dict:
        return {"required": {"images": ("IMAGE",), "plate": ("IMAGE",), "mask": ("MASK",)}}

    def report(self, images: Tensor, plate: Tensor, mask: Tensor) -> dict:
        images, plate = to_rgb(images, "images"), fitting(to_rgb(plate, "plate"), images, "plate")
        if not isinstance(mask, Tensor):
            raise BadInput(f"mask is a {type(mask).__name__}, expected a MASK (B, H, W)")
        if not (mask.min() >= 0 and mask.max() <= 1):
            raise BadInput(f"mask goes from {mask.min():g} to {mask.max():g}, expected 0 to 1")
        if mask.shape != images.shape[:3]:
            image = ", an IMAGE: put ImageToMask before it" if mask.ndim == 4 else ""
            raise BadInput(f"mask is {list(mask.shape)}, expected {list(images.shape[:3])}{image}")
        lines = [f"bgm {bgm.__version__}, {len(images)} pictures of {size(images)}"]
        for number, shot in enumerate(images):
            bgr = plate[number if len(plate) > 1 else 0]
            off = mismatch(*(to_uint8(x.movedim(-1, 0)) for x in (shot, bgr)))
            inside = float((mask[number] > 0.5).float().mean())
            soft = float(((mask[number] > 0.05) & (mask[number] < 0.95)).float().mean())
            line = f"{number}: subject {inside:.1%}, soft {soft:.1%}, plate off by {off:.2f}"
            if off > MISMATCH:
                line += f" (expected at most {MISMATCH}): is it of this scene? try align, exposure"
            lines.append(line)
        text = "\n".join(lines)
        return {"ui": {"text": [text]}, "result": (text,)}


def to_rgb(x: Tensor, name: str) -> Tensor:
    """An IMAGE as (B, H, W, 3); BadInput, in one sentence, for a MASK and for no pixels."""
    if not isinstance(x, Tensor) or x.ndim not in (3, 4):
        raise BadInput(f"{name} is no IMAGE (B, H, W, 3)")
    if x.ndim == 3:
        raise BadInput(
            f"{name} is {list(x.shape)}, a MASK (B, H, W), expected an IMAGE (B, H, W, 3): put"
            " MaskToImage before it if that is meant"
        )
    if 0 in x.shape:
        raise BadInput(f"{name} has {len(x)} pictures of {size(x)}: there is nothing to matte")
    if x.shape[3] not in (3, 4):
        raise BadInput(f"{name} has {x.shape[3]} channels, expected RGB, or RGB and alpha")
    if not x.is_floating_point():
        raise BadInput(f"{name} has the type {x.dtype}, expected floats in [0, 1]")
    x = x[..., :3]
    found, count = finite(x.movedim(-1, 0))
    if count:
        warnings.warn(undefined_numbers(name, count), stacklevel=3)
        x = found.movedim(0, -1)
    if (x > 1).float().mean() > 0.5:  # some are light above white, most are codes
        raise BadInput(f"{name} has values up to {x.max():.0f}, most above 1: expected [0, 1]")
    return x


def up_to_white(x: Tensor, name: str) -> Tensor:
    """x without light above white, which `bgm.matte` refuses in floats; a warning counts it."""
    if count := int((x > 1).any(-1).sum()):
        warnings.warn(f"{count} pixels of the {name} are above 1: taken as 1", stacklevel=3)
    return x.clamp(max=1) if count else x


def fitting(x: Tensor, images: Tensor, name: str) -> Tensor:
    """x, where it has the size of the images, and is one picture or as many."""
    if x.shape[1:3] != images.shape[1:3] or len(x) not in (1, len(images)):
        raise BadInput(
            f"{name} has {len(x)} pictures of {size(x)}, the images are {len(images)} of"
            f" {size(images)}: expected one size, and one picture or as many"
        )
    return x


def pictures_at_once(images: Tensor, memory_mb: int) -> int:
    """How many pictures the memory allows; BadInput where it allows none."""
    one = ceil(BYTES_A_PIXEL * images.shape[1] * images.shape[2] / MEGABYTE)
    if memory_mb < one:
        raise BadInput(f"memory_mb is {memory_mb}, one picture of {size(images)} takes {one}")
    return memory_mb // one


def progress(total: int) -> Callable[[int], object]:
    """ComfyUI's progress bar, which also stops the node when the user cancels."""
    return (lambda count: None) if ProgressBar is None else ProgressBar(total).update


def of_part(x: Tensor, part: slice) -> Tensor:
    """The pictures of a part; the only one where there is one for all."""
    return x if len(x) == 1 else x[part]


def channels_first(x: Tensor) -> Tensor:
    """(B, H, W, C) as (B, C, H, W)."""
    return x.movedim(-1, 1)


def size(x: Tensor) -> str:
    """Width and height of (B, H, W, C)."""
    return f"{x.shape[2]}x{x.shape[1]}"


NODE_CLASS_MAPPINGS = {
    "BgmLoadModel": BgmLoadModel,
    "BgmMatte": BgmMatte,
    "BgmPlateFromBatch": BgmPlateFromBatch,
    "BgmReport": BgmReport,
}
NODE_DISPLAY_NAME_MAPPINGS = {
    "BgmLoadModel": "Load matting network (bgm)",
    "BgmMatte": "Background matting (bgm)",
    "BgmPlateFromBatch": "Plate from a batch (bgm)",
    "BgmReport": "Matting report (bgm)",
}
