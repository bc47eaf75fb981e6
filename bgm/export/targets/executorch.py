"""ExecuTorch: one .pte file for phones and small devices, with XNNPACK's kernels."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn

from bgm.errors import BadInput
from bgm.export.prepare import refiner_of
from bgm.export.runtime import Exported, answer_by_kind, existing, first_line, imported
from bgm.export.target import Target
from bgm.export.targets.graphs import graph
from bgm.model import RoiAlignCrop, Thresholding

CARD_METHOD = "bgm_card"  # a second method of the program: its metadata as a tensor of bytes


class ExecuTorchExport(Target):
    """One .pte of one shape: the convolutions in XNNPACK, the rest in portable kernels.

    Its memory is planned when it is written, so that shape has to be given and thresholding, whose
    patches hang on the picture, is refused; there is no kernel for roi_align. See `Target`.
    """

    name: ClassVar[str] = "executorch"
    suffix: ClassVar[str] = ".pte"
    runtime: ClassVar[str] = "ExecuTorch"
    refused: ClassVar[frozenset[str]] = frozenset({"torchvision::roi_align", "aten::nonzero"})

    def refuse(self, net: nn.Module, out: Path) -> None:
        super().refuse(net, out)
        if self.shape is None:
            raise BadInput("export=executorch needs a fixed shape=[batch, height, width]")
        refiner = None if self.part == "base" else refiner_of(net)
        if refiner is not None:
            if isinstance(self.select or refiner.select, Thresholding):
                raise BadInput(
                    "export=executorch: thresholding refines a number of patches that hangs on the"
                    " picture; use select=sampling, select=full or part=base"
                )
            if isinstance(self.crop or refiner.crop, RoiAlignCrop):
                raise BadInput("export=executorch has no roi_align: use crop=unfold or crop=gather")
        imported("executorch")

    def write(self, net: nn.Module, path: Path, about: dict[str, str]) -> None:
        exir = imported("executorch.exir")
        xnnpack = imported("executorch.backends.xnnpack.partition.xnnpack_partitioner")
        card = torch.frombuffer(bytearray(json.dumps(about).encode()), dtype=torch.uint8)
        program = exir.to_edge_transform_and_lower(
            graph(net, self.shape),
            partitioner=[xnnpack.XnnpackPartitioner()],
            constant_methods={CARD_METHOD: card.clone()},
        ).to_executorch()
        path.write_bytes(program.buffer)

    def open(self, path: Path) -> Exported:
        return open_executorch(path)

    def operators(self, path: Path) -> dict[str, int]:
        binary = imported("executorch.exir._serialize._program")
        plans = binary.deserialize_pte_binary(path.read_bytes()).program.execution_plan
        plan = next(x for x in plans if x.name == "forward")
        counts: Counter[str] = Counter()
        for instruction in plan.chains[0].instructions:
            call = instruction.instr_args
            if hasattr(call, "op_index"):
                counts[plan.operators[call.op_index].name] += 1
            elif hasattr(call, "delegate_index"):
                counts[plan.delegates[call.delegate_index].id] += 1
        return dict(counts)


def open_executorch(path: str | Path) -> Exported:
    """Open a .pte on the CPU. Raises BadInput for a broken file and one that is not ours."""
    path = existing(path)
    runtime = imported("executorch.runtime")
    try:
        program = runtime.Runtime.get().load_program(path)
        if not {CARD_METHOD, "forward"} <= program.method_names:
            raise BadInput(f"{path} is not a matting network: it does not say what it computes")
        (card,) = program.load_method(CARD_METHOD).execute([])
        method = program.load_method("forward")
    except RuntimeError as error:
        raise BadInput(f"{path} is no ExecuTorch program ({first_line(error)})") from None
    about = json.loads(bytes(card.tolist()))

    def run(src: Tensor, bgr: Tensor) -> Sequence[Tensor]:
        # The outputs live in the program's own memory: the next call would overwrite them.
        return [x.clone() for x in method.execute([src.cpu().contiguous(), bgr.cpu().contiguous()])]

    return Exported(run, answer_by_kind(path, about), about)
