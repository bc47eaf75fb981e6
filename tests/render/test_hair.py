"""Strands as numbers: roots, lengths, tufts and curls, without Blender."""

import numpy as np
import pytest

pytest.importorskip("scipy")
from bgm.render.hair import scatter, tufted
from bgm.render.hair_shapes import clump, curled, follow, frizz, resampled
from bgm.render.landmarks import noise, smoothstep, unit, vertex_normals
from bgm.render.plan import Stream


def lines(count=200, points=12, length=0.3, seed=0):
    """Strands from a patch of 10 cm that hang down, a little bent."""
    rng = np.random.default_rng(seed)
    roots = np.c_[rng.uniform(-0.05, 0.05, (count, 2)), np.zeros(count)]
    t = np.linspace(0, 1, points)
    bend = rng.normal(0, 0.02, (count, 1, 2)) * t[:, None] ** 2
    along = np.concatenate([bend, np.broadcast_to(-length * t[:, None], (count, points, 1))], -1)
    return roots[:, None] + along


def spans(strands):
    return np.linalg.norm(np.diff(strands, axis=1), axis=-1).sum(1)


def test_roots_lie_on_the_faces_that_are_masked():
    v = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [5, 0, 0], [5, 1, 0]], float)
    faces = np.array([[0, 1, 2, 3], [1, 4, 5, 2]], np.int32)
    mask = np.array([1, 1, 1, 1, 0, 0], bool)
    normals = vertex_normals(v, faces)
    np.testing.assert_allclose(normals, np.tile([0, 0, 1.0], (6, 1)))
    at, normal, again = scatter(faces, mask, 500, np.random.default_rng(0), v, normals, v)
    assert at[:, 0].min() >= 0
    assert at[:, 0].max() <= 1
    np.testing.assert_allclose(at, again)
    np.testing.assert_allclose(normal, np.tile([0, 0, 1.0], (500, 1)))


def test_followers_start_at_their_roots_and_run_like_their_guides():
    guides = lines(50)
    start = guides[:, 0] + 0.003
    half = np.full(50, 0.15)
    found = follow(guides, guides[:, 0], start, half, spans(guides))
    np.testing.assert_allclose(found[:, 0], start)
    np.testing.assert_allclose(spans(found), half, rtol=0.15)


def test_a_shorter_strand_is_a_piece_of_the_longer():
    whole = lines(3)
    np.testing.assert_allclose(resampled(whole, np.ones(3)), whole)
    np.testing.assert_allclose(resampled(whole, np.full(3, 0.5))[:, -1], whole[:, 5:7].mean(1))


def test_tufts_close_towards_the_tip_and_roots_stay():
    before = lines()
    after, tuft = clump(before, np.random.default_rng(1), 10, 0.9)
    np.testing.assert_allclose(after[:, 0], before[:, 0])

    def spread(strands):
        return np.mean([strands[tuft == k, -1, :2].std(0) for k in range(10)])

    assert spread(after) < 0.6 * spread(before)


def test_curls_stay_near_their_strand():
    before = lines()
    after = curled(before, Stream(0, 0, "x"), 0.01, 6.0, 0.3, np.zeros(200, int))
    away = np.linalg.norm(after - before, axis=-1)
    assert away.max() <= 0.0101
    assert away[:, 0].max() == 0
    assert spans(after).mean() > 1.03 * spans(before).mean()


def test_frizz_leaves_the_roots():
    before = lines()
    after = frizz(before, np.random.default_rng(0), 0.01)
    np.testing.assert_array_equal(after[:, 0], before[:, 0])
    assert (after[:, -1] != before[:, -1]).all()


def test_short_hair_has_the_length_that_was_asked_for():
    surface = (np.zeros((300, 3)), np.tile([0, 0, 1.0], (300, 1)))
    found = tufted(surface, Stream(0, 0, "fur"), np.zeros(3), (0.01, 0.02), 1.0, 0.2, gather=0.0)
    assert spans(found).min() >= 0.0099
    assert spans(found).max() <= 0.0201


def test_small_tools():
    np.testing.assert_allclose(
        unit(np.array([[3.0, 4.0, 0.0], [0, 0, 0]])), [[0.6, 0.8, 0], [0] * 3]
    )
    assert smoothstep(np.array([-1.0, 0.5, 2.0]), 0.0, 1.0).tolist() == [0.0, 0.5, 1.0]
    field = noise(np.random.default_rng(0).random((4000, 3)) * 10, np.random.default_rng(1), 5.0)
    assert np.all((field.std(0) > 0.6) & (field.std(0) < 1.5))
