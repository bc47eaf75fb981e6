"""What may be changed on an exported file after it is opened, and through open_model."""

import pytest
import torch

from bgm.errors import BadInput
from bgm.export import Exported
from bgm.export.metadata import describe_network
from bgm.export.runtime_options import ratio
from bgm.export.targets.onnx import OnnxExport
from bgm.export.targets.torchscript import TorchScriptExport
from bgm.infer.models import open_model, set_exported_options
from bgm.model import (
    Full,
    MattingRefine,
    RoiAlignCrop,
    Sampling,
    ScatterElementReplace,
    ScatterNdReplace,
    Thresholding,
    UnfoldCrop,
)
from tests.networks import steered, tiny, worst, write

OPTIONS = {"device": "cpu", "backbone_scale": None}
SIZE = (2, 64, 96)


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    net = steered(tiny())
    path = tmp_path_factory.mktemp("script") / "net.pt"
    write(TorchScriptExport(crop=UnfoldCrop(), replace=ScatterNdReplace()), net, path)
    return net, path


@pytest.mark.parametrize(
    ("select", "scale", "attributes"),
    [
        (Sampling(800), 0.25, {}),
        (Sampling(160), 0.25, {"refine_sample_pixels": 160}),
        (Sampling(99_999), 0.25, {"refine_sample_pixels": 99_999}),
        (Thresholding(0.45), 0.25, {"refine_mode": "thresholding", "refine_threshold": 0.45}),
        (Full(), 0.25, {"refine_mode": "full"}),
        (Sampling(800), 0.5, {"backbone_scale": 0.5}),
        (Sampling(800), 0.125, {"backbone_scale": 0.125}),
    ],
)
def test_the_references_attributes_are_obeyed(script, select, scale, attributes):
    """On the program itself, as a user without this package would."""
    net, path = script
    program = torch.jit.load(str(path))
    for name, value in attributes.items():
        setattr(program, name, value)
    own = net.refiner.select
    net.refiner.select = select
    try:
        truth = MattingRefine(net.base, net.refiner, scale).eval()
        assert worst(truth, program, SIZE) < 1e-5
    finally:
        net.refiner.select = own


def test_attributes_out_of_range_are_refused(script):
    src, bgr = torch.rand(2, *SIZE[:1], 3, *SIZE[1:])
    for name, value in (
        ("refine_mode", "samplings"),
        ("backbone_scale", 0.75),
        ("refine_sample_pixels", 8),
    ):
        program = torch.jit.load(str(script[1]))
        setattr(program, name, value)
        with pytest.raises(torch.jit.Error, match=str(value)):
            program(src, bgr)


@pytest.mark.parametrize("scale", [1 / 2, 1 / 3, 1 / 4, 1 / 8, 3 / 8, 0.3, 0.333333])
def test_a_scale_is_the_fraction_that_is_meant(scale):
    numerator, denominator = ratio(scale)
    assert numerator / denominator == pytest.approx(scale, abs=2e-6)
    assert denominator <= 10


def test_options_through_the_command_line(script):
    net, path = script
    model = open_model(str(path), device="cpu", backbone_scale=0.5, select=Thresholding(0.45))
    own = net.refiner.select
    net.refiner.select = Thresholding(0.45)
    try:
        assert worst(MattingRefine(net.base, net.refiner, 0.5).eval(), model.net, SIZE) < 1e-5
    finally:
        net.refiner.select = own


def test_a_threshold_as_an_input_that_need_not_be_given(tmp_path):
    path, net = tmp_path / "net.onnx", steered(tiny(Thresholding(0.25)))
    target = OnnxExport(
        shape=[1, 64, 96],
        threshold_input=True,
        crop=RoiAlignCrop(),
        replace=ScatterElementReplace(),
    )
    run = write(target, net, path)
    src, bgr = torch.rand(2, 1, 3, 64, 96)
    src[:, 0, :32], src[:, 0, 32:] = 0.75, 0.5
    assert run.options == {"refine_threshold": 0.25}
    assert run(src, bgr).ref_sm.sum() == 384
    run.options["refine_threshold"] = 0.625
    assert run(src, bgr).ref_sm.sum() == 192
    select = Thresholding(0.875)
    model = open_model(str(path), **OPTIONS, select=select)
    assert model.net(src, bgr).ref_sm.sum() == 0
    for other in (Sampling(), Full()):
        with pytest.raises(BadInput, match="this one can change refine_threshold"):
            open_model(str(path), **OPTIONS, select=other)


def built_in(net, **wanted):
    """Ask a file without options of its own for settings."""
    words = {"backbone_scale": None, "select": None, "kernel_size": None} | wanted
    set_exported_options(Exported(print, describe_network(net)), "net.onnx", **words)


def test_what_a_file_has_built_in_may_be_asked_for_and_nothing_else():
    """As by preset=hd, of a file that was exported with preset=hd, or with another one."""
    own = {"backbone_scale": 0.25, "select": Sampling(800), "kernel_size": 3}
    built_in(tiny(), **own)
    built_in(tiny(), backbone_scale="auto")
    has = "has backbone_scale 0.25, select sampling, sample_pixels 800, kernel_size 3 built in"
    for name, value, found in (
        ("backbone_scale", 0.125, "backbone_scale=0.125"),
        ("select", Sampling(320), "sample_pixels=320"),
        ("select", Thresholding(0.2), "select=thresholding, threshold=0.2"),
        ("kernel_size", 1, "kernel_size=1"),
    ):
        with pytest.raises(BadInput, match=f"{has}, found {found}: .* change nothing"):
            built_in(tiny(), **own | {name: value})


def test_a_base_network_in_a_file_has_no_selection():
    with pytest.raises(BadInput, match="is a base network without a refiner"):
        built_in(tiny().base, select=Sampling(800))
