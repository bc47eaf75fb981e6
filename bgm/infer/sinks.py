"""Where mattes of pictures go: files in one folder for each kind of output."""

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path, PurePath, PurePosixPath

from bgm.errors import BadInput
from bgm.infer.any_size import Matte
from bgm.infer.background import open_background
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
