"""Bring a plate from a camera that moved onto the shot, if the two then agree better."""

from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bgm.infer.plate.agreement import Agreement, compare, misplaced
from bgm.infer.plate.registration import Detail, Matrix, Movement, register

MIN_CELLS = 12  # of 16 px that agree: fewer may be chance
MIN_COVERED = 0.02  # share of the picture that their hull covers; less only extrapolates
# Of the detail that is found again; the subject hides some of it. On 30 photographs with subjects
# right plates had 0.12 to 0.9, wrong ones at most 0.003 (benchmarks/alignment.py).
MIN_SHARE = 0.08
SURE_SHARE = 0.5  # of it from which a movement that was guessed is not searched for elsewhere
# Of the plate's parts, that lie elsewhere in the shot. On 49 drawn places and photographs right
# plates had at most 0.12, those off by 4 px, 1 degree or 2 % of zoom 0.18 to 1.
MAX_MISPLACED = 0.14
MAX_UNCERTAIN = 0.5  # px
MAX_MOVED = 0.15  # of the diagonal: a camera that moved further shows another scene
MAX_AREA_CHANGE = 1.5  # zoom and tilt of a camera that was meant to stand still
BETTER = 0.002  # by which the agreement has to rise
STILL_PX = 0.5  # below this the plate is better off without being resampled
SUBJECT = 0.08  # difference in [0, 1] at the moved plate's border from which a subject stands there


class Alignment(NamedTuple):
    """What was found of a camera's movement, and what it is good for."""

    homography: Matrix  # (3, 3), plate px -> shot px; the identity if unchanged
    moved: float  # px, mean distance that the found movement moves the four corners; 0 if none
    before: float  # 0 to 1, how well the detail agrees with the plate as it came
    after: float  # with the plate moved
    unchanged: bool  # True: the plate is better left as it came
    failed: bool  # True: no movement was found that can be trusted
    reason: str  # one clause for the user: why it stays, or how far it moved


def align(src: Tensor, bgr: Tensor, start: Matrix | None = None) -> Alignment:
    """Find the movement from a plate to its shot, behind a subject and under another exposure.

    src, bgr: (3, H, W) uint8 of one size, RGB. start: a movement that is known to be near, as that
    of the frame before. The plate is kept when little of its detail is found again, when parts
    of it would lie elsewhere, when the movement is not one of a camera that moved a little, when it
    is below `STILL_PX`, or when the moved plate agrees with the shot no better.
    """
    shot, plate = (_as_float(x) for x in (src, bgr))
    size = shot.shape[:2]
    before = compare(plate, shot, np.eye(3))
    movement, after = _search(plate, shot, start)
    if movement is None:
        return _keep(before, "the pictures have too little detail", failed=True)
    if reason := _doubtful(movement, after, size):
        return _keep(before, reason, failed=True)
    if (share := misplaced(plate, shot, movement.homography)) > MAX_MISPLACED:
        elsewhere = f"{share:.0%} of its parts would lie elsewhere in the shot"
        return _keep(before, f"no movement fits all of it ({elsewhere})", failed=True)
    moved = _moved(movement.homography, size)
    if moved < STILL_PX:
        here = f"it is aligned already ({moved:.2f} px, detail agrees to {before.mean:.0%})"
        return _keep(before, here, moved)
    if after.mean <= before.mean + BETTER:
        no_better = f"moving it {moved:.1f} px fits no better ({_both(before, after)})"
        return _keep(before, no_better, moved)
    return Alignment(
        movement.homography,
        moved,
        before.mean,
        after.mean,
        unchanged=False,
        failed=False,
        reason=f"plate moved {moved:.1f} px ({_both(before, after)})",
    )


def move(src: Tensor, bgr: Tensor, found: Matrix) -> Tensor:
    """The plate (3, H, W) uint8 or float through a movement found before.

    What the plate does not show is filled: with the shot, unless a subject reaches the place; there
    with the plate's own border, so that the subject is not cut off.
    """
    picture = np.ascontiguousarray(bgr.permute(1, 2, 0).cpu().numpy())
    H, W = picture.shape[:2]
    warped = np.asarray(
        cv2.warpPerspective(
            picture, found, (W, H), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
        )
    )
    inside = cv2.warpPerspective(np.ones((H, W), np.float32), found, (W, H)) > 0.999
    shot = np.ascontiguousarray(src.permute(1, 2, 0).cpu().numpy())
    if not inside.all() and inside.any():
        fill = ~inside & ~_subject_outside(shot, warped, inside)
        warped = np.where(fill[..., None], shot, warped)
    return torch.from_numpy(warped.transpose(2, 0, 1).copy()).to(bgr.device)


def _subject_outside(shot: NDArray, plate: NDArray, inside: NDArray) -> NDArray[np.bool_]:
    """Where (H, W), outside the plate, the nearest pixel of the plate differs from the shot."""
    scale = 255.0 if shot.dtype == np.uint8 else 1.0
    difference = np.abs(shot.astype(np.float32) - plate.astype(np.float32)).max(-1) / scale
    differs = cv2.blur(np.where(inside, difference, 0), (9, 9)) / np.maximum(
        cv2.blur(inside.astype(np.float32), (9, 9)), 1e-3
    )
    _, labels = cv2.distanceTransformWithLabels(
        (~inside).astype(np.uint8), cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL
    )
    at = np.zeros(int(labels.max()) + 1, np.float32)
    at[labels[inside]] = differs[inside]
    return (at[labels] > SUBJECT) & ~inside


def _search(plate: Detail, shot: Detail, start: Matrix | None) -> tuple[Movement | None, Agreement]:
    """The movement near start if that agrees well, else the best of all."""
    nothing = Agreement(0.0, 0.0, 0, 0.0)
    near = None if start is None else register(plate, shot, start)
    agrees = compare(plate, shot, near.homography) if near else nothing
    sure = agrees.share > SURE_SHARE and agrees.cells >= MIN_CELLS
    if near and sure and misplaced(plate, shot, near.homography) <= MAX_MISPLACED:
        return near, agrees
    far = register(plate, shot)
    if far is None:
        return near, agrees
    there = compare(plate, shot, far.homography)
    return (far, there) if near is None or there.mean > agrees.mean else (near, agrees)


def _as_float(x: Tensor) -> Detail:
    picture = x.permute(1, 2, 0).cpu().numpy().astype(np.float32)
    return np.ascontiguousarray(picture / np.float32(255))


def _both(before: Agreement, after: Agreement) -> str:
    return f"detail agrees to {after.mean:.0%}, before {before.mean:.0%}"


def _keep(before: Agreement, reason: str, moved: float = 0.0, failed: bool = False) -> Alignment:
    text = f"plate not moved: {reason}"
    return Alignment(np.eye(3), moved, before.mean, before.mean, True, failed, text)


def _corners(found: Matrix, size: tuple[int, int]) -> tuple[NDArray, NDArray]:
    H, W = size
    corners = np.array([[0, 0], [W - 1, 0], [W - 1, H - 1], [0, H - 1]], np.float32)
    return corners, np.asarray(cv2.perspectiveTransform(corners[None], found))[0]


def _moved(found: Matrix, size: tuple[int, int]) -> float:
    before, after = _corners(found, size)
    return float(np.linalg.norm(after - before, axis=1).mean())


def _doubtful(movement: Movement, after: Agreement, size: tuple[int, int]) -> str:
    """Say why this is not a camera that moved a little; empty if it may be one."""
    if after.cells < MIN_CELLS or after.share < MIN_SHARE or after.covered < MIN_COVERED:
        return (
            f"{after.share:.0%} of its detail is found again, on {after.covered:.0%} of the"
            f" picture; {MIN_SHARE:.0%} on {MIN_COVERED:.0%} are needed"
        )
    if movement.uncertainty > MAX_UNCERTAIN:
        return f"its place is uncertain by {movement.uncertainty:.1f} px"
    before, corners = _corners(movement.homography, size)
    area = cv2.contourArea(corners, oriented=True) / cv2.contourArea(before, oriented=True)
    moved = _moved(movement.homography, size) / np.hypot(*size)
    bends = not cv2.isContourConvex(corners) or not 1 / MAX_AREA_CHANGE < area < MAX_AREA_CHANGE
    if bends or moved > MAX_MOVED:
        return f"implausible movement ({moved:.0%} of the diagonal, area times {area:.2f})"
    return ""
