"""Named protocols: which metrics, over which pixels, on which scale."""

from collections.abc import Collection
from typing import Any, Literal, NamedTuple

import numpy as np

from bgm.errors import BadInput
from bgm.metrics.arrays import Mask, Pair, colour, matte_pair, to_pair, trimap_array
from bgm.metrics.gradient_connectivity import Order
from bgm.metrics.metric import METRICS, Metric, MetricInput

Scale = Literal["native", "table"]


class Protocol(NamedTuple):
    """What a protocol counts: pixels, tie rule of conn, and rows of the list of metrics."""

    region: Literal["unknown", "frame"]
    order: Order
    multiple: int  # its folder script crops height and width to multiples of this
    native: dict[str, float] | None  # metric -> scale of its own scripts; None: every row
    table: dict[str, float]  # the scales of the tables in papers, where they differ


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
        | {"dtssd": 1e2, "dtssd_pairs": 1e2},
        {},
    ),
    # rvm with the sad that everybody else prints, and what else is in the list of metrics but of
    # no other protocol: the default of eval.py
    "frame": Protocol("frame", "rows", 1, None, {}),
}
_NOT_IN_FRAME = ("fg_mse", "dtssd", "dtssd_pairs")  # other protocols' own


def find_protocol(name: str) -> Protocol:
    """Look a protocol up by name; BadInput names the known ones."""
    if name not in PROTOCOLS:
        raise BadInput(f"protocol {name!r} is unknown, expected one of {', '.join(PROTOCOLS)}")
    return PROTOCOLS[name]


def metrics_of(protocol: str = "frame", scale: Scale = "native") -> dict[str, Metric]:
    """The rows of a protocol by name, on its scale; the first one is what pictures are ranked by.

    Raises BadInput for an unknown protocol or scale.
    """
    chosen = find_protocol(protocol)
    if scale not in ("native", "table"):
        raise BadInput(f"scale {scale!r} is unknown, expected native or table")
    if chosen.native is None:
        return {name: row for name, row in METRICS.items() if name not in _NOT_IN_FRAME}
    factors = chosen.native | (chosen.table if scale == "table" else {})
    return {name: METRICS[name]._replace(scale=factor) for name, factor in factors.items()}


def score(
    pred: Any,
    true: Any,
    trimap: Any = None,
    *,
    protocol: str = "frame",
    fgr_pred: Any = None,
    fgr_true: Any = None,
    before: tuple[Any, Any] | None = None,
    scale: Scale = "native",
    grad_normalise: bool = True,
    mask_known: bool = False,
    only: Collection[str] | None = None,
) -> dict[str, float]:
    """Score one matte against the truth by a named protocol: {"mad": 4.2, "mse": ...}.

    All pictures may be numpy arrays, torch tensors or PIL pictures. pred, true: (H, W), uint8 in
    0..255 or float in [0, 1], leading axes of length 1 allowed, of PIL pictures the alpha channel
    if they have one. fgr_pred, fgr_true: foreground colours, (H, W, 3) or (3, H, W), both or
    neither; they add the metrics of foregrounds. trimap: (H, W) integers, 128 is unknown.
    protocol: "frame" counts all pixels; "rvm" does so as RobustVideoMatting; "bgmv2" counts where
    the trimap is unknown, as BackgroundMattingV2 (mse is NaN where nothing is). Pictures are
    neither cropped nor skipped. before: (pred, true) of the frame before this one in a clip, for
    the metrics over time, which only rvm has.
    Habits of others: scale="table" as papers print (`metrics_of` has the scales);
    grad_normalise=False leaves out the scaling by minimum and maximum (RobustVideoMatting's
    evaluate_hr.py); mask_known=True overwrites pred by the trimap where that is 0 or 255 (mmagic).
    only: compute no other metrics than these.
    Raises BadInput, a ValueError, naming what was found and expected.
    """
    rows = metrics_of(protocol, scale)
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
    fgr = _foregrounds(fgr_pred, fgr_true, pair.true.shape)
    earlier = None if before is None else matte_pair(*before)
    mattes = MetricInput(pair, mask, fgr, earlier, chosen.order, grad_normalise)
    there = {"pha": True, "fgr": fgr is not None, "before": earlier is not None}
    return {
        name: row.function(mattes) * row.scale
        for name, row in rows.items()
        if there[row.needs] and (only is None or name in only)
    }


def _foregrounds(pred: Any, true: Any, size: tuple[int, int]) -> Pair | None:
    if pred is None and true is None:
        return None
    if pred is None or true is None:
        missing = "fgr_pred" if pred is None else "fgr_true"
        raise BadInput(f"{missing} is missing: give both foregrounds or neither")
    return to_pair(colour(pred, "fgr_pred", size), colour(true, "fgr_true", size))


def _overwrite(pair: Pair, trimap: np.ndarray) -> np.ndarray:
    pred = pair.pred.copy()
    pred[trimap == 0] = 0
    pred[trimap == 255] = pair.one
    return pred
