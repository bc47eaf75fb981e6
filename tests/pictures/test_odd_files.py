"""Stills that are rare, and say their numbers, their colours or their size in their own way."""

import re
import struct

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from bgm.colour import Encoding, to_linear
from bgm.errors import BadInput
from bgm.infer.options import open_frames
from bgm.pictures import picture_size, read_encoded, read_picture
from bgm.pictures.profiles import profile_of
from tests.pictures import files

pytest.importorskip("OpenImageIO", reason="the extra `exr` is not installed")
GRAY = files.shades()[..., :1]  # (12, 18, 1), 0 to 255 from left to right


def oiio_file(path, pictures, kind, **attributes):
    """Pictures (H, W, C), of numbers 0 to 255, in one file of OpenImageIO."""
    import OpenImageIO as oiio

    specs = []
    for x in pictures:
        spec = oiio.ImageSpec(x.shape[1], x.shape[0], x.shape[2], kind)
        for name, value in attributes.items():
            spec.attribute(name.replace("_", ":", 1), value)
        specs.append(spec)
    file = oiio.ImageOutput.create(str(path))
    assert file.open(str(path), specs if len(specs) > 1 else specs[0])
    for number, (spec, x) in enumerate(zip(specs, pictures, strict=True)):
        if number:
            assert file.open(str(path), spec, "AppendSubimage")
        assert file.write_image(np.ascontiguousarray(x / 255, np.float32))
    assert file.close()
    return path


def white_is_zero(path):
    files.deep(path, GRAY.astype(np.uint16) * 257)
    tag = struct.pack("<HHI", 262, 3, 1)
    before, _, after = path.read_bytes().partition(tag)
    assert after[:2] == b"\1\0"
    path.write_bytes(before + tag + b"\0\0" + after[2:])


def gray_float(path):
    rows = np.ascontiguousarray(GRAY[::-1, :, 0] / 255, "<f4").tobytes()
    path.write_bytes(b"Pf\n18 12\n-1.0\n" + rows)


def bare_codestream(path):
    x = np.random.default_rng(0).integers(0, 65536, (40, 48, 3)).astype(np.uint16)
    whole = path.with_name("whole.jp2")
    assert cv2.imwrite(str(whole), x, [cv2.IMWRITE_JPEG2000_COMPRESSION_X1000, 1000])
    data = whole.read_bytes()
    path.write_bytes(data[data.index(b"\xff\x4f\xff\x51") :])
    return torch.from_numpy(x[..., ::-1].transpose(2, 0, 1).copy())


@pytest.mark.parametrize(
    ("name", "make", "inverted"),
    [
        ("scanner.tif", white_is_zero, True),
        ("long.tif", lambda p: oiio_file(p, [GRAY], "uint"), False),
        ("film.dpx", lambda p: oiio_file(p, [GRAY], "uint16", oiio_BitsPerSample=10), False),
        ("gray.pfm", gray_float, False),
        ("deep.sgi", lambda p: oiio_file(p, [GRAY], "uint16"), False),
    ],
)
def test_numbers_are_those_of_the_picture(tmp_path, name, make, inverted):
    make(tmp_path / name)
    x, encoding = read_encoded(tmp_path / name)
    assert x.dtype == (torch.float32 if name == "gray.pfm" else torch.uint16)
    assert encoding.transfer == ("linear" if name == "gray.pfm" else "srgb")
    values = x.float() / (1 if name == "gray.pfm" else 65535)
    expected = torch.from_numpy(255 - GRAY if inverted else GRAY)[..., 0] / 255
    assert (values - expected).abs().max() < 0.001


def test_a_bare_codestream_of_jpeg_2000_keeps_its_bits(tmp_path):
    expected = bare_codestream(tmp_path / "a.j2k")
    assert torch.equal(read_encoded(tmp_path / "a.j2k")[0], expected)


@pytest.mark.parametrize("turn", [1, 3, 6, 8])
@pytest.mark.parametrize("suffix", [".tif", ".png", ".jpg", ".webp"])
def test_the_size_is_that_of_the_upright_picture(tmp_path, suffix, turn):
    exif = Image.Exif()
    exif[0x0112] = turn
    path = files.picture(tmp_path / f"a{suffix}", files.shades(), exif=exif)
    assert picture_size(path) == read_encoded(path)[0].shape[1:] == read_picture(path).shape[1:]
    assert picture_size(path) == ((12, 18) if turn < 5 else (18, 12))


def gray_profile(gamma):
    """A profile of gray alone: a white point and a curve."""
    curve = b"curv\0\0\0\0" + struct.pack(">IHH", 1, round(gamma * 256), 0)
    white = b"XYZ \0\0\0\0" + struct.pack(">3i", 63190, 65536, 54061)
    text = b"desc\0\0\0\0" + struct.pack(">I", 2) + b"g\0" + b"\0" * 80
    tags = {b"desc": text, b"wtpt": white, b"kTRC": curve, b"cprt": b"text\0\0\0\0none"}
    table, data, start = b"", b"", 132 + 12 * len(tags)
    for name, tag in tags.items():
        tag += b"\0" * (-len(tag) % 4)
        table += name + struct.pack(">II", start + len(data), len(tag))
        data += tag
    header = struct.pack(
        ">I4sI4s4s4s", start + len(data), b"", 0x02100000, b"mntr", b"GRAY", b"XYZ "
    )
    header += b"\0" * 12 + b"acsp" + b"\0" * 28 + struct.pack(">3i", 63190, 65536, 54061)
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + data


@pytest.mark.parametrize("kind", ["L", "LA", "16"])
def test_gray_with_a_profile_of_gray_is_as_bright_as_it_says(tmp_path, kind):
    path, profile = tmp_path / "a.png", gray_profile(1.8)
    if kind == "16":
        files.deep(path, GRAY.astype(np.uint16) * 257, profile)
    else:
        Image.fromarray(GRAY[..., 0]).convert(kind).save(path, icc_profile=profile)
    x, encoding = read_encoded(path)
    assert profile_of(encoding)[16:20] in (b"", b"RGB ")
    light = Encoding("bt709", encoding.transfer)
    found = to_linear(x.float() / (65535 if kind == "16" else 255), light)
    expected = torch.from_numpy((GRAY[..., 0] / 255.0) ** 1.8).float()
    assert (found - expected).abs().max() < 0.01


def test_colours_that_a_heic_says_by_numbers_or_by_a_profile(tmp_path):
    heif = pytest.importorskip("pillow_heif", reason="the extra `heif` is not installed")
    x = np.full((64, 64, 3), 90, np.uint8)
    numbers = {"matrix_coefficients": 6, "full_range_flag": 1}
    for name, kinds in {"p3": (12, 13), "pq": (9, 16)}.items():
        numbers |= dict(zip(("color_primaries", "transfer_characteristics"), kinds, strict=True))
        heif.from_pillow(Image.fromarray(x)).save(tmp_path / f"{name}.heic", **numbers)
    assert read_encoded(tmp_path / "p3.heic")[1] == Encoding("p3", "srgb")
    assert read_encoded(tmp_path / "pq.heic")[1] == Encoding("bt2020", "pq")
    deep = heif.from_bytes(mode="RGB;16", size=(64, 64), data=(x.astype("u2") * 257).tobytes())
    profile = profile_of(Encoding("p3", "srgb"))
    deep.info.update(icc_profile=profile, icc_profile_type="prof")
    deep.save(tmp_path / "deep.heic")
    found, encoding = read_encoded(tmp_path / "deep.heic")
    assert found.dtype == torch.uint16
    assert encoding == Encoding("p3", "srgb", profile)


def test_colours_that_an_avif_says_by_numbers(tmp_path):
    path = tmp_path / "a.avif"
    try:
        Image.fromarray(files.shades(64, 64)).save(path)
    except (KeyError, ValueError):
        pytest.skip("this Pillow has no AVIF")
    before, name, after = path.read_bytes().partition(b"colrnclx")
    assert name
    for kinds, encoding in {(12, 13): ("p3", "srgb"), (9, 18): ("bt2020", "hlg")}.items():
        path.write_bytes(before + name + struct.pack(">HH", *kinds) + after[4:])
        assert read_encoded(path)[1] == Encoding(*encoding)


def preview_first(path):
    """As a camera's raw file: a small picture, which says that it is one, then the large one."""
    small = Image.fromarray(GRAY[::4, ::4, 0])
    large = Image.fromarray(GRAY[..., 0])
    small.save(path, "TIFF", save_all=True, append_images=[large], tiffinfo={254: 1})


def two_heics(path):
    heif = pytest.importorskip("pillow_heif", reason="the extra `heif` is not installed")
    file = heif.from_pillow(Image.new("RGB", (64, 64)))
    file.add_from_pillow(Image.new("RGB", (64, 64), (200, 0, 0)))
    file.save(path)


@pytest.mark.parametrize(
    ("name", "make", "says"),
    [
        ("a.tif", lambda p: oiio_file(p, [GRAY, GRAY], "uint16"), "several pages"),
        ("a.heic", two_heics, "2 pictures"),
        ("b.tif", preview_first, "a preview"),
        ("a.dng", preview_first, "a camera's raw file"),
        ("a.cr3", lambda p: p.write_bytes(b"\0\0\0\x18ftypcrx "), "a camera's raw file"),
        (
            "a.dpx",
            lambda p: oiio_file(p, [GRAY], "uint16", dpx_Transfer="Logarithmic"),
            "densities",
        ),
    ],
)
def test_what_would_be_seen_in_part_or_wrongly_is_refused(tmp_path, name, make, says):
    make(tmp_path / name)
    plate = files.picture(tmp_path / "plate.png", files.shades())
    with pytest.raises(BadInput, match=rf"{re.escape(name)} .*{says}"):
        next(iter(open_frames(str(tmp_path / name), str(plate))))


def test_files_of_a_folder_that_are_passed_over_are_named(tmp_path, capsys):
    for name in ("a.png", "b.png"):
        files.picture(tmp_path / "src" / name, files.shades())
    (tmp_path / "src/c.dng").write_bytes(b"II*\0")
    (tmp_path / "src/notes.txt").write_text("of the shot")
    assert len(open_frames(str(tmp_path / "src"), str(tmp_path / "src/a.png"))) == 2
    assert (
        "passed over, as no pictures that are read: c.dng, notes.txt (2)" in capsys.readouterr().out
    )
