"""What numbers mean: light and back, what a screen shows, one picture in two encodings."""

import pytest
import torch

from bgm.colour import (
    LINEAR,
    PRIMARIES,
    SRGB,
    TRANSFERS,
    Encoding,
    convert,
    from_display,
    from_linear,
    shoulder,
    to_display,
    to_linear,
    unshoulder,
)
from bgm.errors import BadInput

CODES = torch.linspace(0, 1, 301).expand(3, 1, -1)
NAMES = [*TRANSFERS, "gamma2.2", "gamma1.8"]


@pytest.mark.parametrize("transfer", NAMES)
def test_light_and_back(transfer):
    encoding = Encoding("bt2020", transfer)
    light = to_linear(CODES, encoding)
    assert (light.diff(dim=-1) >= 0).all()
    torch.testing.assert_close(from_linear(light, encoding), CODES, atol=2e-5, rtol=0)


@pytest.mark.parametrize(
    ("transfer", "code", "light"),
    [
        ("srgb", 0.5, 0.214041),
        ("bt709", 0.5, 0.259589),
        ("gamma2.2", 0.5, 0.217638),
        ("linear", 7.5, 7.5),
        ("hlg", 0.75, 1.0),
        ("hlg", 0.5, 1 / 12 / 0.2649613),
        ("pq", 0.5807, 1.0),  # BT.2408: 203 cd/m2 is 58 %
    ],
)
def test_light_as_the_standards_have_it(transfer, code, light):
    found = to_linear(torch.full((3, 1, 1), code), Encoding("bt709", transfer))
    assert found.mean().item() == pytest.approx(light, rel=2e-3)


@pytest.mark.parametrize("transfer", NAMES)
@pytest.mark.parametrize("primaries", [p for p in PRIMARIES if p != "aces"])
def test_white_and_black_are_shown_as_such_and_gray_stays_gray(primaries, transfer):
    encoding = Encoding(primaries, transfer)
    white = {"hlg": 0.75, "pq": 0.58069}.get(transfer, 1.0)
    shown = to_display(torch.tensor([0.0, 0.3 * white, white]).expand(3, 1, 3), encoding)
    assert (shown.amax(0) - shown.amin(0)).max() < 2e-3
    assert shown[..., 0].max() == 0
    lowest = 0.93 if not encoding.bounded else 0.998  # 1 of light is bent to 0.875 of it
    assert shown[..., 2].min() > lowest
    assert (shown <= 1).all()


def test_what_a_screen_shows_of_pictures_of_sRGB_is_their_numbers():
    for encoding in (SRGB, Encoding("bt709", "bt709"), Encoding("smpte170m", "bt709")):
        assert torch.equal(to_display(CODES, encoding), CODES)


@pytest.mark.parametrize("name", ["hlg", "pq"])
def test_hdr_is_as_bright_on_a_standard_screen_as_its_light(name):
    """A gray of 20 cd/m2 is 20 of 100 on a screen of BT.1886: code 0.2 ** (1 / 2.4)."""
    white = to_linear(
        torch.full((3, 1, 1), {"hlg": 0.75, "pq": 0.58069}[name]), Encoding("bt2020", name)
    )
    light = white * ((20 / 203) ** (1 / 1.2) if name == "hlg" else 20 / 203)  # before its OOTF
    code = from_linear(light, Encoding("bt2020", name))
    shown = to_display(code, Encoding("bt2020", name))
    assert (shown - 0.2 ** (1 / 2.4)).abs().max() < 2e-3


def test_what_is_shown_can_be_said_in_every_encoding():
    generator = torch.Generator().manual_seed(0)
    shown = 0.1 + 0.7 * torch.rand(3, 8, 8, generator=generator)
    for primaries in ("bt709", "p3", "adobergb", "bt2020", "acescg"):
        for transfer in NAMES:
            encoding = Encoding(primaries, transfer)
            again = to_display(from_display(shown, encoding), encoding)
            torch.testing.assert_close(again, shown, atol=2e-3, rtol=0)


def test_one_light_in_two_encodings():
    p3 = Encoding("p3", "srgb")
    red = torch.tensor([1.0, 0.0, 0.0]).view(3, 1, 1)
    found = convert(red, SRGB, p3).flatten() * 255
    assert (found - torch.tensor([234.0, 51, 35])).abs().max() < 1  # as ColorSync has it
    generator = torch.Generator().manual_seed(1)
    light = torch.rand(3, 4, 4, generator=generator) * 8
    assert convert(light, LINEAR, LINEAR) is light
    there = convert(light, LINEAR, Encoding("acescg", "linear"))
    torch.testing.assert_close(convert(there, Encoding("acescg", "linear"), LINEAR), light)


def test_light_above_white_keeps_its_order():
    light = torch.tensor([0.2, 0.75, 1.0, 2.0, 8.0, 50.0])
    bent = shoulder(light)
    assert torch.equal(bent[:2], light[:2])
    assert (bent.diff() > 0).all()
    assert bent[-1] < 1
    torch.testing.assert_close(unshoulder(bent), light, rtol=1e-3, atol=0)


def test_unknown_names_are_named():
    with pytest.raises(BadInput, match="slog3"):
        to_linear(CODES, Encoding("bt709", "slog3"))
    with pytest.raises(BadInput, match="prophoto"):
        to_display(CODES, Encoding("prophoto", "srgb"))
