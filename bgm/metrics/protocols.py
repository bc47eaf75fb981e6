"""Named protocols: which metrics, over which pixels, on which scale."""

from collections.abc import Collection
from typing import Any, Literal, NamedTuple

import numpy as np

from bgm.errors import BadInput
from bgm.metrics.arrays import Pair, colour, matte_pair, to_pair, trimap_array
from bgm.metrics.components import Order
from bgm.metrics.conn import connectivity_error
from bgm.metrics.functional import Mask, absolute, count, ratio, squared
from bgm.metrics.grad import gradient_error

Scale = Literal["native", "table"]


class Protocol(NamedTuple):
    """What a protocol counts: pixels, tie rule of conn, and metric -> factor on the plain value.

    Plain values: mad, mse, fg_mse, fgr_* are means over pixels of values in 0..1; sad, grad and
    conn are sums over pixels.
    """

    region: Literal["unknown", "frame"]
    order: Order
    multiple: int  # its folder script crops height and width to multiples of this
    native: dict[str, float]  # the factors of the protocol's own scripts
    table: dict[str, float]  # the factors of the tables in papers, where they differ


PROTOCOLS = {
    # BackgroundMattingV2, eval/*.m; its tables print MSE x1e3 and leave grad and conn as sums
    "bgmv2": Protocol(
        "unknown",
        "columns",
        4,
        {"mse": 1.0, "sad": 1e-3, "grad": 1.0, "conn": 1.0, "fg_mse": 1.0},
        {"mse": 1e3, "fg_mse": 1e3},
    ),
    # RobustVideoMatting, evaluate_lr.py; its tables print what the script prints
    "rvm": Protocol(
        "frame",
        "rows",
        1,
        {"mad": 1e3, "mse": 1e3, "grad": 1e-3, "conn": 1e-3, "fgr_mse": 1e3, "fgr_mad": 1e3}
        | {"dtssd": 1e2, "dtssd_pairs": 1e2},  # of clips; `dtssd` computes them, `score` does not
        {},
    ),
    # rvm with the sad that everybody else prints: the default of eval.py
    "frame": Protocol(
        "frame",
        "rows",
        1,
        {
            "mad": 1e3,
            "mse": 1e3,
            "sad": 1e-3,
            "grad": 1e-3,
            "conn": 1e-3,
            "fgr_mse": 1e3,
            "fgr_mad": 1e3,
        },
        {},
    ),
}


def find_protocol(name: str) -> Protocol:
    """Look a protocol up by name; BadInput names the known ones."""
    if name not in PROTOCOLS:
        raise BadInput(f"protocol {name!r} is unknown, expected one of {', '.join(PROTOCOLS)}")
    return PROTOCOLS[name]


def scales(protocol: str = "bgmv2", scale: Scale = "native") -> dict[str, float]:
    """Metric -> factor by which `score` multiplies the plain value (mean in 0..1, or sum)."""
    found = find_protocol(protocol)
    if scale not in ("native", "table"):
        raise BadInput(f"scale {scale!r} is unknown, expected native or table")
    return found.native | (found.table if scale == "table" else {})


def scale_label(factor: float) -> str:
    """A factor as printed beside a number: "x1e3", "/1000" or "x1"."""
    if factor == 1:
        return "x1"
    return f"/{round(1 / factor)}" if factor < 1 else f"x1e{round(np.log10(factor))}"


def score(
    pred: Any,
    true: Any,
    trimap: Any = None,
    *,
    protocol: str = "bgmv2",
    fgr_pred: Any = None,
    fgr_true: Any = None,
    scale: Scale = "native",
    grad_normalise: bool = True,
    mask_known: bool = False,
    only: Collection[str] | None = None,
) -> dict[str, float]:
    """Score one matte by a named protocol; neither crops nor skips.

    pred, true: (H, W), uint8 in 0..255 or float in [0, 1] (arrays or tensors). trimap: (H, W)
    integers, 128 is unknown; bgmv2 needs it and counts only there (mse is NaN where nothing is
    unknown), the others ignore it. fgr_pred, fgr_true: (H, W, 3) or (3, H, W), both or neither;
    they add fg_mse (bgmv2) or fgr_mse and fgr_mad, over pixels with true > 0.
    Habits of others: scale="table" as papers print (`scales` has the factors); grad_normalise=False
    leaves out the scaling by minimum and maximum (RobustVideoMatting's evaluate_hr.py);
    mask_known=True overwrites pred by the trimap where that is 0 or 255 (mmagic).
    only: compute no other metrics of the matte than these; foregrounds are always counted.
    Raises BadInput, a ValueError, naming what was found and expected. Source: SPEC section 7.
    """
    factors = scales(protocol, scale)
    chosen = find_protocol(protocol)
    pair = matte_pair(pred, true)
    known = None if trimap is None else trimap_array(trimap, pair.true.shape)
    if known is None and (chosen.region == "unknown" or mask_known):
        why = "mask_known" if chosen.region == "frame" else f"protocol {protocol}"
        raise BadInput(f"{why} needs a trimap (128 where the matte is unknown), got none")
    mask: Mask = None
    if known is not None:
        pair = pair._replace(pred=_overwrite(pair, known)) if mask_known else pair
        mask = np.equal(known, 128).view(np.uint8) if chosen.region == "unknown" else None
    wanted = [m for m in factors if only is None or m in only]
    plain = _matte(pair, mask, chosen.order, grad_normalise, wanted)
    plain |= _foreground(fgr_pred, fgr_true, pair, mask)
    return {name: plain[name] * factor for name, factor in factors.items() if name in plain}


def _matte(
    pair: Pair, mask: Mask, order: Order, grad_normalise: bool, wanted: list[str]
) -> dict[str, float]:
    number = count(pair, mask)
    ways = {
        "mad": lambda: ratio(absolute(pair, mask), number),
        "mse": lambda: ratio(squared(pair, mask), number),
        "sad": lambda: absolute(pair, mask),
        "grad": lambda: gradient_error(pair, mask, normalise=grad_normalise),
        "conn": lambda: connectivity_error(pair, mask, order=order),
    }
    return {metric: way() for metric, way in ways.items() if metric in wanted}


def _foreground(fgr_pred: Any, fgr_true: Any, pair: Pair, mask: Mask) -> dict[str, float]:
    if fgr_pred is None and fgr_true is None:
        return {}
    if fgr_pred is None or fgr_true is None:
        missing = "fgr_pred" if fgr_pred is None else "fgr_true"
        raise BadInput(f"{missing} is missing: give both foregrounds or neither")
    size = pair.true.shape
    fgr = to_pair(colour(fgr_pred, "fgr_pred", size), colour(fgr_true, "fgr_true", size))
    seen = (pair.true > 0).view(np.uint8)
    if mask is not None:
        seen = seen & mask
    channels = 3
    covered = count(pair, seen) * channels
    total = squared(fgr, seen)
    return {
        "fg_mse": ratio(total, count(pair, mask) * channels),  # bgmv2 divides by the unknown area
        "fgr_mse": ratio(total, covered),
        "fgr_mad": ratio(absolute(fgr, seen), covered),
    }


def _overwrite(pair: Pair, trimap: np.ndarray) -> np.ndarray:
    pred = pair.pred.copy()
    pred[trimap == 0] = 0
    pred[trimap == 255] = pair.one
    return pred
