"""The picture operations against kornia, Pillow and closed forms."""

import kornia
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from bgm.augment import BatchRng, image_ops
from bgm.augment.geometry import Affine, affine_matrix, joint_map, move, warp
from bgm.ops import composite


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def affine_draw(B: int = 1, **fields: list) -> dict[str, torch.Tensor]:
    still = {"angle": [0.0], "shear": [0.0], "scale": [1.0], "shift": [[0.0, 0.0]]}
    chosen = {"on": [True] * B, "flip": [False] * B}
    chosen |= {name: value * B for name, value in still.items()} | fields
    return {name: torch.tensor(value) for name, value in chosen.items()}


def test_hue_is_kornias():
    x = random(5, 3, 24, 24)
    x[:, :, 0], x[:, :, 1], x[:, :, 2] = 0.0, 1.0, 0.4  # gray has no hue
    x[:, :2, 3] = 0.7  # ties
    x[:, 1:, 4] = 0.7
    turn = torch.tensor([-0.5, -0.1, 0.0, 0.07, 0.5])
    want = kornia.enhance.adjust_hue(x, 2 * torch.pi * turn)
    torch.testing.assert_close(image_ops.shift_hue(x, turn), want, rtol=0, atol=1e-5)


def test_jitter_is_kornias():
    x = random(4, 3, 9, 11)
    b, c, s = (0.7 + 0.6 * torch.rand(4) for _ in range(3))
    want = kornia.enhance.adjust_brightness_accumulative(x, b)
    want = kornia.enhance.adjust_contrast_with_mean_subtraction(want, c)
    want = kornia.enhance.adjust_saturation_with_gray_subtraction(want, s)
    torch.testing.assert_close(image_ops.jitter(x, b, c, s), want, rtol=0, atol=1e-6)


def test_sharpen_is_kornias_before_the_clamp():
    x, factor = 0.4 + 0.2 * random(3, 4, 20, 24), torch.tensor([0.5, 1.0, 2.625])
    want = kornia.enhance.sharpness(x, factor)
    torch.testing.assert_close(image_ops.sharpen(x, factor), want, rtol=0, atol=1e-5)


@pytest.mark.parametrize("k", [1, 3, 11])
def test_box_blur_of_odd_width_is_kornias(k: int):
    x = random(2, 4, 24, 28)
    want = kornia.filters.box_blur(x, (k, k))
    torch.testing.assert_close(image_ops.box_blur(x, torch.full((2,), float(k))), want)


@pytest.mark.parametrize("radius", [0.4, 1.7, 3.0])
def test_box_blur_is_pillows(radius: float):
    x = (random(1, 1, 32, 32) * 255).round()
    image = Image.fromarray(x[0, 0].to(torch.uint8).numpy()).filter(ImageFilter.BoxBlur(radius))
    want = torch.tensor(list(image.tobytes())).reshape(32, 32)[6:-6, 6:-6]
    got = image_ops.box_blur(x, torch.tensor([1 + 2 * radius]))[0, 0, 6:-6, 6:-6]
    assert (got - want).abs().max() < 1.6  # Pillow rounds after each of two passes


def test_box_blur_keeps_zeros_and_bears_widths_beyond_the_picture():
    x = torch.zeros(1, 1, 32, 32)
    x[..., :4, :4] = 0.7
    assert (image_ops.box_blur(x, torch.tensor([5.5]))[..., 8:, 8:] == 0).all()
    flat = image_ops.box_blur(torch.full((1, 1, 8, 6), 0.3), torch.tensor([40.0]))
    torch.testing.assert_close(flat, torch.full((1, 1, 8, 6), 0.3))


def test_pillows_sharpen_is_the_default_factor():
    x = (100 + 40 * random(1, 1, 16, 16)).round()
    image = Image.fromarray(x[0, 0].to(torch.uint8).numpy()).filter(ImageFilter.SHARPEN)
    want = torch.tensor(list(image.tobytes())).reshape(16, 16)
    assert (image_ops.sharpen(x, torch.tensor([2.625]))[0, 0] - want).abs().max() <= 0.51


def test_noise_has_its_std_and_its_seed():
    x = torch.full((3, 3, 64, 64), 0.5)
    y = image_ops.noise(x, torch.tensor([0.0, 0.02, 0.02]), torch.tensor([1, 2, 2]))
    assert torch.equal(y[0], x[0])
    assert torch.equal(y[1], y[2])
    assert (y[1] - 0.5).std().item() == pytest.approx(0.02, rel=0.05)


def test_matrix_is_the_closed_form():
    draw = affine_draw(angle=[90.0], scale=[2.0], shift=[[0.1, 0.0]])
    point = affine_matrix(draw, (11, 11), (11, 11))[0] @ torch.tensor([6.0, 5.0, 1.0])
    # one right of the centre: two below (or above) it, then shifted by 1.1 pixels
    assert point[0].item() == pytest.approx(6.1, abs=1e-4)
    assert abs(point[1].item() - 5) == pytest.approx(2, abs=1e-4)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from([(9, 30), (64, 48)]), st.sampled_from([1.0, 1.7]))
def test_matrix_is_kornias(seed: int, given: tuple[int, int], factor: float):
    draw = Affine(0.7, 30.0, 0.2, (0.4, 2.0), 20.0, flip=0.5).draw(BatchRng(seed, list(range(8))))
    (h, w), (H, W), on = given, (40, 52), draw["on"].float()
    centre = torch.tensor([(w - 1) / 2, (h - 1) / 2])
    moved = torch.tensor([(W - 1) / 2, (H - 1) / 2]) - centre
    matrix = kornia.geometry.get_affine_matrix2d(
        translations=draw["shift"] * torch.tensor([W, H]) * on[:, None] + moved,
        center=centre.expand(8, 2),
        scale=(torch.where(draw["on"], draw["scale"], 1.0) * factor)[:, None].expand(8, 2),
        angle=draw["angle"] * on,
        sx=torch.deg2rad(draw["shear"] * on),
        sy=torch.zeros(8),
    )
    mirror = torch.eye(3).repeat(8, 1, 1)
    mirror[draw["flip"], 0] = torch.tensor([-1.0, 0.0, W - 1.0])
    ours = affine_matrix(draw, given, (H, W), factor)
    torch.testing.assert_close(ours, mirror @ matrix, rtol=1e-5, atol=1e-4)  # pixels


def test_identity_map_places_a_larger_canvas_at_its_centre():
    x = random(1, 4, 20, 30)
    still = move(x, affine_draw(on=[False]), (16, 16), 1.0, "zeros")
    assert torch.equal(still, x[..., 2:18, 7:23])
    mapped = move(x, affine_draw(), (16, 16), 1.0, "zeros")
    torch.testing.assert_close(mapped, still, rtol=0, atol=1e-5)


def test_flip_is_exact_without_a_map_and_agrees_with_the_map():
    x = random(1, 4, 16, 16)
    flipped = move(x, affine_draw(on=[False], flip=[True]), (16, 16), 1.0, "zeros")
    assert torch.equal(flipped, x.flip(-1))
    for fields in ({}, {"angle": [9.0], "shift": [[0.2, 0.1]], "scale": [0.7]}):
        plain = move(x, affine_draw(**fields), (14, 12), 1.0, "zeros")
        mapped = move(x, affine_draw(flip=[True], **fields), (14, 12), 1.0, "zeros")
        torch.testing.assert_close(mapped, plain.flip(-1), rtol=0, atol=1e-5)


def test_joined_is_one_map_after_the_other_and_skips_what_is_off():
    first = affine_draw(2, on=[True, False], angle=[9.0, 9.0], scale=[0.8, 0.8])
    second = affine_draw(2, on=[True, False], shift=[[0.1, 0.0]] * 2, shear=[5.0, 5.0])
    both = joint_map(first, second, (16, 16))
    assert both["on"].tolist() == [True, False]
    torch.testing.assert_close(both["matrix"][1], torch.eye(3))
    point = torch.tensor([3.0, 4.0, 1.0])
    one, two = (affine_matrix(draw, (16, 16), (16, 16))[0] for draw in (first, second))
    torch.testing.assert_close(both["matrix"][0] @ point, two @ (one @ point))


def test_small_pictures_are_enlarged_until_they_cover():
    x = torch.ones(1, 3, 12, 20)
    assert move(x, affine_draw(on=[False]), (16, 16), 16 / 12, "zeros").shape == (1, 3, 16, 16)
    assert (move(x, affine_draw(), (16, 16), 16 / 12, "reflection") > 0.999).all()


@settings(max_examples=25, deadline=None)
@given(
    st.floats(-30, 30), st.floats(-20, 20), st.floats(0.4, 1.5),
    st.floats(-0.3, 0.3), st.booleans(), st.integers(0, 99),
)  # fmt: skip
def test_composite_of_moved_is_moved_composite(angle, shear, scale, shift, flip, seed):
    """Over a constant background; premultiplied, so black padding does not bleed in."""
    x, bgr = random(1, 4, 24, 24, seed=seed), torch.full((1, 3, 24, 24), 0.6)
    draw = affine_draw(
        angle=[angle], shear=[shear], scale=[scale], shift=[[shift, -shift]], flip=[flip]
    )
    matrix, size = affine_matrix(draw, (24, 24), (24, 24)), (24, 24)
    moved = image_ops.unpremultiply(warp(image_ops.premultiply(x), matrix, size, "zeros"))
    difference = composite(x[:, :3], x[:, 3:], bgr) - bgr  # padded with "no difference"
    want = bgr + warp(difference, matrix, size, "zeros")
    got = composite(moved[:, :3], moved[:, 3:], bgr)
    torch.testing.assert_close(got, want, rtol=0, atol=1e-5)


def test_colour_does_not_bleed():
    x = torch.zeros(1, 4, 24, 24)
    x[..., 8:16, 8:16] = torch.tensor([0.8, 0.2, 0.5, 1.0])[:, None, None]
    draw = affine_draw(angle=[20.0], scale=[0.7])
    matrix = affine_matrix(draw, (24, 24), (24, 24))
    y = image_ops.unpremultiply(
        image_ops.box_blur(
            warp(image_ops.premultiply(x), matrix, (24, 24), "zeros"), torch.tensor([3.4])
        )
    )
    y = image_ops.unpremultiply(image_ops.sharpen(image_ops.premultiply(y), torch.tensor([1.5])))
    inside = (y[:, 3:] > 1e-3).expand(-1, 3, -1, -1)
    want = torch.tensor([0.8, 0.2, 0.5])[None, :, None, None].expand_as(y[:, :3])
    torch.testing.assert_close(y[:, :3][inside], want[inside], rtol=0, atol=1e-3)


def test_affine_defaults_draw_the_identity():
    from bgm.augment.rng import BatchRng

    draw = Affine(p=1.0).draw(BatchRng(0, [0, 1]))
    assert draw["on"].all()
    assert not draw["flip"].any()
    torch.testing.assert_close(affine_matrix(draw, (8, 8), (8, 8)), torch.eye(3).repeat(2, 1, 1))
