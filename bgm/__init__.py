"""Background matting: from a shot and a picture of the empty place to alpha and foreground."""

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from bgm.extras import DISTRIBUTION

if TYPE_CHECKING:
    from bgm.infer.matte import matte
    from bgm.metrics import score
    from bgm.model import swap_patches
    from bgm.weights import from_pretrained, load, push_to_hub, save_pretrained

__all__ = [
    "__version__",
    "from_pretrained",
    "load",
    "matte",
    "push_to_hub",
    "save_pretrained",
    "score",
    "swap_patches",
]

try:
    __version__ = version(DISTRIBUTION)
except PackageNotFoundError:  # a checkout on the path, not installed
    __version__ = "0.1.0"

HOMES = {
    "from_pretrained": "bgm.weights",
    "push_to_hub": "bgm.weights",
    "save_pretrained": "bgm.weights",
    "load": "bgm.weights",
    "matte": "bgm.infer.matte",
    "score": "bgm.metrics",
    "swap_patches": "bgm.model",
}


def __getattr__(name: str) -> Any:
    # Imported when first asked for: torch takes seconds, and `bgm --version` needs none of it.
    if name in HOMES:
        return getattr(import_module(HOMES[name]), name)
    raise AttributeError(f"module 'bgm' has no attribute {name!r}")
