"""Colours of places."""

import cv2
import numpy as np
import pytest

from bgm.errors import BadInput
from bgm.render.photo_palettes import palettes
from bgm.render.plan import Stream


def test_main_colours_are_found(tmp_path):
    picture = np.zeros((60, 60, 3), np.uint8)
    picture[:30] = (255, 0, 0)  # blue, as OpenCV stores it
    picture[30:] = (0, 0, 255)
    cv2.imwrite(str(tmp_path / "place.png"), picture)
    (tmp_path / "broken.png").write_text("no picture")
    (found,) = palettes(tmp_path)
    rounded = {tuple(round(c, 1) for c in colour) for colour in found}
    assert {(0.0, 0.0, 1.0), (1.0, 0.0, 0.0)} <= rounded


def test_a_folder_without_pictures_is_one_sentence(tmp_path):
    with pytest.raises(BadInput, match="holds no pictures"):
        palettes(tmp_path)


def test_a_palette_goes_along_to_the_parts():
    draw = Stream(0, 0, "clothes", [(1, 0, 0)])
    assert draw.of("cloth").palette == [(1, 0, 0)]
    assert draw.of("cloth").rng.random() == Stream(0, 0, "clothes").of("cloth").rng.random()
