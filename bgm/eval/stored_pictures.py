"""Pictures that lie in folders by the names of scenes: predictions of any tool, and trimaps."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np

from bgm.colour import SRGB, convert
from bgm.errors import BadInput
from bgm.infer.frame import as_float
from bgm.pictures import find_pictures, finite, is_deep, open_image, read_encoded, read_picture
from bgm.pictures.channels import is_alpha
from bgm.pictures.deep import deep_channels, read_deep
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

    Pictures of 8 bits are uint8, of 16 bits and float are float, 0 to 1. Mattes are gray; or colour
    with three equal channels; or have an alpha channel, which is the matte then. Numbers of a matte
    are taken as they are, also of EXR; colours of more than 8 bits as `screen_codes` has them.
    Raises BadInput at once for scenes without a prediction (counted and named), and when read for
    what is no matte.
    """

    def __init__(self, folder: str | Path, names: list[str]) -> None:
        self.folder = Path(folder)
        nested = (self.folder / "pha").is_dir()
        pha = self.folder / "pha" if nested else self.folder
        self.pha, self.fgr = pictures_of(pha, names, "prediction"), {}
        if nested and (fgr := self.folder / "fgr").is_dir():
            self.fgr = pictures_of(fgr, names, "predicted foreground")
        self.files = [f for n in names for f in (self.pha[n], self.fgr.get(n)) if f]
        looked_at = [decode(self.pha[n]) for n in names[:: -(-len(names) // LOOKED_AT)]]
        check_scale(pha, looked_at)

    def __call__(self, name: str) -> tuple[np.ndarray, np.ndarray | None]:
        pha, fgr = read_matte(self.pha[name]), self.fgr.get(name)
        if fgr is None:
            return pha, None
        return pha, screen_codes(fgr) if is_deep(fgr) else decode(fgr)[:3]

    def true_fgr(self, name: str, path: Path) -> np.ndarray:
        """The true colours (3, H, W) uint8 as those of the prediction are read."""
        if not is_deep(self.fgr[name]):
            return read_picture(path).numpy()
        return np.rint(screen_codes(path) * 255).astype(np.uint8)


def check_scale(folder: Path, mattes: list[np.ndarray]) -> None:
    """Raise BadInput for mattes that are stored on another scale than their type's."""
    floats = [float(x.max()) for x in mattes if x.dtype.kind == "f"]
    if (highest := max(floats, default=0.0)) > 2:  # an overshoot of a filter is none
        raise BadInput(
            f"{folder} holds mattes of values up to {highest:.4g}, which are floats: expected 0 to "
            "1, divide them"
        )
    tops = {(x.dtype.itemsize, int(x.max())) for x in mattes if x.dtype.kind != "f"}
    top = max((top for _, top in tops), default=0)
    deep_as_8 = top and all(size == 2 and top < 256 for size, top in tops)
    per_cents = {top for _, top in tops} - {0} == {100}
    if top == 1 or deep_as_8 or per_cents:
        raise BadInput(
            f"{folder} holds mattes of values up to {top}, which are nearly transparent: "
            "expected up to 255 (8 bits) or 65535 (16 bits), multiply them"
        )


def read_matte(path: Path) -> np.ndarray:
    """The matte (H, W) in a picture file, uint8, or float, 0 to 1, if it has more bits."""
    x = decode(path)
    if len(x) in (2, 4):
        alpha = x[-1]
        if alpha.min() == np.iinfo(x.dtype).max:
            raise BadInput(
                f"{path} has an alpha channel that is opaque everywhere: is its matte in the "
                "colours? save it as gray"
            )
    elif len(x) == 3 and not all(np.array_equal(x[0], y, x.dtype.kind == "f") for y in x[1:]):
        raise BadInput(f"{path} is a colour picture, expected a matte: gray, or an alpha channel")
    else:
        alpha = x[0]
    return to_scale(alpha)


def to_scale(x: np.ndarray) -> np.ndarray:
    """uint8 and floats as they are, 16 bits as float in [0, 1]."""
    return x / 65535.0 if x.dtype == np.uint16 else x


def screen_codes(path: Path) -> np.ndarray:
    """The colours (3, H, W) of a file by what it says they mean, as sRGB codes in [0, 1], float.

    Light is cut off at 1, not bent below it as for a screen: true colours end there as well.
    """
    x, encoding = read_encoded(path)
    x, _ = finite(x)
    return convert(as_float(x), encoding, SRGB).clamp(0, 1).numpy()


def decode(path: Path) -> np.ndarray:
    """A picture's channels as they are stored, (1 to 4, H, W), R before B.

    uint8, uint16 or float32; gray of EXR and TIFF three times. 16-bit PNGs go through cv2, which
    reads their alpha channel; of other files of more than 8 bits only gray is a matte. Raises
    BadInput for those that have colours and alpha.
    """
    if is_deep(path) and path.suffix.lower() == ".png":
        x = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
        if x is None:
            raise BadInput(f"picture {path} is broken or truncated")
        if x.ndim == 3:
            x = x[..., [2, 1, 0, 3][: x.shape[2]]]
        return np.atleast_3d(x).transpose(2, 0, 1)
    if is_deep(path):
        beside: list[str] = []
        with suppress(BadInput):  # a lone alpha channel is no picture, but a matte
            beside = deep_channels(path)[1]
        if any(map(is_alpha, beside)):
            raise BadInput(
                f"{path} has an alpha channel, which is read of 8 bits and 16-bit PNG only: give a "
                "folder of gray mattes, as predict.py's pha/"
            )
        return read_deep(path, matte=True)[0].numpy()
    with open_image(path) as image:
        gray = "L" if image.mode in ("L", "1") else "RGB"
        mode = "RGBA" if image.has_transparency_data else gray
    return read_picture(path, mode).numpy()
