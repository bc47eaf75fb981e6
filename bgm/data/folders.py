"""Subjects (colours and alpha) and backgrounds in picture files, checked when they are named."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from bgm.data.interfaces import BackgroundSource, SubjectSource
from bgm.data.listing import Folders, Listing, list_backgrounds, list_subjects
from bgm.data.loaders.file_snapshot import FileSnapshot, take_snapshot
from bgm.data.resizing import shrink_alike
from bgm.data.shards import compact
from bgm.errors import BadInput
from bgm.pictures import (
    check_mattes,
    one_size,
    open_image,
    open_picture,
    pair_by_stem,
    picture_size,
)

LOOKED_AT = 1000  # headers read at construction; a folder of 240,000 files is not read through


class PictureFiles:
    """The files of a source by kind, paired by stem, and what a run that is resumed began with."""

    def __init__(self, listing: Listing, where: object, snapshot: FileSnapshot | None) -> None:
        files: Any = listing.files
        if snapshot and listing.folders:
            files = snapshot.apply_to(files, listing.folders)
        self.stems = pair_by_stem(**files)
        if snapshot and not listing.folders:
            snapshot.check_same(self.stems, str(where))
        self.files: Any = {kind: compact(paths, self.stems) for kind, paths in files.items()}
        self._snapshot = snapshot
        self._taken: FileSnapshot | None = None

    def __len__(self) -> int:
        return len(self.stems)

    def name(self, index: int) -> str:
        """Stem of an item."""
        return self.stems[index]

    def describe(self) -> dict:
        """What tells these files from others: stems and file sizes in bytes."""
        return {"stems": self.stems, "bytes": self.file_snapshot().sizes}

    def file_snapshot(self) -> FileSnapshot:
        """What a resumed run is to go on with; the sizes are those of the first call."""
        if self._taken is None:
            self._taken = take_snapshot(self.stems, self.files, self._snapshot)
        return self._taken


class Subjects(PictureFiles, SubjectSource):
    """Subjects in fgr/ and pha/ paired by stem, or in RGBA files: folders, shards or a zip.

    root, fgr, pha, rgba: see `list_subjects`.
    use_fgr=False is for colours that are the photograph itself: alpha is learnt, fgr is not.
    snap: alpha of JPEG files within snap of 0 or 255 becomes that; JPEG noise is never exactly 0.
    snapshot: what a run that is resumed began with; files that have gone or broken since are then
    found when they are read. Raises BadInput at construction otherwise: no or empty folders, stems
    that do not pair, pictures of different sizes, no alpha channel (a spread of 1000 files is
    looked at, the rest when read), mattes stored as 0 and 1.
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
        snapshot: FileSnapshot | None = None,
    ) -> None:
        super().__init__(list_subjects(root, fgr, pha, rgba), root, snapshot)
        self.has_fgr, self.snap = use_fgr, snap
        self._hint = f", and {root} has no pha/ folder" if root is not None else ""
        if snapshot is None:
            for index in spread_indices(len(self), LOOKED_AT):
                self._check(index)
            alpha, mode = ("rgba", "RGBA") if "rgba" in self.files else ("pha", "L")
            check_mattes(self.files[alpha], mode)

    def describe(self) -> dict:
        """What tells these subjects from others: stems, file sizes in bytes, options."""
        return super().describe() | {"has_fgr": self.has_fgr, "snap": self.snap}

    def open(self, index: int, short: int | None = None) -> Image.Image:
        """One subject as an "RGBA" picture, straight alpha; with short perhaps a smaller one.

        JPEG colours are decoded at a fraction of their size when that suffices, alpha never: it
        tells what the decoder's averages have mixed in from outside the subject.
        """
        if "rgba" in self.files:
            self._check(index)
            return open_picture(self.files["rgba"][index], "RGBA")[0]
        fgr_path, pha_path = self.files["fgr"][index], self.files["pha"][index]
        fgr, fgr_size = open_picture(fgr_path, "RGB", short)
        pha, pha_size = open_picture(pha_path, "L")
        one_size({fgr_path: fgr_size, pha_path: pha_size})
        if str(pha_path).lower().endswith((".jpg", ".jpeg")):
            pha = snap_ends(pha, self.snap)
        if fgr.size != pha.size:
            fgr, pha = shrink_alike(fgr, pha)
        fgr.putalpha(pha)
        return fgr

    def _check(self, index: int) -> None:
        """Compare what the headers of one subject's files say."""
        paths = [files[index] for files in self.files.values()]
        one_size({path: picture_size(path) for path in paths})
        if "rgba" in self.files:
            with open_image(paths[0]) as image:
                if not image.has_transparency_data:
                    raise BadInput(
                        f"{paths[0]} has no alpha channel (mode {image.mode}){self._hint}"
                    )


class Backgrounds(PictureFiles, BackgroundSource):
    """Background pictures of folders, at any depth, of a folder's shards, or of a zip.

    folder: one or several, or "system", the wallpapers of a Linux desktop.
    snapshot: what a run that is resumed began with.
    """

    def __init__(self, folder: Folders | None, snapshot: FileSnapshot | None = None) -> None:
        if folder is None:
            raise BadInput("there are no backgrounds: with data=mixed give backgrounds=FOLDER")
        super().__init__(list_backgrounds(folder), folder, snapshot)
        for index in spread_indices(0 if snapshot else len(self), LOOKED_AT):
            picture_size(self.files["bgr"][index])

    def open(self, index: int, short: int | None = None) -> Image.Image:
        """One background as an "RGB" picture; with short perhaps a smaller one."""
        return open_picture(self.files["bgr"][index], "RGB", short)[0]


def snap_ends(alpha: Image.Image, snap: int) -> Image.Image:
    """Alpha ("L") whose levels within snap of 0 and 255 are these: codecs keep neither."""
    return alpha.point([0 if a <= snap else 255 if a >= 255 - snap else a for a in range(256)])


def spread_indices(length: int, most: int | None) -> list[int]:
    """At most `most` indices, evenly over range(length); all of them for None."""
    count = length if most is None else min(length, most)
    return sorted({int(i) for i in np.linspace(0, length - 1, count)})
