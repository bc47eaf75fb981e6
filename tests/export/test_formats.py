"""Every format, written, opened again by its suffix and compared; what each says about itself."""

import json
import shutil

import pytest
import torch
from omegaconf import OmegaConf

from bgm.errors import BadInput
from bgm.export import (
    AotiExport,
    ExecuTorchExport,
    NcnnExport,
    OnnxExport,
    OpenVinoExport,
    Pt2Export,
    TensorRtExport,
    TorchScriptExport,
    open_openvino,
    open_reference,
)
from bgm.infer.models import open_model
from bgm.model import (
    Full,
    MattingBase,
    RoiAlignCrop,
    Sampling,
    ScatterElementReplace,
    ScatterNdReplace,
    Thresholding,
    UnfoldCrop,
)
from bgm.types import Coarse
from tests.export.networks import TinyEncoder, tiny, worst, write
from tests.weights_by_formula import fill

SHAPE = [1, 64, 96]
SAFE = {"crop": RoiAlignCrop(), "replace": ScatterElementReplace()}
FAST = {"crop": UnfoldCrop(), "replace": ScatterNdReplace()}
KNOBS = OmegaConf.create({"device": "cpu", "backbone_scale": None, "base_scale": None})
slow = pytest.mark.slow

FORMATS = {
    "onnx": lambda **o: OnnxExport(shape=SHAPE, **SAFE, **o),
    "tensorrt": lambda **o: TensorRtExport(shape=SHAPE, **SAFE, **o),
    "openvino": lambda **o: OpenVinoExport(shape=SHAPE, **SAFE, **o),
    "torchscript": lambda **o: TorchScriptExport(**FAST, **o),
    "pt2": lambda **o: Pt2Export(shape=SHAPE, **FAST, **o),
    "executorch": lambda **o: ExecuTorchExport(shape=SHAPE, **FAST, **o),
    "ncnn": lambda **o: NcnnExport(shape=SHAPE, **{"part": "base"} | o),
    "aoti": lambda **o: AotiExport(shape=SHAPE, **FAST, **o),
}
NEEDS = {"openvino": "openvino", "executorch": "executorch", "ncnn": "ncnn"}
MARKS = {"aoti": slow}


def formats(*but):
    return [pytest.param(x, marks=MARKS.get(x, ())) for x in FORMATS if x not in but]


def made(name, **options):
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    if name == "aoti" and shutil.which("g++") is None:
        pytest.skip("no g++, which AOTInductor compiles with")
    return FORMATS[name](**options)


@pytest.mark.parametrize("name", formats())
def test_a_file_computes_what_its_network_does(tmp_path, name):
    target, net = made(name, licence="CC0"), tiny()
    path = tmp_path / f"net{target.suffix}"
    write(target, net, path)
    assert sorted(tmp_path.iterdir()) == sorted(target.files(path))
    model = open_model(str(path), KNOBS)
    exported = getattr(model.net, "exported", model.net)
    assert worst(target.truth(net), exported, tuple(SHAPE)) < 1e-5

    about = exported.metadata
    same = {"layout": "NCHW", "channels": "RGB", "range": "0-1", "divisor": "4", "licence": "CC0"}
    same |= {"target": name, "precision": "float32", "io": "float32", "backbone": "TinyEncoder"}
    assert about.items() >= (same | {"backbone_scale": "0.25"}).items()
    if name != "ncnn":
        assert json.loads(about["select"]) == {"name": "Sampling", "sample_pixels": 800}
        assert about["crop"] == type(target.crop).__name__
        assert about["replace"] == type(target.replace).__name__
    free = name == "torchscript"
    assert about["shape"] == ("dynamic" if free else str(SHAPE))
    if name != "aoti":
        assert sum(target.operators(path).values()) > 0
    if not free:
        with pytest.raises(ValueError, match="takes 1x64x96 only"):
            exported(*torch.rand(2, 1, 3, 64, 64))


@pytest.mark.parametrize("name", formats("tensorrt", "ncnn", "aoti", "executorch", "openvino"))
def test_the_base_network_of_a_refined_checkpoint(tmp_path, name):
    target, net = made(name, part="base"), tiny(scale=0.125)
    run = write(target, net, tmp_path / f"net{target.suffix}")
    assert run.answer is Coarse
    assert worst(net.base, run, tuple(SHAPE)) < 1e-5
    assert run.metadata["kind"] == "base"
    assert run.metadata["backbone_scale"] == "0.125"
    assert not run.knobs


@slow
def test_pt2_of_every_size(tmp_path):
    net = tiny()
    run = write(Pt2Export(**FAST), net, tmp_path / "net.pt2")
    assert worst(net, run, (1, 64, 64), (2, 68, 132)) < 1e-5


def test_onnx_in_other_runtimes(tmp_path):
    pytest.importorskip("openvino")
    net, path = tiny(), tmp_path / "net.onnx"
    for runtime in ("openvino", "reference"):
        run = write(OnnxExport(shape=SHAPE, runtime=runtime, **SAFE), net, path)
        assert worst(net, run, tuple(SHAPE)) < 1e-5
    for runtime, opened in (("openvino", open_openvino), ("reference", open_reference)):
        model = open_model(str(path), OmegaConf.merge(KNOBS, {"runtime": runtime}))
        assert model.net.metadata == opened(path).metadata
    with pytest.raises(BadInput, match="none of onnxruntime, openvino, reference"):
        open_model(str(path), OmegaConf.merge(KNOBS, {"runtime": "ort"}))
    with pytest.raises(BadInput, match=r"for \.onnx files"):
        open_model("net.pt", OmegaConf.merge(KNOBS, {"runtime": "openvino"}))


def test_openvino_stores_half_the_weights(tmp_path):
    pytest.importorskip("openvino")
    net, sizes = tiny(), []
    for precision in ("float32", "float16"):
        target = OpenVinoExport(shape=SHAPE, precision=precision, **SAFE)
        run = write(target, net, tmp_path / "net.xml")
        sizes.append((tmp_path / "net.bin").stat().st_size)
        src, bgr = torch.rand(2, *SHAPE[:1], 3, *SHAPE[1:])
        with torch.no_grad():
            assert (run(src, bgr).pha - net(src, bgr).pha).abs().mean() < 2e-3
    assert sizes[1] < 0.6 * sizes[0]


def pairs(count):
    generator = torch.Generator().manual_seed(0)
    return [tuple(torch.rand(2, 1, 3, 64, 96, generator=generator)) for _ in range(count)]


def test_int8(tmp_path, caplog):
    target = OnnxExport(precision="int8", shape=SHAPE, **SAFE)
    net, path = tiny(), tmp_path / "net.onnx"
    with pytest.raises(BadInput, match="needs pictures to calibrate with"):
        target.refuse(net, path)
    target.calibration = []
    with pytest.raises(BadInput, match="no picture to calibrate with"):
        write(target, net, path)
    target.calibration = pairs(4)
    run = write(target, net, path)
    assert not [x.message for x in caplog.records if x.name == "root"]
    counts = target.operators(path)
    assert counts["QuantizeLinear"] > 15
    assert run.metadata["precision"] == "int8"
    src, bgr = pairs(1)[0]
    with torch.no_grad():
        off = (run(src, bgr).pha - net(src, bgr).pha).abs()
    assert 0 < off.mean() < 5e-2
    assert path.stat().st_size < 1_300_000  # the weights alone are 3.3 MB in float32


REFUSED = [
    (lambda: TensorRtExport(shape=None), "tensorrt needs a fixed shape"),
    (lambda: TensorRtExport(shape=SHAPE, select=Thresholding()), "thresholding refines a number"),
    (
        lambda: TensorRtExport(shape=[1, 1080, 1920], select=Sampling()),
        "are 5000 patches, expected at most 3840: select=sampling select.sample_pixels=61440",
    ),
    (lambda: TensorRtExport(shape=SHAPE, opset=21), "opset up to 20, found 21"),
    (lambda: ExecuTorchExport(), "executorch needs a fixed shape"),
    (lambda: ExecuTorchExport(shape=SHAPE, crop=RoiAlignCrop()), "has no roi_align"),
    (lambda: ExecuTorchExport(shape=SHAPE, select=Thresholding()), "thresholding refines"),
    (lambda: NcnnExport(shape=SHAPE), "use part=base"),
    (lambda: NcnnExport(shape=[2, 64, 96], part="base"), r"shape=\[1, height, width\]"),
    (lambda: OnnxExport(opset=17), r"opset 17 .* expected shape="),
    (lambda: OnnxExport(opset=17, shape=SHAPE, crop=UnfoldCrop()), "opset 17 .* no unfold"),
    (lambda: OnnxExport(threshold_input=True), "is for select=thresholding"),
    (lambda: OnnxExport(part="base", select=Full()), "refines nothing"),
]


@pytest.mark.parametrize(("target", "said"), REFUSED, ids=[said for _, said in REFUSED])
def test_refused_before_writing(tmp_path, target, said):
    target = target()
    with pytest.raises(BadInput, match=said):
        target(tiny(), tmp_path / f"net{target.suffix}")
    assert not list(tmp_path.iterdir())


def test_full_suits_tensorrt(tmp_path):
    target = TensorRtExport(shape=SHAPE, select=Full(), **SAFE)
    write(target, tiny(), tmp_path / "net.onnx")
    assert "NonZero" not in target.operators(tmp_path / "net.onnx")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"shape": [1, 66, 96]}, "height 66 and width 96 must be divisible by 4"),
        ({"shape": [1, 64]}, r"expected three positive numbers \[batch, height, width\]"),
        ({"shape": [0, 64, 96]}, "three positive numbers"),
        ({"shape": [1, 32, 96]}, "at least 64"),
        ({"precision": "bfloat16"}, "bfloat16 is not offered by onnx: float32, float16, int8 are"),
        ({"part": "coarse"}, "part coarse is none of base, refine"),
        ({"opset": 10}, "opset 10 cannot be written, expected 11 or newer"),
        ({"runtime": "tvm"}, "runtime tvm is none of"),
    ],
)
def test_requests_that_cannot_be(options, said):
    with pytest.raises(BadInput, match=said):
        OnnxExport(**options)


def test_a_base_checkpoint_is_no_refined_one(tmp_path):
    base = fill(MattingBase(TinyEncoder()))
    with pytest.raises(BadInput, match="the checkpoint holds a base network"):
        TorchScriptExport(part="refine")(base, tmp_path / "net.pt")


def test_no_compiler(tmp_path, monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(BadInput, match="there is no no-such-compiler: install one, or name yours"):
        AotiExport()(tiny(), tmp_path / "net.aoti.pt2")
