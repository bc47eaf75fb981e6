"""Background matting: from a shot and a picture of the empty place to alpha and foreground."""

from importlib.metadata import PackageNotFoundError, version
from typing import Any

try:
    __version__ = version("bgm")
except PackageNotFoundError:  # a checkout on the path, not installed
    __version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    # `bgm.load` without importing torch for those who only want `bgm.__version__`.
    if name in ("load", "swap_patches"):
        from bgm.model import swap_patches
        from bgm.weights import load

        return {"load": load, "swap_patches": swap_patches}[name]
    raise AttributeError(f"module 'bgm' has no attribute {name!r}")
