"""ocio=FILE: a config that the test writes says what pictures hold."""

import sys

import numpy as np
import pytest
import torch

from bgm.colour import LINEAR
from bgm.errors import BadInput
from bgm.infer.ocio import OcioSpaces
from bgm.infer.options import open_frames
from bgm.pictures import write_png

ocio = pytest.importorskip("PyOpenColorIO", reason="the extra `ocio` is not installed")


@pytest.fixture
def config(tmp_path):
    """Two spaces: linear light, and a camera that codes its square root of half the light."""
    made = ocio.Config()
    made.setVersion(2, 1)
    light = ocio.ColorSpace(name="light", encoding="scene-linear")
    camera = ocio.ColorSpace(name="camera")
    decode = ocio.GroupTransform(
        [ocio.ExponentTransform([2.0, 2.0, 2.0, 1.0]), ocio.MatrixTransform.Scale([2, 2, 2, 1])]
    )
    camera.setTransform(decode, ocio.COLORSPACE_DIR_TO_REFERENCE)
    for space in (light, camera):
        made.addColorSpace(space)
    made.setRole("scene_linear", "light")
    made.setRole("default", "light")
    made.setFileRules(ocio.FileRules())
    path = tmp_path / "config.ocio"
    path.write_text(made.serialize())
    return path


def pair(tmp_path):
    for name in ("a", "b"):
        x = torch.arange(0, 256, 1).byte().expand(3, 2, -1)
        write_png(tmp_path / f"{name}.png", x)
    return str(tmp_path / "a.png"), str(tmp_path / "b.png")


def test_pictures_become_light_by_the_config(tmp_path, config):
    (frame,) = open_frames(*pair(tmp_path), ocio=str(config), ocio_space="camera")
    assert frame.src.encoding == LINEAR
    expected = 2 * (np.arange(256) / 255) ** 2
    for shot in (frame.src, frame.bgr):
        np.testing.assert_allclose(shot.values[1, 0].numpy(), expected, atol=1e-4)


def test_without_a_space_the_configs_rules_hold(tmp_path, config):
    (frame,) = open_frames(*pair(tmp_path), ocio=str(config))
    np.testing.assert_allclose(frame.src.values[1, 0].numpy(), np.arange(256) / 255, atol=1e-6)


def test_what_is_wrong_is_named(tmp_path, config, monkeypatch):
    src, bgr = pair(tmp_path)
    with pytest.raises(BadInput, match=r"no colour space slog \(it has .*camera"):
        open_frames(src, bgr, ocio=str(config), ocio_space="slog")
    (tmp_path / "bad.ocio").write_text("ocio_profile_version: 77")
    with pytest.raises(BadInput, match=r"bad\.ocio is no config"):
        open_frames(src, bgr, ocio=str(tmp_path / "bad.ocio"))
    monkeypatch.setitem(sys.modules, "PyOpenColorIO", None)
    with pytest.raises(BadInput, match=r"pip install 'bgm-matting\[ocio\]'"):
        open_frames(src, bgr, ocio=str(config))


def test_a_config_that_is_missing_is_named(tmp_path):
    with pytest.raises(BadInput, match=r"no\.ocio is no config that can be read"):
        OcioSpaces(tmp_path / "no.ocio")
