"""ncnn: the base network for phones and small devices, through pnnx."""

import json
import subprocess
import sys
import warnings
from collections import Counter
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar

import torch
from torch import Tensor, nn

from bgm.errors import BadInput
from bgm.export.prepare import refiner_of
from bgm.export.runtime import Exported, answer_by_kind, existing, imported
from bgm.export.target import Target
from bgm.export.targets.graphs import Plain, example
from bgm.types import Coarse


class NcnnExport(Target):
    """NAME.ncnn.param, .bin (weights) and .json (what the file says): a base network, batch 1.

    ncnn has neither topk nor scatter, so that a refined network goes as part=base only. See
    `Target`.
    """

    name: ClassVar[str] = "ncnn"
    suffix: ClassVar[str] = ".ncnn.param"
    runtime: ClassVar[str] = "ncnn"

    def refuse(self, net: nn.Module, out: Path) -> None:
        super().refuse(net, out)
        if refiner_of(net) is not None and self.part != "base":
            raise BadInput("export=ncnn: ncnn cannot select patches (no topk); use part=base")
        if self.shape is None or self.shape.batch != 1:
            raise BadInput("export=ncnn needs a fixed shape=[1, height, width]")
        for name in ("ncnn", "pnnx"):
            imported(name)

    def write(self, net: nn.Module, path: Path, about: dict[str, str]) -> None:
        inputs = example(self.shape, torch.float32)
        sizes = ",".join(str(list(x.shape)).replace(" ", "") for x in inputs)
        with TemporaryDirectory(dir=path.parent) as folder:
            with warnings.catch_warnings():
                # Tracing warns of each size that it freezes, which is what a fixed shape is for.
                warnings.simplefilter("ignore")
                program = torch.jit.trace(Plain(net), inputs)
                # Not straight to the file: on a full disk that ends the process.
                file = BytesIO()
                torch.jit.save(program, file)
            Path(folder, "net.pt").write_bytes(file.getvalue())
            done = subprocess.run(
                [converter(), "net.pt", f"inputshape={sizes}", "fp16=0"],
                cwd=folder,
                capture_output=True,
                text=True,
                check=False,
            )
            written = [Path(folder, f"net.ncnn.{end}") for end in ("param", "bin")]
            if done.returncode or not all(x.is_file() for x in written):
                last = (done.stderr or done.stdout).strip().splitlines()[-1:]
                raise BadInput(f"pnnx could not convert the network ({''.join(last)})")
            Path(folder, "card.json").write_text(json.dumps(about, indent=1) + "\n")
            for made, name in zip(
                [*written, Path(folder, "card.json")], self.files(path), strict=True
            ):
                made.replace(name)

    def open(self, path: Path) -> Exported:
        return open_ncnn(path)

    def files(self, path: Path) -> list[Path]:
        return [path, path.with_suffix(".bin"), path.with_suffix(".json")]

    def operators(self, path: Path) -> dict[str, int]:
        return dict(Counter(line.split()[0] for line in path.read_text().splitlines()[2:]))


def converter() -> str:
    """The pnnx program of this Python, wherever PATH leads."""
    beside = Path(sys.executable).with_name("pnnx")
    return str(beside) if beside.is_file() else "pnnx"


def open_ncnn(path: str | Path, threads: int | None = None) -> Exported:
    """Open a .ncnn.param with its .bin and .json on the CPU, in float32.

    Raises BadInput for a missing or broken file and for one that is not ours.
    """
    ncnn, numpy = imported("ncnn"), imported("numpy")
    path = existing(path)
    weights, card = existing(path.with_suffix(".bin")), existing(path.with_suffix(".json"))
    net = ncnn.Net()
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
    net.opt.use_bf16_storage = False
    net.opt.num_threads = threads or torch.get_num_threads()
    if net.load_param(str(path)) or net.load_model(str(weights)):
        raise BadInput(f"{path} is no ncnn model, or a broken one")
    about = json.loads(card.read_text())

    def run(src: Tensor, bgr: Tensor) -> Sequence[Tensor]:
        pictures = [x[0].cpu().contiguous().numpy() for x in (src, bgr)]
        extractor = net.create_extractor()
        for name, picture in zip(("in0", "in1"), pictures, strict=True):
            extractor.input(name, ncnn.Mat(picture).clone())
        found = [extractor.extract(f"out{i}")[1] for i in range(len(Coarse._fields))]
        return [torch.from_numpy(numpy.array(x))[None] for x in found]

    return Exported(run, answer_by_kind(path, about), about)
