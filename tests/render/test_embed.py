"""The people that the package brings, and how they were made small."""

import numpy as np
from PIL import Image

import bgm.people
from bgm.data.folders import Subjects
from bgm.render.embed import cropped, embed, smaller


def test_empty_margins_go_and_cut_borders_stay():
    rgba = np.zeros((100, 80, 4), np.uint8)
    rgba[40:100, 30:50] = 255
    found = cropped(rgba)
    assert found.shape == (66, 32, 4)  # six rows above, none below, six columns on either side
    assert found[-1, 16, 3] == 255
    assert cropped(np.zeros((9, 9, 4), np.uint8)).shape == (9, 9, 4)


def test_colour_does_not_darken_at_the_border_as_it_shrinks():
    rgba = np.zeros((64, 64, 4), np.uint8)
    rgba[:, 30:] = (200, 100, 50, 255)  # black outside: it must not be mixed in
    small = np.asarray(smaller(rgba, 16))
    rim = (small[..., 3] > 20) & (small[..., 3] < 235)
    assert rim.any()
    np.testing.assert_allclose(small[rim][:, :3], np.tile((200, 100, 50), (rim.sum(), 1)), atol=6)


def test_embedded_files_are_subjects(tmp_path):
    rgba = np.full((50, 40, 4), 200, np.uint8)
    Image.fromarray(rgba).save(tmp_path / "one.png")
    assert embed([tmp_path / "one.png"], tmp_path / "out", longest=25) > 0
    pha, fgr = Subjects(rgba=tmp_path / "out")[0]
    assert (pha.shape, fgr.shape) == ((1, 25, 20), (3, 25, 20))
    assert pha.min() == pha.max() == 200


def test_the_package_brings_people_with_hair():
    people = Subjects(rgba=bgm.people.FOLDER)
    assert len(people) >= 60
    files = list(bgm.people.FOLDER.glob("*.webp"))
    assert len(files) == len(people)
    assert sum(file.stat().st_size for file in files) < 8e6
    for index in range(0, len(people), 9):
        pha, fgr = people[index]
        assert max(pha.shape) <= 400
        alpha = pha.float() / 255
        assert 0.02 < float(alpha.mean()) < 0.98
        assert float(((alpha > 0.02) & (alpha < 0.98)).float().mean()) > 0.002
        assert float(fgr.float().mean()) > 5
