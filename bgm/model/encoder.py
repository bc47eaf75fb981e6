"""What an encoder is, and where the weights of one that was trained on ImageNet come from."""

from typing import NamedTuple, Protocol, runtime_checkable

from torch import Tensor, nn


class Pretrained(NamedTuple):
    """Files to download, newest last, or the Python package whose `models` folder holds one."""

    urls: tuple[str, ...] = ()
    package: str = ""


@runtime_checkable
class Encoder(Protocol):
    """What a matting network's `backbone` has to be, besides an `nn.Module`.

    It is called with cat[src, bgr] (B, 6, H, W) in [0, 1] of any size, which it leaves as it is,
    and returns five taps: the input itself, then features at 1/2, 1/4, 1/8 and 1/16 of its height
    and width, rounded up. tests/model/test_encoders.py tries every one of conf/backbone.
    """

    channels: list[int]  # of the five taps; the first is 6

    def blocks(self) -> list[nn.Module]:
        """The parts in order that training in less memory computes again, one after the other.

        All parameters are in them, but those of a stem in front.
        """

    def imagenet(self) -> Pretrained:
        """Where its ImageNet weights come from."""

    def __call__(self, x: Tensor) -> list[Tensor]:
        """(B, 6, H, W) -> the taps."""
