"""Picture operations with one strength per sample, all out of place, float32, any device."""

import kornia
import torch
import torch.nn.functional as F
from torch import Tensor

from bgm.ops import resize


def to_float(x: Tensor) -> Tensor:
    """uint8 in 0..255 or any float in [0, 1] to float32 in [0, 1]; float32 passes as it is."""
    return x.float() / 255 if x.dtype == torch.uint8 else x.float()


def premultiply(x: Tensor) -> Tensor:
    """(B, 4, H, W) fgr and pha to fgr * pha and pha: what may be averaged without bleeding."""
    return torch.cat([x[:, :3] * x[:, 3:], x[:, 3:]], dim=1)


def unpremultiply(x: Tensor) -> Tensor:
    """Undo `premultiply`; black where pha is 0; clamps both to [0, 1]."""
    pha = x[:, 3:]
    return torch.cat([x[:, :3] / pha.clamp_min(1e-6), pha], dim=1).clamp(0.0, 1.0)


def crop_centre(x: Tensor, size: tuple[int, int]) -> Tensor:
    """The centre (H, W) of (B, C, h, w), h >= H and w >= W, by slicing: no pixel is resampled."""
    top, left = ((have - want) // 2 for have, want in zip(x.shape[-2:], size, strict=True))
    return x[..., top : top + size[0], left : left + size[1]]


def cover(x: Tensor, size: tuple[int, int], factor: float) -> Tensor:
    """Resize (B, C, h, w) by factor (a factor of 1 leaves the pixels alone), crop the centre."""
    if factor != 1.0:
        covering = [max(n, round(m * factor)) for n, m in zip(size, x.shape[-2:], strict=True)]
        x = resize(x, covering)
    return crop_centre(x, size)


def cover_crop(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize the square (B, C, S, S) until it just covers size = (H, W), crop the centre."""
    return cover(x, size, max(size) / x.shape[-1])


def box_kernel(width: float) -> Tensor:
    """(1, k) taps of a box of any width >= 1 in pixels: the two outermost taps are fractional."""
    reach = -int(-(width - 1) // 2)  # ceil
    offset = torch.arange(-reach, reach + 1, dtype=torch.float64).abs()
    return (((width + 1) / 2 - offset).clamp(0.0, 1.0) / width).float()[None]


def box_blur(x: Tensor, widths: Tensor) -> Tensor:
    """Box blur of (B, C, H, W) with one real width (B,) in pixels a sample; borders are mirrored.

    An odd width is kornia.filters.box_blur, a width of 2r + 1 Pillow's BoxBlur(r). A pixel whose
    window holds only zeros stays exactly 0 (running sums would not do that), so [pha > 0] holds.
    """
    widest = 2 * min(x.shape[-2:]) - 1  # mirroring needs a pad below the picture's side
    blurred = []
    for picture, width in zip(x.split(1), widths.tolist(), strict=True):
        kernel = box_kernel(min(max(width, 1.0), widest)).to(x.device)
        blurred.append(kornia.filters.filter2d_separable(picture, kernel, kernel, "reflect"))
    return torch.cat(blurred)


def sharpen(x: Tensor, factor: Tensor) -> Tensor:
    """kornia.enhance.sharpness before its clamps: x + (factor - 1)(x - smooth), border kept.

    x (B, C, H, W), factor (B,), 1 = no change. Unclamped it stays linear, so that premultiplied
    colours and alpha may be sharpened together. smooth = (3x3 sum + 4 centre) / 13.
    """
    detail = (9 / 13) * (x[..., 1:-1, 1:-1] - F.avg_pool2d(x, 3, stride=1))
    return x + F.pad(detail, (1, 1, 1, 1)) * (factor.to(x.device) - 1)[:, None, None, None]


def luma(x: Tensor) -> Tensor:
    """kornia.color.rgb_to_grayscale: (B, 3, H, W) to (B, 1, H, W)."""
    r, g, b = x.unbind(1)
    return torch.add(torch.add(0.299 * r, g, alpha=0.587), b, alpha=0.114)[:, None]


def jitter(x: Tensor, brightness: Tensor, contrast: Tensor, saturation: Tensor) -> Tensor:
    """Brightness, contrast around the mean grey, saturation: factors (B,), 1 = no change.

    kornia.enhance's adjust_brightness_accumulative, adjust_contrast_with_mean_subtraction and
    adjust_saturation_with_gray_subtraction one after the other in half the passes (half the time
    on a CPU), equal to 1e-6. x (B, 3, H, W) in [0, 1].
    """
    factors = [f.to(x.device)[:, None, None, None] for f in (brightness, contrast, saturation)]
    x = (x * factors[0]).clamp(0.0, 1.0)
    x = torch.lerp(luma(x).mean((-2, -1), keepdim=True), x, factors[1]).clamp(0.0, 1.0)
    return torch.lerp(luma(x), x, factors[2]).clamp(0.0, 1.0)


def shift_hue(x: Tensor, turn: Tensor) -> Tensor:
    """kornia.enhance.adjust_hue in fewer passes (2.6 times faster on a CPU), equal to 1e-5.

    x (B, 3, H, W) in [0, 1], turn (B,) as a part of the colour circle. With V and C maximum and
    chroma, channel n is V - C clamp(min(k, 4 - k), 0, 1), k = (n + 6 hue) mod 6, n = 5, 3, 1.
    """
    r, g, b = x.unbind(1)
    top = x.amax(1)
    chroma = top - x.amin(1)
    per = 1 / chroma.clamp_min(1e-12)
    hue = torch.where(g >= b, (b - r) * per + 2, (r - g) * per + 4)
    hue = torch.where((r >= g) & (r >= b), (g - b) * per, hue)
    hue = hue + 6 * turn.to(x.device)[:, None, None]
    corner = torch.tensor([5.0, 3.0, 1.0], device=x.device)[:, None, None]
    k = torch.remainder(hue[:, None] + corner, 6)  # (B, 3, H, W)
    return top[:, None] - chroma[:, None] * (2 - (k - 2).abs()).clamp(0.0, 1.0)


def noise(x: Tensor, std: Tensor, seed: Tensor) -> Tensor:
    """Add Gaussian noise of std (B,) to x (B, C, H, W), clamp to [0, 1]; each row has its seed.

    The stream is the device's own: equal on one kind of device, another on CPU than on CUDA.
    """
    grain = []
    for picture, one in zip(x, seed.tolist(), strict=True):
        generator = torch.Generator(device=x.device).manual_seed(one)
        grain.append(torch.randn(picture.shape, generator=generator, device=x.device))
    return (x + torch.stack(grain) * std.to(x.device)[:, None, None, None]).clamp(0.0, 1.0)
