"""A subject: a bust with limbs, cloth, sometimes a veil, and hair finer than a pixel."""

import numpy as np
from numpy.typing import NDArray

from bgm.compose.drawing.marks import Point, box_blur, disc, noise, octaves, strand, tube
from bgm.compose.seeding import hash_key, random_integer

SALT = "subject"
FINE = 4  # marks are made on a grid so many times finer, and averaged
SKIN, CLOTH, HAIR, VEIL = 1, 2, 3, 4
UNIT = 1000  # of the frame's short side: what a figure is measured in


def draw_subject(seed: int, size: tuple[int, int], time: int) -> NDArray[np.uint8]:
    """A subject (H, W, 4), straight alpha, a function of (seed, size, time); it sways with time."""
    figure = _Figure(seed, size, time)
    figure.body()
    figure.veil()
    figure.hair()
    return figure.picture()


class _Figure:
    """The marks of one subject: coverage of body and veil, and which part is seen where."""

    def __init__(self, seed: int, size: tuple[int, int], time: int) -> None:
        self.seed, self.size = seed, size
        self.grid = (size[0] * FINE, size[1] * FINE)
        self.cover = np.zeros(self.grid, np.uint8)
        self.thin = np.zeros(self.grid, np.uint8)
        self.part = np.full(
            size, CLOTH, np.uint8
        )  # at the picture's own size: it is only looked up
        self.unit = min(self.grid)
        swing = abs((time * 7 + self.pick(0, 99, "phase")) % 200 - 100) - 50  # -50..50 and back
        self.sway = swing * (2 * self.pick(0, 3, "sway") - 3)  # of UNIT * 10
        middle = self.grid[1] * UNIT // (2 * self.unit)
        self.x = middle + self.pick(-120, 120, "x") + self.sway // 2
        self.y = self.pick(210, 330, "y") + abs(self.sway) // 10  # the head's centre
        self.head = self.pick(80, 125, "head")

    def pick(self, low: int, high: int, *what: int | str) -> int:
        return random_integer(low, high, SALT, self.seed, *what)

    def at(self, y: int, x: int) -> tuple[int, int]:
        return y * self.unit // UNIT, x * self.unit // UNIT

    def long(self, n: int) -> int:
        return max(1, n * self.unit // UNIT)

    def limb(self, part: int, points: list[Point], radii: tuple[int, int]) -> None:
        """A tube in figure units; colours reach beyond the edge, so that none bleeds in."""
        path = [self.at(*point) for point in points]
        wide = (self.long(radii[0]), self.long(radii[1]))
        tube(self.part, [coarse(p) for p in path], (wide[0] // FINE + 3, wide[1] // FINE + 3), part)
        tube(self.cover, path, wide, 1)

    def disc(self, part: int, y: int, x: int, radius: int, squash: int) -> None:
        centre, wide = self.at(y, x), self.long(radius)
        disc(self.part, coarse(centre), wide // FINE + 3, part, squash)
        disc(self.cover, centre, wide, 1, squash)

    def body(self) -> None:
        """Torso, two arms, neck and head, from back to front."""
        x, y, head = self.x, self.y, self.head
        shoulder, broad = y + head * 2, self.pick(140, 220, "broad")
        foot = self.grid[0] * UNIT // self.unit + 150
        waist = broad * self.pick(60, 95, "waist") // 100
        for side in (-1, 1):
            top = (shoulder, x + side * (broad - 60))
            bottom = (foot, x + side * (waist - 60))
            bend = ((shoulder + foot) // 2, x + side * (waist - 70))
            self.limb(CLOTH, [top, bend, bottom], (70, 90))
        self.limb(CLOTH, [(shoulder + 40, x), (shoulder + 200, x), (foot, x)], (110, 110))
        for side in (-1, 1):
            self.arm(side, (shoulder, x + side * (broad - 45)))
        self.limb(SKIN, [(y, x), (y + head, x), (shoulder, x)], (head // 2, head // 2))
        self.disc(SKIN, y, x, head, self.pick(1150, 1400, "face"))

    def arm(self, side: int, top: tuple[int, int]) -> None:
        down, out = self.pick(-50, 420, "down", side), self.pick(40, 200, "out", side)
        elbow = (top[0] + 180 + self.sway // 10, top[1] + side * out)
        hand = (top[0] + down, top[1] + side * (out + self.pick(-160, 120, "reach", side)))
        self.limb(CLOTH, [top, elbow, hand], (55, 34))
        self.limb(SKIN, [hand, hand, (hand[0] - 30, hand[1] + side * 12)], (34, 26))
        for finger in range(4):
            tip = (hand[0] - 75, hand[1] + side * (12 * finger - 14))
            self.limb(SKIN, [hand, hand, tip], (9, 7))

    def veil(self) -> None:
        """Every third subject wears something that one sees through."""
        if self.pick(0, 2, "veil"):
            return
        x, y = self.x, self.y + self.head
        for side in (-1, 1):
            drop = [(y, x), (y + 120, x + side * 200), (y + 420 + self.sway // 5, x + side * 260)]
            tube(self.thin, [self.at(*p) for p in drop], (self.long(60), self.long(110)), 1)

    def hair(self) -> None:
        """A cap on the head, and strands out of it that get thinner than a pixel."""
        x, y, head = self.x, self.y, self.head
        before = self.part.copy()
        self.disc(HAIR, y - head // 3, x, head * self.pick(102, 118, "cap") // 100, 1100)
        seen = np.zeros(self.size, np.bool_)
        disc(seen, coarse(self.at(y + head // 3, x)), self.long(head * 88 // 100) // FINE, 1, 1250)
        self.part = np.where(seen, before, self.part)
        length, wild = self.pick(60, 330, "length"), self.pick(20, 150, "wild")
        for number in range(self.pick(200, 620, "strands")):
            self.one_hair(number, length, wild)

    def one_hair(self, number: int, length: int, wild: int) -> None:
        word = hash_key(SALT, self.seed, "hair", number)
        draws = [word >> (12 * i) & 4095 for i in range(8)]  # each in 0..4095
        side = draws[0] - 2048
        x = self.x + side * self.head // 2048
        y = self.y - self.head * (2048 - abs(side)) // 1700
        long = length * (1024 + draws[1]) // 3072
        out = side * wild // 1024 + (draws[2] - 2048) * wild // 4096
        bend = (y - (draws[3] * wild >> 11), x + out)
        tip = (y + long - (draws[4] * wild >> 11), x + out + (draws[5] - 2048) * wild // 2048
               + self.sway * long // 300)  # fmt: skip
        points = [self.at(*p) for p in ((y, x), bend, tip)]
        width = 1 + draws[6] * self.unit // (UNIT * 1400)
        strand(self.part, [coarse((y - FINE, x - FINE)) for y, x in points], 4, HAIR)
        strand(self.cover, points, width, 1)

    def picture(self) -> NDArray[np.uint8]:
        """Average the fine grid to alpha, colour the parts."""
        H, W = self.size
        blocks = (H, FINE, W, FINE)
        solid, thin = (
            m.reshape(blocks).sum((1, 3), np.int32) * 255 for m in (self.cover, self.thin)
        )
        full = FINE * FINE
        opacity = self.pick(80, 190, "opacity")
        alpha = np.maximum(solid, thin * opacity // 255)
        alpha = (alpha + full // 2) // full
        alpha = (box_blur(alpha, self.pick(0, 1, "soft")) + alpha + 1) // 2
        veiled = (thin > 0) & (solid == 0)
        colour = self.colours(np.where(veiled, VEIL, self.part))
        return np.dstack([colour, alpha]).clip(0, 255).astype(np.uint8)

    def colours(self, part: NDArray[np.uint8]) -> NDArray[np.int32]:
        size, short = self.size, min(self.size)
        streams = [hash_key(SALT, self.seed, "noise", i) for i in range(3)]
        cloth = octaves(streams[0], size, max(4, short // 10), 5)
        streak = noise(streams[1], size, (max(2, short // 24), 2))
        light = noise(streams[2], size, (short // 2, short // 2))
        rows, columns = np.indices(size, dtype=np.int32)
        period, lean = self.pick(3, max(4, short // 20), "period"), self.pick(-2, 2, "lean")
        stripe = (rows * self.pick(0, 1, "striped") + lean * columns) // period % 2
        rough = {
            SKIN: (cloth - 32768) // 300,
            CLOTH: (cloth - 32768) // 90 + stripe * self.pick(-500, 300, "stripe"),
            HAIR: (streak - 32768) // 70,
            VEIL: (streak - 32768) // 200,
        }
        out = np.zeros((*size, 3), np.int32)
        for label, gain in rough.items():
            tone = np.array(self.tone(label), np.int32)
            shade = 1024 + gain + (light - 32768) // 120
            out = np.where((part == label)[..., None], tone * shade[..., None] // 1024, out)
        return out

    def tone(self, label: int) -> list[int]:
        """A base colour; skins and hairs run from dark to light, cloth is anything."""
        if label in (CLOTH, VEIL):
            return [self.pick(20, 235, "tone", label, c) for c in "rgb"]
        light = self.pick(*((70, 235) if label == SKIN else (15, 190)), "tone", label)
        return [light, light * (76 if label == SKIN else 80) // 100, light * 62 // 100]


def coarse(point: Point) -> Point:
    """A place on the fine grid, on the picture's own."""
    return point[0] // FINE, point[1] // FINE
