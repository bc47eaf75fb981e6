"""The laws of the refiner: all crops equal, all replaces equal, full equals every patch."""

import itertools
from pathlib import Path

import pytest
import torch
from hydra.utils import get_class
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from bgm.model import (
    Full,
    GatherCrop,
    MattingBase,
    MattingRefine,
    PatchRefiner,
    RoiAlignCrop,
    Sampling,
    ScatterElementReplace,
    Thresholding,
    UnfoldCrop,
    mobilenetv2,
    swap_patches,
)
from tests.weights_by_formula import fill

CONF = Path(__file__).parents[2] / "conf"


def choices(group: str) -> tuple[type[torch.nn.Module], ...]:
    """The methods that a group of configs names; SharedCells is another refiner, not a method."""
    found = [OmegaConf.load(path)._target_ for path in sorted((CONF / group).glob("*.yaml"))]
    return tuple(get_class(t) for t in found if t.startswith("bgm.model."))


CROPS, REPLACES = choices("crop"), choices("replace")
grids = st.tuples(st.integers(1, 3), st.integers(1, 5), st.integers(1, 7), st.integers(0, 10**6))


def picture(B, C, H, W, seed, dtype=torch.float32):
    return torch.rand(B, C, H, W, generator=torch.Generator().manual_seed(seed)).to(dtype)


def some_patches(B, h, w, seed):
    chosen = picture(B, 1, h, w, seed)[:, 0] > 0.5
    return chosen.nonzero()


@settings(max_examples=40, deadline=None)
@given(grids, st.sampled_from([(2, 3), (4, 2), (2, 0), (4, 0)]))
def test_crops_equal_windows_cut_by_hand(grid, size_pad):
    (B, h, w, seed), (size, pad) = grid, size_pad
    x, index = picture(B, 3, h * size, w * size, seed), some_patches(B, h, w, seed)
    padded = torch.nn.functional.pad(x, [pad] * 4)
    o = size + 2 * pad
    for crop in CROPS:
        out = crop()(x, index, size, pad)
        assert out.shape == (len(index), 3, o, o)
        for (b, i, j), window in zip(index.tolist(), out, strict=True):
            by_hand = padded[b, :, i * size : i * size + o, j * size : j * size + o]
            assert torch.equal(window, by_hand), crop


@settings(max_examples=40, deadline=None)
@given(grids)
def test_replaces_equal_a_loop_and_leave_their_input(grid):
    B, h, w, seed = grid
    x, index = picture(B, 4, h * 4, w * 4, seed), some_patches(B, h, w, seed)
    y = picture(len(index), 4, 4, 4, seed + 1) + 2
    by_hand, before = x.clone(), x.clone()
    for (b, i, j), patch in zip(index.tolist(), y, strict=True):
        by_hand[b, :, i * 4 : i * 4 + 4, j * 4 : j * 4 + 4] = patch
    for replace in REPLACES:
        assert torch.equal(replace()(x, y, index), by_hand), replace
        assert torch.equal(x, before)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_roi_align_is_exact_in_half_precision_beyond_1024(dtype):
    # Boxes 4 i - 0.5 in float16 are half a pixel off there.
    x = picture(1, 2, 8, 1600, 0, dtype)
    index = torch.tensor([[0, 1, 399], [0, 0, 300], [0, 1, 257]])
    expected = UnfoldCrop()(x, index, 4, 2)
    assert torch.equal(RoiAlignCrop()(x, index, 4, 2), expected)
    assert torch.equal(GatherCrop()(x, index, 4, 2), expected)


def refined(select, kernel_size=3, scale=0.25):
    refiner = PatchRefiner(kernel_size, select)
    return fill(MattingRefine(MattingBase(mobilenetv2()), refiner, scale))


@pytest.mark.parametrize(
    "select", [Sampling(160), Thresholding(0.02)], ids=["sampling", "threshold"]
)
@pytest.mark.parametrize("B", [1, 2, 3])
def test_every_pair_of_methods_gives_the_same_picture(select, B):
    net = refined(select)
    src, bgr = picture(B, 3, 48, 80, 1), picture(B, 3, 48, 80, 2)
    with torch.no_grad():
        expected = net(src, bgr)
        assert 0 < expected.ref_sm.mean() < 1
        for crop, replace in itertools.product(CROPS, REPLACES):
            out = swap_patches(net, crop(), replace())(src, bgr)
            for field, a, b in zip(out._fields, out, expected, strict=True):
                torch.testing.assert_close(a, b, atol=1e-5, rtol=0, msg=f"{field} {crop} {replace}")


@pytest.mark.parametrize("kernel_size", [3, 1])
@pytest.mark.parametrize("scale", [0.5, 0.125])
def test_full_equals_every_patch_selected_bit_for_bit(kernel_size, scale):
    net = refined(Full(), kernel_size, scale)
    src, bgr = picture(2, 3, 64, 96, 1), picture(2, 3, 64, 96, 2)
    with torch.no_grad():
        for crop, replace in itertools.product((None, *CROPS), REPLACES):
            swap_patches(net, crop and crop(), replace(), Full())
            everywhere = net(src, bgr)
            # Every patch: an error above any threshold below 0 is everywhere.
            net.refiner.select = Thresholding(-1.0)
            out = net(src, bgr)
            assert torch.equal(out.ref_sm, everywhere.ref_sm)
            assert torch.equal(out.pha, everywhere.pha)
            assert torch.equal(out.fgr, everywhere.fgr)


def test_picture_alone_equals_picture_in_a_batch():
    net = refined(Sampling(320))
    src, bgr = picture(3, 3, 64, 48, 3), picture(3, 3, 64, 48, 4)
    with torch.no_grad():
        together = net(src, bgr)
        for b in range(3):
            alone = net(src[b : b + 1], bgr[b : b + 1])
            torch.testing.assert_close(alone.pha[0], together.pha[b], atol=1e-5, rtol=0)


@pytest.mark.parametrize("select", [Sampling(10**9), Thresholding(0.0)])
def test_k_is_clamped_and_no_error_means_no_patch(select):
    err = picture(2, 1, 6, 5, 0)
    err[0] = 0
    for training in (True, False):
        patches = select.train(training)(err)
        assert patches.ref[0].sum() == 0
        assert torch.equal(patches.ref[1], (err[1] > 0).float())
        assert patches.keep.sum() == patches.ref.sum()


def test_sampling_takes_the_largest():
    err = torch.arange(24.0).view(1, 1, 4, 6)
    patches = Sampling(5 * 16).eval()(err)
    assert patches.ref.flatten().nonzero().flatten().tolist() == [19, 20, 21, 22, 23]
    with pytest.raises(ValueError, match="sample_pixels 15"):
        Sampling(15)
    with pytest.raises(ValueError, match="training_pixels 15"):
        Sampling(training_pixels=15)


def test_training_on_small_pictures_leaves_the_number_that_is_deployed():
    err = picture(2, 1, 12, 16, 0) + 0.1
    select = Sampling(80 * 16, training_pixels=30 * 16)
    assert select.train()(err).ref.flatten(1).sum(1).tolist() == [30, 30]
    assert select.eval()(err).ref.flatten(1).sum(1).tolist() == [80, 80]


@settings(max_examples=30, deadline=None)
@given(grids, st.booleans())
def test_training_runs_exactly_the_patches_with_error_or_the_top_one(grid, empty):
    B, h, w, seed = grid
    err = (picture(B, 1, h, w, seed) - 0.5).clamp(min=0)
    if empty:
        err = torch.zeros_like(err)
    patches = Sampling(10**6).train()(err)
    per_picture = torch.bincount(patches.index[:, 0], minlength=B)
    assert torch.equal(per_picture, (err > 0).flatten(1).sum(1).clamp(min=1))
    with_error = err[:, 0] > 0
    kept = patches.index[patches.keep]
    assert torch.equal(
        torch.zeros_like(with_error).index_put(tuple(kept.T), torch.tensor(True)), with_error
    )


@pytest.mark.parametrize("select", [Sampling(320), Thresholding(0.1)])
def test_refiner_gets_gradients_even_without_any_error(select):
    net = MattingRefine(MattingBase(mobilenetv2()), PatchRefiner(select=select)).train()
    torch.nn.init.zeros_(net.base.decoder.conv4.weight)
    torch.nn.init.constant_(net.base.decoder.conv4.bias, -1.0)
    out = net(picture(2, 3, 64, 64, 0), picture(2, 3, 64, 64, 1))
    assert not out.err_sm.any()
    assert not out.ref_sm.any()
    (out.pha.sum() + out.fgr.sum()).backward()
    for name, parameter in net.refiner.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name


def test_inputs_are_left_as_they_were():
    net = refined(Sampling(320))
    src, bgr = picture(1, 3, 32, 32, 0), picture(1, 3, 32, 32, 1)
    before = src.clone(), bgr.clone()
    net(src, bgr)
    assert torch.equal(src, before[0])
    assert torch.equal(bgr, before[1])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_pairs_agree(dtype):
    net = refined(Sampling(320)).to(dtype)
    src, bgr = picture(2, 3, 32, 64, 0, dtype), picture(2, 3, 32, 64, 1, dtype)
    with torch.no_grad():
        expected = net(src, bgr)
        out = swap_patches(net, RoiAlignCrop(), ScatterElementReplace())(src, bgr)
    assert out.pha.dtype == dtype
    torch.testing.assert_close(out.pha, expected.pha, atol=1e-2, rtol=0)
