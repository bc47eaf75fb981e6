"""From picture files to picture files: colours, light above white, alpha, layers, profiles."""

import shutil
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from bgm.colour import LINEAR, SRGB, Encoding, to_linear
from bgm.errors import BadInput
from bgm.infer.foreground import FOREGROUNDS
from bgm.infer.frame import Frame, Shot
from bgm.infer.options import open_frames, open_sink
from bgm.infer.predict import predict
from bgm.infer.sinks import PictureSink
from bgm.infer.sources import pictures
from bgm.pictures import pixel_aspect, read_encoded, write_deep, write_png
from bgm.pictures.profiles import profile_of
from bgm.types import Refined
from tests.pictures import files

oiio = pytest.importorskip("OpenImageIO", reason="the extra `exr` is not installed")
H, W = 64, 80
PRIMARIES = ("bt709", "p3", "adobergb")


def network(alpha):
    """A network that sees the same alpha everywhere and leaves the shot's colour alone."""

    def net(src, bgr):
        pha, small = src[:, :1] * 0 + alpha, src[:, :1, ::4, ::4] * 0
        return Refined(pha, src, small + alpha, src[:, :, ::4, ::4], small, small)

    return net


def shades(encoding, kind, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(3, H, W, generator=generator)
    if kind in ("exr", "float.tif"):
        return (x * 50).half().float()  # light
    return x


def write(path, x, encoding, kind):
    if kind == "png":
        write_png(path, x, encoding)
    else:
        write_deep(path, x, encoding, {"float.tif": "tiff"}.get(kind, kind), ("R", "G", "B"))
    return path


def matted(tmp_path, kind, encoding, pha=1.0, **options):
    suffix = {"png": ".png", "png16": ".png", "exr": ".exr"}.get(kind, ".tif")
    src, bgr = (
        write(tmp_path / f"{name}{suffix}", shades(encoding, kind, seed), encoding, kind)
        for seed, name in enumerate(("a", "plate"))
    )
    fgr = options.pop("fgr", "auto")
    outputs = options.pop("outputs", ["com", "fgr"])
    said = []
    sink = PictureSink(tmp_path / "out", outputs, say=said.append, **options)
    foreground = FOREGROUNDS[fgr]
    predict(
        network(pha), pictures(src, bgr), sink, foreground=foreground, say=lambda sentence: None
    )
    return read_encoded(src), said


@pytest.mark.parametrize("fgr", FOREGROUNDS)
@pytest.mark.parametrize("primaries", PRIMARIES)
@pytest.mark.parametrize("kind", ["png", "png16", "tiff", "exr", "float.tif"])
def test_a_picture_whose_alpha_is_one_keeps_its_own_colours(tmp_path, kind, primaries, fgr):
    light = kind in ("exr", "float.tif")
    encoding = Encoding(primaries, "linear" if light else "srgb")
    output = {"float.tif": "tiff"}.get(kind, kind)
    (source, said_by_source), _ = matted(tmp_path, kind, encoding, output=output, fgr=fgr)
    assert said_by_source[:2] == encoding[:2]
    suffix = {"exr": ".exr", "tiff": ".tif"}.get(output, ".png")
    for name in ("com", "fgr"):
        found, said = read_encoded(tmp_path / f"out/{name}/a{suffix}")
        assert said[:2] == encoding[:2], name
        assert found.dtype == source.dtype
        torch.testing.assert_close(
            found.to(torch.float32), source.to(torch.float32), atol=0, rtol=1e-3 if light else 0
        )


def test_a_highlight_in_hair_leaves_as_bright_as_it_came(tmp_path):
    """Alpha 0.5 over a plate of 0.2: the shot is 0.5 * 8 + 0.5 * 0.2."""
    for name, value in (("a", 0.5 * 8 + 0.5 * 0.2), ("plate", 0.2)):
        x = torch.full((3, H, W), value)
        write_deep(tmp_path / f"{name}.exr", x, LINEAR, "exr", ("R", "G", "B"))
    frames = pictures(tmp_path / "a.exr", tmp_path / "plate.exr")
    sink = PictureSink(tmp_path / "out", ["fgr"])
    predict(network(0.5), frames, sink, foreground=FOREGROUNDS["unmix"], say=lambda sentence: None)
    found, _ = read_encoded(tmp_path / "out/fgr/a.exr")
    assert (found - 8).abs().max() < 0.01


@pytest.mark.parametrize("most", [65504.0, 1e6])
def test_light_that_no_half_can_say_leaves_as_float(tmp_path, most):
    x = torch.full((3, H, W), 0.5)
    x[:, 3, 4] = most
    for name in ("a", "plate"):
        files.exr(tmp_path / f"{name}.exr", dict(zip("RGB", x.numpy(), strict=True)), half=False)
    frames = pictures(tmp_path / "a.exr", tmp_path / "plate.exr")
    sink = PictureSink(tmp_path / "out", ["fgr"])
    predict(network(1.0), frames, sink, say=lambda sentence: None)
    path = tmp_path / "out/fgr/a.exr"
    assert str(oiio.ImageInput.open(str(path)).spec().format) == ("half" if most < 1e5 else "float")
    torch.testing.assert_close(read_encoded(path)[0], x)


@pytest.mark.parametrize("alpha", [None, "straight", "premultiplied"])
def test_an_exr_has_alpha_in_the_default_layer_and_err_and_ref_beside(tmp_path, alpha):
    matted(tmp_path, "exr", LINEAR, 0.25, alpha=alpha)
    file = oiio.ImageInput.open(str(tmp_path / "out/com/a.exr"))
    spec = file.spec()
    assert list(spec.channelnames) == ["R", "G", "B", "A", "err.Y", "ref.Y"]
    assert str(spec.format) == "half"
    pixels = file.read_image(oiio.FLOAT)
    np.testing.assert_allclose(pixels[..., 3], 0.25)
    fgr, _ = read_encoded(tmp_path / "out/fgr/a.exr")
    share = 1.0 if alpha == "straight" else 0.25
    expected = fgr.permute(1, 2, 0).numpy() * share
    np.testing.assert_allclose(pixels[..., :3], expected, rtol=2e-3, atol=1e-3)


@pytest.mark.parametrize("compression", ["zip", "dwaa", "piz"])
def test_another_program_reads_the_exr(tmp_path, compression):
    OpenEXR = pytest.importorskip("OpenEXR")
    matted(tmp_path, "exr", LINEAR, 0.5, compression=compression)
    channels = OpenEXR.File(str(tmp_path / "out/com/a.exr")).channels()
    assert set(channels) == {"RGBA", "err.Y", "ref.Y"}
    assert channels["RGBA"].pixels.shape == (H, W, 4)


def said_by(*command):
    """What a program says; skips where it is not installed."""
    found = shutil.which(command[0]) or shutil.which(command[0], path=Path(sys.executable).parent)
    if found is None:
        pytest.skip(f"{command[0]} is not installed")
    done = subprocess.run([found, *command[1:]], capture_output=True, text=True, check=True)
    return done.stdout


@pytest.mark.parametrize("compression", ["zip", "dwaa"])
def test_tools_of_openimageio_open_the_exr(tmp_path, compression):
    matted(tmp_path, "exr", LINEAR, 0.5, compression=compression)
    said = said_by("oiiotool", "--info", "-v", str(tmp_path / "out/com/a.exr"))
    assert f"{W:>5} x {H:>4}, 6 channel, half openexr" in said
    assert "channel list: R, G, B, A, err.Y, ref.Y" in said


@pytest.mark.parametrize("program", ["exrheader", "exrinfo"])
def test_tools_of_openexr_open_the_exr(tmp_path, program):
    matted(tmp_path, "exr", LINEAR, 0.5)
    said = said_by(program, str(tmp_path / "out/com/a.exr"))
    assert all(f"{layer}.Y" in said for layer in ("err", "ref"))
    assert f"{W - 1}" in said.partition("dataWindow")[2].splitlines()[0]


@pytest.mark.parametrize(("alpha", "unassociated"), [("straight", 1), ("premultiplied", 0)])
def test_a_tiff_says_what_its_alpha_is(tmp_path, alpha, unassociated):
    matted(tmp_path, "tiff", SRGB, 0.5, output="tiff", alpha=alpha)
    hints = oiio.ImageSpec()
    hints.attribute("oiio:UnassociatedAlpha", 1)  # or straight alpha is multiplied in reading
    spec = oiio.ImageInput.open(str(tmp_path / "out/com/a.tif"), hints).spec()
    assert spec.get_int_attribute("oiio:UnassociatedAlpha", 0) == unassociated
    com, fgr = (
        read_encoded(tmp_path / f"out/{name}/a.tif")[0].to(torch.float32) / 65535
        for name in ("com", "fgr")
    )
    expected = fgr * (0.5 if alpha == "premultiplied" else 1)
    assert (com - expected).abs().max() < 2 / 65535


@pytest.mark.parametrize("source", ["png", "png16", "tiff", "exr"])
@pytest.mark.parametrize("output", ["png", "exr"])
def test_the_shape_of_a_pixel_is_kept(tmp_path, source, output):
    path = tmp_path / f"a.{source.removesuffix('16')}"
    x, channels = torch.rand(3, 8, 12), ("R", "G", "B")
    if source == "png":
        write_png(path, x, pixel_aspect=2.0)
    else:
        write_deep(path, x, SRGB, source, channels, pixel_aspect=2.0)
    frames = open_frames(str(path), str(path))
    sink = open_sink(frames, str(tmp_path / "out"), ["com"], None, output=output)
    predict(network(1.0), frames, sink, say=lambda sentence: None)
    assert pixel_aspect(path) == pytest.approx(2, abs=0.01)
    assert pixel_aspect(tmp_path / f"out/com/a.{output}") == pytest.approx(2, abs=0.01)


def test_light_above_white_is_cut_off_with_a_sentence(tmp_path):
    _, said = matted(tmp_path, "exr", LINEAR, output="png16")
    assert said == ["a: light above 1 is cut off in png16: output=exr keeps it"]
    found, encoding = read_encoded(tmp_path / "out/fgr/a.png")
    assert encoding == SRGB
    assert found.to(torch.int32).max() == 65535


@pytest.mark.parametrize("output", [None, "png16"])
def test_hlg_leaves_whole_or_as_a_screen_shows_it(tmp_path, output):
    """In its own format it is an EXR; a PNG is mapped to the screen before the background."""
    encoding = Encoding("bt2020", "hlg")
    src = Shot(torch.full((3, H, W), 0.6), encoding)
    sink = PictureSink(tmp_path, ["com", "fgr"], "#808080", output=output, say=(said := []).append)
    frames = [Frame("a", src, src)]
    predict(network(0.0), frames, sink, foreground=FOREGROUNDS["network"], say=lambda _: None)
    if output is None:
        found, light = read_encoded(tmp_path / "fgr/a.exr")
        assert light == Encoding("bt2020", "linear")
        assert said == []
        torch.testing.assert_close(found, to_linear(src.values, encoding), rtol=1e-3, atol=1e-4)
        return
    assert "screen" in said[0]
    assert len(said) == 1
    fgr, com = (
        read_encoded(tmp_path / f"{kind}/a.png")[0].to(torch.float32) / 65535
        for kind in ("fgr", "com")
    )
    torch.testing.assert_close(fgr, src.display, atol=1e-4, rtol=0)
    assert (com - 128 / 255).abs().max() < 1e-4


def over(tmp_path, encoding, kind, background, **options):
    """`com` of a shot whose alpha is 0, as it is read back: the background alone."""
    matted(tmp_path, kind, encoding, 0.0, background=background, outputs=["com"], **options)
    return read_encoded(tmp_path / f"out/com/a.{'exr' if kind == 'exr' else 'png'}")[0]


@pytest.mark.parametrize("light", [0.18, 1.0, 4.0])
def test_a_background_of_light_stays_light(tmp_path, capsys, light):
    back = tmp_path / "back.exr"
    write_deep(back, torch.full((3, 8, 8), light), LINEAR, "exr", ("R", "G", "B"))
    found = over(tmp_path, LINEAR, "exr", back)
    torch.testing.assert_close(found, torch.full((3, H, W), light).half().float(), atol=0, rtol=0)
    assert not capsys.readouterr().out


def test_a_background_of_light_is_bent_where_numbers_end_with_a_sentence(tmp_path, capsys):
    back = tmp_path / "back.exr"
    write_deep(back, torch.full((3, 8, 8), 4.0), LINEAR, "exr", ("R", "G", "B"))
    found = over(tmp_path, SRGB, "png", back)
    assert 240 < int(found.min()) == int(found.max()) < 255
    assert capsys.readouterr().out.count("is bent below white as a screen shows it") == 1


@pytest.mark.parametrize(
    ("primaries", "transfer", "shown"),
    [("adobergb", "gamma2.2", (0, 201, 37)), ("p3", "srgb", (0, 203, 11))],
)
def test_a_backgrounds_profile_is_followed(tmp_path, primaries, transfer, shown):
    back, encoding = tmp_path / "back.png", Encoding(primaries, transfer)
    colour = torch.tensor([60, 200, 60], dtype=torch.uint8).view(3, 1, 1).expand(3, 8, 8)
    write_png(back, colour, encoding)
    assert over(tmp_path, SRGB, "png", back)[:, 3, 4].tolist() == list(shown)
    assert over(tmp_path, encoding, "png", back)[:, 3, 4].tolist() == [60, 200, 60]


def test_what_a_background_loses_is_said(tmp_path, capsys):
    back = files.picture(tmp_path / "back.png", np.full((8, 8, 4), 99, np.uint8))
    PictureSink(tmp_path / "out", ["com"], back)
    assert "back.png: its alpha channel is not looked at" in capsys.readouterr().out


def test_codes_become_light_in_an_exr(tmp_path):
    matted(tmp_path, "png", Encoding("p3", "srgb"), output="exr")
    found, encoding = read_encoded(tmp_path / "out/fgr/a.exr")
    assert encoding == Encoding("p3", "linear")
    codes = read_encoded(tmp_path / "a.png")[0] / 255
    expected = torch.where(codes <= 0.04045, codes / 12.92, ((codes + 0.055) / 1.055) ** 2.4)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-3)


def test_a_profile_is_carried_byte_for_byte(tmp_path):
    matted(tmp_path, "png", Encoding("p3", "srgb"))
    profile = profile_of(Encoding("p3", "srgb"))
    assert read_encoded(tmp_path / "out/com/a.png")[1].icc == profile


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize(
    ("chunk", "data"),
    [
        (b"cHRM", struct.pack(">8I", 31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)),
        (b"gAMA", struct.pack(">I", 100000)),
        (b"gAMA", struct.pack(">I", 55556)),
    ],
)
def test_colours_that_a_png_says_in_a_chunk_leave_as_they_came(tmp_path, chunk, data, bits):
    path = files.png_with(tmp_path / "a.png", chunk, data, bits)
    x, encoding = read_encoded(path)
    sink = PictureSink(tmp_path / "out", ["fgr"])
    predict(network(1.0), pictures(path, path), sink, say=lambda sentence: None)
    found, said = read_encoded(tmp_path / "out/fgr/a.png")
    assert found.dtype == x.dtype
    most = 2**bits - 1
    assert said.primaries == encoding.primaries
    light, expected = (
        to_linear(y.to(torch.float32) / most, e) for y, e in ((found, said), (x, encoding))
    )
    assert (light - expected).abs().max() < 0.01


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"output": "jpeg"}, "output jpeg of pictures is none of png, png16, tiff, exr"),
        ({"alpha": "both"}, "alpha both is none of"),
        ({"output": "png", "alpha": "premultiplied"}, "cannot be said in png"),
        ({"compression": "b44"}, "compression b44 is none of zip"),
    ],
)
def test_options_that_do_not_go_are_named(tmp_path, options, words):
    with pytest.raises(BadInput, match=words):
        PictureSink(tmp_path / "out", **options)
    assert list(tmp_path.iterdir()) == []
