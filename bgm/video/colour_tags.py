"""Colour tags of videos (ITU-T H.273, in FFmpeg's numbers): what they mean, and which to write."""

from typing import Any, NamedTuple

from bgm.colour import Encoding
from bgm.errors import BadInput
from bgm.video.ycbcr import WEIGHTS

UNSPECIFIED = 2  # of primaries, transfer and matrix
RGB, BT709, BT470BG, SMPTE170M, BT2020 = 0, 1, 5, 6, 9
FULL_RANGE = 2
HD = 720  # lines from which players take untagged colours for BT.709

PRIMARIES = {1: "bt709", 5: "bt470bg", 6: "smpte170m", 7: "smpte170m", 9: "bt2020"}
PRIMARIES |= {11: "dcip3", 12: "p3", 22: "bt470bg"}
# Screens show all of the first row by one curve, whatever a camera's standard wrote.
TRANSFERS = {1: "bt709", 6: "bt709", 7: "bt709", 11: "bt709", 14: "bt709", 15: "bt709"}
TRANSFERS |= {4: "gamma2.2", 5: "gamma2.8", 8: "linear", 13: "srgb", 16: "pq", 18: "hlg"}
MATRICES = {"bt709": BT709, "bt470bg": BT470BG, "smpte170m": SMPTE170M, "bt2020": BT2020}


class ColourTags(NamedTuple):
    """What a video file says of its colours, in FFmpeg's numbers."""

    primaries: int = BT709
    transfer: int = BT709
    matrix: int = BT709
    full: bool = False  # codes use all of their range

    @property
    def encoding(self) -> Encoding:
        """What R'G'B' of these tags means."""
        return Encoding(PRIMARIES[self.primaries], TRANSFERS[self.transfer])


def tags_of(frame: Any, path: object) -> ColourTags:
    """The tags of a decoded frame, what is missing filled in as players do.

    An untagged matrix follows the primaries, else it is BT.709 from 720 lines on and BT.601 below;
    untagged primaries follow the matrix; an untagged transfer is BT.709's. RGB and untagged gray
    have the full range, everything else the limited one unless it says otherwise. Raises BadInput
    for tags that are meaningless to us, rather than showing wrong colours.
    """
    primaries, transfer = int(frame.color_primaries), int(frame.color_trc)
    matrix, rgb = int(frame.colorspace), frame.format.is_rgb
    if primaries in (0, 3):  # reserved: some writers mean "unknown"
        primaries = UNSPECIFIED
    if transfer in (0, 3):
        transfer = UNSPECIFIED
    if rgb:
        matrix = RGB
    elif matrix in (RGB, UNSPECIFIED, 3):
        lines = min(frame.height, frame.width)
        sd = BT470BG if frame.height in (288, 576) else SMPTE170M
        guessed = BT709 if lines >= HD else sd
        matrix = MATRICES.get(PRIMARIES.get(primaries, ""), guessed)
    if primaries == UNSPECIFIED:
        primaries = {BT709: BT709, BT470BG: 5, SMPTE170M: 6, 7: 6, BT2020: 9}.get(matrix, BT709)
    if transfer == UNSPECIFIED:
        transfer = BT709
    for what, number, known in (
        ("primaries", primaries, PRIMARIES),
        ("transfer", transfer, TRANSFERS),
        ("matrix", matrix, {**WEIGHTS, RGB: None}),
    ):
        if number not in known:
            raise BadInput(
                f"video {path} is tagged with colour {what} {number} (ITU-T H.273), which is none "
                f"of {', '.join(map(str, known))}: convert it first, as to BT.709 by FFmpeg"
            )
    full = rgb or frame.color_range == FULL_RANGE or frame.format.name.startswith("yuvj")
    full = full or (frame.format.name.startswith("gray") and not frame.color_range)
    return ColourTags(primaries, transfer, matrix, full)


def tags_for(encoding: Encoding) -> ColourTags | None:
    """The tags that say an encoding in a video, of limited range; None where none do."""
    if encoding.primaries not in PRIMARIES.values() or encoding.transfer not in TRANSFERS.values():
        return None
    primaries = next(n for n, name in PRIMARIES.items() if name == encoding.primaries)
    transfer = next(n for n, name in TRANSFERS.items() if name == encoding.transfer)
    return ColourTags(primaries, transfer, MATRICES.get(encoding.primaries, BT709))
