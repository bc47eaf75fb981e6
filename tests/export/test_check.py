"""The proof itself: what it must let pass and what it must catch, on networks in eager PyTorch."""

import copy
import random
from functools import partial

import pytest
import torch

import bgm.model.patches as patches
from bgm.errors import BadInput
from bgm.export.certify.check import check as check_everywhere
from bgm.export.certify.check import coverage
from bgm.export.certify.compare import Truth
from bgm.export.certify.grid import brief, default, wide
from bgm.export.certify.test_pictures import PLAIN, STEERED, smooth, steer_error
from bgm.export.prepare import prepare_network
from bgm.export.shapes import Shape
from bgm.export.targets.onnx import OnnxExport
from bgm.export.targets.torchscript import TorchScriptExport
from bgm.export.tolerances import PRECISIONS
from bgm.model import (
    Full,
    GatherCrop,
    MattingBase,
    MattingRefine,
    PatchRefiner,
    RoiAlignCrop,
    Sampling,
    ScatterElementReplace,
    ScatterNdReplace,
    Thresholding,
    UnfoldCrop,
    mobilenetv2,
)
from tests.networks import TinyEncoder, mobile, tiny, write

check = partial(check_everywhere, shapes=[Shape(1, 64, 96), Shape(2, 68, 132), Shape(2, 80, 1056)])


@pytest.fixture(scope="module")
def net():
    return tiny()


def prepare(net):
    return prepare_network(net, RoiAlignCrop(), ScatterElementReplace())


@pytest.mark.parametrize(("select", "grid"), [(Sampling(800), default), (Thresholding(0.1), brief)])
def test_a_right_export_passes(net, select, grid):
    net = copy.deepcopy(net)
    net.refiner.select = select
    report = check_everywhere(net, prepare(net), shapes=grid(net))
    assert report.largest < 1e-5
    shapes = {(t.batch, t.height, t.width) for t in report.comparisons}
    assert shapes == set(grid(net))
    assert {t.pictures for t in report.comparisons} == set(PLAIN)
    assert all(t.refined > 0 for t in report.comparisons)
    assert "refined" in str(report)


@pytest.mark.parametrize(("largest", "expected"), [(2e-5, 0), (1e-9, 2)])
def test_float64_is_asked_only_where_float32_leaves_a_doubt(net, monkeypatch, largest, expected):
    asked = []

    def spy(self, *args):
        asked.append(args)
        return in_float64(self, *args)

    in_float64 = Truth.in_float64
    monkeypatch.setattr(Truth, "in_float64", spy)
    limits = PRECISIONS["float32"]._replace(largest=largest)
    report = check(net, prepare(net), limits, shapes=[Shape(1, 64, 96)])
    assert len(asked) == expected
    assert (report.eager > 0) == (expected > 0)
    assert ("PyTorch in float32" in str(report)) == (expected > 0)


def test_the_grid_covers_what_has_gone_wrong_before(net):
    """Batches, sizes that are padded, long strips, and more and fewer patches than are chosen."""
    for pixels in (800, 80_000, 320_000):
        net = copy.deepcopy(net)
        net.refiner.select = Sampling(pixels)
        shapes = default(net)
        sizes = {(h, w) for _, h, w in shapes}
        assert {b for b, _, _ in shapes} == {1, 2, 3, 5}
        assert len({s for s in sizes if {b for b, *of in shapes if tuple(of) == s} > {1}}) >= 5
        assert {(64, 64), (68, 132), (64, 3840)} <= sizes
        height, width = wide(net)
        assert width > 1024 + 4
        assert (height // 4) * (width // 4) > pixels // 16
        assert min(h * w for h, w in sizes) < 80_000
        assert set(brief(net)) <= set(shapes)


def test_batch_norm_is_folded_and_the_network_stays(net):
    net = mobile()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    folded = prepare_network(net.train(), None, None)
    assert not any(isinstance(x, torch.nn.BatchNorm2d) for x in folded.modules())
    assert net.training
    assert net.state_dict().keys() == before.keys()
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    src, bgr = smooth(2, 64, 96)
    with torch.no_grad():
        for a, b in zip(net.eval()(src, bgr), folded(src, bgr), strict=True):
            assert (a - b).abs().max() < 1e-5


def test_the_references_index_is_caught_at_batch_2(net, monkeypatch):
    def wrong(x, index, size, window):
        C, H, W = x.shape[1:]
        offset = torch.arange(window)
        c = torch.arange(C).view(1, C, 1, 1)
        b = index[:, 0].view(-1, 1, 1, 1)
        row = (index[:, 1:2] * size + offset).view(-1, 1, window, 1)
        column = (index[:, 2:3] * size + offset).view(-1, 1, 1, window)
        return b * H * W + c * H * W + row * W + column

    monkeypatch.setattr(patches, "pixel_index", wrong)
    with pytest.raises(BadInput, match=r"pha is off by .* at batch 2"):
        check(net, prepare_network(net, GatherCrop(), None))
    with pytest.raises(BadInput, match=r"is off by .* at batch 2"):
        check(net, prepare_network(net, None, ScatterElementReplace()))


def without_refiner(net, src, bgr):
    out = net(src, bgr)
    size = src.shape[-2:]
    pha = torch.nn.functional.interpolate(out.pha_sm, size=size, mode="bilinear")
    return out._replace(pha=pha, ref_sm=torch.zeros_like(out.ref_sm))


def test_a_refiner_traced_away_is_caught(net):
    with pytest.raises(BadInput, match="chose 0 patches"):
        check(net, lambda src, bgr: without_refiner(net, src, bgr))
    # The same with a selection that finds nothing: all outputs agree, and nothing is proved.
    blind = copy.deepcopy(net)
    blind.refiner.select = Thresholding(2.0)
    report = check(blind, lambda src, bgr: without_refiner(blind, src, bgr))
    assert report.refined == 0
    with pytest.raises(BadInput, match="no patch was refined"):
        coverage(blind, report)


def nearly_flat(net, slope):
    """net with err = 0.5 + slope * what it was: near ties everywhere."""
    flat = copy.deepcopy(net)
    with torch.no_grad():
        flat.base.decoder.conv4.weight[4] *= slope
        flat.base.decoder.conv4.bias[4] = 0.5
    return flat


def test_float_noise_in_err_may_choose_other_patches(net):
    """Another runtime's err differs a little; near ties then fall otherwise, and that is right."""
    net = nearly_flat(net, 1e-3)
    noisy = copy.deepcopy(net)
    noisy.refiner.crop = UnfoldCrop()  # as graphs are written: through base.residual
    residual = noisy.base.residual

    def perturbed(src, bgr):
        out = residual(src, bgr)
        generator = torch.Generator().manual_seed(0)
        off = 1e-5 * (2 * torch.rand(out.err.shape, generator=generator) - 1)
        return out._replace(err=out.err + off)

    noisy.base.residual = perturbed
    report = check(net, noisy)
    assert report.largest < 2e-5
    assert sum(t.ties for t in report.comparisons) > 0


class Mirrored(Sampling):
    """The patches of the mirrored err."""

    def forward(self, err):
        return super().forward(err.flip(3))


def test_other_patches_without_a_tie_are_caught(net):
    """Patches that the file chose because of an err which it does not report."""
    net = nearly_flat(net, 1e-3)
    other = copy.deepcopy(net)
    other.refiner.select = Mirrored(800)
    with pytest.raises(BadInput, match="not explained by ties"):
        check(net, other)


def test_exact_ties_may_fall_either_way(net):
    """err equal everywhere: any k patches are right, k + 1 are not."""
    flat = nearly_flat(net, 0)

    class Last(Sampling):
        def forward(self, err):
            turned = super().forward(err.flip(2, 3))
            h, w = err.shape[2:]
            index = torch.tensor([0, h - 1, w - 1]) - turned.index
            index = torch.cat([turned.index[:, :1], index[:, 1:]], 1)
            return turned._replace(index=index, ref=turned.ref.flip(2, 3))

    other = copy.deepcopy(flat)
    other.refiner.select = Last(800)
    report = check(flat, other)
    assert all(t.ties == 2 * 50 * t.batch for t in report.comparisons)
    other.refiner.select = Last(816)
    with pytest.raises(BadInput, match="chose 51 patches at batch 1"):
        check(flat, other)


@pytest.mark.parametrize("name", ["pha", "fgr", "pha_sm", "fgr_sm", "err_sm", "ref_sm"])
def test_a_single_wrong_value_is_caught_in_every_output(net, name):
    def wrong(src, bgr):
        out = net(src, bgr)
        x = getattr(out, name).clone()
        x[-1, -1, -1, -1] = 1 - x[-1, -1, -1, -1] if name == "ref_sm" else x[-1, -1, -1, -1] + 2e-4
        return out._replace(**{name: x})

    with pytest.raises(BadInput):
        check(net, wrong)


def test_not_a_number_and_a_wrong_shape_are_caught(net):
    with pytest.raises(BadInput, match="pha is off by nan"):
        check(net, lambda *x: (out := net(*x))._replace(pha=out.pha * float("nan")))
    with pytest.raises(BadInput, match=r"ref_sm is \[1, 1, 8, 24\].*expected \[1, 1, 16, 24\]"):
        check(net, lambda *x: (out := net(*x))._replace(ref_sm=out.ref_sm[:, :, :8]))


def test_a_runtime_that_fails_is_bad_input(net):
    def fails(src, bgr):
        if len(src) > 1:
            raise RuntimeError("no batches here\nand a long trace")
        return net(src, bgr)

    with pytest.raises(BadInput, match=r"fails at batch 2, 132x68, random pictures: no batches"):
        check(net, fails)


def test_a_steered_error_is_the_red_of_src(net):
    steered = steer_error(net)
    with torch.no_grad():
        for name, draw in STEERED.items():
            src, bgr = draw(3, 64, 96)
            out = steered(src, bgr)
            red = torch.nn.functional.interpolate(src[:, :1], scale_factor=0.25, mode="bilinear")
            assert (out.err_sm - red).abs().max() < 1e-6, name
            assert torch.equal(out.pha_sm, net(src, bgr).pha_sm)
            refined = out.ref_sm.flatten(1).sum(1).tolist()
            assert refined == {"no error": [0, 0, 0], "all error": [50, 50, 50]}.get(
                name, [0, 0, 50]
            )
    assert not torch.equal(net(src, bgr).err_sm, out.err_sm)


def test_coverage_counts_none_some_and_all(net):
    net = copy.deepcopy(net)
    net.refiner.select = Sampling(16 * 500)  # of 384, 561 and 5280 patches
    report = check(steer_error(net), steer_error(net), pictures=STEERED)
    assert coverage(net, report) == {
        "patches refined": report.refined,
        "pictures with no patch refined": 5 + 2,
        "pictures with some patches refined": 4 + 2,
        "pictures with all patches refined": 1 + 1,
        "batches with k above the number of patches": 3,
    }


@pytest.mark.parametrize("name", PLAIN | STEERED)
def test_pictures_are_always_the_same(name):
    draw = (PLAIN | STEERED)[name]
    src, bgr = draw(2, 64, 96)
    assert src.shape == bgr.shape == (2, 3, 64, 96)
    assert min(src.min(), bgr.min()) >= 0
    assert max(src.max(), bgr.max()) <= 1
    assert torch.equal(src, draw(2, 64, 96)[0])
    assert not torch.equal(src[0], src[1])


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(50))
def test_sound_files_are_accepted(tmp_path, seed):
    """Random weights, settings, methods and sizes; every tenth network is a MobileNetV2 in ONNX."""
    rng = random.Random(seed)
    torch.manual_seed(seed)
    encoder = mobilenetv2() if seed % 10 == 0 else TinyEncoder()
    select = rng.choice([Sampling(1_600), Thresholding(0.3), Full()])
    refiner = PatchRefiner(rng.choice([1, 3]), select=select)
    net = MattingRefine(MattingBase(encoder), refiner, rng.choice([1 / 2, 1 / 3, 1 / 4, 1 / 8]))
    batch, *size = rng.randint(1, 3), 4 * rng.randint(16, 60), 4 * rng.randint(16, 60)
    crop = rng.choice([UnfoldCrop, RoiAlignCrop, GatherCrop])()
    methods = {"crop": crop, "replace": rng.choice([ScatterNdReplace, ScatterElementReplace])()}
    if seed % 10 == 0:
        target = OnnxExport(shape=[batch, *size], **methods)
    else:
        target = TorchScriptExport(**methods)
    run = write(target, net.eval(), tmp_path / f"net{target.suffix}")
    check_everywhere(net, run, target.tolerance, [Shape(batch, *size)])
