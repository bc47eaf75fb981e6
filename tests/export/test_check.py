"""The proof itself: what it must let pass and what it must catch, on networks in eager PyTorch."""

import copy
import dataclasses
import json

import pytest
import torch

import bgm.model.patches as patches
from bgm.errors import BadInput
from bgm.export import check
from bgm.export.check import pictures, sizes
from bgm.export.prepare import prepared
from bgm.model import (
    GatherCrop,
    RoiAlignCrop,
    Sampling,
    ScatterElementReplace,
    Thresholding,
)
from tests.export.networks import mobile, tiny


@pytest.fixture(scope="module")
def net():
    return tiny()


def exported(net):
    return prepared(net, RoiAlignCrop(), ScatterElementReplace())


@pytest.mark.parametrize("select", [Sampling(800), Thresholding(0.1)])
def test_a_right_export_passes(net, select):
    net = copy.deepcopy(net)
    net.refiner.select = select
    report = check(net, exported(net))
    assert report.largest < 1e-5
    assert {t.batch for t in report.trials} == {1, 2, 3}
    assert len({(t.height, t.width) for t in report.trials}) == 3
    assert all(t.refined > 0 for t in report.trials)
    assert json.loads(json.dumps(report.as_dict()))["refined"] == report.refined
    assert "refined" in str(report)


def test_some_size_has_more_patches_than_are_chosen(net):
    for pixels in (800, 80_000, 320_000):
        wide = copy.deepcopy(net)
        wide.refiner.select = Sampling(pixels)
        height, width = sizes(wide)[-1]
        assert width > 1024 + 4
        assert (height // 4) * (width // 4) > pixels // 16


def test_batch_norm_is_folded_and_the_network_stays(net):
    net = mobile()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    folded = prepared(net.train(), None, None)
    assert not any(isinstance(x, torch.nn.BatchNorm2d) for x in folded.modules())
    assert net.training
    assert net.state_dict().keys() == before.keys()
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    src, bgr = pictures(2, 64, 96)
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
        check(net, prepared(net, GatherCrop(), None))
    with pytest.raises(BadInput, match=r"is off by .* at batch 2"):
        check(net, prepared(net, None, ScatterElementReplace()))


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
    with pytest.raises(BadInput, match="no patch was refined"):
        check(blind, lambda src, bgr: without_refiner(blind, src, bgr))


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
    residual = noisy.base.residual

    def perturbed(src, bgr):
        out = residual(src, bgr)
        generator = torch.Generator().manual_seed(0)
        off = 1e-5 * (2 * torch.rand(out.err.shape, generator=generator) - 1)
        return out._replace(err=out.err + off)

    noisy.base.residual = perturbed
    report = check(net, noisy)
    assert report.largest < 2e-5
    assert sum(t.ties for t in report.trials) > 0


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
    assert all(t.ties == 2 * 50 * t.batch for t in report.trials)
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


def test_a_trial_is_plain(net):
    trial = check(net, net).trials[0]
    assert dataclasses.asdict(trial)["largest"]["pha"] == 0.0
