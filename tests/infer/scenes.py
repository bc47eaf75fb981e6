"""Textured scenes seen by a camera that moves, with a subject in front."""

import cv2
import numpy as np
import torch


def scene(H, W, seed=0):
    """Noise at several scales, (H, W, 3) uint8, with texture everywhere."""
    rng = np.random.default_rng(seed)
    total = np.zeros((H, W, 3), np.float32)
    for cell in (4, 9, 20, 60):
        coarse = rng.normal(size=(H // cell + 2, W // cell + 2, 3)).astype(np.float32)
        total += cv2.resize(coarse, (W, H), interpolation=cv2.INTER_CUBIC)
    return np.clip(128 + 28 * total, 0, 255).astype(np.uint8)


def moved_view(picture, homography, margin):
    """The part inside `margin` of a picture, and the same part after the camera moved."""
    H, W = picture.shape[:2]
    shift = np.array([[1, 0, margin], [0, 1, margin], [0, 0, 1.0]])
    around = shift @ homography @ np.linalg.inv(shift)
    seen = cv2.warpPerspective(picture, around, (W, H), flags=cv2.INTER_CUBIC)
    inner = np.s_[margin : H - margin, margin : W - margin]
    return tensor(picture[inner]), tensor(seen[inner])


def with_subject(shot, seed=1):
    """A third of the shot covered by a textured ellipse that is not in the plate."""
    H, W = shot.shape[-2:]
    mask = np.zeros((H, W), np.uint8)
    cv2.ellipse(mask, (W // 2, H * 2 // 3), (W // 4, H * 2 // 5), 0, 0, 360, 1, -1)
    subject = tensor(scene(H, W, seed))
    return torch.where(torch.from_numpy(mask).bool(), subject, shot)


def tensor(picture):
    return torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)))


def turn(H, W, px=(0.0, 0.0), degrees=0.0, scale=1.0, bend=0.0):
    """The homography that turns and scales about the centre, shifts and bends."""
    spin = np.vstack([cv2.getRotationMatrix2D((W / 2, H / 2), degrees, scale), [0, 0, 1]])
    return np.array([[1, 0, px[0]], [0, 1, px[1]], [bend, bend / 2, 1]]) @ spin
