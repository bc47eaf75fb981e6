"""LiteRT: one .tflite, base and refiner, for Android and small devices."""

import copy
import json
import zipfile
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from bgm.errors import BadInput
from bgm.export.runtime import METADATA_FILE, Exported, opening, require_package
from bgm.export.target import Runtimes, Target
from bgm.export.targets.graphs import PlainOutputs, example_inputs
from bgm.model import GatherCrop, Sampling
from bgm.model.patches import Patches, refiner_of


def open_litert(path: str | Path, device: str | torch.device = "cpu") -> Exported:
    """Open a .tflite of ours in LiteRT's interpreter on the CPU, whatever device says."""
    interpreting = require_package("ai_edge_litert.interpreter")
    with opening(path, "LiteRT model of ours") as file:
        with zipfile.ZipFile(file) as files:
            metadata = json.loads(files.read(METADATA_FILE))
        interpreter = interpreting.Interpreter(str(file), num_threads=torch.get_num_threads())
        program = interpreter.get_signature_runner()
        inputs = sorted(program.get_input_details())  # args_0, args_1: in the order of forward

    def run(src: Tensor, bgr: Tensor) -> list[Any]:
        pictures = (src.cpu().numpy(), bgr.cpu().numpy())
        outputs = program(**dict(zip(inputs, pictures, strict=True)))
        return [outputs[name] for name in sorted(outputs)]  # output_0 to output_5

    return Exported(run, metadata, path)


class SamplingInFloats(Sampling):
    """`Sampling` with positions of one type: LiteRT's TopK answers int32, its arange int64.

    Exact up to 2^24 patches a batch (268 megapixels).
    """

    def forward(self, err: Tensor) -> Patches:
        B, _, h, w = err.shape
        k = min(self.sample_pixels // 16, h * w)
        top, flat = err.flatten(1).topk(k, dim=1)
        keep = top > 0
        ref = torch.zeros_like(err).flatten(1).scatter(1, flat, keep.to(err.dtype))
        at = flat.to(torch.float32)
        b = torch.zeros_like(at) + torch.arange(B)[:, None].to(torch.float32)
        y = torch.floor(at / w)
        index = torch.stack([b, y, at - y * w], dim=2).to(torch.int64)
        return Patches(index.flatten(0, 1), keep.flatten(), ref.view(B, 1, h, w))


class LiteRtExport(Target):
    """One .tflite of one shape, (B, 3, H, W) in and out.

    What the file says about itself is a zip behind its end, as LiteRT's own metadata are. The
    converter (litert-torch) wants one version of torch and jax: an environment of its own, see
    docs/export-runtimes-tried.md. See `Target`.
    """

    name: ClassVar[str] = "litert"
    suffix: ClassVar[str] = ".tflite"
    runtimes: ClassVar[Runtimes] = {"LiteRT": open_litert}
    packages: ClassVar[tuple[str, ...]] = ("litert_torch", "ai_edge_litert")

    def check_request(self, net: nn.Module, out: Path) -> None:
        super().check_request(net, out)
        self.check_static(net)
        if self.refiner(net) is not None and not isinstance(self.method(net, "crop"), GatherCrop):
            raise BadInput(
                "export=litert: LiteRT has no roi_align and pads 5 axes: use crop=gather"
            )

    def write(self, net: nn.Module, path: Path, metadata: dict[str, str]) -> None:
        converter = require_package("litert_torch")
        net = copy.deepcopy(net)
        refiner = refiner_of(net)
        if refiner is not None and isinstance(refiner.select, Sampling):
            refiner.select = SamplingInFloats(refiner.select.sample_pixels)
        inputs = example_inputs(self.shape, torch.float32)
        converter.convert(PlainOutputs(net).eval(), inputs).export(str(path))
        with zipfile.ZipFile(path, "a") as files:
            files.writestr(METADATA_FILE, json.dumps(metadata))
