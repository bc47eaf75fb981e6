"""Every target, written, proved and opened again; slow marks hold what `make check` adds."""

import errno
import itertools
import json
import os

import onnx
import pytest
import torch

from bgm.errors import BadInput
from bgm.export import Exam, OnnxExport, TorchScriptExport, card, open_onnx, open_torchscript
from bgm.export.certify.test_pictures import smooth
from bgm.model import (
    Full,
    GatherCrop,
    MattingBase,
    RoiAlignCrop,
    Sampling,
    ScatterElementReplace,
    ScatterNdReplace,
    Thresholding,
    UnfoldCrop,
    mobilenetv2,
    resnet50,
)
from bgm.types import Coarse, Refined
from bgm.weights import write_safetensors
from tests.export.copies import Copies
from tests.export.networks import TinyEncoder, mobile, refined, tiny
from tests.weights_by_formula import fill

slow = pytest.mark.slow
BRIEF = Exam("brief")
CROPS = [UnfoldCrop, RoiAlignCrop, GatherCrop]
REPLACES = [ScatterNdReplace, ScatterElementReplace]
PAIRS = list(itertools.product(CROPS, REPLACES))


def test_onnx(tmp_path):
    """One file, its own weights inside, what it says about itself, and the network untouched."""
    net = tiny().train()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    methods = (net.refiner.crop, net.refiner.replace, net.refiner.select)
    out = tmp_path / "a name, with (odd) = signs.onnx"
    target = OnnxExport(crop=RoiAlignCrop(), replace=ScatterElementReplace())
    report = target(net, out, card={"checkpoint_sha256": "abc"}, exam=BRIEF)

    assert report.largest < 1e-4
    assert report.refined > 0
    assert out.name in [x.name for x in tmp_path.iterdir()]
    assert len(list(tmp_path.iterdir())) == 3
    nodes = report.facts["nodes_by_provider"]
    assert list(nodes) == ["CPUExecutionProvider"]
    assert nodes["CPUExecutionProvider"]["RoiAlign"] == 3
    assert report.facts["operators"]["RoiAlign"] == 3
    assert net.training
    assert methods == (net.refiner.crop, net.refiner.replace, net.refiner.select)
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())

    model = onnx.load(out)
    assert [x.version for x in model.opset_import if x.domain == ""] == [18]
    assert [x.name for x in model.graph.input] == ["src", "bgr"]
    assert [x.name for x in model.graph.output] == list(Refined._fields)
    free = [[bool(d.dim_param) for d in x.type.tensor_type.shape.dim] for x in model.graph.input]
    assert free == [[True, False, True, True]] * 2
    ops = [node.op_type for node in model.graph.node]
    assert "If" not in ops
    assert "NonZero" not in ops
    assert "BatchNormalization" not in ops
    assert ops.count("RoiAlign") == 3
    assert ops.count("ScatterElements") >= 1

    file = open_onnx(out, threads=1)
    assert file.metadata["checkpoint_sha256"] == "abc"
    assert file.metadata["crop"] == "RoiAlignCrop"
    assert json.loads(file.metadata["select"]) == {"name": "Sampling", "sample_pixels": 800}
    assert (file.metadata["layout"], file.metadata["divisor"]) == ("NCHW", "4")
    src, bgr = smooth(5, 76, 116)
    answer = file(src, bgr)
    assert isinstance(answer, Refined)
    with torch.no_grad():
        assert (answer.pha - net.eval()(src, bgr).pha).abs().max() < 1e-4
    with pytest.raises(ValueError, match="height 66"):
        file(src[:, :, :66], bgr[:, :, :66])
    with pytest.raises(ValueError, match="differ"):
        file(src[:, :, :64], bgr)


@pytest.mark.parametrize("select", [None, Thresholding(0.1), Full()])
def test_torchscript(tmp_path, select):
    net = tiny() if select else mobile()
    out = tmp_path / "net.pt"
    report = TorchScriptExport(crop=UnfoldCrop(), replace=ScatterNdReplace(), select=select)(
        net, out, exam=BRIEF
    )
    assert report.refined > 0
    assert isinstance(net.refiner.select, Sampling)
    file = open_torchscript(out)
    name = json.loads(file.metadata["select"])["name"]
    assert name == type(select or net.refiner.select).__name__
    src, bgr = smooth(4, 64, 76)
    assert isinstance(file(src, bgr), Refined)
    with pytest.raises(ValueError, match="height 62"):
        file(src[:, :, :62], bgr[:, :, :62])


def test_torchscript_of_a_base_network(tmp_path):
    net = fill(MattingBase(TinyEncoder()))
    report = TorchScriptExport(crop=UnfoldCrop(), replace=ScatterNdReplace())(
        net, tmp_path / "b.pt", exam=BRIEF
    )
    assert report.largest < 1e-4
    file = open_torchscript(tmp_path / "b.pt")
    assert isinstance(file(*smooth(1, 64, 64)), Coarse)
    assert file.metadata["kind"] == "base"


@pytest.mark.parametrize(("crop", "replace"), PAIRS)
def test_torchscript_pairs(tmp_path, crop, replace):
    TorchScriptExport(crop=crop(), replace=replace())(tiny(), tmp_path / "net.pt", exam=BRIEF)


@slow
@pytest.mark.parametrize("select", [Sampling, Thresholding, Full])
@pytest.mark.parametrize(("crop", "replace"), PAIRS)
def test_onnx_pairs(tmp_path, crop, replace, select):
    out = tmp_path / "net.onnx"
    report = OnnxExport(crop=crop(), replace=replace(), select=select())(tiny(), out)
    assert report.refined > 0


@slow
@pytest.mark.parametrize(
    "net",
    [
        lambda: fill(MattingBase(mobilenetv2())),
        lambda: refined(resnet50()),
        lambda: tiny(scale=0.125, kernel_size=1),
        lambda: tiny(scale=0.5),
    ],
    ids=["base", "resnet50", "eighth-kernel1", "half"],
)
def test_onnx_networks(tmp_path, net):
    target = OnnxExport(crop=RoiAlignCrop(), replace=ScatterElementReplace())
    target(net(), tmp_path / "net.onnx")


@slow
def test_onnx_newer_opset(tmp_path):
    OnnxExport(opset=20)(tiny(), tmp_path / "net.onnx", exam=BRIEF)
    written = onnx.load(tmp_path / "net.onnx").opset_import
    assert [x.version for x in written if x.domain == ""] == [20]


def test_card_of_a_checkpoint(tmp_path):
    state = {"base.decoder.conv4.weight": torch.zeros(1)}
    network = {"_target_": "bgm.model.MattingBase"}
    write_safetensors(tmp_path / "a.safetensors", state, network)
    about = card(tmp_path / "a.safetensors")
    assert json.loads(about["network"]) == network
    assert len(about["checkpoint_sha256"]) == 64


def test_a_wrong_file_is_not_left_behind(tmp_path):
    net, target = tiny(), Copies(crop=GatherCrop())
    target.off = 2e-4
    with pytest.raises(BadInput, match=r"pha is off by 2\.0e-04"):
        target(net, tmp_path / "new" / "net.copy", exam=BRIEF)
    assert not list((tmp_path / "new").iterdir())
    older = tmp_path / "net.copy"
    older.write_text("older")
    with pytest.raises(BadInput):
        target(net, older, exam=BRIEF)
    assert older.read_text() == "older"
    target.off = 0.0
    target(net, older, exam=BRIEF)
    assert len([x for x in tmp_path.iterdir() if x.is_file()]) == 3
    assert older.stat().st_size > 1000


def test_bad_requests_are_refused_before_any_work(tmp_path):
    net = tiny()
    with pytest.raises(BadInput, match=r"ends in \.pth, expected \.copy"):
        Copies()(net, tmp_path / "net.pth")
    (tmp_path / "folder.copy").mkdir()
    with pytest.raises(BadInput, match="is a folder"):
        Copies()(net, tmp_path / "folder.copy")
    (tmp_path / "file").touch()
    with pytest.raises(BadInput, match="cannot write"):
        Copies()(net, tmp_path / "file" / "net.copy")
    with pytest.raises(BadInput, match="opset 17"):
        OnnxExport(opset=17)(net, tmp_path / "net.onnx")
    with pytest.raises(BadInput, match="select"):
        Copies(select=Full())(net.base, tmp_path / "net.copy")


def test_a_full_disk_is_an_error_and_not_the_end_of_the_process(tmp_path, monkeypatch):
    """torch.jit.save straight to a file aborts the process there: it never sees the file."""

    def full(*args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(BadInput, match=r"cannot write .*net\.pt \(No space left on device\)"):
        TorchScriptExport()(tiny(), tmp_path / "net.pt")
    assert not list(tmp_path.iterdir())
