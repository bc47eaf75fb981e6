"""Pictures in their file's own numbers: EXR, 16 bits, HEIC, profiles, and what is refused."""

import io
import struct

import cv2
import numpy as np
import pytest
import torch
from PIL import Image, ImageCms, features

from bgm.colour import LINEAR, SRGB, Encoding, to_display
from bgm.errors import BadInput
from bgm.infer.sources import is_picture
from bgm.pictures import (
    finite,
    limit_megapixels,
    picture_size,
    pixel_aspect,
    read_encoded,
    read_picture,
)
from bgm.pictures.profiles import encoding_of_profile, profile_of
from tests.pictures import files

oiio = pytest.importorskip("OpenImageIO", reason="the extra `exr` is not installed")
pytest.importorskip("OpenEXR", reason="writes the tests' EXR files")
LIGHT = np.linspace(0, 50, 12 * 18 * 3, dtype=np.float32).reshape(12, 18, 3)
LIGHT = LIGHT.astype(np.float16).astype(np.float32)


def layer(prefix="", x=LIGHT):
    return {f"{prefix}{name}": x[..., i] for i, name in enumerate("RGB")}


@pytest.mark.parametrize("half", [True, False])
@pytest.mark.parametrize("prefix", ["", "beauty.", "scene.rgba."])
def test_an_exr_of_any_layer_keeps_its_light(tmp_path, prefix, half):
    others = {"Z": LIGHT[..., 0] * 0, "matte.Y": LIGHT[..., 1] * 0}
    path = files.exr(tmp_path / "a.exr", layer(prefix) | others, half=half)
    x, encoding = read_encoded(path)
    assert encoding == LINEAR
    assert torch.equal(x, torch.from_numpy(LIGHT.transpose(2, 0, 1)))
    assert picture_size(path) == (12, 18)


def test_the_default_layer_of_an_exr_comes_first(tmp_path):
    path = files.exr(tmp_path / "a.exr", layer("a.", LIGHT * 0) | layer())
    assert read_encoded(path)[0].max() == 50


def test_a_gray_exr_is_gray_and_one_without_colours_is_refused(tmp_path):
    x, _ = read_encoded(files.exr(tmp_path / "y.exr", {"Y": LIGHT[..., 0]}))
    assert torch.equal(x, torch.from_numpy(LIGHT[..., 0]).expand(3, -1, -1))
    path = files.exr(tmp_path / "z.exr", {"Z": LIGHT[..., 0], "id": LIGHT[..., 1]})
    with pytest.raises(BadInput, match=r"z\.exr has no channels R, G, B .*Z"):
        read_encoded(path)


@pytest.mark.parametrize(
    "parts",
    [
        {"depth": {"Z": LIGHT[..., 0]}, "beauty": layer()},
        {"gray": {"Y": LIGHT[..., 1]}, "beauty": layer("beauty.")},
        {"spec": layer("spec.", LIGHT / 2), "rgba": layer()},
        {"left": layer(), "right": layer("", LIGHT / 2)},
        {f"rgba.{name}": {name: x} for name, x in layer().items()},
        {"b": {"B": LIGHT[..., 2]}, "rg": {"R": LIGHT[..., 0], "G": LIGHT[..., 1]}},
    ],
)
def test_the_part_of_an_exr_that_has_colours_is_read(tmp_path, parts):
    x, _ = read_encoded(files.exr_parts(tmp_path / "a.exr", parts))
    assert torch.equal(x, torch.from_numpy(LIGHT.transpose(2, 0, 1)))


def test_colours_in_parts_of_several_sizes_are_refused(tmp_path):
    channels = layer() | {"B": LIGHT[:6, :9, 2]}
    path = files.exr_parts(tmp_path / "a.exr", {name: {name: x} for name, x in channels.items()})
    with pytest.raises(BadInput, match=r"a\.exr has R, G and B in parts of different windows"):
        read_encoded(path)


@pytest.mark.parametrize("name", ["Z", "id", "N", "depth.Z", "A"])
def test_one_channel_that_is_no_colour_is_refused(tmp_path, name):
    path = files.exr(tmp_path / "a.exr", {name: LIGHT[..., 0]})
    words = rf"has no channels R, G, B and no gray Y \(it has {name}\)"
    with pytest.raises(BadInput, match=words):
        read_encoded(path)


@pytest.mark.parametrize("name", ["Y", "err.Y", "R"])
def test_one_channel_that_is_gray_is_read(tmp_path, name):
    x, _ = read_encoded(files.exr(tmp_path / "a.exr", {name: LIGHT[..., 0]}))
    assert torch.equal(x, torch.from_numpy(LIGHT[..., 0]).expand(3, -1, -1))


def test_a_matte_may_be_an_alpha_channel_alone(tmp_path):
    path = files.exr(tmp_path / "a.exr", {"A": LIGHT[..., 0] / 50})
    expected = torch.from_numpy(LIGHT[..., 0] / 50 * 255)
    assert (read_picture(path, "L")[0] - expected).abs().max() < 1
    assert picture_size(path) == (12, 18)


@pytest.mark.parametrize("turn", [1, 3, 6, 8])
@pytest.mark.parametrize("suffix", [".exr", ".png", ".tif", ".jpg"])
def test_the_shape_of_a_pixel_is_that_of_the_upright_picture(tmp_path, suffix, turn):
    path = tmp_path / f"a{suffix}"
    if suffix == ".exr":
        files.deep(path, LIGHT, orientation=turn, aspect=2.0)
    else:
        exif = Image.Exif()
        exif[0x0112] = turn
        files.picture(path, files.shades(), exif=exif, dpi=(72, 144))
    assert pixel_aspect(path) == pytest.approx(2 if turn < 5 else 0.5, abs=0.01)


@pytest.mark.parametrize(
    ("unit", "density", "aspect"),
    [(0, (2, 1), 0.5), (0, (1, 2), 2), (0, (1, 1), 1), (0, (0, 0), 1), (1, (72, 144), 2)],
)
def test_a_jfif_without_a_unit_says_the_shape_of_a_pixel(tmp_path, unit, density, aspect):
    path = files.picture(tmp_path / "a.jpg", files.shades())
    before, name, after = path.read_bytes().partition(b"JFIF\0")
    path.write_bytes(before + name + after[:2] + struct.pack(">BHH", unit, *density) + after[7:])
    assert pixel_aspect(path) == pytest.approx(aspect)


@pytest.mark.parametrize(
    ("window", "display"),
    [
        ((3, 2, 20, 13), (0, 0, 29, 19)),  # a crop of the picture
        ((-4, -3, 13, 8), (0, 0, 9, 5)),  # overscan
        ((2, 2, 19, 13), (5, 4, 30, 9)),
        ((40, 40, 57, 51), (0, 0, 9, 5)),  # nowhere
    ],
)
def test_the_display_window_of_an_exr_is_the_picture(tmp_path, window, display):
    path = files.exr(tmp_path / "a.exr", layer(), window, display)
    x, _ = read_encoded(path)
    H, W = display[3] - display[1] + 1, display[2] - display[0] + 1
    assert tuple(x.shape) == (3, H, W)
    assert picture_size(path) == (H, W)
    for row in range(H):
        for column in range(W):
            i, j = row + display[1] - window[1], column + display[0] - window[0]
            inside = 0 <= i < 12 and 0 <= j < 18
            expected = LIGHT[i, j] if inside else np.zeros(3)
            assert x[:, row, column].tolist() == list(expected)


def test_an_exrs_primaries_and_broken_numbers(tmp_path):
    broken = LIGHT.copy()
    broken[0, 0, 0], broken[0, 1, 1] = np.nan, np.inf
    xy = (0.713, 0.293, 0.165, 0.830, 0.128, 0.044, 0.32168, 0.33767)
    path = files.exr(tmp_path / "a.exr", layer("", broken), attributes={"chromaticities": xy})
    x, encoding = read_encoded(path)
    assert encoding == Encoding("acescg", "linear")
    assert x[0, 0, 0].isnan()
    assert x[1, 0, 1].isinf()
    x, count = finite(x)
    assert (x[0, 0, 0], x[1, 0, 1], count) == (0, 65504, 2)
    assert read_picture(path)[0, 0, 0] == 0


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bits_stay(tmp_path, suffix):
    x = (np.arange(12 * 18 * 3).reshape(12, 18, 3) * 97 % 65536).astype(np.uint16)
    found, encoding = read_encoded(files.deep(tmp_path / f"a{suffix}", x))
    assert encoding == SRGB
    assert found.dtype == torch.uint16
    np.testing.assert_array_equal(found.numpy(), x.transpose(2, 0, 1))
    gray, _ = read_encoded(files.deep(tmp_path / f"g{suffix}", x[..., :1]))
    np.testing.assert_array_equal(gray.numpy()[2], x[..., 0])
    with_alpha = np.concatenate([x, x[..., :1] * 0 + 99], -1)
    found, _ = read_encoded(files.deep(tmp_path / f"r{suffix}", with_alpha))
    np.testing.assert_array_equal(found.numpy(), x.transpose(2, 0, 1))  # colours as stored


def test_a_float_tiff_is_light_and_turned(tmp_path):
    path = files.deep(tmp_path / "a.tif", LIGHT, orientation=6)
    x, encoding = read_encoded(path)
    assert encoding == LINEAR
    np.testing.assert_array_equal(x.permute(1, 2, 0).numpy(), np.rot90(LIGHT, -1))
    assert picture_size(path) == (18, 12)


def test_what_numbers_mean_can_be_said(tmp_path):
    path = files.deep(tmp_path / "a.tif", LIGHT)
    assert read_encoded(path, linear=False)[1] == SRGB
    path = files.picture(tmp_path / "a.png", files.shades())
    assert read_encoded(path, linear=True)[1] == LINEAR


STILLS = [".bmp", ".tif", ".tga", ".gif", ".ppm", ".jfif", ".jp2", ".avif", ".webp", ".png"]


@pytest.mark.parametrize("suffix", STILLS)
def test_a_still_of_any_kind_is_a_picture(tmp_path, suffix):
    if suffix == ".avif" and not features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    options = {".webp": {"lossless": True}, ".avif": {"quality": 100}, ".jfif": {"quality": 100}}
    kind = {"format": "JPEG"} if suffix == ".jfif" else {}
    path = files.picture(tmp_path / f"a{suffix}", files.shades(), **options.get(suffix, {}), **kind)
    assert is_picture(path)
    x, encoding = read_encoded(path)
    assert encoding[:2] == SRGB[:2]
    error = np.abs(x.permute(1, 2, 0).numpy().astype(int) - files.shades())
    assert error.mean() < (14 if suffix in (".gif", ".jfif", ".avif") else 0.5)
    assert picture_size(path) == (12, 18)
    nameless = path.rename(tmp_path / "noname")
    assert is_picture(nameless)


@pytest.mark.parametrize("bits", [8, 10])
def test_a_heic_is_read_whole_at_its_depth(tmp_path, bits):
    heif = pytest.importorskip("pillow_heif", reason="the extra `heif` is not installed")
    y, x = np.mgrid[:600, :700]
    picture = np.stack([x / 700, y / 600, 0.5 + 0 * x], -1)
    kind, mode = (np.uint8, "RGB") if bits == 8 else (np.uint16, "RGB;16")
    array = (picture * np.iinfo(kind).max).astype(kind)
    file = heif.from_bytes(mode=mode, size=(700, 600), data=array.tobytes())
    file.save(tmp_path / "a.heic", quality=95)
    found, _ = read_encoded(tmp_path / "a.heic")
    assert found.dtype == (torch.uint8 if bits == 8 else torch.uint16)
    values = found.to(torch.float32) / np.iinfo(kind).max
    assert np.abs(values.permute(1, 2, 0).numpy() - picture).max() < 0.03
    assert picture_size(tmp_path / "a.heic") == (600, 700)
    assert is_picture(tmp_path / "a.heic")


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png", ".avif", ".tif"])
def test_an_animation_is_refused_with_its_frames(tmp_path, suffix):
    frames = [Image.new("RGB", (16, 16), (40 * i, 250 - 40 * i, 9)) for i in range(5)]
    path = tmp_path / f"a{suffix}"
    frames[0].save(path, save_all=True, append_images=frames[1:])
    for read in (read_encoded, read_picture, picture_size):
        with pytest.raises(BadInput, match=rf"a\{suffix} holds 5 (frames|pages)"):
            read(path)


@pytest.mark.parametrize("primaries", ["p3", "adobergb", "bt2020"])
@pytest.mark.parametrize("transfer", ["srgb", "gamma2.2", "gamma1.8"])
def test_a_profile_of_ours_is_read_by_us_and_by_littlecms(primaries, transfer):
    encoding = Encoding(primaries, transfer)
    profile = profile_of(encoding)
    assert encoding_of_profile(profile)[:2] == encoding[:2]
    image = Image.fromarray(files.shades())
    seen = ImageCms.profileToProfile(
        image, ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
    )
    values = torch.from_numpy(files.shades().transpose(2, 0, 1).copy()) / 255
    shown = to_display(values, encoding) * 255
    expected = np.asarray(seen).transpose(2, 0, 1).astype(float)
    error = np.abs(shown.numpy() - expected)
    assert np.quantile(error, 0.98) < 2.5


def test_littlecms_own_profile_is_known_and_garbage_is_carried():
    assert encoding_of_profile(files.srgb_profile())[:2] == SRGB[:2]
    assert encoding_of_profile(b"no profile at all") == Encoding(icc=b"no profile at all")


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
def test_a_profile_is_read_and_carried(tmp_path, suffix):
    profile = profile_of(Encoding("p3", "srgb"))
    path = files.picture(tmp_path / f"a{suffix}", files.shades(), icc_profile=profile)
    assert read_encoded(path)[1] == Encoding("p3", "srgb", profile)
    deep = files.shades().astype(np.uint16) * 257
    if suffix in (".png", ".tif"):
        path = files.deep(tmp_path / f"b{suffix}", deep, profile)
        assert read_encoded(path)[1] == Encoding("p3", "srgb", profile)


CHRM_ADOBE = struct.pack(">8I", 31270, 32900, 64000, 33000, 21000, 71000, 15000, 6000)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize(
    ("chunk", "data", "encoding"),
    [
        (b"cICP", bytes([9, 16, 0, 1]), Encoding("bt2020", "pq")),
        (b"cICP", bytes([12, 13, 0, 1]), Encoding("p3", "srgb")),
        (b"gAMA", struct.pack(">I", 45455), SRGB),
        (b"gAMA", struct.pack(">I", 100000), LINEAR),
        (b"gAMA", struct.pack(">I", 55556), Encoding("bt709", "gamma1.8")),
        (b"sRGB", b"\0", SRGB),
        (b"cHRM", CHRM_ADOBE, Encoding("adobergb", "srgb")),
        (b"cICP", bytes([2, 2, 0, 1]), SRGB),
    ],
)
def test_what_a_png_says_of_its_colours(tmp_path, chunk, data, encoding, bits):
    path = files.png_with(tmp_path / "a.png", chunk, data, bits)
    x, said = read_encoded(path)
    assert x.dtype == (torch.uint8 if bits == 8 else torch.uint16)
    assert said == encoding


@pytest.mark.parametrize("bits", [8, 16])
def test_a_png_whose_words_on_its_colours_are_damaged_is_refused(tmp_path, bits):
    path = files.png_with(tmp_path / "a.png", b"cHRM", CHRM_ADOBE, bits)
    path.write_bytes(path.read_bytes().replace(CHRM_ADOBE, CHRM_ADOBE[::-1]))
    with pytest.raises(BadInput, match=r"a\.png"):
        read_encoded(path)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize(
    ("data", "words"),
    [
        ([10, 13, 0, 1], r"colour primaries 10 \(ITU-T H.273\), which is none of 1, 5, 6"),
        ([1, 17, 0, 1], r"colour transfer 17 \(ITU-T H.273\), which is none of 1, 6, 7"),
        ([1, 13, 0, 0], "narrow range"),
    ],
)
def test_numbers_of_colours_that_are_unknown_are_refused(tmp_path, bits, data, words):
    path = files.png_with(tmp_path / "a.png", b"cICP", bytes(data), bits)
    with pytest.raises(BadInput, match=rf"a\.png [^(]*{words}"):
        read_encoded(path)


def test_a_large_picture_is_refused_with_its_size_and_a_key_allows_it(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS)
    monkeypatch.setenv("BGM_MAX_MEGAPIXELS", "0.0001")
    path = files.picture(tmp_path / "a.png", files.shades())
    with pytest.raises(BadInput, match=r"a\.png has 0\.000216 megapixels, more than 0\.0001 "):
        read_encoded(path)
    light = files.exr(tmp_path / "a.exr", layer())
    with pytest.raises(BadInput, match=r"a\.exr has 0\.000216 megapixels, more than 0\.0001 "):
        read_encoded(light)
    limit_megapixels(1)
    assert read_encoded(path)[0].shape == read_encoded(light)[0].shape


@pytest.mark.parametrize("words", ["many", "0", "-3", "inf", "nan"])
def test_a_limit_that_is_no_number_is_a_sentence(tmp_path, monkeypatch, words):
    with pytest.raises(BadInput, match=f"max_megapixels is {words}, expected a number"):
        limit_megapixels(words)
    monkeypatch.setenv("BGM_MAX_MEGAPIXELS", words)
    path = files.picture(tmp_path / "a.png", files.shades())
    with pytest.raises(BadInput, match=f"BGM_MAX_MEGAPIXELS is {words}"):
        read_picture(path)


@pytest.mark.parametrize("suffix", [".exr", ".png", ".tif"])
def test_without_openimageio_the_extra_is_named(tmp_path, monkeypatch, suffix):
    import sys

    path = tmp_path / f"a{suffix}"
    files.exr(path, layer()) if suffix == ".exr" else files.deep(path, np.zeros((4, 4, 3), "u2"))
    monkeypatch.setitem(sys.modules, "OpenImageIO", None)
    with pytest.raises(BadInput, match=r"pip install 'bgm-matting\[exr\]'"):
        read_encoded(path)


@pytest.mark.parametrize("suffix", [".exr", ".png", ".tif"])
def test_a_cut_off_file_is_named(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    noise = np.random.default_rng(0).integers(0, 65535, (64, 64, 3)).astype(np.uint16)
    files.exr(path, layer("", noise / 9.0)) if suffix == ".exr" else files.deep(path, noise)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(BadInput, match=rf"a\{suffix}") as refused:
        read_encoded(path)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["a.jp2", "a.ppm", "a.pgm"])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_jpeg_2000_and_pnm_keep_their_bits(tmp_path, name, kind):
    most = np.iinfo(kind).max
    x = np.random.default_rng(0).integers(0, most, (40, 48, 3), endpoint=True).astype(kind)
    x = x[..., :1] if name == "a.pgm" else x
    lossless = [cv2.IMWRITE_JPEG2000_COMPRESSION_X1000, 1000] if name == "a.jp2" else []
    assert cv2.imwrite(str(tmp_path / name), x, lossless)
    found, encoding = read_encoded(tmp_path / name)
    expected = torch.from_numpy(np.broadcast_to(x[..., ::-1], (40, 48, 3)).copy())
    assert torch.equal(found, expected.permute(2, 0, 1))
    assert encoding == SRGB
