"""Certified files, opened again; what is asked for and cannot be; slow marks add every pair."""

import errno
import itertools
import json
import os

import onnx
import pytest
import torch

from bgm.errors import BadInput
from bgm.export import CertifyOptions, export_and_certify, open_exported, provenance
from bgm.export.cells_refiner import SharedCells
from bgm.export.certify.test_pictures import smooth
from bgm.export.targets.executorch import ExecuTorchExport
from bgm.export.targets.onnx import OnnxExport
from bgm.export.targets.onnx_runtimes import open_onnx
from bgm.export.targets.pt2 import Pt2Export
from bgm.export.targets.torchscript import TorchScriptExport
from bgm.export.whole_refiner import WholePicture
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
from tests.networks import TinyEncoder, refined, tiny, worst, write
from tests.weights_by_formula import fill

slow = pytest.mark.slow
BRIEF = CertifyOptions("brief")
CROPS = [UnfoldCrop, RoiAlignCrop, GatherCrop]
REPLACES = [ScatterNdReplace, ScatterElementReplace]
PAIRS = list(itertools.product(CROPS, REPLACES))
SAFE = {"crop": RoiAlignCrop(), "replace": ScatterElementReplace()}
FAST = {"crop": UnfoldCrop(), "replace": ScatterNdReplace()}


def test_onnx_of_every_size(tmp_path):
    """One file with its own weights inside, free axes and nothing that runtimes stumble over."""
    net, path = tiny(), tmp_path / "net.onnx"
    file = write(OnnxExport(**SAFE), net, path)
    assert worst(net, file, (1, 64, 64), (2, 68, 132), (5, 76, 116)) < 1e-5

    model = onnx.load(path)
    assert [x.version for x in model.opset_import if x.domain == ""] == [18]
    assert [x.name for x in model.graph.input] == ["src", "bgr"]
    assert [x.name for x in model.graph.output] == list(Refined._fields)
    free = [[bool(d.dim_param) for d in x.type.tensor_type.shape.dim] for x in model.graph.input]
    assert free == [[True, False, True, True]] * 2
    operators = OnnxExport(**SAFE).operators(path)
    assert not {"If", "Loop", "Scan", "NonZero", "BatchNormalization"} & operators.keys()
    assert operators["RoiAlign"] == 3
    assert operators["ScatterElements"] >= 1

    assert json.loads(file.metadata["select"]) == {"name": "Sampling", "sample_pixels": 800}
    assert (file.metadata["layout"], file.metadata["divisor"]) == ("NCHW", "4")
    src, bgr = smooth(1, 76, 116)
    assert isinstance(file(src, bgr), Refined)
    with pytest.raises(ValueError, match="height 66"):
        file(src[:, :, :66], bgr[:, :, :66])
    with pytest.raises(ValueError, match="differ"):
        file(src[:, :, :64], bgr)


@pytest.mark.parametrize(
    ("select", "shape"),
    [
        (Sampling(800), [2, 68, 132]),
        *(pytest.param(s, None, marks=slow) for s in (Sampling(800), Thresholding(0.02))),
    ],
)
def test_shared_cells_compute_the_network(tmp_path, select, shape):
    net = tiny()
    net.refiner.select = select.eval()
    target = OnnxExport(crop=SharedCells(), shape=shape)
    file = write(target, net, tmp_path / "net.onnx")
    sizes = [shape] if shape else [(1, 64, 64), (2, 68, 132), (3, 76, 116)]
    assert worst(net, file, *sizes) < 1e-5
    assert "RoiAlign" not in target.operators(tmp_path / "net.onnx")
    assert file.metadata["crop"] == "SharedCells"


@pytest.mark.parametrize(
    "target", [OnnxExport, pytest.param(Pt2Export, marks=slow), ExecuTorchExport]
)
@pytest.mark.parametrize("kernel_size", [3, 1])
def test_the_whole_picture_is_convolved_where_everything_is_refined(tmp_path, target, kernel_size):
    net, shape = tiny(Full(), kernel_size=kernel_size), [2, 68, 132]
    written = target(crop=WholePicture(), shape=shape)
    if target is ExecuTorchExport:
        pytest.importorskip("executorch")
    file = write(written, net, tmp_path / f"net{written.suffix}")
    assert worst(net, file, shape) < 1e-5
    assert file.metadata["crop"] == "WholePicture"
    gathers = {"RoiAlign", "NonZero", "GatherND", "ScatterND", "ScatterElements"}
    assert not gathers & written.operators(tmp_path / f"net{written.suffix}").keys()


def test_a_whole_picture_needs_a_selection_of_everything_that_stays(tmp_path):
    with pytest.raises(BadInput, match="crop=whole refines everywhere"):
        OnnxExport(crop=WholePicture()).check_request(tiny(), tmp_path / "net.onnx")
    script = TorchScriptExport(crop=WholePicture())
    with pytest.raises(BadInput, match="crop=whole is not for torchscript files"):
        script.check_request(tiny(Full()), tmp_path / "net.pt")


def test_shared_cells_are_refused_where_they_cannot_be_written(tmp_path):
    mobile = ExecuTorchExport(crop=SharedCells(), shape=[1, 64, 96])
    with pytest.raises(BadInput, match="crop=cells is not for executorch files"):
        mobile.check_request(tiny(), tmp_path / "net.pte")
    with pytest.raises(BadInput, match="crop=cells needs opset 18"):
        OnnxExport(opset=16, crop=SharedCells()).check_request(tiny(), tmp_path / "net.onnx")


def test_a_certified_onnx_file(tmp_path):
    """The file says where it is from; the network stays as it was."""
    net = tiny().train()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    methods = (net.refiner.crop, net.refiner.replace, net.refiner.select)
    out = tmp_path / "a name, with (odd) = signs.onnx"
    target = OnnxExport(shape=[2, 64, 96], **SAFE)
    certificate = export_and_certify(target, net, out, {"checkpoint_sha256": "abc"})
    assert certificate.report.largest < 1e-5
    assert certificate.report.refined > 0
    assert len(list(tmp_path.iterdir())) == 3
    assert net.training
    assert methods == (net.refiner.crop, net.refiner.replace, net.refiner.select)
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    assert open_onnx(out, threads=1).metadata["checkpoint_sha256"] == "abc"


@pytest.mark.parametrize(
    ("target", "select"),
    [
        (TorchScriptExport, Sampling(800)),
        (TorchScriptExport, Thresholding(2.0)),
        (TorchScriptExport, Full()),
        (Pt2Export, Thresholding(0.02)),
        (Pt2Export, Thresholding(2.0)),
    ],
)
def test_shared_cells_in_programs_of_pytorch(tmp_path, target, select):
    """Thresholding(2.0): nothing is refined."""
    net = tiny()
    net.refiner.select = select.eval()
    file = write(target(crop=SharedCells()), net, tmp_path / f"net{target.suffix}")
    assert worst(net, file, (1, 64, 64), (2, 68, 132), (3, 76, 116)) < 1e-5
    assert file.metadata["crop"] == "SharedCells"


@pytest.mark.parametrize("select", [None, Thresholding(0.1), Full()])
def test_torchscript(tmp_path, select):
    net, out = tiny(), tmp_path / "net.pt"
    target = TorchScriptExport(select=select, **FAST)
    assert worst(target.truth(net), write(target, net, out), (1, 64, 64), (2, 68, 132)) < 1e-5
    assert isinstance(net.refiner.select, Sampling)
    file = open_exported(out)
    name = json.loads(file.metadata["select"])["name"]
    assert name == type(select or net.refiner.select).__name__
    src, bgr = smooth(4, 64, 76)
    assert isinstance(file(src, bgr), Refined)
    with pytest.raises(ValueError, match="height 62"):
        file(src[:, :, :62], bgr[:, :, :62])


def test_torchscript_of_a_base_network(tmp_path):
    net, out = fill(MattingBase(TinyEncoder())), tmp_path / "b.pt"
    assert worst(net, write(TorchScriptExport(**FAST), net, out), (1, 64, 64), (2, 68, 132)) < 1e-5
    file = open_exported(out)
    assert isinstance(file(*smooth(1, 64, 64)), Coarse)
    assert file.metadata["kind"] == "base"


@pytest.mark.parametrize(("crop", "replace"), PAIRS)
def test_torchscript_pairs(tmp_path, crop, replace):
    net, target = tiny(), TorchScriptExport(crop=crop(), replace=replace())
    assert worst(net, write(target, net, tmp_path / "net.pt"), (2, 68, 132)) < 1e-5


@slow
@pytest.mark.parametrize("select", [Sampling, Thresholding, Full])
@pytest.mark.parametrize(("crop", "replace"), PAIRS)
def test_onnx_pairs(tmp_path, crop, replace, select):
    target = OnnxExport(crop=crop(), replace=replace(), select=select())
    assert export_and_certify(target, tiny(), tmp_path / "net.onnx").report.refined > 0


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
    export_and_certify(OnnxExport(**SAFE), net(), tmp_path / "net.onnx")


def test_provenance_of_a_checkpoint(tmp_path):
    state = {"base.decoder.conv4.weight": torch.zeros(1)}
    network = {"_target_": "bgm.model.MattingBase"}
    write_safetensors(tmp_path / "a.safetensors", state, network)
    facts = provenance(tmp_path / "a.safetensors")
    assert json.loads(facts["network"]) == network
    assert len(facts["checkpoint_sha256"]) == 64


def test_a_wrong_file_is_not_left_behind(tmp_path):
    net, target = tiny(), Copies(crop=GatherCrop())
    target.off = 2e-4
    with pytest.raises(BadInput, match=r"pha is off by 2\.0e-04"):
        export_and_certify(target, net, tmp_path / "new" / "net.copy", options=BRIEF)
    assert not (tmp_path / "new").exists()
    older = tmp_path / "net.copy"
    older.write_text("older")
    with pytest.raises(BadInput):
        export_and_certify(target, net, older, options=BRIEF)
    assert older.read_text() == "older"
    target.off = 0.0
    export_and_certify(target, net, older, options=BRIEF)
    assert len([x for x in tmp_path.iterdir() if x.is_file()]) == 3
    assert older.stat().st_size > 1000


def test_bad_requests_are_refused_before_any_work(tmp_path):
    net = tiny()
    (tmp_path / "folder.copy").mkdir()
    (tmp_path / "file").touch()
    for target, name, message in (
        (Copies(), "net.pth", r"ends in \.pth, expected \.copy"),
        (Copies(), "folder.copy", "is a folder"),
        (Copies(), "file/net.copy", "cannot write"),
        (OnnxExport(opset=17), "net.onnx", "opset 17"),
    ):
        with pytest.raises(BadInput, match=message):
            export_and_certify(target, net, tmp_path / name)
    with pytest.raises(BadInput, match="select"):
        export_and_certify(Copies(select=Full()), net.base, tmp_path / "net.copy")


def test_a_full_disk_is_an_error_and_not_the_end_of_the_process(tmp_path, monkeypatch):
    """torch.jit.save straight to a file aborts the process there: it never sees the file."""

    def full(*args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(BadInput, match=r"cannot write .*net\.pt \(No space left on device\)"):
        export_and_certify(TorchScriptExport(), tiny(), tmp_path / "net.pt")
    assert not list(tmp_path.iterdir())
