"""A shot and its plate, as the files have them, and as a screen shows them."""

from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from bgm.colour import SRGB, Encoding, convert, to_display
from bgm.pictures import to_uint8
from bgm.pictures.deep import finite


@dataclass(frozen=True, eq=False)
class Shot:
    """A picture in the encoding of its file.

    stored: (3, H, W), uint8 (255 is 1), uint16 (65535 is 1) or float. undefined: how many pixels of
    the file were infinite or no number, and are not in stored. One object, one picture: who changes
    it makes a new one.
    """

    stored: Tensor
    encoding: Encoding = SRGB
    undefined: int = 0

    @classmethod
    def of_finite(cls, stored: Tensor, encoding: Encoding = SRGB) -> "Shot":
        """A shot of numbers of which some may be infinite or undefined, see `finite`."""
        stored, undefined = finite(stored)
        return cls(stored, encoding, undefined)

    @property
    def values(self) -> Tensor:
        """(3, H, W) float32 in the file's encoding, computed at every call; may exceed 1."""
        return as_float(self.stored)

    @property
    def display(self) -> Tensor:
        """What the network sees: (3, H, W) float32, sRGB codes of BT.709 primaries in [0, 1]."""
        if self.shown_as_stored:
            return self.values
        return self._display

    @property
    def seen(self) -> Tensor:
        """`display` in whichever type it is there: uint8, or float32 in [0, 1]."""
        return self.stored if self.shown_as_stored else self.display

    @cached_property
    def display8(self) -> Tensor:
        """`display` as (3, H, W) uint8, what plates are aligned and exposed by."""
        return self.stored if self.shown_as_stored else to_uint8(self.display)

    @property
    def size(self) -> tuple[int, int]:
        """(H, W)"""
        return self.stored.shape[-2], self.stored.shape[-1]

    def input_on(self, device: str | torch.device) -> Tensor:
        """`display` as (1, 3, H, W) on a device; 8 bits travel as such."""
        if self.shown_as_stored:
            return as_float(self.stored.to(device))[None]
        return self.display[None].to(device)

    def with_stored(self, stored: Tensor) -> "Shot":
        """Another picture of the same encoding."""
        return replace(self, stored=stored)

    def encoded_as(self, encoding: Encoding) -> "Shot":
        """The same light in another encoding; the shot itself where both mean the same."""
        if encoding == self.encoding:
            return self
        values = self.values
        changed = convert(values, self.encoding, encoding)
        return Shot(self.stored if changed is values else changed, encoding, self.undefined)

    @property
    def shown_as_stored(self) -> bool:
        """Whether its numbers are 8 bits that a screen shows as they are."""
        return self.stored.dtype == torch.uint8 and self.encoding.as_shown

    @cached_property
    def _display(self) -> Tensor:
        return to_display(self.values, self.encoding)


class Frame(NamedTuple):
    """One shot and its plate, of one size and one encoding."""

    name: str  # relative stem, "clip7/0001"; of a video: the file's stem, the same for all frames
    src: Shot
    bgr: Shot
    time: Fraction | None = None  # seconds since the first frame of a video, None for pictures


def as_float(stored: Tensor) -> Tensor:
    """uint8 / 255, uint16 / 65535, or float as it is; float32."""
    if stored.dtype == torch.uint8:
        return stored.float() / 255
    if stored.dtype == torch.uint16:
        return stored.to(torch.float32) / 65535
    return stored.float()


def undefined_numbers(what: str, count: int) -> str:
    """What to say about a picture with pixels that are infinite or no number."""
    return f"{count} pixels of the {what} are infinite or no number: taken as 65504 or 0"
