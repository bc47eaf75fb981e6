import pytest
import torch

from bgm.colour import LINEAR, SRGB
from bgm.infer.any_size import Matte
from bgm.infer.foreground import auto_foreground, unmixed_foreground
from bgm.infer.foreground_bands import BandedForeground
from bgm.infer.frame import Frame, Shot


def scene(H, W, encoding):
    torch.manual_seed(H)
    noise = torch.rand(3, 3, H // 7 + 2, W // 7 + 2)
    shot, plate, fgr = torch.nn.functional.interpolate(noise, (H, W), mode="bicubic").clamp(0, 1)
    y, x = torch.meshgrid(torch.linspace(-1, 1, H), torch.linspace(-1, 1, W), indexing="ij")
    pha = (1.6 - 2.2 * (y**2 + x**2).sqrt()).clamp(0, 1)[None, None]
    shot = pha[0] * shot + (1 - pha[0]) * plate * 0.9
    if encoding is LINEAR:
        shot = shot * 4
        stored = shot, plate * 4
    else:
        stored = tuple((x * 255).byte() for x in (shot, plate))
    err = torch.rand(1, 1, H // 8 + 1, W // 8 + 1) * 0.1
    frame = Frame("a", *(Shot(x, encoding) for x in stored))
    return frame, Matte(pha, fgr[None], err, None, (H, W))


@pytest.mark.parametrize("size", [(96, 128), (101, 87), (5, 30), (64, 1)])
@pytest.mark.parametrize("encoding", [SRGB, LINEAR])
def test_bands_give_the_foreground_of_the_whole(size, encoding):
    frame, matte = scene(*size, encoding)
    for whole, with_network in ((auto_foreground, True), (unmixed_foreground, False)):
        expected = whole(frame, matte).fgr
        for rows in (10, 33):
            found = BandedForeground(with_network, rows)(frame, matte).fgr
            # How sure a highlight is hangs on differences that float32 rounds.
            rtol = 2e-3 if encoding is LINEAR else 1e-5
            torch.testing.assert_close(found, expected, atol=1e-5, rtol=rtol)


def test_bands_where_nothing_of_the_plate_is_seen():
    frame, matte = scene(40, 30, SRGB)
    matte = matte._replace(pha=matte.pha * 0.5 + 0.5)
    found = BandedForeground(True, 8)(frame, matte).fgr
    torch.testing.assert_close(found, auto_foreground(frame, matte).fgr, atol=1e-5, rtol=1e-5)
