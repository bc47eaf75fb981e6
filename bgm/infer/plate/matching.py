"""Points of a plate found again in its shot: ORB features, then optical flow, and a homography."""

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

NOISE = 4.0  # levels; contrast below this is not amplified
ORB_SMALLEST = 32  # px; ORB leaves a border of 31 px out, and fails on pyramids of nothing
ORB_SIDE = 1024  # px; ORB runs on pictures of at most this side, the flow refines at full size

Points = tuple[NDArray[np.float32], NDArray[np.float32]]  # (N, 2) in the plate, (N, 2) in the shot
NO_POINTS: Points = (np.zeros((0, 2), np.float32), np.zeros((0, 2), np.float32))


def texture(x: Tensor) -> NDArray[np.uint8]:
    """Gray (H, W) with its local mean and contrast taken out: flow compares plain levels."""
    gray = cv2.cvtColor(np.ascontiguousarray(x.permute(1, 2, 0).cpu().numpy()), cv2.COLOR_RGB2GRAY)
    gray = cv2.GaussianBlur(gray.astype(np.float32), (0, 0), 1.0)
    window = (2 * (max(gray.shape) // 50) + 1,) * 2
    mean = cv2.blur(gray, window)
    contrast = np.sqrt(np.maximum(cv2.blur(gray * gray, window) - mean * mean, 0))
    level = 128 + 48 * (gray - mean) / (contrast + NOISE)
    return np.clip(np.round(level), 0, 255).astype(np.uint8)


def orb_matches(plate: NDArray, shot: NDArray) -> Points:
    """Features that are each other's best partner, in full-size pixels."""
    if min(shot.shape) < ORB_SMALLEST:
        return NO_POINTS
    factor = min(1.0, ORB_SIDE / max(shot.shape))
    orb = cv2.ORB.create(nfeatures=4000, fastThreshold=7)
    size = [max(round(side * factor), 1) for side in reversed(shot.shape)]
    small = [cv2.resize(x, size, interpolation=cv2.INTER_AREA) for x in (plate, shot)]
    (k0, d0), (k1, d1) = (orb.detectAndCompute(x, None) for x in small)
    if d0 is None or d1 is None:
        return NO_POINTS
    matches = cv2.BFMatcher(cv2.NORM_HAMMING, crossCheck=True).match(d0, d1)
    scale = np.array([shot.shape[1] / size[0], shot.shape[0] / size[1]], np.float32)
    # Pixel centres: x + 0.5 scales, x does not.
    p, q = (
        (np.array([k[i].pt for i in index], np.float32).reshape(-1, 2) + 0.5) * scale - 0.5
        for k, index in ((k0, [m.queryIdx for m in matches]), (k1, [m.trainIdx for m in matches]))
    )
    return p, q


def flow_matches(plate: NDArray, shot: NDArray, found: NDArray) -> Points:
    """Follow corners of the moved plate into the shot (Lucas-Kanade) to a fraction of a pixel."""
    H, W = shot.shape
    moved = cv2.warpPerspective(plate, found, (W, H), flags=cv2.INTER_CUBIC)
    inside = cv2.warpPerspective(np.full_like(plate, 255), found, (W, H), flags=cv2.INTER_NEAREST)
    inside = cv2.erode(inside, np.ones((9, 9), np.uint8), borderValue=0)
    start = cv2.goodFeaturesToTrack(moved, 1500, 0.003, max(3, max(H, W) // 80), mask=inside)
    if start is None:
        return NO_POINTS
    there, ok, _ = follow(moved, shot, start)
    back, ok_back, _ = follow(shot, moved, there)
    good = (ok[:, 0] & ok_back[:, 0]).astype(bool)
    good &= np.linalg.norm((back - start)[:, 0], axis=1) < 0.3
    if not good.any():
        return NO_POINTS
    origin = cv2.perspectiveTransform(start[good], np.linalg.inv(found))
    return origin[:, 0].astype(np.float32), there[good][:, 0]


def follow(before: NDArray, after: NDArray, start: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """Where points (N, 1, 2) of one picture are in another, 1 (N, 1) if found, and the error."""
    there, ok, error = cv2.calcOpticalFlowPyrLK(
        before, after, start, np.zeros_like(start), winSize=(15, 15), maxLevel=2
    )
    return np.asarray(there), np.asarray(ok), np.asarray(error)


def homography(p: NDArray, q: NDArray, threshold: float) -> tuple[NDArray | None, Points]:
    """The homography p -> q and its inliers; None with fewer than 4 points or no agreement."""
    if len(p) < 4:
        return None, NO_POINTS
    found, agree = cv2.findHomography(p, q, cv2.USAC_MAGSAC, threshold, None, 5000, 0.999)
    if found is None or not np.isfinite(found).all():
        return None, NO_POINTS
    chosen = agree[:, 0].astype(bool)
    return found, (p[chosen], q[chosen])
