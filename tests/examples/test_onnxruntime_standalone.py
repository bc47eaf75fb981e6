"""The stand-alone program mattes as bgm does, where neither bgm nor torch can be imported."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from bgm.export.targets.onnx import OnnxExport
from bgm.infer.any_size import run_any_size
from bgm.infer.models import open_model
from bgm.model import RoiAlignCrop, ScatterElementReplace
from bgm.pictures import read_picture, to_uint8, write_png
from tests.networks import tiny

PROGRAM = Path(__file__).parents[2] / "examples" / "onnxruntime_standalone.py"
WITHOUT = """
import runpy, sys
sys.modules["bgm"] = sys.modules["torch"] = None  # importing them raises ImportError
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def alone(*args):
    """The program in an isolated Python, away from this checkout."""
    command = [sys.executable, "-I", "-c", WITHOUT, PROGRAM, *args]
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)


@pytest.fixture(
    scope="module",
    params=[[1, 100, 132], pytest.param(None, marks=pytest.mark.slow)],
    ids=["one shape", "every shape"],
)
def model(request, tmp_path_factory):
    out = tmp_path_factory.mktemp("a model") / "tiny.onnx"
    target = OnnxExport(shape=request.param, crop=RoiAlignCrop(), replace=ScatterElementReplace())
    written = target.prepare(tiny())  # its certificate is the business of other tests
    target.write(written, out, target.describe(written))
    return out


@pytest.mark.parametrize("size", [(61, 130), (97, 75)])
def test_it_mattes_as_bgm_does(model, tmp_path, size):
    generator = torch.Generator().manual_seed(0)
    for name in ("shot", "plate"):
        write_png(tmp_path / f"{name}.png", torch.rand(3, *size, generator=generator))
    done = alone(model, *(tmp_path / f"{n}.png" for n in ("shot", "plate", "out")))
    assert done.returncode == 0, done.stderr
    found = read_picture(tmp_path / "out.png", "RGBA")
    src, bgr = (read_picture(tmp_path / f"{n}.png")[None].float() / 255 for n in ("shot", "plate"))
    opened = open_model(str(model), device="cpu", backbone_scale=None)
    expected = run_any_size(opened.net, src, bgr)
    rgba = to_uint8(torch.cat([expected.fgr, expected.pha], 1))[0]
    assert found.shape == rgba.shape == (4, *size)
    assert (found.int() - rgba.int()).abs().max() <= 1
    assert rgba[3].float().std() > 1


def test_pictures_of_two_sizes_are_refused(model, tmp_path):
    write_png(tmp_path / "shot.png", torch.rand(3, 64, 64))
    write_png(tmp_path / "plate.png", torch.rand(3, 64, 68))
    done = alone(model, *(tmp_path / f"{n}.png" for n in ("shot", "plate", "out")))
    assert done.returncode == 1
    assert "64x64" in done.stderr
    assert "68x64" in done.stderr
    assert not (tmp_path / "out.png").exists()
    assert alone(model).returncode == 1
