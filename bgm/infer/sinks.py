"""Where mattes go: PNG files or videos, one folder for each kind of output."""

import os
import tempfile
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path, PurePath, PurePosixPath

from bgm.errors import BadInput
from bgm.infer.any_size import Matte
from bgm.infer.background import open_background
from bgm.infer.encode import CUTOUT, OPAQUE, VideoFile, pyav
from bgm.infer.frame import Frame
from bgm.infer.outputs import check_outputs, render
from bgm.pictures import write_png


class PictureSink:
    """Writes out/KIND/NAME.png for every frame and every kind of output, at its own size.

    outputs: of com, pha, fgr, err, ref. background: None makes `com` RGBA with straight alpha; a
    colour or a picture (see `open_background`) makes it RGB. Construction leaves nothing behind and
    raises BadInput for unknown outputs and for folders that cannot be written. Existing files of
    the same names are replaced, each whole or not at all.
    """

    def __init__(
        self,
        out: str | Path,
        outputs: Iterable[str] = ("com", "pha", "fgr"),
        background: str | Path | None = None,
    ):
        self.out = Path(out)
        self.outputs = check_outputs(outputs)
        self.background = None if background is None else open_background(background)
        for kind in self.outputs:
            check_writable(self.out / kind)

    def __enter__(self) -> "PictureSink":
        return self

    def __exit__(self, *_) -> None:
        pass  # every picture is finished when `write` returns

    def write(self, frame: Frame, matte: Matte) -> None:
        """Write the outputs of one frame (B = 1); raises BadInput when a file cannot be written."""
        for kind in self.outputs:
            picture = render(kind, matte, self.background)
            write_png(output_path(self.out / kind, frame.name), picture)


class VideoSink:
    """Writes out/KIND/NAME.mov (RGBA), .webm (RGBA) or .mp4, with the frames' own times.

    rate: frames per second, as the source has it. cutout: "prores" (ProRes 4444, .mov) or "vp9"
    (.webm), how a `com` with alpha is coded; everything else is H.264. Colours are BT.709.
    outputs, background and construction as for `PictureSink`. A file gets its name when the block
    is left, or when frames of another name follow; a block that fails leaves no half of one.
    """

    def __init__(
        self,
        out: str | Path,
        outputs: Iterable[str] = ("com", "pha", "fgr"),
        background: str | Path | None = None,
        *,
        rate: Fraction | int,
        cutout: str = "prores",
    ):
        pyav("writing video")
        if cutout not in CUTOUT:
            raise BadInput(f"cutout: found {cutout}, expected one of {', '.join(CUTOUT)}")
        if not rate > 0:
            raise BadInput(f"rate: found {rate}, expected frames per second above 0")
        self.rate, self.cutout = Fraction(rate), CUTOUT[cutout]
        self.out, self.outputs = Path(out), check_outputs(outputs)
        self.background = None if background is None else open_background(background)
        self._name = ""
        self._files: dict[str, VideoFile] = {}
        for kind in self.outputs:
            check_writable(self.out / kind)

    def __enter__(self) -> "VideoSink":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_) -> None:
        self._end(keep=kind is None)

    def write(self, frame: Frame, matte: Matte) -> None:
        """Append the outputs of one frame (B = 1); raises BadInput when it cannot be written."""
        if frame.name != self._name:
            self._end(keep=True)
            self._name = frame.name
        for kind in self.outputs:
            x = render(kind, matte, self.background)
            if kind not in self._files:
                codec = self.cutout if x.shape[0] == 4 else OPAQUE
                path = output_path(self.out / kind, frame.name, codec.suffix)
                size = (x.shape[1], x.shape[2])
                self._files[kind] = VideoFile(path, codec, size, self.rate)
            self._files[kind].write(x, frame.time or Fraction(0))

    def _end(self, keep: bool) -> None:
        files, self._files = list(self._files.values()), {}
        try:
            while files and keep:
                files[0].finish()
                del files[0]
        finally:
            for file in files:
                file.discard()


def output_path(folder: Path, name: str, suffix: str = ".png") -> Path:
    """folder/NAME.png for a relative stem; raises BadInput for a name that leads out of folder."""
    parts = PurePosixPath(name).parts
    path = folder.joinpath(*parts[:-1], f"{parts[-1]}{suffix}") if parts else folder
    leads_out = not parts or ".." in parts or PurePath(name).is_absolute()
    if leads_out or not path.resolve().is_relative_to(folder.resolve()):
        raise BadInput(f"name {name!r} would be written outside of folder {folder}")
    return path


def check_writable(folder: Path) -> None:
    """Raise BadInput unless `folder` is, or can be made, a folder to write to; leaves no trace."""
    try:  # trying is the only test that also holds for root, read-only disks and network folders
        nearest = folder
        while not os.path.lexists(nearest) and nearest != nearest.parent:
            nearest = nearest.parent
        if not nearest.is_dir():
            raise BadInput(f"cannot write to folder {folder}: {nearest} is not a folder")
        with tempfile.TemporaryDirectory(prefix=".bgm-", dir=nearest):
            pass
    except OSError as error:
        raise BadInput(f"cannot write to folder {folder} ({error.strerror or error})") from None
