"""The named tuples that flow through the house: Sample -> Batch -> Coarse -> Refined."""

from typing import NamedTuple

from torch import Tensor


class Sample(NamedTuple):
    """One subject and one background, not composed yet (batched: a leading B on every field).

    uint8 in 0..255 as read from files, or float in [0, 1]. The three pictures need not have the
    same size; within a batch each field has one size.
    """

    pha: Tensor  # (1, Hf, Wf)
    fgr: Tensor  # (3, Hf, Wf)
    bgr: Tensor  # (3, Hb, Wb)
    has_fgr: Tensor  # () bool: fgr is the true foreground colour, the fgr loss may use it
    draw: Tensor  # () int64: epoch * len + index; every random choice is a function of (seed, draw)


class Batch(NamedTuple):
    """What a network trains on and is scored on; float in [0, 1], all of one height and width."""

    src: Tensor  # (B, 3, H, W)
    bgr: Tensor  # (B, 3, H, W)
    pha: Tensor  # (B, 1, H, W)
    fgr: Tensor  # (B, 3, H, W)
    has_fgr: Tensor  # (B,) bool


class Coarse(NamedTuple):
    """Outputs of the base network, at the size it was given."""

    pha: Tensor  # (B, 1, H, W) in [0, 1]
    fgr: Tensor  # (B, 3, H, W) in [0, 1]; from MattingBase.residual: fgr - src
    err: Tensor  # (B, 1, H, W) in [0, 1]
    hid: Tensor  # (B, 32, H, W) >= 0


class Refined(NamedTuple):
    """Outputs of the refined network; the fields are the names of an exported file's outputs."""

    pha: Tensor  # (B, 1, H, W) in [0, 1]
    fgr: Tensor  # (B, 3, H, W) in [0, 1]
    pha_sm: Tensor  # (B, 1, Hc, Wc) in [0, 1]
    fgr_sm: Tensor  # (B, 3, Hc, Wc) in [0, 1]
    err_sm: Tensor  # (B, 1, Hc, Wc) in [0, 1]
    ref_sm: Tensor  # (B, 1, H/4, W/4) in {0, 1}
