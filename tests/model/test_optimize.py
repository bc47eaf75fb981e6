"""The optimized network and the plain one (`tests/plain.py`): one picture, one gradient."""

import copy
import functools

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

import bgm
from bgm.export.cells_refiner import SharedCells
from bgm.export.certify.test_pictures import smooth
from bgm.export.prepare import prepare_network
from bgm.model import (
    Full,
    GatherCrop,
    MattingBase,
    MattingRefine,
    OptimizedBase,
    PatchRefiner,
    RoiAlignCrop,
    Sampling,
    ScatterElementReplace,
    ScatterNdReplace,
    Thresholding,
    UnfoldCrop,
    mobilenetv2,
    optimize,
    resnet50,
    sparse,
    strips,
    swap_patches,
)
from bgm.model.cells import cut
from bgm.model.hidden import CoarseMaps, LastLayer
from bgm.model.optimize import folded
from bgm.model.upsample import upsampled
from bgm.ops import resize, shrink
from tests.networks import mobile
from tests.plain import Plain, refined
from tests.weights_by_formula import fill

sides = st.integers(1, 40).map(lambda n: 4 * n)
small_sides = st.integers(1, 24).map(lambda n: 4 * n)  # for a whole network
scales = st.sampled_from([1 / 2, 1 / 4, 1 / 8, 1 / 16, 3 / 7, 0.3, 0.217])
crops = st.sampled_from([UnfoldCrop, RoiAlignCrop, GatherCrop])
replaces = st.sampled_from([ScatterNdReplace, ScatterElementReplace])
seeds = st.integers(0, 10**6)
selects = st.one_of(
    st.integers(1, 500).map(lambda k: Sampling(16 * k)),
    st.sampled_from([0.0, 0.02, 0.1, 0.4, 2.0]).map(Thresholding),
    st.builds(Full),
)


def refiner(kernel_size=3, select=None):
    return fill(PatchRefiner(kernel_size, select))


def inputs(batch, height, width, scale, seed):
    """src, bgr and coarse pha, fgr, err, hid; a fifth of err is 0 exactly."""
    generator = torch.Generator().manual_seed(seed)

    def rand(channels, h, w):
        return torch.rand(batch, channels, h, w, generator=generator)

    small = [max(int(side * scale), 1) for side in (height, width)]
    src, bgr = rand(3, height, width), rand(3, height, width)
    pha, fgr, err, hid = (rand(c, *small) for c in (1, 3, 1, 32))
    return src, bgr, pha, fgr - 0.5, (err - 0.2).clamp(min=0), hid


def assert_close(a, b):
    torch.testing.assert_close(a, b, atol=1e-4, rtol=0)


def clamped(found, src):
    pha, residual, ref = found
    return pha.clamp(0, 1), (residual + src).clamp(0, 1), ref


def known_maps(pha, fgr, err, hid):
    """Maps whose last layer gives back the features that it reads: these four, hid from 0 up."""
    features = torch.cat([pha, fgr, err, hid], 1)
    conv = torch.nn.Conv2d(37, 37, 3, padding=1)
    torch.nn.init.zeros_(conv.bias)
    torch.nn.init.dirac_(conv.weight)
    return CoarseMaps(features, LastLayer(conv), features.dtype)


def by_sparse(refiner, src, bgr, pha, fgr, err, hid):
    """`SparseRefiner` on the same inputs: alpha, colour, ref."""
    coarse = known_maps(pha, fgr, err, hid)
    full = resize(torch.cat([pha, fgr], 1), list(src.shape[2:]))
    out = full[:, :1].clamp(0, 1), (full[:, 1:] + src).clamp(0, 1)
    ref = sparse.SparseRefiner(refiner)(src, bgr, coarse, err, *out)
    return *out, ref


@settings(max_examples=50, deadline=None)
@given(sides, sides, st.integers(1, 3), st.integers(1, 900), scales, st.sampled_from([3, 1]), seeds)
def test_sparse_refiner_equals_the_plain_one(height, width, batch, k, scale, kernel_size, seed):
    net = refiner(kernel_size, Sampling(16 * k)).eval()
    given = inputs(batch, height, width, scale, seed)
    with torch.no_grad():
        expected = clamped(refined(net, *given), given[0])
    for a, b in zip(by_sparse(net, *given), expected, strict=True):
        assert_close(a, b)


@settings(max_examples=50, deadline=None)
@given(
    sides, sides, st.integers(1, 3), st.integers(1, 900), scales, st.sampled_from([3, 1]),
    crops, replaces, seeds,
)  # fmt: skip
def test_patch_refiner_equals_the_plain_one(
    height, width, batch, k, scale, kernel_size, crop, replace, seed
):
    net = refiner(kernel_size, Sampling(16 * k)).eval()
    given = inputs(batch, height, width, scale, seed)
    with torch.no_grad():
        expected = refined(net, *given)
        net.crop, net.replace = crop(), replace()
        for a, b in zip(net(*given), expected, strict=True):
            assert_close(a, b)


@pytest.mark.parametrize("select", [Thresholding(0.4), Thresholding(1.0), Full()], ids=str)
@pytest.mark.parametrize("chunk", [1, 40, 10**6])
def test_every_selection_and_chunk_gives_the_plain_picture(select, chunk, monkeypatch):
    monkeypatch.setattr(sparse, "CHUNK", chunk)
    monkeypatch.setattr("bgm.model.refiner.CHUNK", chunk)
    monkeypatch.setattr(sparse, "BLOCK", 7)
    net, given = refiner(3, select).eval(), inputs(2, 64, 100, 0.25, 5)
    with torch.no_grad():
        expected = clamped(refined(net, *given), given[0])
        unfolded = clamped(net(*given), given[0])
    for found in (by_sparse(net, *given), unfolded):
        for a, b in zip(found, expected, strict=True):
            assert_close(a, b)


@settings(max_examples=30, deadline=None)
@given(
    sides, sides, st.integers(1, 3), st.integers(1, 900), scales, st.sampled_from([3, 1]),
    st.sampled_from([0.0, 0.4]), st.booleans(), seeds,
)  # fmt: skip
def test_strips_give_the_plain_picture(
    height, width, batch, k, scale, kernel_size, share, still, seed
):
    net = refiner(kernel_size, Sampling(16 * k)).eval()
    src, bgr, *maps = inputs(batch, height, width, scale, seed)
    with pytest.MonkeyPatch.context() as patch, torch.no_grad():
        patch.setattr(strips, "SHARE", share)
        patch.setattr(strips, "CELLS", 8)  # LOWEST rows a strip
        expected = clamped(refined(net, src, bgr, *maps), src)
        found = by_sparse(net, src, cut(bgr) if still else bgr, *maps)
    for a, b in zip(found, expected, strict=True):
        assert_close(a, b)


@settings(max_examples=50, deadline=None)
@given(
    small_sides, small_sides, st.integers(1, 3), selects, scales, st.sampled_from([3, 1]),
    crops, replaces, seeds,
)  # fmt: skip
def test_every_way_through_a_whole_network_gives_the_plain_picture(
    height, width, batch, select, scale, kernel_size, crop, replace, seed
):
    net = whole(kernel_size, select, max(scale, 1 / min(height, width)))
    generator = torch.Generator().manual_seed(seed)
    src, bgr = torch.rand(2, batch, 3, height, width, generator=generator)
    with torch.no_grad():
        expected = Plain(net)(src, bgr)
        fast = optimize(net)
        ways = {"net": net(src, bgr), "optimized": fast(src, bgr)}
        ways["still"] = fast(src, fast.plate(bgr))
        ways["swapped"] = swap_patches(net, crop(), replace())(src, bgr)
        ways["cells"] = prepare_network(net, SharedCells(), None)(src, bgr)
    chosen = expected.ref_sm
    for way, found in ways.items():
        # Patches whose errors tie up to rounding may be chosen otherwise: these are not compared.
        same = F.interpolate((found.ref_sm == chosen).float(), scale_factor=4) > 0
        for name in ("pha", "fgr"):
            off = (getattr(found, name) - getattr(expected, name)).abs() * same
            assert off.max() <= 1e-4, (way, name)
        for name in ("pha_sm", "fgr_sm", "err_sm"):
            off = (getattr(found, name) - getattr(expected, name)).abs()
            assert off.max() <= 1e-4, (way, name)
        differ = found.ref_sm != chosen
        if differ.sum() > 2 + chosen.sum() / 50:  # only where all of these patches tie
            err = resize(expected.err_sm, list(chosen.shape[2:]))
            for values in (e[d] for e, d in zip(err, differ, strict=True) if d.any()):
                assert values.max() - values.min() <= 1e-5, way


@functools.cache
def weights(kernel_size):
    return mobile(Sampling(), kernel_size)


def whole(kernel_size, select, scale):
    """A refined network; its refiner's patch methods are its own."""
    net = weights(kernel_size)
    refiner = copy.deepcopy(net.refiner)
    refiner.select = select.eval()
    return MattingRefine(net.base, refiner, scale).eval()


@pytest.mark.parametrize(
    ("changed", "in_place"),
    [
        (lambda net: net, True),
        (lambda net: swap_patches(net, GatherCrop(), ScatterNdReplace()), False),
        (lambda net: net.double(), False),
        (lambda net: net.train(), False),
    ],
    ids=["as it is", "with a crop", "float64", "training"],
)
def test_only_plain_inference_writes_in_place(changed, in_place, monkeypatch):
    called = []

    def spy(*args):
        called.append(args)
        return upsampled(*args)

    monkeypatch.setattr("bgm.model.refined_network.upsampled", spy)
    net = changed(copy.deepcopy(weights(3)))
    like = next(net.parameters())
    src, bgr = torch.rand(2, 2, 3, 32, 32).to(like)
    with torch.no_grad():
        net(src, bgr)
    assert len(called) == in_place
    assert net(src, bgr).pha.requires_grad
    assert len(called) == in_place


def networks():
    for backbone in (mobilenetv2, resnet50):
        base = MattingBase(backbone())
        yield fill(MattingRefine(base, PatchRefiner(select=Sampling(320)), 0.25))


@pytest.mark.parametrize("net", networks(), ids=lambda n: type(n.base.backbone).__name__)
def test_an_optimized_network_gives_the_plain_picture_and_leaves_all_as_it_was(net):
    src, bgr = smooth(2, 96, 128)
    before = [x.clone() for x in (src, bgr, *net.state_dict().values())]
    with torch.no_grad():
        expected, fast = Plain(net)(src, bgr), optimize(net)
    for found in (fast(src, bgr), fast(src, fast.plate(bgr))):
        for a, b in zip(found, expected, strict=True):
            assert a.is_contiguous()
            assert_close(a, b)
    for a, b in zip(before, (src, bgr, *net.state_dict().values()), strict=True):
        assert torch.equal(a, b)
    assert fast.at_scale(0.5)(src, bgr).pha_sm.shape == (2, 1, 48, 64)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_folded_network_gives_the_picture(dtype):
    net = mobile(Sampling(640)).eval().to(dtype)
    src, bgr = (x.to(dtype) for x in smooth(2, 64, 96))
    with torch.no_grad():
        for a, b in zip(folded(copy.deepcopy(net))(src, bgr), net(src, bgr), strict=True):
            torch.testing.assert_close(a, b, atol=1e-5, rtol=0)


def test_an_optimized_base_network_gives_its_picture():
    net = fill(MattingBase(mobilenetv2()))
    src, bgr = smooth(2, 64, 96)
    fast = optimize(net)
    assert isinstance(fast, OptimizedBase)
    with torch.no_grad():
        for a, b in zip(fast(src, bgr), net(src, bgr), strict=True):
            assert_close(a, b)


def test_the_shipped_network_in_half_precision_keeps_its_picture():
    net = bgm.load("mobilenetv2")
    src, bgr = smooth(1, 128, 192)
    with torch.no_grad():
        expected = net(src, bgr)
    found = bgm.load("mobilenetv2", optimize=True, dtype=torch.bfloat16)(src, bgr)
    assert found.pha.dtype == torch.float32
    assert (found.pha - expected.pha).abs().mean() < 2e-3


def test_a_plate_of_another_size_is_refused():
    net = optimize(mobile(Sampling()))
    src, bgr = torch.rand(1, 3, 64, 64), torch.rand(1, 3, 64, 68)
    for plate in (bgr, net.plate(bgr)):
        with pytest.raises(ValueError, match=r"\[1, 3, 64, 64\] and bgr \[1, 3, 64, 68\] differ"):
            net(src, plate)
    with pytest.raises(ValueError, match="no matting network"):
        optimize(torch.nn.ReLU())


@settings(max_examples=30, deadline=None)
@given(st.integers(4, 300), st.integers(4, 300), st.integers(2, 40), st.integers(2, 40), seeds)
def test_shrinking_equals_resizing(height, width, by_height, by_width, seed):
    size = [max(height // by_height, 1), max(width // by_width, 1)]
    x = torch.rand(1, 2, height, width, generator=torch.Generator().manual_seed(seed))
    torch.testing.assert_close(shrink(x, size), resize(x, size), atol=1e-6, rtol=0)


@settings(max_examples=25, deadline=None)
@given(
    small_sides, small_sides, st.integers(1, 3), selects, scales, st.sampled_from([3, 1]), seeds
)  # fmt: skip
def test_gradients_equal_the_plain_ones(height, width, batch, select, scale, kernel_size, seed):
    net = whole(kernel_size, select, max(scale, 1 / min(height, width)))
    generator = torch.Generator().manual_seed(seed)
    # In float32 rounding puts a pixel on the other side of a ReLU: gradients jump by up to 0.1.
    pictures = torch.rand(2, batch, 3, height, width, generator=generator).double()
    compare_gradients(copy.deepcopy(net).double(), *pictures, atol=1e-8)


@pytest.mark.parametrize("kernel_size", [3, 1])
def test_gradients_in_float32_equal_the_plain_ones(kernel_size):
    compare_gradients(mobile(Sampling(640), kernel_size), *smooth(2, 64, 96), atol=1e-4)


def compare_gradients(net, src, bgr, atol):
    net.train().base.eval()  # the refiner's BatchNorm sees its patches
    other = copy.deepcopy(net)
    found, expected = (module(src, bgr) for module in (net, Plain(other)))
    assert torch.equal(found.ref_sm, expected.ref_sm)
    for out in (found, expected):
        (out.pha.square().mean() + (out.fgr - 0.3).square().mean()).backward()
    named = zip(net.named_parameters(), other.parameters(), strict=True)
    for (name, a), b in named:
        assert (a.grad is None) == (b.grad is None), name
        if b.grad is not None:
            largest = b.grad.abs().max().clamp(min=1e-12)
            torch.testing.assert_close(a.grad / largest, b.grad / largest, atol=atol, rtol=0)
    for a, b in zip(net.buffers(), other.buffers(), strict=True):
        torch.testing.assert_close(a, b, atol=atol, rtol=0)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("backbone", [mobilenetv2, resnet50])
def test_autocast_gives_the_picture_and_gradients_in_training_too(training, backbone):
    net = MattingRefine(fill(MattingBase(backbone())), refiner(), 0.25).train(training)
    generator = torch.Generator().manual_seed(2)
    src, bgr = torch.rand(2, 2, 3, 64, 64, generator=generator)
    with torch.autocast("cpu", torch.bfloat16), torch.set_grad_enabled(training):
        found = net(src, bgr)
    assert found.pha.isfinite().all()
    assert ((found.pha > -0.02) & (found.pha < 1.02)).all()
    if training:
        found.pha.float().mean().backward()
        assert net.refiner.conv1.weight.grad.isfinite().all()
