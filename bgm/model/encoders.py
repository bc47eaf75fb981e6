"""What an encoder is, and torchvision's at output stride 16, with five taps."""

from typing import Any, NamedTuple, Protocol, runtime_checkable

from torch import Tensor, nn
from torchvision.models.mobilenetv2 import MobileNet_V2_Weights, MobileNetV2
from torchvision.models.resnet import Bottleneck, ResNet, ResNet50_Weights, ResNet101_Weights


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


class ResNetEncoder(ResNet):
    """ResNet with a 6-channel first convolution and a dilated last stage, without its classifier.

    forward: (B, 6, H, W) -> taps at 1/1, 1/2, 1/4, 1/8, 1/16 with `channels` channels.
    """

    def __init__(self, layers: list[int]):
        super().__init__(
            block=Bottleneck, layers=list(layers), replace_stride_with_dilation=[False, False, True]
        )
        self.channels = [6, 64, 256, 512, 2048]
        self.conv1 = nn.Conv2d(6, 64, 7, stride=2, padding=3, bias=False)
        nn.init.kaiming_normal_(self.conv1.weight, mode="fan_out", nonlinearity="relu")
        del self.avgpool, self.fc

    def blocks(self) -> list[nn.Module]:
        """The residual blocks, in order."""
        return [*self.layer1, *self.layer2, *self.layer3, *self.layer4]

    def imagenet(self) -> Pretrained:
        """Where its ImageNet weights come from."""
        weights = ResNet101_Weights if len(self.layer3) > 6 else ResNet50_Weights
        return Pretrained(urls=tuple(known.url for known in weights))

    def forward(self, x: Tensor) -> list[Tensor]:
        x0 = x
        x1 = self.relu(self.bn1(self.conv1(x0)))
        x2 = self.layer1(self.maxpool(x1))
        x3 = self.layer2(x2)
        x4 = self.layer4(self.layer3(x3))
        return [x0, x1, x2, x3, x4]


class MobileNetV2Encoder(MobileNetV2):
    """MobileNetV2 without its last block, first convolution 6 channels, last stage dilated.

    forward: (B, 6, H, W) -> taps at 1/1, 1/2, 1/4, 1/8, 1/16 with `channels` channels.
    """

    def __init__(self) -> None:
        super().__init__()
        self.channels = [6, 16, 24, 32, 320]
        features: Any = self.get_submodule("features")[:18]
        self.features = features
        first = nn.Conv2d(6, 32, 3, stride=2, padding=1, bias=False)
        nn.init.kaiming_normal_(first.weight, mode="fan_out")
        features[0][0] = first
        for block in features[14:]:
            depthwise = block.conv[1][0]
            depthwise.stride = (1, 1)
            if block is not features[14]:  # the strided block itself keeps dilation 1
                depthwise.dilation, depthwise.padding = (2, 2), (2, 2)
        del self.classifier

    def blocks(self) -> list[nn.Module]:
        """The inverted residual blocks, in order."""
        return list(self.get_submodule("features").children())

    def imagenet(self) -> Pretrained:
        """Where its ImageNet weights come from."""
        return Pretrained(urls=tuple(known.url for known in MobileNet_V2_Weights))

    def forward(self, x: Tensor) -> list[Tensor]:
        taps = [x]
        for i, block in enumerate(self.features):
            x = block(x)
            if i in (1, 3, 6, 17):
                taps.append(x)
        return taps


def resnet50() -> ResNetEncoder:
    """ResNet-50 (He et al. 2016), the paper's default."""
    return ResNetEncoder([3, 4, 6, 3])


def resnet101() -> ResNetEncoder:
    """ResNet-101 (He et al. 2016), the paper's most accurate."""
    return ResNetEncoder([3, 4, 23, 3])


def mobilenetv2() -> MobileNetV2Encoder:
    """MobileNetV2 (Sandler et al. 2018), the paper's fastest."""
    return MobileNetV2Encoder()
