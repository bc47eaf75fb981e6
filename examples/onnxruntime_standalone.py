"""Matte a picture with an exported .onnx file; needs numpy, pillow and onnxruntime, not bgm.

    python onnxruntime_standalone.py MODEL.onnx SHOT PLATE OUT.png [PROVIDER ...]

OUT.png is the cut-out with straight alpha, at the shot's size. SHOT and PLATE may have any size,
but the same one. Providers are tried in order, CPUExecutionProvider if none is named. Copy this
file into your program: it is all that an exported file needs.
"""

import sys

import numpy as np
import onnxruntime
from PIL import Image, ImageOps

DIVISOR = 4  # what height and width must be multiples of
SMALLEST = 64  # smaller pictures leave the encoder's last stage nothing to look at


def read(path: str) -> np.ndarray:
    """A picture, upright, as (1, 3, H, W) RGB in [0, 1]."""
    with Image.open(path) as picture:
        pixels = np.asarray(ImageOps.exif_transpose(picture).convert("RGB"), np.float32) / 255
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)[None])


def padded(x: np.ndarray, height: int, width: int) -> np.ndarray:
    """x (1, 3, H, W) with its right and bottom border repeated to height and width."""
    return np.pad(x, ((0, 0), (0, 0), (0, height - x.shape[2]), (0, width - x.shape[3])), "edge")


def room(session: onnxruntime.InferenceSession, height: int, width: int) -> tuple[int, int]:
    """The height and width to pad to: the file's own where it takes one shape only."""
    batch, _, *sides = session.get_inputs()[0].shape
    if isinstance(batch, int) and batch != 1:
        sys.exit(f"error: this model takes batches of {batch}, this program has one picture")
    found = []
    for side, needed in zip(sides, (height, width), strict=True):
        free = -(-max(needed, SMALLEST) // DIVISOR) * DIVISOR
        found.append(side if isinstance(side, int) else free)
    if found[0] < height or found[1] < width:
        sys.exit(
            f"error: this model takes up to {found[1]}x{found[0]}, the shot is {width}x{height}"
        )
    return found[0], found[1]


def matte(
    session: onnxruntime.InferenceSession, src: np.ndarray, bgr: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Alpha (1, 1, H, W) and foreground (1, 3, H, W) in [0, 1] of a shot and its plate."""
    height, width = src.shape[2:]
    to = room(session, height, width)
    half = session.get_inputs()[0].type == "tensor(float16)"
    pictures = [padded(x, *to).astype(np.float16 if half else np.float32) for x in (src, bgr)]
    feed = dict(zip(("src", "bgr"), pictures, strict=True))
    pha, fgr = session.run(["pha", "fgr"], feed)
    return tuple(x[:, :, :height, :width].astype(np.float32) for x in (pha, fgr))


def main() -> None:
    if len(sys.argv) < 5:
        sys.exit(__doc__)
    model, shot, plate, out, *providers = sys.argv[1:]
    session = onnxruntime.InferenceSession(model, providers=providers or ["CPUExecutionProvider"])
    src, bgr = read(shot), read(plate)
    if src.shape != bgr.shape:
        sizes = [f"{x.shape[3]}x{x.shape[2]}" for x in (src, bgr)]
        sys.exit(f"error: {shot} is {sizes[0]} and {plate} is {sizes[1]}, expected one size")
    pha, fgr = matte(session, src, bgr)
    pixels = np.concatenate([fgr, pha], 1)[0].transpose(1, 2, 0)
    Image.fromarray(np.rint(pixels * 255).astype(np.uint8), "RGBA").save(out)


if __name__ == "__main__":
    main()
