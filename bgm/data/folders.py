"""Folders of subjects (colours and alpha) and of backgrounds, checked when they are named."""

from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor

from bgm.data.loaders.file_snapshot import Begun, told
from bgm.data.resizing import (
    cover_square,
    match,
    open_picture,
    resize_subject,
    to_tensor,
    without_outside,
)
from bgm.data.shards.tar import compact, is_packed, read_shards
from bgm.errors import BadInput
from bgm.pictures import Member, find_pictures, pair_by_stem, picture_size, source

LOOKED_AT = 1000  # headers read at construction; a folder of 240,000 files is not read through


class Subjects:
    """Foreground colours and alpha from files: fgr/ and pha/ paired by stem, or RGBA files.

    Hand in root (with fgr/ and pha/ inside, or shards made by `bgm pack`, else its pictures are
    RGBA), or fgr and pha, or rgba.
    use_fgr=False is for colours that are the photograph itself: alpha is learnt, fgr is not.
    snap: alpha of JPEG files within snap of 0 or 255 becomes that; JPEG noise is never exactly 0.
    begun: what a run that is resumed began with; files that have gone or broken since are then
    found when they are read. Raises BadInput at construction otherwise: no or empty folders, stems
    that do not pair, pictures of different sizes, no alpha channel (a spread of 1000 files is
    looked at, the rest when read).
    """

    def __init__(
        self,
        root: str | Path | None = None,
        *,
        fgr: str | Path | None = None,
        pha: str | Path | None = None,
        rgba: str | Path | None = None,
        use_fgr: bool = True,
        snap: int = 3,
        begun: Begun | None = None,
    ) -> None:
        given = (root is not None, fgr is not None and pha is not None, rgba is not None)
        if sum(given) != 1 or (fgr is None) != (pha is None):
            raise BadInput(
                "subjects need one of: root, fgr together with pha, rgba; "
                f"found root={root} fgr={fgr} pha={pha} rgba={rgba}"
            )
        self.has_fgr, self.snap, self._hint = use_fgr, snap, ""
        if root is not None and (Path(root) / "pha").is_dir():
            fgr, pha = Path(root) / "fgr", Path(root) / "pha"
        elif root is not None:
            rgba, self._hint = root, f", and {root} has no pha/ folder"
        folders = {"rgba": rgba, "fgr": fgr, "pha": pha}
        packed = root is not None and is_packed(root)
        if packed:
            found = read_shards(root)
        else:
            found = {kind: find_pictures(f) for kind, f in folders.items() if f is not None}
            found = begun.completed(found, folders) if begun else found
        self.stems = pair_by_stem(**found)
        if packed and begun:
            begun.unchanged(self.stems, root)
        self.files = {kind: compact(paths, self.stems) for kind, paths in found.items()}
        self._begun, self._told = begun, None
        for index in _evenly(0 if begun else len(self), LOOKED_AT):
            self._check(index)

    def __len__(self) -> int:
        return len(self.stems)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """Return pha (1, H, W) and fgr (3, H, W), uint8, as they are on disk."""
        return split(self.open(index))

    def read(self, index: int, short: int) -> tuple[Tensor, Tensor]:
        """Return pha (1, H, W) and fgr (3, H, W), uint8, resized so that min(H, W) = short.

        JPEG colours are decoded at a fraction of their size when that suffices, alpha never: it
        tells what the decoder's averages have mixed in from outside the subject.
        """
        return split(resize_subject(self.open(index, short), short))

    def describe(self) -> dict:
        """What tells these subjects from others: stems, file sizes in bytes, options."""
        options = {"has_fgr": self.has_fgr, "snap": self.snap}
        return {"stems": self.stems, "bytes": self.began_with().sizes, **options}

    def began_with(self) -> Begun:
        """What a resumed run is to go on with; the sizes are those of the first call."""
        self._told = self._told or told(self.stems, self.files, self._begun)
        return self._told

    def open(self, index: int, short: int | None = None) -> Image.Image:
        """One subject as an "RGBA" picture, straight alpha; with short perhaps a smaller one."""
        if "rgba" in self.files:
            self._check(index)
            return open_picture(self.files["rgba"][index], "RGBA")[0]
        fgr_path, pha_path = self.files["fgr"][index], self.files["pha"][index]
        fgr, fgr_size = open_picture(fgr_path, "RGB", short)
        pha, pha_size = open_picture(pha_path, "L")
        _same_size(fgr_path, fgr_size, pha_path, pha_size)
        if _is_jpeg(pha_path):
            pha = pha.point([snapped(a, self.snap) for a in range(256)])
        if fgr.size != pha.size:
            small = match(pha, fgr)
            fgr, pha = without_outside(fgr, pha, small), small
        fgr.putalpha(pha)
        return fgr

    def _check(self, index: int) -> None:
        """Compare what the headers of one subject's files say."""
        paths = [files[index] for files in self.files.values()]
        sizes = [picture_size(path) for path in paths]
        _same_size(paths[0], sizes[0], paths[-1], sizes[-1])
        if "rgba" in self.files:
            with Image.open(source(paths[0])) as image:
                if not image.has_transparency_data:
                    raise BadInput(
                        f"{paths[0]} has no alpha channel (mode {image.mode}){self._hint}"
                    )


class Backgrounds:
    """Background pictures of one folder, at any depth, or of its shards: uint8 (3, H, W).

    begun: what a run that is resumed began with.
    """

    def __init__(self, folder: str | Path, begun: Begun | None = None) -> None:
        packed = is_packed(folder)
        found = {"bgr": read_shards(folder)["bgr"] if packed else find_pictures(folder)}
        if begun and packed:
            begun.unchanged(list(found["bgr"]), folder)
        elif begun:
            found = begun.completed(found, {"bgr": folder})
        self.stems = list(found["bgr"])
        self.files = compact(found["bgr"], self.stems)
        self._begun, self._told = begun, None
        for index in _evenly(0 if begun else len(self), LOOKED_AT):
            picture_size(self.files[index])

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Tensor:
        return to_tensor(open_picture(self.files[index], "RGB")[0])

    def read(self, index: int, size: int) -> Tensor:
        """Return the centred square of a background at (3, size, size), uint8."""
        return to_tensor(cover_square(open_picture(self.files[index], "RGB", size)[0], size))

    def describe(self) -> dict:
        """What tells these backgrounds from others: stems and file sizes in bytes."""
        return {"stems": self.stems, "bytes": self.began_with().sizes["bgr"]}

    def began_with(self) -> Begun:
        """What a resumed run is to go on with; the sizes are those of the first call."""
        self._told = self._told or told(self.stems, {"bgr": self.files}, self._begun)
        return self._told


def split(subject: Image.Image) -> tuple[Tensor, Tensor]:
    """pha (1, H, W) and fgr (3, H, W), uint8, of an "RGBA" picture."""
    x = to_tensor(subject)
    return x[3:], x[:3]


def _same_size(one: object, one_size: tuple, other: object, other_size: tuple) -> None:
    if one_size != other_size:
        raise BadInput(
            f"{one} is {one_size[1]}x{one_size[0]} pixels and {other} is "
            f"{other_size[1]}x{other_size[0]}: they must have one size"
        )


def _is_jpeg(path: str | Member) -> bool:
    return str(path).lower().endswith((".jpg", ".jpeg"))


def snapped(alpha: int, snap: int) -> int:
    """alpha of 0..255, or 0 or 255 where it is within snap of it: codecs keep neither."""
    return 0 if alpha <= snap else 255 if alpha >= 255 - snap else alpha


def _evenly(length: int, most: int) -> list[int]:
    """At most `most` indices, evenly over range(length)."""
    return sorted({int(i) for i in np.linspace(0, length - 1, min(length, most))})
