import tempfile

import pytest
import torch
from PIL import Image

from bgm.errors import BadInput
from bgm.infer.any_size import Matte, run_any_size
from bgm.infer.frame import Frame, Shot
from bgm.infer.outputs import OUTPUTS
from bgm.infer.sinks import PictureSink
from bgm.pictures import read_picture, to_uint8, write_png
from tests.infer import networks


def found(H=7, W=9) -> Matte:
    generator = torch.Generator().manual_seed(1)
    src, bgr = torch.rand(2, 1, 3, H, W, generator=generator)
    bgr[..., :3] = src[..., :3]  # alpha 0 in three columns
    return run_any_size(networks.refine, src, bgr)


def frame(name) -> Frame:
    nothing = Shot(torch.zeros(3, 1, 1, dtype=torch.uint8))
    return Frame(name, nothing, nothing)


def left(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def test_all_outputs_at_the_inputs_size_and_nothing_else(tmp_path):
    m = found()
    with PictureSink(tmp_path / "out", OUTPUTS) as sink:
        sink.write(frame("clip.7/0.1"), m)
    assert left(tmp_path) == sorted(f"out/{kind}/clip.7/0.1.png" for kind in OUTPUTS)
    for kind, expected in {"pha": m.pha, "fgr": m.fgr, "err": m.err(), "ref": m.ref()}.items():
        path = tmp_path / f"out/{kind}/clip.7/0.1.png"
        with Image.open(path) as image:
            mode = image.mode
        assert mode == ("RGB" if kind == "fgr" else "L")
        assert torch.equal(read_picture(path, mode), to_uint8(expected[0]))


def test_a_cut_out_has_straight_alpha_and_hides_what_was_behind(tmp_path):
    m = found()
    PictureSink(tmp_path, ["com"]).write(frame("a"), m)
    com = read_picture(tmp_path / "com/a.png", "RGBA")
    alpha = to_uint8(m.pha[0])
    assert torch.equal(com[3:], alpha)
    seen = (alpha > 0).expand(3, -1, -1)
    assert torch.equal(com[:3][seen], to_uint8(m.fgr[0])[seen])
    assert (com[:3][~seen] == 0).all()
    assert (~seen).any()


@pytest.mark.parametrize("background", ["#00ff80", "0,255,128", "0, 255, 128"])
def test_over_a_colour(tmp_path, background):
    m = found()
    PictureSink(tmp_path, ["com"], background).write(frame("a"), m)
    colour = torch.tensor([0, 255, 128]).view(3, 1, 1) / 255
    expected = to_uint8(m.fgr[0] * m.pha[0] + colour * (1 - m.pha[0]))
    with Image.open(tmp_path / "com/a.png") as image:
        assert image.mode == "RGB"
    assert torch.equal(read_picture(tmp_path / "com/a.png"), expected)


def test_over_a_picture_covers_and_crops_the_centre(tmp_path):
    stripes = torch.zeros(3, 20, 60, dtype=torch.uint8)
    stripes[0, :, :20], stripes[1, :, 20:40], stripes[2, :, 40:] = 255, 255, 255
    write_png(tmp_path / "back.png", stripes)
    m = found(10, 10)._replace(pha=torch.zeros(1, 1, 10, 10))
    PictureSink(tmp_path / "out", ["com"], tmp_path / "back.png").write(frame("a"), m)
    com = read_picture(tmp_path / "out/com/a.png")
    assert com.shape == (3, 10, 10)
    assert com[:, 5, 5].tolist() == [0, 255, 0]  # the middle stripe fills the crop
    assert com[1].float().mean() > 240


@pytest.mark.parametrize("background", ["#12345", "300,0,0", "missing.png", "green"])
def test_backgrounds_that_are_none(tmp_path, background):
    with pytest.raises(BadInput, match=background):
        PictureSink(tmp_path / "out", ["com"], background)
    assert left(tmp_path) == []


@pytest.mark.parametrize("outputs", [["com", "alpha"], [], "depth"])
def test_unknown_outputs(tmp_path, outputs):
    with pytest.raises(BadInput, match="expected some of com, pha, fgr, err, ref"):
        PictureSink(tmp_path / "out", outputs)


@pytest.mark.parametrize("name", ["../a", "x/../../a", "/etc/a", "..", "", "link/a"])
def test_names_never_lead_out(tmp_path, name):
    (tmp_path / "out/pha").mkdir(parents=True)
    (tmp_path / "out/pha/link").symlink_to(tmp_path)
    with pytest.raises(BadInput, match="outside"):
        PictureSink(tmp_path / "out", ["pha"]).write(frame(name), found())
    assert left(tmp_path) == []


def test_out_is_a_file_or_below_one(tmp_path):
    (tmp_path / "file").write_text("mine")
    for out in (tmp_path / "file", tmp_path / "file/deeper"):
        with pytest.raises(BadInput, match=r"cannot write to folder .*file is not a folder"):
            PictureSink(out)
    (tmp_path / "out").mkdir()
    (tmp_path / "out/pha").write_text("mine")
    with pytest.raises(BadInput, match="pha"):
        PictureSink(tmp_path / "out")
    assert left(tmp_path) == ["file", "out/pha"]


def test_out_that_cannot_be_written_is_found_out_at_once(tmp_path, monkeypatch):
    def refuse(*_, **__):  # root may write everywhere: chmod would not stop a test run as root
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(tempfile, "mkdtemp", refuse)
    with pytest.raises(BadInput, match="Permission denied"):
        PictureSink(tmp_path / "out")


def test_construction_leaves_nothing_behind(tmp_path):
    PictureSink(tmp_path / "new/out")
    assert list(tmp_path.iterdir()) == []
