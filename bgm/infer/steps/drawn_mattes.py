"""Mattes drawn by hand: garbage is thrown away, holdout is kept, as keyers have it."""

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from bgm.errors import BadInput
from bgm.infer.any_size import Matte
from bgm.infer.frame import Frame
from bgm.infer.sources import is_picture, video_shots
from bgm.pictures import check_mattes, find_pictures, read_picture


class DrawnMatte:
    """A matte for every frame: of a picture (one for all), a folder (by name) or a clip (in order).

    White is where it applies. word: the key of the command line, for messages. Raises BadInput for
    what is missing, at once; for a size that is not the frame's, a name that is not in the folder
    and a clip that ends early, at that frame.
    """

    def __init__(self, path: str | Path, word: str) -> None:
        self.path, self.word = Path(path), word
        self._still: Tensor | None = None
        self._folder: dict[str, Path] = {}
        self._clip: Iterator | None = None
        self._shot, self._count = "", 0
        if self.path.is_dir():
            self._folder = find_pictures(self.path)
            check_mattes(list(self._folder.values()))
        elif not self.path.is_file():
            raise BadInput(f"{word} {path} does not exist: expected a picture, a folder or a video")
        elif is_picture(self.path):
            check_mattes([self.path])
            self._still = read_picture(self.path, "L").float() / 255

    def of(self, frame: Frame) -> Tensor:
        """(1, H, W) in [0, 1] for the next frame."""
        x = self._read(frame)
        size = (x.shape[-2], x.shape[-1])
        if size != frame.src.size:
            (h, w), (H, W) = size, frame.src.size
            raise BadInput(f"{self.word} {self.path} is {w}x{h} but {frame.name} is {W}x{H}")
        return x

    def _read(self, frame: Frame) -> Tensor:
        if self._still is not None:
            return self._still
        if self._folder:
            if frame.name not in self._folder:
                raise BadInput(f"{self.word} {self.path} holds no picture named {frame.name}")
            return read_picture(self._folder[frame.name], "L").float() / 255
        if self._clip is None or frame.name != self._shot:
            self._clip, self._shot, self._count = video_shots(self.path), frame.name, 0
        shot, _ = next(self._clip, (None, None))
        if shot is None:
            raise BadInput(
                f"{self.word} {self.path} has {self._count} frames, fewer than {frame.name}"
            )
        self._count += 1
        return shot.display.mean(0, keepdim=True)


class Garbage:
    """Alpha is 0 where the matte is white, and less where it is gray: pha * (1 - garbage)."""

    def __init__(self, path: str | Path) -> None:
        self.matte = DrawnMatte(path, "garbage")

    def __call__(self, frame: Frame, matte: Matte) -> Matte:
        garbage = self.matte.of(frame)[None].to(matte.pha)
        return matte._replace(pha=matte.pha * (1 - garbage))


class Holdout:
    """Alpha is at least the matte: 1, with the shot's own colour, where it is white.

    The inside or core matte of keyers; in 3D renderers the word means the opposite.
    """

    def __init__(self, path: str | Path) -> None:
        self.matte = DrawnMatte(path, "holdout")

    def __call__(self, frame: Frame, matte: Matte) -> Matte:
        held = self.matte.of(frame)[None].to(matte.pha)
        src = frame.src.display[None].to(matte.fgr)
        # Nothing but the shot itself can stand where alpha is forced to 1.
        fgr = torch.where(held > matte.pha, (1 - held) * matte.fgr + held * src, matte.fgr)
        return matte._replace(pha=torch.maximum(matte.pha, held), fgr=fgr)
