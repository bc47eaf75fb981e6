"""What `benchmarks/network.py` times: the cases, and the ways of computing each."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import bgm
from benchmarks.measure import Run
from bgm import model as models
from bgm.export import CertifyOptions, export_and_certify
from bgm.export.cells_refiner import SharedCells
from bgm.export.targets.onnx import OnnxExport
from bgm.export.targets.onnx_runtimes import onnx_metadata, open_onnx, open_openvino
from bgm.model import (
    Full,
    MattingBase,
    MattingRefine,
    PatchRefiner,
    Sampling,
    Thresholding,
    optimize,
)
from bgm.pictures import read_picture
from tests.plain import Plain

EXAMPLES = Path(__file__).parents[1] / "examples"
BACKBONES = ["mobilenetv2", "resnet50", "resnet101"]
SELECTS = ["sampling", "thresholding", "full"]
TRAINING = "training"  # in the place of a selection: forward and backward of the refine stage


class Size(NamedTuple):
    height: int
    width: int
    scale: float
    sample_pixels: int


SIZES = {
    "hd": Size(1080, 1920, 1 / 4, 80_000),
    "4k": Size(2160, 3840, 1 / 8, 320_000),
    "4k, k of hd": Size(2160, 3840, 1 / 8, 80_000),
    "8k": Size(4320, 7680, 1 / 16, 1_280_000),
    **{f"{side} px": Size(side, side, 1 / 4, 80_000) for side in (512, 1024, 2048)},
}


class Case(NamedTuple):
    """One table row for each of its ways; they are timed in turns."""

    backbone: str
    size: str
    select: str
    batch: int
    ways: tuple[str, ...]

    @property
    def key(self) -> tuple[str, ...]:
        return self.backbone, self.size, self.select, str(self.batch)


class Setting(NamedTuple):
    """A case's size and network, and what they run on."""

    size: Size
    net: MattingRefine
    src: Tensor
    bgr: Tensor


class Elsewhere(nn.Module):
    """The patches that a selection takes of another network's error."""

    def __init__(self, select: nn.Module, err: Tensor):
        super().__init__()
        self.select, self.err = select, err

    def forward(self, err: Tensor) -> tuple:
        return self.select(self.err)


def pictures(size: Size, batch: int) -> tuple[Tensor, Tensor]:
    """The example's shot and plate at a size, (B, 3, H, W)."""
    pair = (
        read_picture(EXAMPLES / f"{name}.jpg")[None].float() / 255 for name in ("shot", "plate")
    )
    shape = [size.height, size.width]
    src, bgr = (F.interpolate(x, size=shape, mode="bicubic").clamp(0, 1) for x in pair)
    return src.repeat(batch, 1, 1, 1), bgr.repeat(batch, 1, 1, 1)


def setting(case: Case, size: Size) -> Setting:
    """The shipped network, or a random one that refines where the shipped network does."""
    src, bgr = pictures(size, case.batch)
    net = bgm.load("mobilenetv2").at_scale(size.scale)
    if case.select == TRAINING:
        net.refiner.select = Sampling(size.sample_pixels)
        return Setting(size, net.train(), src, bgr)
    selects = {"full": Full(), "thresholding": Thresholding()}
    net.refiner.select = selects.get(case.select, Sampling(size.sample_pixels)).eval()
    if case.backbone != "mobilenetv2":
        with torch.no_grad():
            err = optimize(net)(src, bgr).err_sm
        err = F.interpolate(err, size=[size.height // 4, size.width // 4], mode="bilinear")
        backbone = getattr(models, case.backbone)()
        other = MattingRefine(MattingBase(backbone), PatchRefiner(), size.scale)
        other.refiner.select = Elsewhere(net.refiner.select, err)
        net = other.eval()
    return Setting(size, net, src, bgr)


def prepared(way: str, at: Setting, reference: str | None) -> Run:
    """A way of computing a setting, by its name (see `benchmarks/network.py`), ready to run.

    What it returns is its alpha, None for a training step.
    """
    size, net, src, bgr = at
    if net.training:
        return training_step(Plain(net) if way == "plain" else net, src, bgr)
    if way == "still":
        fast = optimize(net)
        plate = fast.plate(bgr)
        return lambda: fast(src, plate).pha
    if way.endswith(("onnxruntime", "openvino f32", "openvino bf16")):
        return of_file(way, src, bgr)
    made: dict[str, Callable[[], nn.Module]] = {
        "plain": lambda: Plain(net).eval(),
        "net": lambda: net,
        "optimized": lambda: optimize(net),
        "bfloat16": lambda: optimize(net, torch.bfloat16),
        "compiled": lambda: optimize(net, compile=True),
        "reference": lambda: referenced(str(reference), net, size),
    }
    module = made[way]()
    return lambda: module(src, bgr)[0]


def training_step(net: nn.Module, src: Tensor, bgr: Tensor) -> Run:
    """Forward, an L1 loss on all that is trained, and backward."""

    def step() -> None:
        net.zero_grad()
        with torch.enable_grad():
            out = net(src, bgr)
            named = (out.pha, out.fgr, out.pha_sm, out.fgr_sm, out.err_sm)
            torch.stack([(x - 0.3).abs().mean() for x in named]).sum().backward()

    return step


def exported(folder: Path, sizes: list[str], grid: str = "full") -> list[str]:
    """NAME.onnx of the shipped network with crop=cells in folder, for hd and 4k; made if absent.

    Each is certified over a grid, as `python export.py ckpt=mobilenetv2 export=onnx preset=hd
    crop=cells` does it: the full one takes a minute at hd, some at 4k.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = {name: folder / f"{name}.onnx" for name in sizes if name in ("hd", "4k")}
    for name, path in files.items():
        if not Path(f"{path}.certificate.md").exists():
            size = SIZES[name]
            select = Sampling(size.sample_pixels)
            target = OnnxExport(crop=SharedCells(), select=select, backbone_scale=size.scale)
            options = CertifyOptions(grid)
            export_and_certify(target, bgm.load("mobilenetv2"), path, options=options)
    return [str(path) for path in files.values()]


def file_ways(case: Case, files: list[str]) -> tuple[str, ...]:
    """The ways that exported files add to a case: FILE in onnxruntime and in OpenVINO."""
    size, found = SIZES[case.size], []
    for file in files:
        about = onnx_metadata(Path(file))
        wanted = {"name": case.select.capitalize()}
        if case.select == "sampling":
            wanted |= {"sample_pixels": size.sample_pixels}
        fits = (
            json.loads(about["select"]) == wanted and float(about["backbone_scale"]) == size.scale
        )
        if fits and case.backbone == "mobilenetv2":
            found += [f"{file} {way}" for way in ("onnxruntime", "openvino f32", "openvino bf16")]
    return tuple(found)


def of_file(way: str, src: Tensor, bgr: Tensor) -> Run:
    """A way of `file_ways`, ready to run."""
    if way.endswith("onnxruntime"):
        opened = open_onnx(way.removesuffix(" onnxruntime"))
    else:
        file, _, precision = way.rsplit(" ", 2)
        opened = open_openvino(file, precision={"f32": "float32", "bf16": "bfloat16"}[precision])
    return lambda: opened(src, bgr).pha


def referenced(path: str, net: MattingRefine, size: Size) -> nn.Module:
    """The network of a checkout of BackgroundMattingV2, with the weights of our MobileNetV2 one."""
    sys.path.insert(0, path)
    from model import MattingRefine as Theirs

    select = net.refiner.select
    mode = type(select).__name__.lower()
    theirs = Theirs("mobilenetv2", size.scale, mode, size.sample_pixels)
    theirs.load_state_dict({k.removeprefix("base."): v for k, v in net.state_dict().items()})
    return theirs.eval()
