"""What is done to every plate before the network sees it, in the order of `plate_fixes`."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from bgm.colour import from_linear, srgb_code, srgb_light, to_linear
from bgm.errors import BadInput
from bgm.infer.frame import Frame, Shot
from bgm.infer.outputs import cover
from bgm.infer.plate.align import Alignment, align, move
from bgm.infer.plate.exposure import Exposure, match_exposure

AUTO = "auto"
PlateFix = Callable[[Frame], tuple[Shot, str]]  # the new plate, and a sentence about it, or none


class FitPlate:
    """Scales a plate of another size to cover its shot, and crops its centre."""

    def __init__(self) -> None:
        self._plate: Shot | None = None
        self._size = (0, 0)
        self._fitted: tuple[Shot, str] | None = None

    def __call__(self, frame: Frame) -> tuple[Shot, str]:
        plate, size = frame.bgr, frame.src.size
        if plate.size == size:
            return plate, ""
        if self._fitted is None or plate is not self._plate or size != self._size:
            self._plate, self._size, self._fitted = plate, size, fit_plate(plate, size)
        return self._fitted


def fit_plate(plate: Shot, size: tuple[int, int]) -> tuple[Shot, str]:
    """A plate at size = (H, W), and what was done to it."""
    (h, w), (H, W) = plate.size, size
    factor = max(H / h, W / w)
    scaled = (max(round(h * factor), H), max(round(w * factor), W))
    sentence = f"plate {w}x{h} scaled to {scaled[1]}x{scaled[0]}"
    if scaled != size:
        sentence += f", and its centre cropped to {W}x{H}"
    values = cover(plate.values, H, W)
    if plate.stored.dtype == torch.uint8:
        values = (values.clamp(0, 1) * 255).round().to(torch.uint8)
    return plate.with_stored(values), sentence


class AlignPlate:
    """Moves the plate onto the shot, see `align`.

    A video's movement is that of its first frame, as a camera on a tripod has one; every: frames
    after which it is looked for again, from where it was, for a camera that drifts. Between two
    looks the plate glides. quiet: say nothing of a plate that is left where it is rightly.
    """

    def __init__(self, every: int | None = None, quiet: bool = False) -> None:
        if every is not None and (type(every) is not int or every < 1):
            raise BadInput(f"align_every is {every}, expected a number of frames, 1 or more")
        self.every, self.quiet = every, quiet
        self._name, self._count = "", 0
        self._known: Alignment | None = None
        self._corners = np.zeros((4, 2))  # where the plate's corners are now

    def __call__(self, frame: Frame) -> tuple[Shot, str]:
        if self._known is None or frame.time is None or self._name != frame.name:
            self._name, self._count = frame.name, 0
            self._known = align(frame.src.display8, frame.bgr.display8)
            self._corners = corners_of(self._known.homography, frame.src.size)
        elif self.every:
            self._count += 1
            if self._count % self.every == 0:
                self._look_again(frame)
            self._glide(frame.src.size)
        known = self._known
        said = "" if self.quiet and known.unchanged and not known.failed else known.reason
        movement = homography_of(self._corners, frame.src.size)
        still = np.abs(self._corners - corners_of(np.eye(3), frame.src.size)).max() < 0.05
        return frame.bgr if still else moved_plate(frame, movement), said

    def _look_again(self, frame: Frame) -> None:
        start = homography_of(self._corners, frame.src.size)
        found = align(frame.src.display8, frame.bgr.display8, start)
        if not found.failed:  # else what is known stays
            self._known = found

    def _glide(self, size: tuple[int, int]) -> None:
        assert self._known is not None
        assert self.every is not None
        target = corners_of(self._known.homography, size)
        way = target - self._corners
        share = 1.0 if np.abs(way).max() > JUMP_PX else 2 / (self.every + 1)
        self._corners = self._corners + min(share, 1.0) * way


JUMP_PX = 3.0  # a camera that was pushed does not glide


def corners_of(movement: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.float64]:
    """Where (4, 2) a movement brings the corners of a picture of size = (H, W), 2 px at least."""
    H, W = (max(side, 2) for side in size)  # four corners, also of a line
    corners = np.array([[0, 0, 1], [W - 1, 0, 1], [W - 1, H - 1, 1], [0, H - 1, 1.0]]).T
    x = movement @ corners
    return (x[:2] / x[2]).T


def homography_of(corners: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.float64]:
    """The movement (3, 3) that brings the corners of a picture of size = (H, W) to `corners`."""
    H, W = (max(side, 2) for side in size)
    origin = np.array([[0, 0], [W - 1, 0], [W - 1, H - 1], [0, H - 1.0]])
    rows, right = [], []
    for (x, y), (u, v) in zip(origin, corners, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        right += [u, v]
    return np.append(np.linalg.solve(np.array(rows), np.array(right)), 1.0).reshape(3, 3)


def moved_plate(frame: Frame, homography: NDArray[np.float64]) -> Shot:
    """The frame's plate through a homography, in its own numbers; see `move` for its outside."""
    src, bgr = frame.src.stored, frame.bgr.stored
    if not src.dtype == bgr.dtype == torch.uint8:
        src, bgr = frame.src.values, frame.bgr.values
    return frame.bgr.with_stored(move(src, bgr, homography))


def fix_exposure(frame: Frame) -> tuple[Shot, str]:
    """The frame's plate with the exposure of its shot, see `match_exposure`."""
    exposure = match_exposure(frame.src.display8, frame.bgr.display8)
    return exposed_plate(frame.bgr, exposure), exposure.reason


def exposed_plate(bgr: Shot, exposure: Exposure) -> Shot:
    """A plate with the gain and bias that were found, in its own encoding."""
    if exposure.unchanged:
        return bgr
    if bgr.shown_as_stored:
        return bgr.with_stored(exposure.bgr)
    gain, bias = (torch.tensor(x).view(3, 1, 1) for x in (exposure.gain, exposure.bias))
    code = srgb_code(to_linear(bgr.values, bgr.encoding)) * gain + bias
    return bgr.with_stored(from_linear(srgb_light(code), bgr.encoding))


def plate_fixes(
    align: bool | str, exposure: bool, align_every: int | None = None, fit: bool = False
) -> list[PlateFix]:
    """What is done to every plate, in this order; keys of conf/predict.yaml."""
    if align not in (True, False, AUTO):
        raise BadInput(f"align is {align}, expected true, false or auto")
    if align_every and not align:
        raise BadInput(f"align_every={align_every} needs align=auto or align=true")
    fixes: list[PlateFix] = [FitPlate()] if fit else []
    if align:
        fixes.append(AlignPlate(align_every, quiet=align == AUTO))
    return [*fixes, fix_exposure] if exposure else fixes
