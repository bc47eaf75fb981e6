"""Mattes drawn by hand: garbage is thrown away, holdout is kept, as keyers have it."""

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from bgm.errors import BadInput
from bgm.infer.any_size import Matte
from bgm.infer.frame import Frame
from bgm.infer.sources import Clip, Pictures, is_picture, video_shots
from bgm.pictures import check_mattes, find_pictures, picture_size, read_picture
from bgm.video.decode import read_header


class DrawnMatte:
    """A matte for every frame: of a picture (one for all), a folder (by name) or a clip (in order).

    White is where it applies. word: the key of the command line, for messages. Raises BadInput for
    what is missing, at once; see `check` for what is known before the first frame; for a picture
    that is broken or not of its frame's size and a clip that ends early, at that frame.
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

    def check(self, frames: Pictures | Clip) -> None:
        """Raise BadInput for names that a folder lacks, and for a matte that fits none of them.

        One that fits is enough: a run goes on after single frames that cannot be matted.
        """
        if isinstance(frames, Clip):
            self._check_names([frames.path.stem])
            self._check_size(frames.path.stem, self._size(frames.path.stem), frames.size)
            return
        self._check_names(list(frames.shots))
        first: BadInput | None = None
        for name, path in frames.shots.items():
            try:
                size = picture_size(path)
            except BadInput:
                continue  # it is named when it is read
            try:
                self._check_size(name, self._size(name), size)
                return
            except BadInput as error:
                first = first or error
        if first is not None:
            raise first

    def of(self, frame: Frame) -> Tensor:
        """(1, H, W) in [0, 1] for the next frame."""
        x = self._read(frame)
        self._check_size(frame.name, (x.shape[-2], x.shape[-1]), frame.src.size)
        return x

    def _check_names(self, names: list[str]) -> None:
        if not self._folder:
            return
        if missing := [name for name in names if name not in self._folder]:
            more = f" and {len(missing) - 10} more" if missing[10:] else ""
            raise BadInput(
                f"{self.word} {self.path} holds no picture named {', '.join(missing[:10])}{more}"
            )

    def _check_size(self, name: str, size: tuple[int, int], expected: tuple[int, int]) -> None:
        if size != expected:
            (h, w), (H, W) = size, expected
            path = self._folder.get(name, self.path)
            raise BadInput(f"{self.word} {path} is {w}x{h} but {name} is {W}x{H}")

    def _size(self, name: str) -> tuple[int, int]:
        """(H, W) of a frame's matte, by its header alone."""
        if self._still is not None:
            return (self._still.shape[-2], self._still.shape[-1])
        return picture_size(self._folder[name]) if self._folder else read_header(self.path).size

    def _read(self, frame: Frame) -> Tensor:
        if self._still is not None:
            return self._still
        if self._folder:
            self._check_names([frame.name])
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
