"""Pictures that lie in folders by the names of scenes: predictions of any tool, and trimaps."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from bgm.errors import BadInput
from bgm.pictures import find_pictures, is_deep, open_image, read_picture
from bgm.trimap import RULE, trimap_of


class Trimaps:
    """Call with a scene's name and its truth (H, W) uint8 to get its trimap (H, W) uint8.

    folder: trimap/NAME.png of the scenes; made by the paper's rule where there is no such folder.
    origin says which. Raises BadInput if the folder lacks some of the names.
    """

    def __init__(self, folder: Path, names: list[str]) -> None:
        self.files = pictures_of(folder, names, "trimap") if folder.is_dir() else {}
        self.origin = "files" if self.files else f"made of the truth ({RULE})"

    def __call__(self, name: str, true: np.ndarray) -> np.ndarray:
        if not self.files:
            return trimap_of(true)
        return read_picture(self.files[name], "L")[0].numpy()


def pictures_of(folder: Path, names: Sequence[str], what: str) -> dict[str, Path]:
    """A folder's pictures by name; BadInput counts and names the scenes that lack one."""
    found = find_pictures(folder)
    if missing := [name for name in names if name not in found]:
        named = ", ".join(missing[:10]) + (f" and {len(missing) - 10} more" if missing[10:] else "")
        have = "has" if len(missing) == 1 else "have"
        raise BadInput(
            f"{len(missing)} of {len(names)} scenes {have} no {what} in {folder}: {named}"
        )
    return found


LOOKED_AT = 8  # mattes, evenly spread: on which scale they are stored


class Predictions:
    """Call with a scene's name to get pha (H, W) and fgr (3, H, W) or None.

    Pictures of 16 bits are float in [0, 1], others uint8. Mattes are gray; or colour with three
    equal channels; or have an alpha channel, which is the matte then. Raises BadInput at once for
    scenes without a prediction (counted and named), and when read for what is no matte.
    """

    def __init__(self, folder: str | Path, names: list[str]) -> None:
        self.folder = Path(folder)
        nested = (self.folder / "pha").is_dir()
        pha = self.folder / "pha" if nested else self.folder
        self.pha, self.fgr = pictures_of(pha, names, "prediction"), {}
        if nested and (fgr := self.folder / "fgr").is_dir():
            self.fgr = pictures_of(fgr, names, "predicted foreground")
        self.files = [f for n in names for f in (self.pha[n], self.fgr.get(n)) if f]
        looked_at = names[:: -(-len(names) // LOOKED_AT)]
        tops = {(x.dtype.itemsize, int(x.max())) for x in (decode(self.pha[n]) for n in looked_at)}
        highest = max(top for _, top in tops)
        deep_as_8 = highest and all(size == 2 and top < 256 for size, top in tops)
        per_cents = {top for _, top in tops} - {0} == {100}
        if highest == 1 or deep_as_8 or per_cents:
            raise BadInput(
                f"{pha} holds mattes of values up to {highest}, which are nearly transparent: "
                "expected up to 255 (8 bits) or 65535 (16 bits), multiply them"
            )

    def __call__(self, name: str) -> tuple[np.ndarray, np.ndarray | None]:
        fgr = self.fgr.get(name)
        return read_matte(self.pha[name]), None if fgr is None else to_scale(decode(fgr)[:3])


def read_matte(path: Path) -> np.ndarray:
    """The matte (H, W) in a picture file, uint8, or float in [0, 1] if it has 16 bits."""
    x = decode(path)
    if len(x) in (2, 4):
        alpha = x[-1]
        if alpha.min() == np.iinfo(x.dtype).max:
            raise BadInput(
                f"{path} has an alpha channel that is opaque everywhere: is its matte in the "
                "colours? save it as gray"
            )
    elif len(x) == 3 and not (np.array_equal(x[0], x[1]) and np.array_equal(x[0], x[2])):
        raise BadInput(f"{path} is a colour picture, expected a matte: gray, or an alpha channel")
    else:
        alpha = x[0]
    return to_scale(alpha)


def to_scale(x: np.ndarray) -> np.ndarray:
    """uint8 as it is, 16 bits as float in [0, 1]."""
    return x if x.dtype == np.uint8 else x / 65535.0


def decode(path: Path) -> np.ndarray:
    """A picture's channels as they are stored, (1 to 4, H, W) uint8 or uint16, R before B.

    16-bit PNGs are what read_picture rounds to 8 bits: they go through cv2 here.
    """
    if path.suffix.lower() == ".png" and is_deep(path):
        x = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
        if x is None:
            raise BadInput(f"picture {path} is broken or truncated")
        if x.ndim == 3:
            x = x[..., [2, 1, 0, 3][: x.shape[2]]]
        return np.atleast_3d(x).transpose(2, 0, 1)
    with open_image(path) as image:
        gray = "L" if image.mode in ("L", "1") else "RGB"
        mode = "RGBA" if image.has_transparency_data else gray
    return read_picture(path, mode).numpy()
