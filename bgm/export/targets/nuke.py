"""Nuke: one .nuke.pt file that CatFileCreator turns into a .cat file for the Inference node."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn

from bgm.errors import BadInput
from bgm.export.nuke_module import MODES, NukeMatte
from bgm.export.runtime import Exported
from bgm.export.runtime_options import OPTIONS
from bgm.export.target import Runtimes
from bgm.export.targets.torchscript import TorchScriptExport, load_program, save_program
from bgm.model import RoiAlignCrop
from bgm.model.patches import refiner_of
from bgm.types import Refined

KNOBS = {"backbone_scale": "scale", "refine_mode": "selection"} | {
    f"refine_{name}": name for name in ("sample_pixels", "threshold")
}


def open_nuke(path: str | Path, device: str | torch.device = "cpu") -> Exported:
    """Open a .nuke.pt without Nuke, for the certificate and for predict.py.

    Raises BadInput for a broken file and for a program of something else.
    """
    program, metadata = load_program(path, device)
    if metadata.get("target") != NukeExport.name:
        raise BadInput(f"{path} is no matting network for Nuke: it was not written by export=nuke")
    program.linear, program.premultiplied, program.output = 0, 0, 0
    options = {option: getattr(program, KNOBS[option]) for option in OPTIONS}
    options["refine_mode"] = MODES[options["refine_mode"]]

    def run(src: Tensor, bgr: Tensor) -> Sequence[Tensor]:
        for option, value in options.items():
            known = option == "refine_mode" and value in MODES
            setattr(program, KNOBS[option], MODES.index(value) if known else value)
        x = torch.cat([src, bgr], 1)
        refined = program.refine(x)  # these two are all that forward does
        rgba = program.picture(x, refined)
        return [
            rgba[:, 3:4],
            rgba[:, :3],
            *(getattr(refined, name) for name in Refined._fields[2:]),
        ]

    return Exported(run, metadata, path, device, options)


class NukeExport(TorchScriptExport):
    """A scripted program of one tensor in and one out, with numbers as knobs: see `NukeMatte`.

    It takes pictures of every size, and float16 ones where Nuke halves the network.
    """

    name: ClassVar[str] = "nuke"
    suffix: ClassVar[str] = ".nuke.pt"
    runtimes: ClassVar[Runtimes] = {"libtorch": open_nuke}

    def check_request(self, net: nn.Module, out: Path) -> None:
        super().check_request(net, out)
        if refiner_of(net) is None or self.part == "base":
            raise BadInput("export=nuke is for refined networks, found a base network")
        if isinstance(self.method(net, "crop"), RoiAlignCrop):
            raise BadInput("export=nuke: Nuke has no torchvision, so no crop=roi_align")

    def write(self, net: nn.Module, path: Path, metadata: dict[str, str]) -> None:
        save_program(NukeMatte(net).eval(), path, metadata)  # type: ignore[arg-type]
