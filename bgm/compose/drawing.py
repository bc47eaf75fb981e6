"""Subjects and places drawn in integers: a benchmark that needs no data and is the same anywhere.

The training generator (`bgm.data.Procedural`) draws better, in floats, whose last bits depend on
the machine; a benchmark that is compared by hash cannot. Pillow's ellipses, lines of one pixel,
resizing and box filter of 8 bits are integers throughout.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from bgm.compose.perturbation import SUB, hash_key, random_integer, random_words, shift
from bgm.errors import BadInput

SMALLEST = 32  # pixels a side
FINE = 4  # subjects are drawn on a grid so many times finer, and averaged
SKIN, CLOTH, HAIR = 1, 2, 3
Size = tuple[int, int]  # (H, W)
Point = tuple[int, int]  # x, y
Pick = Callable[..., int]  # an integer in low..high, a function of the words behind them
Colour = tuple[int, int, int]


def draw(spec: dict[str, Any]) -> NDArray[np.uint8]:
    """The picture (H, W, C) of a manifest's entry: drawn, seed, size, time; BadInput for others."""
    kinds = {"subject": draw_subject, "place": draw_place}
    try:
        kind, size = kinds[spec["drawn"]], (int(spec["size"][0]), int(spec["size"][1]))
        seed, time = int(spec["seed"]), int(spec["time"])
    except (KeyError, TypeError, ValueError, IndexError):
        kind, seed, size, time = None, 0, (0, 0), 0
    if kind is None or min(size) < SMALLEST:
        raise BadInput(
            f"drawn source {spec} needs drawn ({' or '.join(kinds)}), seed, time and size "
            f"(H, W, {SMALLEST} or more)"
        )
    return kind(seed, size, time)


def picker(*salt: int | str) -> Pick:
    return lambda low, high, *what: random_integer(low, high, *salt, *what)


def noise(stream: int, size: Size, cell: int) -> NDArray[np.int32]:
    """Smooth noise (H, W) in 0..255: random numbers, one every cell pixels, and between them."""
    lattice = random_words(stream, (size[0] // cell + 2, size[1] // cell + 2)).astype(np.uint8)
    smooth = Image.fromarray(lattice).resize(size[::-1], Image.Resampling.BICUBIC)
    return np.asarray(smooth, np.int32)


def rough(stream: int, size: Size, cell: int) -> NDArray[np.int32]:
    """Noise of five sizes, each half as large and half as strong, in 0..255."""
    layers = [noise(stream + n, size, max(1, cell >> n)) << (4 - n) for n in range(5)]
    return np.sum(layers, 0) // 31


def curve(points: Sequence[Point], steps: int) -> list[Point]:
    """steps + 1 points of a quadratic Bezier curve through three, rounded down."""
    t = np.arange(steps + 1, dtype=np.int64)[:, None]
    a, b, c = (np.array(point, np.int64) for point in points)
    rest = steps - t
    line = (a * rest * rest + 2 * b * rest * t + c * t * t) // (steps * steps)
    return [(int(x), int(y)) for x, y in line]


def length(points: Sequence[Point]) -> int:
    return sum(abs(p[i] - q[i]) for p, q in pairwise(points) for i in (0, 1))


def tone(pick: Pick, low: int, high: int, *what: int | str) -> Colour:
    """A colour in low..high that is mostly grey, as most of what stands about is."""
    grey, strong = pick(low, high, *what), pick(1, 5, *what, "colour")
    r, g, b = (grey + (pick(low, high, *what, c) - grey) * strong // 6 for c in "rgb")
    return r, g, b


def draw_place(seed: int, size: Size, time: int) -> NDArray[np.uint8]:
    """A place (H, W, 3), a function of (seed, size); later times look elsewhere, by sub-pixels."""
    most = max(size) // 8 * SUB
    corner = []
    for axis in "yx":
        way = random_integer(-SUB * 3 // 2, SUB * 3 // 2, "place", seed, f"speed {axis}") * time
        corner.append(2 * most - max(abs((way + most) % (4 * most) - 2 * most), 1))  # and back
    (top, down), (left, right) = (divmod(at, SUB) for at in corner)
    seen = place(seed, size)[top : top + size[0] + 1, left : left + size[1] + 1]
    moved = shift(seen, -right, -down)[: size[0], : size[1]]
    return ((moved + SUB * SUB // 2) // (SUB * SUB)).astype(np.uint8)


@lru_cache(maxsize=4)
def place(seed: int, size: Size) -> NDArray[np.uint8]:
    """Wall, floor and boards, plain or striped, out of focus, an eighth wider on each side."""
    pick, short = picker("place", seed), min(size)
    H, W = (side + 2 * (max(size) // 8) + 1 for side in size)
    picture = Image.new("RGB", (W, H), tone(pick, 60, 220, "wall"))
    pen = ImageDraw.Draw(picture)
    pen.rectangle((0, pick(H // 2, 7 * H // 8, "horizon"), W, H), tone(pick, 30, 180, "floor"))
    for number in range(pick(14, 36, "things")):
        x, y = pick(-W // 8, W, number, "x"), pick(-H // 8, H, number, "y")
        w, h = (pick(short // 24, short // 2, number, side) for side in "wh")
        pen.rectangle((x, y, x + w, y + h), tone(pick, 10, 245, number))
        period = pick(3, max(4, short // 16), number, "period")
        for stripe in range(x, x + w, 2 * period) if pick(0, 2, number, "kind") else ():
            other = tone(pick, 10, 245, number, "stripe")
            pen.rectangle((stripe, y, min(stripe + period, x + w), y + h), other)
    surface = rough(hash_key("place", seed, "rough"), (H, W), max(4, short // 6)) - 128
    light = noise(hash_key("place", seed, "light"), (H, W), short) - 128
    gain = 1024 + surface * pick(2, 6, "roughness") + light * 4
    lit = (np.asarray(picture, np.int32) * gain[..., None] // 1024).clip(0, 255)
    blur = ImageFilter.BoxBlur(short * pick(0, 3, "focus") // 400)
    return np.asarray(Image.fromarray(lit.astype(np.uint8)).filter(blur).filter(blur))


def draw_subject(seed: int, size: Size, time: int) -> NDArray[np.uint8]:
    """A subject (H, W, 4), straight alpha: a bust with arms, sometimes a veil, and hair finer than
    a pixel; a function of (seed, size, time): it sways with time.
    """
    pick, (H, W) = picker("subject", seed), size
    unit = min(size) * FINE  # a figure is measured in thousandths of it
    cover, part, thin = (Image.new("L", (W * FINE, H * FINE)) for _ in range(3))
    loose = Image.new("L", (W, H))  # hair, at the picture's size

    def limb(points: Sequence[Point], radii: tuple[int, int], label: int) -> None:
        """A bent limb; label 0: of the veil. Colours reach beyond the edge: none bleeds in."""
        path = [(x * unit // 1000, y * unit // 1000) for x, y in points]
        first, last = (max(1, radius * unit // 1000) for radius in radii)
        steps = max(2, 6 * length(path) // min(first, last))
        marks = [(cover, 0, 255), (part, 3 * FINE, label)] if label else [(thin, 0, 255)]
        for canvas, beyond, value in marks:
            pen = ImageDraw.Draw(canvas)
            for step, (x, y) in enumerate(curve(path, steps)):
                r = first + (last - first) * step // steps + beyond
                pen.ellipse((x - r, y - r, x + r, y + r), value)

    swing = abs((time * 7 + pick(0, 99, "phase")) % 200 - 100) - 50  # -50..50 and back
    sway = swing * (2 * pick(0, 3, "sway") - 3)  # of ten thousandths
    x = W * FINE * 500 // unit + pick(-120, 120, "x") + sway // 2
    y, head = pick(210, 330, "y") + abs(sway) // 10, pick(80, 125, "head")  # centre and radius
    shoulder, foot = y + 2 * head, H * FINE * 1000 // unit + 150
    broad = pick(140, 220, "broad")
    for side in (-1, 1):
        waist = x + side * (broad * pick(60, 95, "waist") // 100 - 60)
        line = [(x + side * (broad - 60), shoulder), (waist, (shoulder + foot) // 2), (waist, foot)]
        limb(line, (70, 90), CLOTH)
    limb([(x, shoulder + 40), (x, shoulder + 200), (x, foot)], (110, 110), CLOTH)
    for side in (-1, 1):
        start, out = x + side * (broad - 45), side * pick(40, 200, "out", side)
        hand = (
            start + out + side * pick(-160, 120, "reach", side),
            shoulder + pick(-50, 420, side),
        )
        limb([(start, shoulder), (start + out, shoulder + 180 + sway // 10), hand], (55, 34), CLOTH)
        for finger in range(4):
            limb([hand, hand, (hand[0] + side * (12 * finger - 14), hand[1] - 75)], (9, 7), SKIN)
    limb([(x, y), (x, y + head), (x, shoulder)], (head // 2, head // 2), SKIN)
    limb([(x, y - head // 3), (x, y), (x, y)], (head * 110 // 100,) * 2, HAIR)
    limb([(x, y), (x, y), (x, y + head // 3)], (head * 9 // 10,) * 2, SKIN)
    for side in (-1, 1) if pick(0, 2, "veil") == 0 else ():
        neck, drop = y + head, y + head + 420 + sway // 5
        limb([(x, neck), (x + side * 200, neck + 120), (x + side * 260, drop)], (60, 110), 0)
    reach, wild = pick(60, 330, "length"), pick(20, 150, "wild")
    for number in range(pick(200, 620, "strands")):
        word = hash_key("subject", seed, "hair", number)
        a, b, c, d, e, f = ((word >> (12 * i) & 4095) - 2048 for i in range(6))
        root = (x + a * head // 2048, y - head * (2048 - abs(a)) // 1700)
        bend = (root[0] + a * wild // 1024 + c * wild // 4096, root[1] - ((d + 2048) * wild >> 11))
        long = reach * (3072 + b) // 3072
        fall = root[1] + long - ((e + 2048) * wild >> 11) + sway * long // 300
        points = (root, bend, (bend[0] + f * wild // 2048, fall))
        path = [(px * unit // 1000, py * unit // 1000) for px, py in points]
        strand = curve(path, max(2, length(path) // FINE))
        ImageDraw.Draw(cover).line(strand, 255)
        ImageDraw.Draw(loose).line([(px // FINE, py // FINE) for px, py in strand], 255)
    seen = np.asarray(thin.reduce(FINE), np.int32) * pick(80, 190, "opacity") // 255
    alpha = np.maximum(np.asarray(cover.reduce(FINE)), seen)
    labels = np.array(part.resize((W, H), Image.Resampling.NEAREST))
    labels[np.asarray(loose.filter(ImageFilter.MaxFilter(3))) > 0] = HAIR
    return np.dstack([coloured(labels, seed), alpha]).astype(np.uint8)


def coloured(labels: NDArray[np.uint8], seed: int) -> NDArray[np.int32]:
    """Colours (H, W, 3) of parts: skins and hairs run from dark to light, cloth is anything."""
    pick, size = picker("subject", seed), (labels.shape[0], labels.shape[1])
    short = min(size)
    fabric, streak, light = (
        rough(hash_key("subject", seed, name), size, max(2, cell)) - 128
        for name, cell in (("cloth", short // 10), ("streak", short // 24), ("light", short // 2))
    )
    rows, columns = np.indices(size)
    lines = rows * pick(0, 1, "striped") + columns * pick(-2, 2, "lean")
    stripe = lines // pick(3, max(4, short // 20), "period") % 2
    shade = np.where(labels == SKIN, fabric, fabric * 3 + stripe * pick(-500, 300, "stripe"))
    shade = 1024 + light * 2 + np.where(labels == HAIR, streak * 4, shade)
    skin, hair = pick(70, 235, "skin"), pick(15, 190, "hair")
    cloth = [pick(20, 235, "cloth", c) for c in "rgb"]
    tones = [cloth, [skin, skin * 76 // 100, skin * 62 // 100], cloth]
    tones.append([hair, hair * 80 // 100, hair * 62 // 100])
    return (np.array(tones)[labels] * shade[..., None] // 1024).clip(0, 255)
