"""Bring a plate from a camera that moved onto the shot: ORB and RANSAC, then optical flow."""

from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bgm.infer.plate.matching import (
    ORB_SIDE,
    Points,
    flow_matches,
    homography,
    orb_matches,
    texture,
)

MIN_INLIERS = 20
MIN_SPREAD = 0.05  # share of the picture that the inliers' hull covers; less only extrapolates
MAX_MOVED = 0.25  # of the diagonal: a camera that moved further shows another scene
MAX_AREA_CHANGE = 2.0  # zoom and tilt of a camera that was meant to stand still
OUTLIER = 40  # levels of texture; a larger difference tells no more
STILL_PX = 0.5  # below this the plate is better off without being resampled


class Alignment(NamedTuple):
    """A plate after alignment and what was found on the way."""

    bgr: Tensor  # (3, H, W) uint8, the plate to use
    moved: float  # px, mean distance that the found homography moves the four corners; 0 if none
    inliers: int  # points that agree on the homography
    kept: bool  # True: bgr is the plate as it came
    reason: str  # one clause for the user: why it was kept, or how far it moved
    homography: NDArray[np.float64]  # (3, 3), plate px -> shot px; the identity if kept


def align(src: Tensor, bgr: Tensor) -> Alignment:
    """Map the plate onto the shot by one homography; outside of the plate copy src.

    src, bgr: (3, H, W) uint8 of one size, RGB. The subject's features find no partner in the plate
    or are outliers. The plate is kept when too few points agree, when the homography is not one of
    a camera that moved a little, or when the moved plate would fit the shot no better.
    """
    shot, plate = texture(src), texture(bgr)
    H, W = shot.shape
    points = orb_matches(plate, shot)
    found, inliers = homography(*points, threshold=3.0 * max(1.0, max(H, W) / ORB_SIDE))
    reason = _implausible(found, inliers, (H, W))
    if found is None or reason:
        return _keep(bgr, reason, len(inliers[0]))
    flow = flow_matches(plate, shot, found)
    refined, flowed = homography(*flow, threshold=1.0)
    if refined is not None and not _implausible(refined, flowed, (H, W)):
        found, inliers = refined, flowed
    moved, count = _moved(found, (H, W)), len(inliers[0])
    if moved < STILL_PX:
        return _keep(bgr, f"plate is aligned already ({moved:.2f} px)", count, moved)
    warped, inside = _warp(bgr, found)
    before, after = (_misfit(shot, x, inside) for x in (plate, texture(warped)))
    if after >= before:
        fits = f"moving it {moved:.1f} px fits no better ({after:.1f} against {before:.1f} levels)"
        return _keep(bgr, fits, count, moved)
    reason = f"plate moved {moved:.1f} px by {count} points"
    return Alignment(move(src, bgr, found), moved, count, False, reason, found)


def move(src: Tensor, bgr: Tensor, found: NDArray[np.float64]) -> Tensor:
    """The plate (3, H, W) uint8 or float through a homography found before; outside of it, src."""
    warped, inside = _warp(bgr, found)
    return torch.where(torch.from_numpy(inside), warped, src.cpu()).to(bgr.device)


def _keep(bgr: Tensor, reason: str, inliers: int, moved: float = 0.0) -> Alignment:
    return Alignment(bgr, moved, inliers, True, f"plate not moved: {reason}", np.eye(3))


def _corners(found: NDArray, size: tuple[int, int]) -> tuple[NDArray, NDArray]:
    H, W = size
    corners = np.array([[0, 0], [W - 1, 0], [W - 1, H - 1], [0, H - 1]], np.float32)
    return corners, np.asarray(cv2.perspectiveTransform(corners[None], found))[0]


def _moved(found: NDArray, size: tuple[int, int]) -> float:
    before, after = _corners(found, size)
    return float(np.linalg.norm(after - before, axis=1).mean())


def _implausible(found: NDArray | None, inliers: Points, size: tuple[int, int]) -> str:
    """Say why this is not a camera that moved a little; empty if it may be one."""
    H, W = size
    count = len(inliers[0])
    if found is None or count < MIN_INLIERS:
        return f"{count} points agree on a movement, at least {MIN_INLIERS} are needed"
    spread = cv2.contourArea(cv2.convexHull(inliers[1])) / (H * W)
    if spread < MIN_SPREAD:
        return f"its {count} points cover {spread:.1%} of the picture, {MIN_SPREAD:.0%} are needed"
    before, after = _corners(found, size)
    area = cv2.contourArea(after, oriented=True) / cv2.contourArea(before, oriented=True)
    moved = _moved(found, size) / np.hypot(H, W)
    bends = not cv2.isContourConvex(after) or not 1 / MAX_AREA_CHANGE < area < MAX_AREA_CHANGE
    if bends or moved > MAX_MOVED:
        return f"implausible movement ({moved:.0%} of the diagonal, area times {area:.2f})"
    return ""


def _warp(bgr: Tensor, found: NDArray) -> tuple[Tensor, NDArray[np.bool_]]:
    """The moved plate (3, H, W) and where (H, W) it has pixels of its own."""
    picture = np.ascontiguousarray(bgr.permute(1, 2, 0).cpu().numpy())
    H, W = picture.shape[:2]
    border = cv2.BORDER_REPLICATE
    warped = np.asarray(
        cv2.warpPerspective(picture, found, (W, H), flags=cv2.INTER_CUBIC, borderMode=border)
    )
    ones = np.ones((H, W), np.float32)
    inside = cv2.warpPerspective(ones, found, (W, H), flags=cv2.INTER_LINEAR) > 0.999
    return torch.from_numpy(warped.transpose(2, 0, 1).copy()), inside


def _misfit(shot: NDArray, plate: NDArray, inside: NDArray) -> float:
    """Mean absolute difference, cut off at `OUTLIER`: the subject costs the same either way."""
    difference = np.minimum(cv2.absdiff(shot, plate)[inside], OUTLIER)
    return float(difference.mean()) if difference.size else np.inf
