"""A place: walls, floor, furniture in patterns, out of focus; the camera may pan."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from bgm.compose.drawing.marks import box_blur, noise, octaves
from bgm.compose.perturbation import SUB, shift
from bgm.compose.seeding import hash_key, random_integer

SALT = "place"


def draw_place(seed: int, size: tuple[int, int], time: int) -> NDArray[np.uint8]:
    """A place (H, W, 3), a function of (seed, size); later times look elsewhere, by sub-pixels."""
    H, W = size
    margin = _margin(size)
    canvas = _canvas(seed, size)
    speed = [random_integer(-SUB * 3 // 2, SUB * 3 // 2, SALT, seed, f"speed {i}") for i in "yx"]
    dy, dx = (_pan(v * time, margin * SUB) for v in speed)
    (down, part_y), (right, part_x) = divmod(dy, SUB), divmod(dx, SUB)
    top, left = margin + down, margin + right
    seen = canvas[top : top + H + 1, left : left + W + 1]
    moved = shift(seen, -part_x, -part_y)[:H, :W]
    half = SUB * SUB // 2
    return ((moved + half) // (SUB * SUB)).astype(np.uint8)


def _margin(size: tuple[int, int]) -> int:
    return max(size) // 8


def _pan(way: int, most: int) -> int:
    """There and back again within -most..most - 1."""
    lap = abs((way + most) % (4 * most) - 2 * most)
    return most - max(lap, 1)


@lru_cache(maxsize=4)
def _canvas(seed: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    """The place with a margin of _margin + 1 around it."""

    def pick(low: int, high: int, *what: int | str) -> int:
        return random_integer(low, high, SALT, seed, *what)

    margin = _margin(size)
    H, W = (side + 2 * margin + 1 for side in size)
    short = min(size)
    colour = np.empty((H, W, 3), np.int32)
    colour[:] = _tone(pick, 60, 220, "wall")
    horizon = pick(H // 2, 7 * H // 8, "horizon")
    colour[horizon:] = _tone(pick, 30, 180, "floor")
    for number in range(pick(14, 36, "things")):
        _thing(colour, number, short, pick)
    rough = octaves(hash_key(SALT, seed, "rough"), (H, W), max(4, short // 6), 6)
    fine = noise(hash_key(SALT, seed, "fine"), (H, W), (2, 2))
    light = noise(hash_key(SALT, seed, "light"), (H, W), (short, short))
    gain = 1024 + (rough - 32768) * pick(8, 22, "roughness") // 1024
    gain += (light - 32768) // 64 + (fine - 32768) * pick(0, 4, "grain") // 1024
    shown = (colour * gain[..., None] // 1024).clip(0, 255)
    radius = short * pick(0, 3, "focus") // 400
    return box_blur(box_blur(shown, radius), radius).clip(0, 255).astype(np.uint8)


def _thing(colour: NDArray[np.int32], number: int, short: int, pick) -> None:
    """Paint a board, plain or striped, into the place."""
    H, W = colour.shape[:2]
    y, x = pick(-H // 8, H - 1, number, "y"), pick(-W // 8, W - 1, number, "x")
    h, w = (pick(short // 24, short // 2, number, what) for what in "hw")
    board = colour[max(0, y) : max(0, y + h), max(0, x) : max(0, x + w)]
    tone, other = _tone(pick, 10, 245, number), _tone(pick, 10, 245, number, "stripe")
    period, lean = pick(3, max(4, short // 16), number, "period"), pick(-2, 2, number, "lean")
    rows, columns = np.indices(board.shape[:2], dtype=np.int32)
    striped = pick(0, 2, number, "kind")
    line = np.asarray((rows + lean * columns) // period % 2 if striped else rows * 0)
    board[:] = np.where(line[..., None] > 0, other, tone)


def _tone(pick, low: int, high: int, *what: int | str) -> NDArray[np.int32]:
    """A colour in low..high that is mostly grey, as most of what stands about is."""
    grey, strong = pick(low, high, *what), pick(1, 5, *what, "colour")
    return np.array([grey + (pick(low, high, *what, c) - grey) * strong // 6 for c in "rgb"])
