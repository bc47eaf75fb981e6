"""hid, the features that the refiner reads, computed where it reads them and nowhere else.

The base network's last convolution makes 37 channels of every coarse pixel. Alpha, colour and
error, five of them, are wanted everywhere; the other 32 feed the refiner, which reads a tenth.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SEEN = 5  # channels that are wanted everywhere: pha, residual, err
ROWS = 2048  # pixels a matrix product: its operands stay in a core's cache


class LastLayer(nn.Module):
    """The last convolution of a base network, 3x3 with a bias, in two parts.

    conv: stays as it is; its weights are copied.
    """

    seen: Tensor
    seen_bias: Tensor
    hidden: Tensor
    hidden_bias: Tensor

    def __init__(self, conv: nn.Conv2d):
        super().__init__()
        assert conv.bias is not None
        weight, bias = conv.weight.detach(), conv.bias.detach()
        # Rows of `hidden` are a pixel's neighbours, line by line, their channels innermost.
        hidden = weight[SEEN:].permute(2, 3, 1, 0).reshape(9 * weight.shape[1], -1)
        for name, value in (
            ("seen", weight[:SEEN]),
            ("seen_bias", bias[:SEEN]),
            ("hidden", hidden),
            ("hidden_bias", bias[SEEN:]),
        ):
            self.register_buffer(name, value.clone(), persistent=False)

    def forward(self, features: Tensor) -> Tensor:
        """features (B, C, H, W) -> pha and err in [0, 1], residual between them: (B, 5, H, W)."""
        x = F.conv2d(features, self.seen, self.seen_bias, padding=1)
        return torch.cat([x[:, :1].clamp(0, 1), x[:, 1:4], x[:, 4:].clamp(0, 1)], 1)

    def hid(self, features: Tensor, at: Tensor) -> Tensor:
        """hid of features (B, H, W, C) at flat positions `at` (N,): (N, 32)."""
        return torch.cat([self.some_hid(features, i) for i in at.split(ROWS)])

    def some_hid(self, features: Tensor, at: Tensor) -> Tensor:
        """The same for all of them at once: one matrix product over their neighbourhoods."""
        B, H, W, C = features.shape
        near = torch.arange(-1, 2, device=at.device)
        row = at // W
        x, y = (at - row * W)[:, None] + near, (row - row // H * H)[:, None] + near
        inside = ((y >= 0) & (y < H))[:, :, None] & ((x >= 0) & (x < W))[:, None]
        beside = (at[:, None, None] + (near * W)[:, None] + near).clamp(0, B * H * W - 1)
        taken = features.reshape(-1, C).index_select(0, beside.flatten())
        taken = taken * inside.reshape(-1, 1).to(taken.dtype)  # the reference pads with zeros
        return torch.addmm(self.hidden_bias, taken.view(-1, 9 * C), self.hidden).relu()


class CoarseMaps:
    """What the base network gives the refiner.

    features: (B, C, Hc, Wc), what the last layer reads. dtype: of the maps.
    """

    def __init__(self, features: Tensor, layer: LastLayer, dtype: torch.dtype):
        self.seen = layer(features).to(dtype).contiguous()  # (B, 5, Hc, Wc)
        self.features, self.layer = features.permute(0, 2, 3, 1).contiguous(), layer
        self.shape = (features.shape[0], *features.shape[2:])
        self.seen_rows = self.seen.permute(0, 2, 3, 1).reshape(-1, SEEN)

    def rows(self, at: Tensor) -> Tensor:
        """pha, residual, err, hid at flat positions: (N, 37)."""
        seen = self.seen_rows.index_select(0, at)
        return torch.cat([seen, self.layer.hid(self.features, at).to(seen.dtype)], 1)
