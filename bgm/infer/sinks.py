"""Where mattes of pictures go: files in one folder for each kind of output."""

import os
import tempfile
from collections.abc import Callable, Iterable, Sequence
from glob import escape
from pathlib import Path, PurePath, PurePosixPath

import torch

from bgm.colour import SRGB
from bgm.errors import BadInput
from bgm.infer.any_size import Matte
from bgm.infer.frame import Frame
from bgm.infer.outputs import check_outputs, for_screen, open_background, render
from bgm.infer.stills import OWN, STILL_FORMATS, check_still, own_format, write_still
from bgm.pictures import COMPRESSIONS


class PictureSink:
    """Writes out/KIND/NAME.png (.tif, .exr) for every frame and kind of output, at its own size.

    outputs: of com, pha, fgr, err, ref. background: None makes `com` RGBA; a colour or a picture
    (see `open_background`) makes it RGB. output: of `STILL_FORMATS`; None: what loses nothing of
    the shot. alpha: "straight" or "premultiplied"; None: premultiplied in EXR, as its custom is.
    An EXR of `com` has err and ref as layers. pixel_aspect: width of a pixel by its height, written
    into the files. compression: of EXR, None: zip. say: is told once when light above 1 is lost,
    and when pictures of another kind are written than compression is for.
    Colours stay in the shot's encoding, or become light in it (EXR). Frames of a video are
    numbered: out/KIND/NAME/NAME.000001.png. Construction leaves
    nothing behind and raises BadInput for unknown outputs and for folders that cannot be written.
    Existing files of the same names are replaced, each whole or not at all.
    """

    def __init__(
        self,
        out: str | Path,
        outputs: Iterable[str] | None = ("com", "pha", "fgr"),
        background: str | Path | Sequence[int] | None = None,
        *,
        output: str | None = None,
        alpha: str | None = None,
        compression: str | None = None,
        pixel_aspect: float = 1.0,
        say: Callable[[str], None] = print,
    ):
        check_still(output, alpha)
        if compression is not None and compression not in COMPRESSIONS:
            raise BadInput(f"compression {compression} is none of {', '.join(COMPRESSIONS)}")
        self.output, self.alpha, self.compression, self._say = output, alpha, compression, say
        self.pixel_aspect = pixel_aspect
        self._said: set[str] = set()  # what was said once
        self._clip, self._number = "", 0  # the video that is being written, and its last frame
        self.out = Path(out)
        self.outputs = check_outputs(outputs)
        self.background = None if background is None else open_background(background)
        for kind in self.outputs:
            check_writable(self.out / kind)

    def __enter__(self) -> "PictureSink":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Every picture is finished when `write` returns."""
        if kind is None and self._clip:
            self._say_longer_clip()

    def _say_longer_clip(self) -> None:
        """Say which pictures of an earlier clip of this name follow those that were written."""
        for kind in self.outputs:
            last = self.out / kind / _numbered(self._clip, self._number)
            folder = last.parent
            numbers = (x.name.split(".")[-2] for x in folder.glob(f"{escape(folder.name)}.*.*"))
            if later := sum(x.isdecimal() and int(x) > self._number for x in numbers):
                self._say(
                    f"{folder} holds {later} pictures after the {self._number} of this clip, of an"
                    " earlier and longer one: remove them"
                )

    def existing(self, name: str, frames: int | None = None) -> list[Path] | None:
        """The newest file of each output of a frame, or None where one is missing.

        frames: that a video of that name has, whose numbered pictures are looked for; 0: unknown.
        """
        if frames is not None:
            numbered = [self.existing(_numbered(name, i + 1)) for i in range(frames)]
            whole = [file for files in numbered for file in files or ()]
            return whole if frames and None not in numbered else None
        found = []
        for paths in self.targets(name).values():
            files = [path for path in paths if path.is_file()]
            if not files:
                return None
            found.append(max(files, key=lambda path: path.stat().st_mtime_ns))
        return found

    def targets(self, name: str, clip: bool = False) -> dict[str, list[Path]]:
        """By kind of output the files, of each suffix, that a frame may be written to.

        clip: of a video of that name, its first one.
        """
        stem = _numbered(name, 1) if clip else name
        suffixes = {STILL_FORMATS[f].suffix for f in ([self.output] if self.output else OWN)}
        return {
            kind: [output_path(self.out / kind, stem, suffix) for suffix in sorted(suffixes)]
            for kind in self.outputs
        }

    def write(self, frame: Frame, matte: Matte) -> None:
        """Write the outputs of one frame (B = 1); raises BadInput when a file cannot be written."""
        name = self.output or own_format(frame.src.stored.dtype, frame.src.encoding)
        form = STILL_FORMATS[name]
        encoding = frame.src.encoding
        if encoding.high_range and form.encoding(encoding).bounded:
            matte, encoding = for_screen(matte, encoding), SRGB
            self._say_once(
                "light",
                f"{frame.name}: {frame.src.encoding.transfer} colours are written as a standard "
                f"screen shows them in {name}: output=exr keeps them",
            )
        if self.compression is not None and name != "exr":
            self._say_once(
                "compression",
                f"{frame.name}: compression={self.compression} is of EXR, it is written as {name}",
            )
        alpha = self.alpha or form.alphas[0]
        check_still(name, alpha)
        stem = frame.name if frame.time is None else self._numbered(frame.name)
        for kind in self.outputs:
            x = render(kind, matte, self.background, encoding, levels=form.levels)
            if len(x) == 4 and alpha == "premultiplied":
                x = torch.cat([x[:3] * x[3:], x[3:]])
            layers = {"err": matte.err()[0], "ref": matte.ref()[0]}
            cut_off = write_still(
                output_path(self.out / kind, stem, form.suffix),
                name,
                x,
                encoding,
                alpha=alpha,
                layers=layers if kind == "com" and form.has_layers() else None,
                compression=self.compression or "zip",
                pixel_aspect=self.pixel_aspect,
            )
            if cut_off:
                self._say_once(
                    "light",
                    f"{frame.name}: light above 1 is cut off in {name}: output=exr keeps it",
                )

    def _say_once(self, what: str, sentence: str) -> None:
        """Say the first sentence about something."""
        if what not in self._said:
            self._said.add(what)
            self._say(sentence)

    def _numbered(self, clip: str) -> str:
        """The stem of the next frame of a video: padded, as compositors look for sequences."""
        self._number = self._number + 1 if clip == self._clip else 1
        self._clip = clip
        return _numbered(clip, self._number)


def _numbered(clip: str, number: int) -> str:
    return f"{clip}/{PurePosixPath(clip).name}.{number:06d}"


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
