"""Pictures of other sizes and numbers than an exported file of one shape takes."""

import json

import pytest
import torch

from bgm.errors import BadInput
from bgm.export.runtime import Exported
from bgm.infer.any_size import FixedShapeModel, run_any_size
from tests.networks import tiny


def exported(net, kind, shape):
    return Exported(net, {"kind": kind, "shape": json.dumps(shape)})


def test_a_refined_file_pads_and_crops_and_fills_its_batch():
    net = tiny()
    model = FixedShapeModel(exported(net, "refined", [2, 96, 128]), "net.onnx")
    src, bgr = torch.rand(2, 3, 3, 72, 100)
    found = run_any_size(model, src, bgr)
    padded = run_any_size(
        net, *(torch.nn.functional.pad(x, (0, 28, 0, 24), "replicate") for x in (src, bgr))
    )
    assert torch.equal(found.pha, padded.pha[..., :72, :100])
    assert torch.equal(found.fgr, padded.fgr[..., :72, :100])
    assert found.pha.shape == (3, 1, 72, 100)
    assert found.err().shape == found.ref().shape == (3, 1, 72, 100)
    assert torch.equal(found.ref(), padded.ref()[..., :72, :100])


def test_a_picture_that_is_too_large_says_what_is_wanted():
    model = FixedShapeModel(exported(tiny(), "refined", [1, 64, 96]), "net.onnx")
    with pytest.raises(BadInput, match=r"net\.onnx takes pictures up to 96x64, found 100x64"):
        model(*torch.rand(2, 1, 3, 64, 100))


def test_a_base_file_resizes():
    net = tiny().base
    model = FixedShapeModel(exported(net, "base", [1, 64, 96]), "net.onnx")
    src, bgr = torch.rand(2, 2, 3, 256, 384)
    found = run_any_size(model, src, bgr)
    truth = run_any_size(net, src, bgr, scale=0.25)
    assert (found.pha - truth.pha).abs().max() < 1e-5
    assert (found.fgr - truth.fgr).abs().max() < 1e-5
