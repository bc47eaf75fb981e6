"""A shot of a few small pictures, and the words that matte it fast."""

import torch

from bgm.pictures import write_png

PLAIN = ["align=false", "outputs=[pha]"]


def write_shot(folder, frames=3):
    torch.manual_seed(len(folder.name))
    plate = torch.randint(0, 256, (3, 8, 12), dtype=torch.uint8)
    write_png(folder / "bgr.png", plate)
    for number in range(frames):
        write_png(folder / f"src/{number:04}.png", (plate.int() + number).clamp(0, 255).byte())


def made(out):
    return sorted(str(x.relative_to(out)) for x in out.rglob("*.png"))
