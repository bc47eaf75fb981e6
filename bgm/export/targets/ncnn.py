"""ncnn: the base network for phones and small devices, through pnnx."""

import json
import subprocess
import sys
import warnings
from collections import Counter
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from bgm.errors import BadInput
from bgm.export.runtime import Exported, opening, require_package
from bgm.export.target import Runtimes, Target
from bgm.export.targets.graphs import PlainOutputs, example_inputs
from bgm.types import Coarse


def open_ncnn(path: str | Path, device: str | torch.device = "cpu") -> Exported:
    """Open a .ncnn.param with its .bin and .json on the CPU, whatever device says, in float32."""
    ncnn, numpy = require_package("ncnn"), require_package("numpy")
    net = ncnn.Net()
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
    net.opt.use_bf16_storage = False
    net.opt.num_threads = torch.get_num_threads()
    with opening(path, "ncnn model with a .bin and a .json") as file:
        metadata = json.loads(file.with_suffix(".json").read_text())
        if net.load_param(str(file)) or net.load_model(str(file.with_suffix(".bin"))):
            raise ValueError("ncnn cannot load it")

    def run(src: Tensor, bgr: Tensor) -> list[Any]:
        extractor = net.create_extractor()
        for name, picture in (("in0", src), ("in1", bgr)):
            extractor.input(name, ncnn.Mat(picture[0].numpy()).clone())
        outputs = [extractor.extract(f"out{i}")[1] for i in range(len(Coarse._fields))]
        return [numpy.array(x)[None] for x in outputs]

    return Exported(run, metadata, path)


class NcnnExport(Target):
    """NAME.ncnn.param, .bin (weights) and .json (what the file says): a base network, batch 1.

    ncnn has neither topk nor scatter, so that a refined network goes as part=base only. See
    `Target`.
    """

    name: ClassVar[str] = "ncnn"
    suffix: ClassVar[str] = ".ncnn.param"
    runtimes: ClassVar[Runtimes] = {"ncnn": open_ncnn}
    packages: ClassVar[tuple[str, ...]] = ("ncnn", "pnnx")

    def check_request(self, net: nn.Module, out: Path) -> None:
        super().check_request(net, out)
        if self.refiner(net) is not None:
            raise BadInput("export=ncnn: ncnn cannot select patches (no topk); use part=base")
        if self.shape is None or self.shape.batch != 1:
            raise BadInput("export=ncnn needs a fixed shape=[1, height, width]")

    def write(self, net: nn.Module, path: Path, metadata: dict[str, str]) -> None:
        inputs = example_inputs(self.shape, torch.float32)
        sizes = ",".join(str(list(x.shape)).replace(" ", "") for x in inputs)
        with TemporaryDirectory(dir=path.parent) as folder:
            with warnings.catch_warnings():
                # Tracing warns of each size that it freezes, which is what a fixed shape is for.
                warnings.simplefilter("ignore")
                program = torch.jit.trace(PlainOutputs(net), inputs)
                # Not straight to the file: on a full disk that ends the process.
                file = BytesIO()
                torch.jit.save(program, file)
            Path(folder, "net.pt").write_bytes(file.getvalue())
            pnnx = subprocess.run(
                [pnnx_program(), "net.pt", f"inputshape={sizes}", "fp16=0"],
                cwd=folder,
                capture_output=True,
                text=True,
                check=False,
            )
            parts = [Path(folder, f"net.ncnn.{end}") for end in ("param", "bin")]
            if pnnx.returncode or not all(x.is_file() for x in parts):
                last = (pnnx.stderr or pnnx.stdout).strip().splitlines()[-1:]
                raise BadInput(f"pnnx could not convert the network ({''.join(last)})")
            for part, name in zip(parts, self.files(path), strict=False):
                part.replace(name)
        path.with_suffix(".json").write_text(json.dumps(metadata, indent=1) + "\n")

    @classmethod
    def files(cls, path: Path) -> list[Path]:
        return [path, path.with_suffix(".bin"), path.with_suffix(".json")]

    def operators(self, path: Path) -> dict[str, int]:
        return dict(Counter(line.split()[0] for line in path.read_text().splitlines()[2:]))


def pnnx_program() -> str:
    """The pnnx of this Python, wherever PATH leads."""
    beside = Path(sys.executable).with_name("pnnx")
    return str(beside) if beside.is_file() else "pnnx"
