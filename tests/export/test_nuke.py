"""The program for Nuke: one tensor in, one out, of every size, and its knobs."""

import re
import zipfile
from pathlib import Path

import pytest
import torch

from bgm.colour import srgb_light
from bgm.errors import BadInput
from bgm.export import CertifyOptions, export_and_certify, open_exported
from bgm.export.nuke_module import MODES, OUTPUTS, NukeMatte
from bgm.export.targets.nuke import NukeExport
from bgm.export.targets.torchscript import TorchScriptExport
from bgm.infer.any_size import run_any_size
from bgm.infer.models import open_model
from bgm.model import (
    Full,
    MattingRefine,
    RoiAlignCrop,
    Sampling,
    ScatterNdReplace,
    Thresholding,
    UnfoldCrop,
)
from tests.networks import steered, tiny, write

FAST = {"crop": UnfoldCrop(), "replace": ScatterNdReplace()}
PAGE = Path(__file__).parents[2] / "docs" / "nuke.md"
ATTRIBUTES = ["scale", "selection", "sample_pixels", "threshold", "linear", "premultiplied"]


@pytest.fixture(scope="module")
def nuke(tmp_path_factory):
    net, path = steered(tiny()), tmp_path_factory.mktemp("nuke") / "net.nuke.pt"
    write(NukeExport(**FAST), net, path)
    return net, path


def program(nuke, **knobs):
    """The loaded program as CatFileCreator has it, straight sRGB unless knobs say otherwise."""
    loaded = torch.jit.load(str(nuke[1]))
    for name, value in ({"linear": 0, "premultiplied": 0} | knobs).items():
        setattr(loaded, name, value)
    return loaded


def pictures(height=67, width=131, batch=1):
    return torch.rand(batch, 6, height, width, generator=torch.Generator().manual_seed(height))


def expected(net, x, select=None, scale=0.25):
    """Straight sRGB RGBA of the eager network."""
    own = net.refiner.select
    net.refiner.select = select or own
    try:
        truth = MattingRefine(net.base, net.refiner, scale).eval()
        matte = run_any_size(truth, x[:, :3], x[:, 3:])
        return torch.cat([matte.fgr, matte.pha], 1)
    finally:
        net.refiner.select = own


def test_it_is_certified(tmp_path):
    net, out = tiny(), tmp_path / "net.nuke.pt"
    certificate = export_and_certify(NukeExport(**FAST), net, out, options=CertifyOptions("brief"))
    assert certificate.report.largest < 1e-5
    assert certificate.report.refined > 0
    assert open_exported(out).metadata["target"] == "nuke"


def test_a_program_that_differs_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(NukeMatte, "smallest", 96)  # 64 px are padded, and see something else
    out = tmp_path / "net.nuke.pt"
    with pytest.raises(BadInput, match="exported file"):
        export_and_certify(NukeExport(**FAST), tiny(), out, options=CertifyOptions("small"))


def test_one_tensor_in_and_one_out(nuke):
    schema = program(nuke).forward.schema
    assert [str(x.type) for x in schema.arguments[1:]] == ["Tensor"]
    assert [str(x.type) for x in schema.returns] == ["Tensor"]
    for name in [*ATTRIBUTES, "output"]:
        assert type(getattr(program(nuke), name)) in (int, float)


def test_older_libtorches_can_read_it(nuke):
    """F.interpolate brings operators of the newest PyTorch, in branches that nobody takes."""
    with zipfile.ZipFile(nuke[1]) as archive:
        code = [archive.read(x).decode() for x in archive.namelist() if x.endswith(".py")]
    assert any("torch.upsample_bilinear2d" in x for x in code)
    assert not [x for x in code if "interpolate" in x or "_aa(" in x]


@pytest.mark.parametrize("size", [(1, 1), (64, 64), (67, 131), (270, 66)])
def test_every_size_is_the_eager_networks(nuke, size):
    x = pictures(*size)
    torch.testing.assert_close(program(nuke)(x), expected(nuke[0], x), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("knobs", "select", "scale"),
    [
        ({"sample_pixels": 160}, Sampling(160), 0.25),
        ({"selection": 1, "threshold": 0.45}, Thresholding(0.45), 0.25),
        ({"selection": 2}, Full(), 0.25),
        ({"scale": 0.5}, None, 0.5),
        ({"scale": 0.125}, None, 0.125),
    ],
)
def test_knobs_of_the_network(nuke, knobs, select, scale):
    x = pictures(96, 132, batch=2)
    found, truth = program(nuke, **knobs)(x), expected(nuke[0], x, select, scale)
    torch.testing.assert_close(found, truth, atol=1e-5, rtol=0)
    assert not torch.allclose(found, expected(nuke[0], x), atol=1e-3)


def test_linear_light_and_premultiplied(nuke):
    """sRGB pictures in linear light give the same matte, in linear light."""
    x = pictures()
    truth = expected(nuke[0], x)
    fgr, pha = srgb_light(truth[:, :3]), truth[:, 3:]
    straight = program(nuke, linear=1)(srgb_light(x))
    torch.testing.assert_close(straight, torch.cat([fgr, pha], 1), atol=2e-4, rtol=0)
    premultiplied = program(nuke, linear=1, premultiplied=1)(srgb_light(x))
    torch.testing.assert_close(premultiplied, torch.cat([fgr * pha, pha], 1), atol=2e-4, rtol=0)


def test_lights_above_one_are_given_back(nuke):
    x = pictures()
    bright = x.clone()
    bright[:, :3, 10:20, 10:20] = 5.0
    clipped = bright.clamp(max=1)
    found, within = program(nuke)(bright), program(nuke)(clipped)
    torch.testing.assert_close(found[:, 3:], within[:, 3:])
    above = found[:, 3:] * (bright - clipped)[:, :3]
    torch.testing.assert_close(found[:, :3], within[:, :3] + above)


def test_a_pixel_that_is_no_number_spoils_no_other(nuke):
    x = pictures()
    x[0, 1, 30, 30] = torch.nan
    assert program(nuke)(x).isfinite().all()


def test_outputs(nuke):
    x = pictures()
    matte = run_any_size(nuke[0], x[:, :3], x[:, 3:])
    ones = torch.ones_like(matte.pha)
    three = torch.ones_like(matte.fgr)
    truth = {
        "foreground": torch.cat([matte.fgr, matte.pha], 1),
        "shot": torch.cat([x[:, :3], matte.pha], 1),
        "alpha": torch.cat([three, matte.pha], 1),
        "error": torch.cat([matte.err() * three, ones], 1),
        "refined": torch.cat([matte.ref() * three, ones], 1),
    }
    assert tuple(truth) == OUTPUTS
    for number, name in enumerate(OUTPUTS):
        found = program(nuke, output=number)(x)
        torch.testing.assert_close(found, truth[name], atol=1e-5, rtol=0)


def test_half_precision_as_nuke_makes_it(nuke):
    x = pictures(96, 132)
    found = program(nuke, selection=2).half()(x.half())
    assert found.dtype == torch.float16
    off = (found.float() - expected(nuke[0], x, Full())).abs()
    assert off.mean() < 2e-3


@pytest.mark.parametrize(
    ("shape", "knobs", "message"),
    [
        ((1, 3, 64, 64), {}, "expected \\(1, 6, H, W\\)"),
        ((1, 6, 0, 0), {}, "expected \\(1, 6, H, W\\)"),
        ((0, 6, 64, 64), {}, "expected \\(1, 6, H, W\\)"),
        ((1, 6, 64, 64), {"selection": 3}, "selection 3: .* 0 to 2"),
        ((1, 6, 64, 64), {"selection": -1}, "selection -1: .* 0 to 2"),
        ((1, 6, 64, 64), {"output": 5}, "output 5: .* 0 to 4"),
        ((1, 6, 64, 64), {"linear": 2}, "linear 2: .* 0 to 1"),
        ((1, 6, 64, 64), {"premultiplied": 7}, "premultiplied 7: .* 0 to 1"),
        ((1, 6, 64, 64), {"scale": 0.0}, " scale 0"),
        ((1, 6, 64, 64), {"scale": 0.01}, " scale 0.01.*expected 1/64"),
        ((1, 6, 64, 64), {"scale": 0.75}, " scale 0.75"),
        ((1, 6, 64, 64), {"scale": float("nan")}, " scale nan"),
        ((1, 6, 64, 64), {"sample_pixels": 0}, " sample_pixels 0"),
        ((1, 6, 64, 64), {"threshold": -1.0}, "threshold -1"),
        ((1, 6, 64, 64), {"threshold": float("nan")}, "threshold nan"),
    ],
)
def test_what_cannot_be_is_one_sentence(nuke, shape, knobs, message):
    with pytest.raises(torch.jit.Error, match=message):
        program(nuke, **knobs)(torch.zeros(shape))


def test_codes_are_no_light(nuke):
    with pytest.raises(torch.jit.Error, match="input of whole numbers: expected floats"):
        program(nuke)(torch.zeros(1, 6, 64, 64, dtype=torch.uint8))


def test_infinite_light_stays_a_number_in_half_precision(nuke):
    x = pictures(64, 64).half()
    x[:, :3, 5, 6] = torch.inf
    assert program(nuke).half()(x).isfinite().all()


def test_what_cannot_be_written(tmp_path):
    net, out = tiny(), tmp_path / "net.nuke.pt"
    for target, network, message in (
        (NukeExport(), net.base, "found a base network"),
        (NukeExport(part="base"), net, "found a base network"),
        (NukeExport(crop=RoiAlignCrop()), net, "no crop=roi_align"),
    ):
        with pytest.raises(BadInput, match=message):
            export_and_certify(target, network, out)
    write(TorchScriptExport(**FAST), net, tmp_path / "net.pt")
    (tmp_path / "net.pt").rename(out)
    with pytest.raises(BadInput, match="not written by export=nuke"):
        open_exported(out)


def test_predict_sets_its_options(nuke):
    model = open_model(str(nuke[1]), device="cpu", backbone_scale=0.5, select=Thresholding(0.45))
    src, bgr = pictures(96, 132).split(3, dim=1)
    found = model.net(src, bgr)
    truth = expected(nuke[0], torch.cat([src, bgr], 1), Thresholding(0.45), 0.5)
    torch.testing.assert_close(torch.cat([found.fgr, found.pha], 1), truth, atol=1e-5, rtol=0)


def test_the_page_has_every_knob_with_its_default():
    """The snippet for Nuke names the program's attributes, and nothing else."""
    snippet = re.search(r"```tcl\nCatFileCreator(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)[1]
    named = {name: kind for kind, name in re.findall(r"addUserKnob \{(\d+) (\w+)", snippet)}
    module = NukeMatte(tiny(Sampling()))
    tab = named.pop("User")
    assert tab == "20"
    assert set(named) == {*ATTRIBUTES, "output"}
    for name, kind in named.items():
        default = getattr(module, name)
        assert kind == {int: "3", float: "7"}[type(default)], name
        assert re.search(rf"(?m)^ {name} (\S+)$", snippet)[1] == str(default), name
    text = PAGE.read_text("utf-8")
    for number, word in [*enumerate(MODES), *enumerate(OUTPUTS)]:
        assert f"{number} {word}" in text
