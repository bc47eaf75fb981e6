"""Subjects are resized with alpha as weight, and their colours spread outwards."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from bgm.data.resizing import cover_square, extend, resize_subject, shrink_alike
from bgm.errors import BadInput
from bgm.pictures import open_picture, to_tensor

RED = (200, 40, 60)


def disc(height, width, outside=(0, 0, 0), inside=RED):
    """A soft disc of one colour, and another colour around it."""
    y, x = np.mgrid[:height, :width]
    radius = np.hypot(y - height / 2, x - width / 2)
    alpha = np.clip((min(height, width) * 0.35 - radius) / 4 + 0.5, 0, 1)
    rgb = np.where(alpha[..., None] > 0, inside, outside)
    return Image.fromarray(np.dstack([rgb, np.round(alpha * 255)]).astype(np.uint8))


@settings(max_examples=20, deadline=None)
@given(
    height=st.integers(20, 90),
    width=st.integers(20, 90),
    short=st.integers(8, 120),
    outside=st.sampled_from([(0, 0, 0), (255, 255, 255), (0, 255, 0)]),
)
def test_nothing_from_outside_bleeds_in(height, width, short, outside):
    x = to_tensor(resize_subject(disc(height, width, outside), short)).float()
    assert min(x.shape[-2:]) == short
    colour, alpha = x[:3], x[3]
    off = (colour - torch.tensor(RED)[:, None, None]).abs().amax(0)
    assert off[alpha >= 128].max() <= 4  # 8 bits of a premultiplied colour hold no more
    assert off[alpha >= 32].max() <= 16
    # and the colour goes on where alpha is 0: 25 levels in the worst of 1,500 draws, 32 once
    assert off.max() <= 40


def test_alpha_is_what_pillow_makes_of_it_alone():
    subject = disc(80, 60)
    for short in (30, 100):
        size = (short, short * 8 // 6)
        alpha = subject.getchannel("A").resize(size, Image.Resampling.BILINEAR)
        off = to_tensor(resize_subject(subject, short))[3].int() - to_tensor(alpha)[0].int()
        assert off.abs().max() <= 1


def test_a_subject_that_has_its_size_keeps_its_colours():
    subject = disc(40, 50)
    x, y = to_tensor(subject), to_tensor(resize_subject(subject, 40))
    assert torch.equal(x[3], y[3])
    assert torch.equal(x[:3, x[3] >= 32], y[:3, y[3] >= 32])


def test_extend_survives_a_picture_without_a_subject():
    assert torch.equal(extend(torch.zeros(1, 4, 5, 7)), torch.zeros(1, 3, 5, 7))


def test_jpegs_are_decoded_near_the_size_and_turned_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (160, 120), (9, 99, 199)).save(tmp_path / "a.jpg", exif=exif)
    image, size = open_picture(tmp_path / "a.jpg", "RGB", 30)
    assert (image.size, size) == ((30, 40), (160, 120))
    image, size = open_picture(tmp_path / "a.jpg", "RGB")
    assert (image.size, size) == ((120, 160), (160, 120))


@pytest.mark.parametrize("size", [(97, 61), (64, 64), (33, 130)])
def test_a_png_is_brought_to_the_size_of_the_smaller_jpeg(tmp_path, size):
    Image.new("RGB", size).save(tmp_path / "a.jpg")
    fgr = open_picture(tmp_path / "a.jpg", "RGB", 12)[0]
    assert shrink_alike(fgr, Image.new("L", size))[1].size == fgr.size != size


def test_square_is_cut_from_the_middle():
    image = Image.new("RGB", (60, 20), (255, 0, 0))
    image.paste((0, 255, 0), (20, 0, 40, 20))
    x = to_tensor(cover_square(image, 10))
    assert x.shape == (3, 10, 10)
    assert (x[1, :, 1:-1] == 255).all()
    assert (x[0, :, 1:-1] == 0).all()


def test_broken_files_are_named(tmp_path):
    Image.effect_noise((90, 90), 50).convert("RGB").save(tmp_path / "cut.jpg")
    whole = (tmp_path / "cut.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    for name, word in (("cut.jpg", "truncated"), ("none.jpg", "does not exist")):
        with pytest.raises(BadInput, match=rf"{name}.*{word}"):
            open_picture(tmp_path / name, "RGB", 10)
