"""The ways in which exports of background matting have gone wrong, each kept from coming back."""

import onnx
import pytest
import torch

import bgm.export.targets.onnx
from bgm.errors import BadInput
from bgm.export.targets.onnx import OnnxExport
from bgm.export.targets.pt2 import Pt2Export
from bgm.export.targets.torchscript import TorchScriptExport
from bgm.model import (
    Full,
    RoiAlignCrop,
    Sampling,
    ScatterElementReplace,
    ScatterNdReplace,
    Thresholding,
    UnfoldCrop,
)
from tests.networks import steered, tiny, worst, write

FIXED = [1, 64, 96]
SAFE = {"crop": RoiAlignCrop(), "replace": ScatterElementReplace()}


@pytest.fixture(
    scope="module",
    params=[[3, 64, 64], pytest.param(None, marks=pytest.mark.slow)],
    ids=["fixed", "dynamic"],
)
def sampled(request, tmp_path_factory):
    """A file with up to 300 patches a picture, put back by pixel index, and its network.

    The dynamic example has more patches than that, a picture of 64x64 has 256.
    """
    net = steered(tiny(Sampling(4_800)))
    path = tmp_path_factory.mktemp("sampled") / "net.onnx"
    return net, write(OnnxExport(shape=request.param, **SAFE), net, path), path


def test_more_patches_asked_for_than_there_are(sampled):
    net, run, _ = sampled
    assert worst(net, run, (3, 64, 64)) < 1e-5
    if run.shape is None:
        assert worst(net, run, (1, 96, 128)) < 1e-5
    ones = torch.ones(3, 3, 64, 64)
    assert run(ones, ones).ref_sm.sum() == 3 * 256


def test_the_index_of_the_second_picture(sampled):
    """Error in the last picture only: it is refined, and the others stay coarse."""
    net, run, _ = sampled
    src = torch.rand(3, 3, 64, 64)
    src[:2, 0] = 0
    out = run(src, src)
    assert out.ref_sm.sum((1, 2, 3)).tolist() == [0, 0, 256]
    with torch.no_grad():
        assert (out.pha - net(src, src).pha).abs().max() < 1e-5


def test_no_branch_and_no_shape_that_hangs_on_data(sampled):
    names = OnnxExport(**SAFE).operators(sampled[2])
    assert not {"If", "Loop", "Scan", "NonZero"} & names.keys()


class Branching(Thresholding):
    """A selection with an If, as squeezing a free axis writes one."""

    def forward(self, err):
        chosen = torch.cond(err.sum() > 0, lambda x: x * 1, lambda x: x * 2, (err,))
        return super().forward(chosen)


def test_an_if_in_the_graph_is_refused(tmp_path):
    target = OnnxExport(shape=FIXED, select=Branching(), **SAFE)
    with pytest.raises(BadInput, match="the graph holds If"):
        write(target, tiny(), tmp_path / "net.onnx")


@pytest.mark.parametrize(
    "target",
    [
        OnnxExport(shape=FIXED, select=Thresholding(0.5), **SAFE),
        pytest.param(
            OnnxExport(opset=17, shape=FIXED, select=Thresholding(0.5), **SAFE),
            marks=pytest.mark.slow,
        ),
        Pt2Export(shape=FIXED, select=Thresholding(0.5), **SAFE),
    ],
    ids=["onnx18", "onnx17", "pt2"],
)
def test_a_refiner_is_not_traced_away(tmp_path, monkeypatch, target):
    """The example has no error anywhere; the file must refine where a picture has one."""
    black = tuple(torch.zeros(2, FIXED[0], 3, *FIXED[1:]))  # two: one twice would be one input
    for module in (bgm.export.targets.onnx, bgm.export.targets.graphs):
        monkeypatch.setattr(module, "example_inputs", lambda *_: black)
    net = steered(tiny(Thresholding(0.5)))
    run = write(target, net, tmp_path / f"net{target.suffix}")
    assert run(*black).ref_sm.sum() == 0
    src, bgr = torch.rand(2, 1, 3, 64, 96)
    src[:, 0, :32], src[:, 0, 32:] = 1, 0  # nothing near the threshold, where rounding decides
    out = run(src, bgr)
    assert out.ref_sm.sum() == 192
    with torch.no_grad():
        assert (out.pha - net(src, bgr).pha).abs().max() < 1e-5


HALVES = [
    lambda shape, crop: TorchScriptExport(precision="float16", crop=crop, **NATIVE),
    pytest.param(
        lambda shape, crop: OnnxExport(precision="float16", shape=shape, crop=crop, **NATIVE),
        marks=pytest.mark.slow,
    ),
]
NATIVE = {"replace": ScatterNdReplace(), "select": Full()}


@pytest.mark.parametrize("half", HALVES, ids=["torchscript", "onnx"])
@pytest.mark.parametrize(
    "crop",
    [RoiAlignCrop(), pytest.param(UnfoldCrop(), marks=pytest.mark.slow)],
    ids=["roi_align", "unfold"],
)
def test_float16_boxes_in_a_wide_picture(tmp_path, half, crop):
    """Coordinates beyond 1024 in float16 would be half a pixel off, and alpha with them."""
    net = tiny(Full())
    target = half([1, 64, 2112], crop)
    run = write(target, net, tmp_path / f"net{target.suffix}")
    assert run.metadata["io"] == "float16"
    generator = torch.Generator().manual_seed(0)
    src, bgr = torch.rand(2, 1, 3, 64, 2112, generator=generator)
    with torch.no_grad():
        off = (run(src, bgr).pha - net(src, bgr).pha).abs()
    assert off.mean() < 2e-3
    assert off[..., 1100:].max() < 2e-2


OPSETS = [11, *(pytest.param(n, marks=pytest.mark.slow) for n in (17, 20))]


@pytest.mark.parametrize("opset", OPSETS)
def test_the_opset_is_the_one_asked_for(tmp_path, opset):
    target = OnnxExport(opset=opset, shape=FIXED, **SAFE)
    net = tiny()
    run = write(target, net, tmp_path / "net.onnx")
    written = [x for x in onnx.load(tmp_path / "net.onnx").opset_import if x.domain == ""]
    assert [x.version for x in written] == [opset]
    assert run.metadata["opset"] == str(opset)
    assert worst(net, run, tuple(FIXED)) < 1e-5


@pytest.mark.slow
def test_an_opset_that_was_silently_raised_is_refused(tmp_path, monkeypatch):
    """torch's newer exporter writes 18 when asked for 17."""
    monkeypatch.setattr(bgm.export.targets.onnx, "OLDEST_EXPORTED", 17)
    with pytest.raises(BadInput, match="opset 17 cannot be written: torch wrote 18"):
        write(OnnxExport(opset=17, shape=FIXED, **SAFE), tiny(), tmp_path / "net.onnx")
