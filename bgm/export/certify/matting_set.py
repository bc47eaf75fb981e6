"""A small matting set on which a network and its exported file are scored alike."""

import torch

from bgm.data import Procedural
from bgm.errors import BadInput
from bgm.export.certify.compare import Run
from bgm.export.shapes import Shape
from bgm.metrics import Scores, score
from bgm.ops import composite

SIZE = (288, 512)
SEED = 4099  # neither the training's nor the validation's
METRICS = ("mad", "sad", "grad")


class MattingSet:
    """Procedural scenes in memory; called with a network or a file, it returns the mean metrics.

    scenes: how many of 512x288; a file of one shape gets as many pictures of its shape as have
    those pixels, in whole batches. Metrics are those of the protocol "frame", with its scales.
    """

    def __init__(self, scenes: int = 6, shape: Shape | None = None):
        if isinstance(scenes, bool) or not isinstance(scenes, int) or scenes < 1:
            raise BadInput(f"a matting set has scenes {scenes}, expected a whole number, 1 or more")
        batch, *size = shape or (1, *SIZE)
        pixels = scenes * SIZE[0] * SIZE[1]
        batches = max(1, pixels // (batch * size[0] * size[1]))
        self.name = f"{batches * batch} procedural scenes of {size[1]}x{size[0]}"
        procedural = Procedural((size[0], size[1]), batches * batch, SEED)
        samples = procedural.__getitems__(list(range(batches * batch)))
        pha, fgr, bgr = (torch.stack([s[i] for s in samples]).float() / 255 for i in range(3))
        self.pha = pha
        self.src = composite(fgr, pha, bgr).split(batch)
        self.bgr = bgr.split(batch)

    @torch.no_grad()
    def __call__(self, run: Run) -> dict[str, float]:
        """Mean MAD (x1e3), SAD (/1000) and Grad (/1000) of run's alpha, unrounded."""
        pred = torch.cat([run(src, bgr).pha for src, bgr in zip(self.src, self.bgr, strict=True)])
        scores = Scores("frame")
        for index, (a, b) in enumerate(zip(pred, self.pha, strict=True)):
            scores.add(str(index), score(a[0].numpy(), b[0].numpy(), protocol="frame"))
        return {metric: scores.mean()[metric] for metric in METRICS}
