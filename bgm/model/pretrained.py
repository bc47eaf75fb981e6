"""Where the weights of an encoder trained on ImageNet come from."""

from typing import NamedTuple


class Pretrained(NamedTuple):
    """Files to download, newest last, or the Python package whose `models` folder holds one."""

    urls: tuple[str, ...] = ()
    package: str = ""
