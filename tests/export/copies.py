"""A target without a foreign format: its file is the pickled network, its runtime eager PyTorch."""

import torch

from bgm.export import Target


class Copies(Target):
    """`off` is added to pha when the file runs; precision float16 runs it in half."""

    name, suffix, runtime = "copy", ".copy", "eager"
    precisions = ("float32", "float16")
    off = 0.0

    def write(self, net, path, about):
        torch.save(net.half() if self.precision == "float16" else net, path)

    def open(self, path):
        net = torch.load(path, weights_only=False)
        dtype = torch.half if self.precision == "float16" else torch.float

        @torch.no_grad()
        def run(src, bgr):
            out = net(src.to(dtype), bgr.to(dtype))
            out = type(out)(*(x.float() for x in out))
            return out._replace(pha=out.pha + self.off)

        return run

    def operators(self, path):
        return {"Conv": 8, "If": 1}
