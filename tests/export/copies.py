"""A target without a foreign format: its file is the pickled network, its runtime eager PyTorch."""

from typing import ClassVar

import torch

from bgm.export import Exported, Target
from bgm.export.target import Runtimes


def open_copy(path, device="cpu"):
    net, metadata, off = torch.load(path, weights_only=False)

    def run(src, bgr):
        out = net(src, bgr)
        return (out.pha.float() + off, *out[1:])

    return Exported(run, metadata, path)


class Copies(Target):
    """`off` is added to pha when the file runs."""

    name, suffix = "copy", ".copy"
    runtimes: ClassVar[Runtimes] = {"eager": open_copy}
    precisions = ("float32", "float16")
    off = 0.0

    def write(self, net, path, metadata):
        torch.save((net, metadata, self.off), path)

    def operators(self, path):
        return {"Conv": 8, "If": 1}
