"""Find the camera's movement between a plate and a shot: correlate, then fit the pictures.

Coarse: orientation correlation (Fitch et al. 2002) of small pictures over a few turns and zooms.
Fine: inverse compositional Gauss-Newton (Baker and Matthews 2004) on a pyramid, with weights of
Geman and McClure, so that the subject, which is not in the plate, has no say.
"""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

DARK = 0.1  # added before the logarithm, which makes an exposure a constant
SPREAD = 5.0  # px; what is smoother than this is light, and belongs to the exposure
SMALLEST = 16  # px of the shorter side: a pyramid of less holds nothing
SIDES = (96, 240, 480, 960)  # px, longer sides of the levels
COARSE_SIDE = 192
TURNS = np.arange(-3.0, 3.1, 0.75)  # degrees
ZOOMS = (0.95, 1.0, 1.05)
REACH = 0.1  # of the longer side: the furthest shift that the correlation looks at
STARTS = 8  # candidates of the correlation that are refined
KEPT = (4, 2, 1, 1)  # of them after each level, all different
RAW = 3  # candidates that skip the coarsest level, where a large subject may win
STEPS = 12
POINTS = 16000  # pixels of a level that are compared, about
FLAT = 0.015  # gradient in log units a px, about what noise makes
QUANTILE, NORMAL = 0.35, 0.454  # of absolute residuals: the subject may take more than half
FLOOR = 0.015  # least residual, in log units, that counts as one of noise
SAME = 1e-6  # cost of pictures that are the same
TUNING = 2.5  # residual, in deviations of the noise, where the weight is a quarter

Matrix = NDArray[np.float64]
Detail = NDArray[np.float32]


class Movement(NamedTuple):
    """A movement that was fitted to two pictures."""

    homography: Matrix  # (3, 3), plate px -> shot px
    uncertainty: float  # px, expected error in the mean over the picture; inf if undetermined


def detail(x: Detail) -> Detail:
    """What an exposure does not change: the logarithm less its local mean. (H, W, 3) in [0, 1]."""
    light = np.log(np.maximum(x, 0) + np.float32(DARK))
    return np.asarray(light - cv2.GaussianBlur(light, (0, 0), SPREAD), np.float32)


def shrink(x: Detail, side: int) -> Detail:
    """(H, W, 3) averaged down to a longer side of at most `side` px."""
    factor = side / max(x.shape[:2])
    if factor >= 1:
        return x
    size = [max(round(s * factor), 1) for s in reversed(x.shape[:2])]
    return np.asarray(cv2.resize(x, size, interpolation=cv2.INTER_AREA))


def register(plate: Detail, shot: Detail, start: Matrix | None = None) -> Movement | None:
    """The movement from plate to shot, (H, W, 3) float32 in [0, 1] of one size.

    start: where it is known to a few pixels (the frame before), only that is refined. None for
    pictures that are too small or without texture.
    """
    H, W = plate.shape[:2]
    if min(H, W) < SMALLEST:
        return None
    sides = [side for side in SIDES if side < max(H, W)] + [min(max(H, W), SIDES[-1])]
    sides = list(dict.fromkeys(sides))
    kept = [1] * len(sides)
    if start is None:
        kept = [*KEPT, *kept][: len(sides)]
        kept[-1] = 1
        starts = _correlate(shrink(plate, COARSE_SIDE), shrink(shot, COARSE_SIDE), (H, W))
    else:
        sides, kept, starts = sides[-3:], kept[-3:], [start]
    unit = _unit((H, W))
    found = [unit @ m @ np.linalg.inv(unit) for m in starts]
    cost, spread = np.inf, np.inf
    raw = found[:RAW]
    for side, count in zip(sides, kept, strict=True):
        level = _Level(shrink(plate, side), shrink(shot, side))
        if level.empty:
            continue
        fits = sorted((level.fit(m, SIMILARITY) for m in found), key=lambda fit: fit[1])
        found, cost, spread = _different(fits, 2 / side)[:count], fits[0][1], fits[0][2]
        if len(found) > 1:
            found, raw = found + raw, []
    if not np.isfinite(cost):
        return None
    cost = max(cost, SAME)
    bent, bent_cost, bent_spread = level.fit(found[0], PROJECTIVE)
    best = found[0]
    # Four numbers more have to buy a better picture: as Schwarz 1978, for pixels that are not
    # independent of each other.
    independent = level.count / 10
    if independent * np.log(cost / max(bent_cost, SAME)) > 4 * np.log(max(independent, 2)):
        best, spread = bent, bent_spread
    homography = np.linalg.inv(unit) @ best @ unit
    return Movement(homography / homography[2, 2], spread * max(H, W) / max(level.size))


def _different(fits: Sequence[tuple[Matrix, float, float]], apart: float) -> list[Matrix]:
    """Movements of fits, each further than `apart` (of half a diagonal) from those before it."""
    found: list[Matrix] = []
    for movement, _, _ in fits:
        if all(np.abs(movement - other).max() > apart for other in found):
            found.append(movement)
    return found


def _basis(columns: Sequence[Sequence[float]]) -> Matrix:
    return np.array(columns, np.float64).T


# Columns: which of the eight numbers of a homography, rows of [[p0 p1 p2] [p3 p4 p5] [p6 p7 0]],
# may change.
SIMILARITY = _basis(
    [
        [1, 0, 0, 0, 1, 0, 0, 0],
        [0, -1, 0, 1, 0, 0, 0, 0],
        [0, 0, 1, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 1, 0, 0],
    ]
)
PROJECTIVE = np.eye(8)


def _unit(size: tuple[int, int]) -> Matrix:
    """Pixels of a picture (H, W) to coordinates around its centre in half diagonals."""
    H, W = size
    half = np.hypot(H, W) / 2
    return np.array([[1, 0, (1 - W) / 2], [0, 1, (1 - H) / 2], [0, 0, half]]) / half


class _Level:
    """Two pictures of one size, and the pixels of the plate that tell where it is."""

    def __init__(self, plate: Detail, shot: Detail) -> None:
        self.size = plate.shape[:2]
        self.shot = detail(shot)
        template = detail(plate)
        gradients = [cv2.Scharr(template, -1, *way) / 32 for way in ((1, 0), (0, 1))]
        y, x = _textured(np.sqrt(sum((g**2).sum(-1) for g in gradients)))
        self.count = len(x)
        self.empty = self.count < 50
        self.unit = _unit(self.size)
        self.pixels = np.stack([x, y, np.ones_like(x)]).astype(np.float64)
        self.points = self.unit @ self.pixels
        self.values = template[y, x]
        gx, gy = (g[y, x] for g in gradients)  # (N, 3)
        u, v = self.points[:2].astype(np.float32)[..., None] * np.ones(3, np.float32)
        half = np.float32(np.hypot(*self.size) / 2)
        inward = -(gx * u + gy * v)
        columns = [gx * u, gx * v, gx, gy * u, gy * v, gy, inward * u, inward * v]
        self.jacobian = half * np.stack(columns, axis=-1)  # (N, 3, 8)

    def residuals(self, found: Matrix) -> tuple[Detail, NDArray[np.bool_]]:
        """(N, 3) shot where the plate's pixels would lie less plate, and (N,) which lie inside."""
        x, y, w = np.linalg.inv(self.unit) @ found @ self.points
        x, y = x / w, y / w
        H, W = self.size
        inside = (x >= 0) & (x <= W - 1) & (y >= 0) & (y <= H - 1) & (w > 0)
        rows = -(-len(x) // 256)
        where = np.zeros((2, rows * 256), np.float32)
        where[:, : len(x)] = x, y
        across, down = where.reshape(2, rows, 256)
        seen = cv2.remap(self.shot, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return seen.reshape(-1, 3)[: len(x)] - self.values, inside

    def fit(self, found: Matrix, basis: Matrix) -> tuple[Matrix, float, float]:
        """The movement refined, its cost (less is better), its expected error in px here."""
        jacobian = (self.jacobian @ basis.astype(np.float32)).astype(np.float32)
        size = jacobian.shape[-1]
        flat = jacobian.reshape(-1, size)
        for _ in range(STEPS):
            r, inside = self.residuals(found)
            if inside.sum() < 50:
                return found, np.inf, np.inf
            deviation = _deviation(r[inside])
            weight = _weights(r, deviation) * inside[:, None]
            weighted = flat * weight.reshape(-1, 1)
            hessian = (weighted.T @ flat).astype(np.float64)
            right = (weighted.T @ r.reshape(-1)).astype(np.float64)
            hessian += np.eye(size) * 1e-4 * np.trace(hessian) / size
            step = np.linalg.solve(hessian, right)
            delta = np.append(basis @ step, 0.0).reshape(3, 3) + np.eye(3)
            found = found @ np.linalg.inv(delta)
            found = found / found[2, 2]
            if not np.isfinite(found).all():
                return found, np.inf, np.inf
            if np.abs(step).max() * max(self.size) / 2 < 0.005:
                break
        r, inside = self.residuals(found)
        if inside.sum() < 50:
            return found, np.inf, np.inf
        deviation = _deviation(r[inside])
        square = (r / (TUNING * FLOOR * 4)) ** 2
        cost = float((square / (1 + square)).mean(-1)[inside].mean())
        covariance = deviation**2 * np.linalg.inv(hessian)
        return found, cost, self._spread(basis @ covariance @ basis.T)

    def _spread(self, covariance: Matrix) -> float:
        """Standard deviation, in px here, of where the picture's points land."""
        H, W = self.size
        y, x = np.mgrid[0 : H - 1 : 5j, 0 : W - 1 : 5j]
        u, v = (self.unit @ np.stack([x.ravel(), y.ravel(), np.ones(25)]))[:2]
        zero, one = np.zeros(25), np.ones(25)
        across = np.stack([u, v, one, zero, zero, zero, -u * u, -u * v], -1)
        down = np.stack([zero, zero, zero, u, v, one, -u * v, -v * v], -1)
        variance = sum(np.einsum("ni,ij,nj->n", j, covariance, j) for j in (across, down))
        return float(np.sqrt(np.maximum(variance, 0)).mean() * np.hypot(H, W) / 2)


def _deviation(residuals: Detail) -> float:
    """Deviation of the noise from the smaller residuals."""
    return max(float(np.quantile(np.abs(residuals[::4]), QUANTILE)) / NORMAL, FLOOR)


def _weights(residuals: Detail, deviation: float) -> Detail:
    square = (residuals / (TUNING * deviation)) ** 2
    return np.asarray(1 / (1 + square) ** 2, np.float32)


def _textured(gradient: Detail, block: int = 8) -> tuple[NDArray, NDArray]:
    """Rows and columns of the strongest gradients of each block of pixels: all, or `POINTS`."""
    H, W = (side // block * block for side in gradient.shape)
    most = min(max(POINTS * block**2 // max(H * W, 1), 1), block**2)
    if most == block**2:
        y, x = np.nonzero(gradient > FLAT)
        return y, x
    blocks = gradient[:H, :W].reshape(H // block, block, W // block, block).transpose(0, 2, 1, 3)
    flat = blocks.reshape(*blocks.shape[:2], -1)
    index = np.argpartition(flat, -most, axis=-1)[..., -most:]
    strong = np.take_along_axis(flat, index, -1) > FLAT
    y = np.arange(H // block)[:, None, None] * block + index // block
    x = np.arange(W // block)[None, :, None] * block + index % block
    return y[strong], x[strong]


def _correlate(plate: Detail, shot: Detail, size: tuple[int, int]) -> list[Matrix]:
    """Candidates, best first and standing still among them, in px of pictures of `size`."""
    h, w = plate.shape[:2]
    target = np.fft.fft2(_orientation(shot))
    reach = max(1, round(REACH * max(h, w)))
    scored: list[tuple[float, Matrix]] = []
    for turn in TURNS:
        for zoom in ZOOMS:
            spin = np.vstack(
                [cv2.getRotationMatrix2D(((w - 1) / 2, (h - 1) / 2), turn, zoom), [0, 0, 1]]
            )
            border = cv2.BORDER_REPLICATE
            seen = np.asarray(
                cv2.warpAffine(plate, spin[:2], (w, h), borderMode=border), np.float32
            )
            surface = np.fft.ifft2(target * np.conj(np.fft.fft2(_orientation(seen)))).real
            near = np.roll(surface, (reach, reach), (0, 1))[: 2 * reach + 1, : 2 * reach + 1].copy()
            for _ in range(2):
                top, left = np.unravel_index(np.argmax(near), near.shape)
                shift = np.array([[1, 0, left - reach], [0, 1, top - reach], [0, 0, 1.0]])
                scored.append((float(near[top, left]), shift @ spin))
                near[max(top - 2, 0) : top + 3, max(left - 2, 0) : left + 3] = -np.inf
    scored.sort(key=lambda one: -one[0])
    scale = np.diag([size[1] / w, size[0] / h, 1.0])
    # Pixel centres: x + 0.5 scales, x does not.
    half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1.0]])
    to_full = np.linalg.inv(half) @ scale @ half
    best = [to_full @ m @ np.linalg.inv(to_full) for _, m in scored[: STARTS - 1]]
    return [*best, np.eye(3)]


def _orientation(x: Detail) -> NDArray[np.complex64]:
    """Directions of the gradient as complex numbers of length 0 (flat) to 1."""
    gray = detail(x).mean(-1)
    gx, gy = (cv2.Scharr(gray, -1, *way) / 32 for way in ((1, 0), (0, 1)))
    return (gx + 1j * gy) / (np.hypot(gx, gy) + FLAT)
