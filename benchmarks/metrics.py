"""Time `bgm.metrics.protocols` against a plain version of the same, in one run, on one core.

    python benchmarks/metrics.py [--rounds N]

The plain version is what the reference scripts do: float64 pictures, ten full labellings, 9x9
convolutions. The two alternate, so that a busy machine slows both; times are CPU time.
"""

import argparse
import time
from collections.abc import Callable

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from bgm.metrics import score
from bgm.metrics.gradient_connectivity import derivative_kernels

SIZES = {"1920x1080": (1080, 1920), "3840x2160": (2160, 3840)}


def shot(H: int, W: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A soft-edged body with strands, its noisy blurred prediction, and the trimap."""
    rng = np.random.default_rng(seed)

    def cloud(sigma: float) -> np.ndarray:
        noise = rng.standard_normal((H, W)).astype(np.float32)
        return cv2.GaussianBlur(noise, (0, 0), sigma) * sigma

    y, x = np.mgrid[0:H, 0:W].astype(np.float32)
    radius = np.hypot((y - H / 2) / H, (x - W / 2) / W * 1.2)
    true = np.clip((0.42 - radius + cloud(9) * 0.03) * 12, 0, 1)
    soft = (true > 0) & (true < 1)
    pred = cv2.GaussianBlur(np.clip(true + cloud(2) * 0.15 * soft, 0, 1), (0, 0), 1.5)
    unknown = cv2.dilate(soft.astype(np.uint8), np.ones((21, 21), np.uint8)) > 0
    trimap = np.where(unknown, 128, np.where(true > 0.5, 255, 0)).astype(np.uint8)
    return *(np.rint(a * 255).astype(np.uint8) for a in (pred, true)), trimap


def plain(pred: np.ndarray, true: np.ndarray, trimap: np.ndarray) -> dict[str, float]:
    """bgmv2 without foregrounds, line by line after the reference scripts."""
    unknown = trimap == 128
    p, t = pred / 255.0, true / 255.0
    return {
        "mse": float(((p - t) ** 2)[unknown].mean()),
        "sad": float(np.abs(p - t)[unknown].sum()) / 1000,
        "grad": float(((plain_amplitude(p) - plain_amplitude(t)) ** 2)[unknown].sum()),
        "conn": plain_connectivity(p.astype(np.float32), t.astype(np.float32), unknown),
    }


def plain_amplitude(x: np.ndarray) -> np.ndarray:
    """Two 9x9 convolutions in float64."""
    gauss, derivative = derivative_kernels()
    x = (x - x.min()) / (x.max() - x.min())
    kernels = np.outer(gauss, derivative), np.outer(derivative, gauss)
    dx, dy = (cv2.filter2D(x, cv2.CV_64F, k, borderType=cv2.BORDER_REPLICATE) for k in kernels)
    return np.sqrt(dx**2 + dy**2)


def plain_connectivity(p: np.ndarray, t: np.ndarray, unknown: np.ndarray) -> float:
    """Ten full labellings, the largest component of each."""
    steps = (np.arange(11) * 0.1).astype(np.float32)
    held = np.full(t.shape, -1.0)
    for k in range(1, 11):
        both = ((p >= steps[k]) & (t >= steps[k])).astype(np.uint8)
        _, labels, stats, _ = cv2.connectedComponentsWithStats(both, connectivity=4)
        areas = stats[1:, cv2.CC_STAT_AREA]
        omega = labels == 1 + np.argmax(areas) if len(areas) else np.zeros(t.shape, bool)
        held[(held == -1) & ~omega] = steps[k - 1]
    held[held == -1] = 1
    phi = [1 - (a - held) * (a - held >= 0.15) for a in (p, t)]
    return float(np.abs(phi[0] - phi[1])[unknown].sum())


def seconds(work: Callable[[], object]) -> float:
    """CPU seconds of one call."""
    start = time.process_time()
    work()
    return time.process_time() - start


def main() -> None:
    """Print the best and median times of both and their ratio, per size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    cv2.setNumThreads(1)
    table = Table("size", "bgmv2 s", "rvm s", "rvm float32 s", "plain bgmv2 s", "plain / bgmv2")
    for name, size in SIZES.items():
        pred, true, trimap = shot(*size)
        floats = (pred / np.float32(255.01)).astype(np.float32)
        ours, theirs = score(pred, true, trimap, protocol="bgmv2"), plain(pred, true, trimap)
        for metric, value in theirs.items():
            assert abs(ours[metric] - value) <= 5e-6 * abs(value) + 1e-7, (metric, ours, theirs)
        work = [
            lambda p=pred, t=true, u=trimap: score(p, t, u, protocol="bgmv2"),
            lambda p=pred, t=true: score(p, t, protocol="rvm"),
            lambda p=floats, t=true: score(p, t, protocol="rvm"),
            lambda p=pred, t=true, u=trimap: plain(p, t, u),
        ]
        times = np.array([[seconds(w) for w in work] for _ in range(rounds)])
        best, middle = times.min(axis=0), np.median(times, axis=0)
        cells = [f"{b:.3f} ({m:.3f})" for b, m in zip(best, middle, strict=True)]
        ratio = f"{best[3] / best[0]:.1f} ({np.median(times[:, 3] / times[:, 0]):.1f})"
        table.add_row(name, *cells, ratio)
    console = Console()
    console.print(table)
    console.print(
        f"best (median) of {rounds} rounds, CPU time, one thread, opencv {cv2.__version__}"
    )


if __name__ == "__main__":
    main()
