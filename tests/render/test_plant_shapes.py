"""Plants as numbers: twigs grow on twigs, leaves are whole surfaces, all from the same draws."""

import numpy as np
import pytest

from bgm.render.plan import Stream
from bgm.render.plant_shapes import RIM, branches, leaf, outline, rosette


@pytest.mark.parametrize("bare", [False, True])
@pytest.mark.parametrize("index", range(6))
def test_each_twig_grows_on_a_thicker_one(index, bare):
    trunk, *twigs = branches(Stream(4, index, "shape"), bare)
    assert twigs
    before = [trunk]
    for twig in twigs:
        starts = [np.abs(closest(parent.line, twig.line[0])).max() for parent in before]
        assert min(starts) < 1e-9
        assert 0 < twig.radius[0] <= trunk.radius[0]
        assert (np.diff(twig.radius) < 0).all()
        before.append(twig)


def closest(line, point):
    """From the nearest point of a polyline (N, 3) to a point (3,)."""
    along = np.diff(line, axis=0)
    t = ((point - line[:-1]) * along).sum(1) / (along**2).sum(1)
    away = point - line[:-1] - np.clip(t, 0, 1)[:, None] * along
    return away[np.linalg.norm(away, axis=1).argmin()]


@pytest.mark.parametrize("habit", ["grass", "fern", "flowers"])
def test_stems_rise_from_one_place(habit):
    stems = rosette(Stream(4, 0, habit), habit)
    starts = np.array([stem.line[0] for stem in stems])
    assert len(stems) >= 4
    assert np.linalg.norm(starts, axis=1).max() <= 0.12
    assert (starts[:, 2] == 0).all()


@pytest.mark.parametrize("shape", ["oval", "lance", "round", "heart", "lobed", "toothed"])
@pytest.mark.parametrize("index", range(3))
def test_a_leaf_is_one_surface_as_wide_as_its_kind(shape, index):
    draw = Stream(4, index, shape)
    rim = outline(shape, draw)
    points, faces, vein = leaf(rim, draw)
    assert rim.shape == (RIM, 2)
    assert np.unique(faces).tolist() == list(range(len(points)))
    assert len(vein) == len(points)
    long, wide = np.ptp(rim, axis=0)
    assert 0.6 < long < 1.6
    assert wide < (0.3 if shape == "lance" else 1.8)
    # Its outline turns once around its middle: a fan of faces does not fold over.
    turned = np.unwrap(np.arctan2(rim[:, 1], rim[:, 0] - 0.42))
    assert abs(abs(turned[-1] - turned[0]) - 2 * np.pi) < 0.6


def test_the_same_draws_make_the_same_plant():
    one, two = (branches(Stream(9, 2, "shape"), bare=False) for _ in range(2))
    assert all(np.array_equal(a.line, b.line) for a, b in zip(one, two, strict=True))
