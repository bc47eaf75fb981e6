"""From two picture files and the knobs to the pictures that the page shows, and its downloads."""

from pathlib import Path
from typing import NamedTuple

import torch
from PIL import Image
from torch import Tensor

from bgm.cli.serve.live_model import Knobs, LiveModel
from bgm.colour import to_display
from bgm.errors import BadInput
from bgm.infer.any_size import Matte
from bgm.infer.foreground import choose_foreground
from bgm.infer.frame import Frame
from bgm.infer.options import matte_steps, open_frames
from bgm.infer.outputs import open_background, render
from bgm.infer.plate.fixes import plate_fixes
from bgm.infer.predict import predict
from bgm.infer.sinks import PictureSink
from bgm.infer.sources import is_picture
from bgm.pictures import picture_size, to_image, to_uint8

VIEWS = ("composite", "alpha", "foreground", "error", "refined patches", "shot")
LONGEST = 1600  # px of a view; the downloads have the shot's own size
MOST_FULL = 4e6  # px with select=full: its patches take some KB each


class PageResult(NamedTuple):
    """Files in the folder that was given, and what `predict` said."""

    views: dict[str, Path]  # PNG of 8 bits by their names in VIEWS, at most LONGEST px
    rgba: Path  # PNG, straight alpha
    exr: Path  # half float, light, premultiplied, with err and ref as layers
    notes: list[str]


class KeepLast:
    """A sink that keeps the last frame and its matte in memory."""

    def __enter__(self) -> "KeepLast":
        return self

    def __exit__(self, *_) -> None:
        pass

    def write(self, frame: Frame, matte: Matte) -> None:
        self.frame, self.matte = frame, matte


def matte_pictures(
    model: LiveModel, src: str | Path, bgr: str | Path, knobs: Knobs, folder: str | Path
) -> PageResult:
    """Matte one picture as predict.py does and write what the page shows of it into the folder.

    Raises BadInput for files that are no pictures, and as predict.py does.
    """
    for name, file in (("the shot", src), ("the plate", bgr)):
        if not is_picture(file):
            raise BadInput(f"{name} {file} is not a picture")
    H, W = picture_size(src)
    if knobs.select == "full" and H * W > MOST_FULL:
        raise BadInput(f"select=full is for {MOST_FULL / 1e6:g} megapixels, the shot has {W}x{H}")
    opened, last, notes = model.turned(knobs), KeepLast(), list[str]()
    predict(
        opened.net,
        open_frames(str(src), str(bgr), fit=knobs.fit),
        last,
        fixes=plate_fixes(knobs.align, knobs.exposure, fit=knobs.fit),
        steps=matte_steps(despeckle=knobs.despeckle),
        foreground=choose_foreground(knobs.fgr),
        device=opened.device,
        scale=opened.scale,
        say=notes.append,
    )
    frame, matte, folder = last.frame, last.matte, Path(folder)
    views = {}
    for name, x in views_of(frame, matte, knobs.background).items():
        views[name] = folder / f"{name.replace(' ', '-')}.png"
        write_view(views[name], x)
    for output in ("png", "exr"):
        PictureSink(folder, ["com"], output=output, say=notes.append).write(frame, matte)
    written = folder / "com" / frame.name
    rgba, exr = (written.with_name(f"{written.name}.{suffix}") for suffix in ("png", "exr"))
    return PageResult(views, rgba, exr, notes)


def views_of(frame: Frame, matte: Matte, background: str) -> dict[str, Tensor]:
    """(1 or 3, H, W) in [0, 1] as a screen shows them, by their names in VIEWS."""
    encoding, behind = frame.src.encoding, open_background(background)
    coloured = {
        "composite": render("com", matte, behind, encoding),
        "foreground": render("fgr", matte),
    }
    shown = {name: to_display(x.cpu(), encoding) for name, x in coloured.items()}
    plain = {"alpha": "pha", "error": "err", "refined patches": "ref"}
    shown |= {name: render(kind, matte).cpu() for name, kind in plain.items()}
    shown["shot"] = frame.src.display
    return {name: shown[name] for name in VIEWS}


def write_view(path: Path, x: Tensor) -> None:
    """A PNG of (1 or 3, H, W) in [0, 1], reduced to LONGEST px; quick to write, not small."""
    image = to_image(to_uint8(torch.as_tensor(x)))
    image.thumbnail((LONGEST, LONGEST), Image.Resampling.BOX)
    image.save(path, compress_level=1)
