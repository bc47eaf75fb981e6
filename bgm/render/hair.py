"""Hair as strands of points: rooted on the scalp, combed, dropped by gravity, clumped, curled."""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from bgm.render.hair_shapes import STYLES, Array, Pair, Strands, Style, clump, curled, follow, frizz
from bgm.render.landmarks import Body, noise, smoothstep, unit
from bgm.render.plan import Stream

GUIDES = 900  # strands that are grown past obstacles; the others follow their neighbours


class Head:
    """Where hair grows on one body, and what it must not pass through."""

    def __init__(self, body: Body, obstacles: Array, normals: Array) -> None:
        self.body, self.marks = body, body.marks
        self.turn = body.motion("head")[:3, :3]
        self.obstacles, self.normals = obstacles, normals
        self.tree = cKDTree(obstacles)
        rest_eyes = body.rest[np.unique(self.marks.faces["eyes"])]
        self.rest_eyes = np.array([0, rest_eyes[:, 1].min(), rest_eyes[:, 2].mean()])

    def place(self, *rest: float) -> Array:
        """A point of the rest shape, given from between the eyes, where it is in the pose."""
        motion = self.body.motion("head")
        return motion[:3, :3] @ (self.rest_eyes + np.array(rest)) + motion[:3, 3]

    def roots(self, mask: NDArray[np.bool_], count: int, rng: np.random.Generator) -> tuple:
        """count points on the body where mask is true: position, normal, template position."""
        return scatter(
            self.marks.faces["body"],
            mask,
            count,
            rng,
            self.body.vertices,
            self.body.normals,
            self.marks.template,
        )


def scatter(
    faces: NDArray[np.int32],
    mask: NDArray[np.bool_],
    count: int,
    rng: np.random.Generator,
    vertices: Array,
    normals: Array,
    *more: Array,
) -> tuple[Array, ...]:
    """count points, even by area, on faces all of whose corners are in mask; with attributes."""
    quads = faces[mask[faces].all(1)]
    triangles = np.concatenate([quads[:, :3], quads[:, [0, 2, 3]]])
    a, b, c = (vertices[triangles[:, k]] for k in range(3))
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    chosen = triangles[rng.choice(len(triangles), count, p=area / area.sum())]
    u = rng.random((count, 2))
    u = np.where(u.sum(1, keepdims=True) > 1, 1 - u, u)
    weights = np.c_[1 - u.sum(1), u][:, :, None]

    def at(values: Array) -> Array:
        return (values[chosen] * weights).sum(1)

    return (at(vertices), unit(at(normals)), *(at(values) for values in more))


def comb(head: Head, style: Style, draw: Stream, normals: Array, roots: Array) -> Array:
    """Directions (N, 3) in which strands leave the scalp, in the pose."""
    eyes, marks = head.marks.eyes, head.marks
    part = draw.uniform((-0.035, 0.035))
    sweep, side, lift = draw.uniform((-0.4, 0.8)), draw.sign(), draw.uniform(style.lift)
    forward = draw.uniform((0.2, 1.0))
    back = np.clip((roots[:, 1] - eyes[1] - 0.02) / 0.1, 0, 1)[:, None]
    side_of_part = np.tanh((roots[:, 0] - part) / 0.012)[:, None]
    x, y, z = np.eye(3)
    if style.comb == "part":
        flow = side_of_part * x * (1 - 0.55 * back) + y * (0.35 + 0.5 * back) - z * 0.3 * back
    elif style.comb == "back":
        flow = y * 1.0 + z * 0.1 + side_of_part * x * 0.15
    elif style.comb == "out":
        flow = np.zeros_like(normals)
    else:  # away from the crown, forward and to one side
        crown = np.array([0.01 * side, eyes[1] + 0.14, eyes[2] + 0.12])
        flow = unit(roots - crown) + side * x * 0.5 * max(sweep, 0) - y * 0.5 * forward
        flow[:, 2] = np.minimum(flow[:, 2], 0.3)
    flow = flow @ head.turn.T
    flow = flow - (flow * normals).sum(1, keepdims=True) * normals
    jitter = draw.rng.normal(size=normals.shape) * 0.12
    marks_border = smoothstep(roots[:, 2] - marks.eyes[2], 0.02, 0.09)[:, None]
    return unit(
        unit(flow) * (style.comb != "out") + normals * lift * (0.5 + 0.5 * marks_border) + jitter
    )


def grow(
    head: Head,
    draw: Stream,
    start: Array,
    direction: Array,
    lengths: Array,
    points: int,
    gravity: Pair,
    wave: float,
    margin: Array,
    roots: Array,
) -> Array:
    """Strands (N, points, 3) grown step by step, bent by gravity, pushed out of obstacles."""
    step = (lengths / (points - 1))[:, None]
    down = np.array([0.0, 0.0, -1.0])
    frequency = draw.uniform((14, 36))
    seed = int(draw.rng.integers(2**31))
    here, line = start, [start]
    direction = unit(direction)
    for k in range(1, points):
        t = k / (points - 1)
        pull = gravity[0] + (gravity[1] - gravity[0]) * t
        drift = noise(roots + np.array([0, 0, 0.25 * t]), np.random.default_rng(seed), frequency)
        direction = unit(direction * (1 - pull) + down * pull + 0.3 * wave * drift)
        there = here + direction * step
        distance, nearest = head.tree.query(there)
        normal = head.normals[nearest]
        height = ((there - head.obstacles[nearest]) * normal).sum(1)
        wanted = margin * min(1.0, 3 * t)
        push = np.where((distance < 0.07) & (height < wanted), wanted - height, 0.0)
        there = there + push[:, None] * normal
        direction = unit(there - here)
        here = here + direction * step
        line.append(here)
    return np.stack(line, 1)


def hairdo(head: Head, draw: Stream, name: str, close: float) -> list[Strands]:
    """The hair of a head in a style; close: 1 for heads that fill the frame, less for small ones.

    Fewer, thicker strands serve where the head is small.
    """
    style = STYLES[name]
    rng = draw.rng
    mean = draw.uniform(style.length)
    wave, amount = draw.uniform(style.wave), draw.uniform(style.clump)
    curl, in_tuft, stray = (
        draw.uniform(style.curl),
        draw.uniform(style.tuft),
        draw.uniform(style.stray),
    )
    loose, heavy, thick = (
        draw.uniform((0.002, 0.02)),
        draw.uniform((0.7, 1.4)),
        draw.uniform((0.8, 1.2)),
    )
    wound, tail = draw.uniform((0.03, 0.1)), draw.uniform((0.2, 0.45))
    high = draw.uniform((0.0, 0.1))
    count = int(style.count * (0.35 + 0.65 * close))
    radius = 0.0001 * thick * (1.0 + 1.2 * (1 - close))
    start, normals, roots = head.roots(head.marks.scalp, count, rng)
    lengths = mean * rng.uniform(0.78, 1.08, count) * profile(head, style, roots)
    chosen = rng.choice(count, min(GUIDES, count), replace=False)
    direction = comb(head, style, draw, normals[chosen], roots[chosen])
    top = smoothstep(roots[chosen, 2] - head.marks.eyes[2], 0.0, 0.12)
    margin = 0.002 + style.volume * rng.uniform(0.2, 1.0, len(chosen)) * (0.4 + 0.6 * top)
    guides = grow(
        head, draw, start[chosen], direction, lengths[chosen], style.points,
        (heavy * style.gravity[0], heavy * style.gravity[1]), wave, margin, roots[chosen],
    )  # fmt: skip
    strands = follow(guides, start[chosen], start, lengths, lengths[chosen])
    made = []
    if name in ("bun", "ponytail"):
        knot = head.place(0, 0.2, high)
        strands, extra = gathered(strands, draw, knot, name, wound, tail, head, radius)
        made += extra
        stray = stray * 0.5
    strands, tuft = clump(strands, rng, max(40, int(count / in_tuft)), amount)
    if curl > 0:
        strands = curled(strands, draw, curl, style.tight, mean, tuft)
    strands = frizz(strands, rng, 0.1 * loose * mean / 0.3 + 0.0006)
    made.insert(0, Strands(strands, radius))
    flying = int(count * stray)
    if flying:
        some = strands[rng.choice(count, flying, replace=False)]
        away = unit(rng.normal(size=(flying, 3)) + 0.8 * unit(some[:, -1] - knot_or_middle(head)))
        t = np.linspace(0, 1, style.points)[None, :, None]
        reach = rng.gamma(2.0, 0.12, (flying, 1, 1)) * min(mean, 0.25)
        some = some + away[:, None] * reach * t ** rng.uniform(1, 2.2, (flying, 1, 1))
        made.append(Strands(frizz(some, rng, 0.006), radius * 0.8))
    return made


def knot_or_middle(head: Head) -> Array:
    """The middle of the head, where stray strands point away from."""
    return head.place(0, 0.09, 0.03)


def profile(head: Head, style: Style, roots: Array) -> Array:
    """Lengths as shares of those on top: shorter above the ears, shortest at the hairline."""
    up = roots[:, 2] - head.marks.eyes[2]
    share = style.sides + (1 - style.sides) * smoothstep(up, 0.02, 0.09)
    if style.sides < 1:
        back = roots[:, 1] - head.marks.eyes[1]
        nape = smoothstep(-up, 0.0, 0.08) * smoothstep(back, 0.1, 0.16)
        share = share * (1 - 0.6 * nape)
    return share


def gathered(
    strands: Array,
    draw: Stream,
    knot: Array,
    name: str,
    wound: float,
    tail: float,
    head: Head,
    radius: float,
) -> tuple[Array, list[Strands]]:
    """Strands that end in a knot behind the head, and the bun or the tail that goes on there."""
    rng, count = draw.rng, len(strands)
    t = np.linspace(0, 1, strands.shape[1])[None, :, None]
    ball = unit(rng.normal(size=(count, 3)))
    size = 0.3 * wound + 0.02 if name == "bun" else 0.008
    target = knot + ball * size * rng.uniform(0.7, 1.0, (count, 1))
    # Along the skull first, then to the knot: a straight line would pass through the head.
    pulled = strands * (1 - t**1.5) + target[:, None] * t**1.5
    above = (0.004 + 0.008 * rng.random(count))[:, None]
    for k in range(1, strands.shape[1] - 1):
        for _ in range(2):
            _, nearest = head.tree.query(pulled[:, k])
            normal = head.normals[nearest]
            height = ((pulled[:, k] - head.obstacles[nearest]) * normal).sum(1)[:, None]
            pulled[:, k] += np.clip(above - height, 0, 0.08) * normal
    if name == "bun":
        many = count // 3
        axis = unit(rng.normal(size=(many, 3)))
        one = unit(np.cross(axis, rng.normal(size=(many, 3))))
        two = np.cross(axis, one)
        angle = np.linspace(0, 3.5, 12)[None] + rng.uniform(0, 6.28, many)[:, None]
        rings = np.cos(angle)[..., None] * one[:, None] + np.sin(angle)[..., None] * two[:, None]
        spread = size * rng.uniform(0.75, 1.05, (many, 1, 1))
        return pulled, [Strands(knot + rings * spread, radius)]
    many = count // 2
    out = head.turn @ np.array([0, 1.0, 0.15])
    start = knot + rng.normal(0, 0.006, (many, 3))
    direction = out + 0.25 * rng.normal(size=(many, 3))
    seeds = (start - knot) * 8
    lengths = tail * rng.uniform(0.7, 1.05, many)
    margin = 0.004 + rng.uniform(0, 0.02, many)
    hanging = grow(head, draw, start, direction, lengths, 22, (0.25, 0.5), 0.25, margin, seeds)
    hanging, _ = clump(hanging, rng, max(20, many // 50), 0.5)
    return pulled, [Strands(frizz(hanging, rng, 0.004), radius)]


def tufted(
    surface: tuple[Array, ...],
    draw: Stream,
    direction: Array,
    length: Pair,
    lift: float,
    jitter: float,
    points: int = 6,
    gravity: float = 0.1,
    gather: float = 0.3,
) -> Array:
    """Short hair that needs no care for obstacles: brows, beards, fur. direction (3,) or (N, 3)."""
    start, normals = surface
    rng, count = draw.rng, len(surface[0])
    heading = unit(normals * lift + direction + jitter * rng.normal(size=(count, 3)))
    lengths = rng.uniform(*length, count)[:, None]
    line, here = [start], start
    for k in range(1, points):
        pull = gravity * k / points
        heading = unit(heading * (1 - pull) + np.array([0, 0, -1.0]) * pull)
        here = here + heading * lengths / (points - 1)
        line.append(here)
    strands = np.stack(line, 1)
    if gather:
        strands, _ = clump(strands, rng, max(10, count // 15), gather)
    return strands
