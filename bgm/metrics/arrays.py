"""Mattes as checked arrays of 8 bits or floats, and sums of their differences."""

import math
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from bgm.errors import BadInput

_BEYOND = 1e-3  # how far a float may leave [0, 1] before it is taken for a picture in 0..255


class Pair(NamedTuple):
    """Prediction and truth in one type, uint8 (one = 255) or float64 (one = 1)."""

    pred: NDArray[Any]
    true: NDArray[Any]
    one: int


def to_array(x: Any, name: str) -> NDArray[Any]:
    """Return an array, tensor or PIL picture as contiguous uint8 in 0..255 or float in [0, 1].

    Floats that are all exactly n/255 become uint8: such a picture is an 8-bit file that was read
    as float, and integers are summed without rounding. Raises BadInput for other types, for NaN
    and infinity, and for floats outside [0, 1].
    """
    if isinstance(x, torch.Tensor):
        x = x.detach().cpu()
        x = (x.float() if x.dtype == torch.bfloat16 else x).numpy()  # numpy has no bfloat16
    elif isinstance(x, Image.Image) and x.mode.startswith("I"):  # 16 bits
        x = np.asarray(x) / 65535
    x = np.ascontiguousarray(x)
    if x.size == 0:
        raise BadInput(f"{name} of shape {x.shape} holds no pixel")
    if x.dtype == np.uint8:
        return x
    if x.dtype.kind != "f":
        raise BadInput(f"{name} is {x.dtype}, expected uint8 in 0..255 or float in [0, 1]")
    low, high = float(x.min()), float(x.max())  # both are NaN if one value is
    if not np.isfinite(low + high):
        raise BadInput(
            f"{name} holds {int((~np.isfinite(x)).sum())} values that are NaN or infinite"
        )
    if low < -_BEYOND or high > 1 + _BEYOND:
        raise BadInput(f"{name} is float in [{low:.6g}, {high:.6g}], expected float in [0, 1]")
    levels = _eight_bit(x)
    return x if levels is None else levels


def _eight_bit(x: NDArray[Any]) -> NDArray[np.uint8] | None:
    exact = np.arange(256, dtype=x.dtype) / x.dtype.type(255)
    for part in (x.reshape(-1)[: 1 << 16], x):  # a network's output is told apart by the first one
        levels = np.rint(part * x.dtype.type(255)).clip(0, 255).astype(np.uint8)
        if not np.array_equal(exact[levels], part):
            return None
    return levels


def to_pair(pred: NDArray[Any], true: NDArray[Any]) -> Pair:
    """Bring two arrays from `to_array` to one type: uint8 if both are, else float64 in [0, 1]."""
    if pred.dtype == true.dtype == np.uint8:
        return Pair(pred, true, 255)
    return Pair(_to_float(pred), _to_float(true), 1)


def _to_float(x: NDArray[Any]) -> NDArray[np.float64]:
    return x / 255.0 if x.dtype == np.uint8 else x.astype(np.float64)


def matte_pair(pred: Any, true: Any) -> Pair:
    """Check two mattes (H, W), uint8 or float, and bring them to one type; BadInput names sizes.

    Leading axes of length 1 are taken off; of a PIL picture with an alpha channel, that counts.
    """
    arrays = [_matte(pred, "pred"), _matte(true, "true")]
    if arrays[0].shape != arrays[1].shape:
        raise BadInput(f"pred {arrays[0].shape} and true {arrays[1].shape} differ in size (H, W)")
    return to_pair(*arrays)


def _matte(x: Any, name: str) -> NDArray[Any]:
    if isinstance(x, Image.Image):
        x = x.convert("L") if x.mode in ("1", "P") else x
        x = x.getchannel("A") if "A" in x.getbands() else x
    x = to_array(x, name)
    while x.ndim > 2 and x.shape[0] == 1:
        x = x[0]
    if x.ndim != 2:
        raise BadInput(f"{name} has shape {x.shape}, expected (H, W)")
    return x


def colour(x: Any, name: str, size: tuple[int, int] | None = None) -> NDArray[Any]:
    """Check a colour picture (H, W, 3) or (3, H, W), uint8 or float; return it as (H, W, 3).

    With size = (H, W), any other size is BadInput.
    """
    x = to_array(x.convert("RGB") if isinstance(x, Image.Image) else x, name)
    expected = "(H, W, 3)" if size is None else f"{(*size, 3)}"
    if x.ndim == 3 and x.shape[2] != 3 and x.shape[0] == 3:
        x = np.ascontiguousarray(x.transpose(1, 2, 0))
    if x.ndim != 3 or x.shape[2] != 3 or (size is not None and x.shape[:2] != size):
        raise BadInput(f"{name} has shape {x.shape}, expected {expected}")
    return x


def trimap_array(x: Any, size: tuple[int, int]) -> NDArray[Any]:
    """Check a trimap (H, W) of integers, 0 known background, 128 unknown, 255 known foreground."""
    x = np.ascontiguousarray(x.cpu() if isinstance(x, torch.Tensor) else x)
    if x.dtype.kind not in "iu":
        raise BadInput(f"trimap is {x.dtype}, expected integers where 128 is unknown")
    if x.shape != size:
        raise BadInput(f"trimap {x.shape} and true {size} differ in size (H, W)")
    return x


Mask = NDArray[np.uint8] | None  # (H, W), counts where it is not 0; None counts everywhere


def count(pair: Pair, mask: Mask) -> int:
    """Number of pixels that count."""
    H, W = pair.true.shape[:2]
    return H * W if mask is None else cv2.countNonZero(mask)


def absolute(pair: Pair, mask: Mask = None) -> float:
    """Sum of |pred - true| over pixels (and channels), in units of [0, 1]; exact for uint8."""
    return cv2.norm(pair.pred, pair.true, cv2.NORM_L1, mask) / pair.one


def squared(pair: Pair, mask: Mask = None) -> float:
    """Sum of (pred - true)^2 over pixels (and channels), in units of [0, 1]; exact for uint8."""
    return cv2.norm(pair.pred, pair.true, cv2.NORM_L2SQR, mask) / pair.one**2


def foreground(pair: Pair, mask: Mask) -> NDArray[np.uint8]:
    """Where colours count: inside the mask, where anything of the subject is seen (true > 0)."""
    seen = (pair.true > 0).view(np.uint8)
    return seen if mask is None else seen & mask


def ratio(total: float, number: int) -> float:
    """total / number, and NaN where nothing was counted."""
    return total / number if number else math.nan


def change(before: Pair, now: Pair) -> float:
    """Plain dtSSD of a frame and the one before it: RMS of how much the error has changed.

    sqrt(mean(((p_i - p_{i-1}) - (t_i - t_{i-1}))^2)). Raises BadInput for frames of two sizes.
    Source: Erofeev et al. 2015, as counted by RobustVideoMatting (Lin et al. 2022).
    """
    if before.true.shape != now.true.shape:
        raise BadInput(f"frames of sizes {before.true.shape} and {now.true.shape} in one sequence")
    # one frame may happen to hold 8-bit values only: then both are counted as floats
    one = now.one if before.one == now.one else 1
    errors = [_error(pair, one) for pair in (before, now)]
    return math.sqrt(cv2.norm(errors[1], errors[0], cv2.NORM_L2SQR) / now.true.size) / one


def _error(pair: Pair, one: int) -> NDArray[Any]:
    if one == 255:
        return pair.pred.astype(np.int16) - pair.true.astype(np.int16)
    return pair.pred / float(pair.one) - pair.true / float(pair.one)
