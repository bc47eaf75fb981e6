"""Colours through an OpenColorIO config: pictures in any of its colour spaces (PyOpenColorIO)."""

from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bgm.colour import LINEAR
from bgm.errors import BadInput
from bgm.extras import pip_install
from bgm.infer.frame import Shot

REFERENCE = ("scene_linear", "rendering", "default")  # roles that name the linear space to work in
LINEAR_709 = ("Linear Rec.709 (sRGB)", "lin_rec709", "Utility - Linear - sRGB", "lin_srgb")


class OcioSpaces:
    """A config that says what pictures hold, and turns them into linear light of BT.709 and back.

    file: a config (.ocio, .ocioz). space: a colour space or role of the config that the pictures
    are in; None: as the config's file rules say by a file's name. Raises BadInput when the package
    is not installed, and for a config or space that is not right.
    """

    def __init__(self, file: str | Path, space: str | None = None) -> None:
        self._ocio = pyopencolorio(file)
        self.file, self.space = str(file), space
        try:
            self.config: Any = self._ocio.Config.CreateFromFile(self.file)
        except (self._ocio.Exception, self._ocio.ExceptionMissingFile) as error:
            raise BadInput(f"ocio {file} is no config that can be read ({_first(error)})") from None
        if space is not None:
            self._check(space)
        self.linear = self._linear_space()

    def space_of(self, path: str | Path) -> str:
        """The colour space that a picture file is in."""
        if self.space is not None:
            return self.space
        return str(self.config.getColorSpaceFromFilepath(str(path))[0])

    def to_light(self, shot: Shot, path: str | Path) -> Shot:
        """A picture, whose numbers are in a space of the config, as linear light of BT.709."""
        light = self.applied(shot.values, self.space_of(path), self.linear)
        found = Shot.of_finite(light, LINEAR)
        return replace(found, undefined=max(found.undefined, shot.undefined))

    def applied(self, x: Tensor, source: str, target: str) -> Tensor:
        """(3, H, W) float from one space of the config into another."""
        try:
            processor = self.config.getProcessor(source, target).getDefaultCPUProcessor()
        except self._ocio.Exception as error:
            raise BadInput(f"ocio {self.file}: {_first(error)}") from None
        pixels = np.ascontiguousarray(x.permute(1, 2, 0).cpu().numpy(), np.float32)
        processor.applyRGB(pixels)
        return torch.from_numpy(pixels).permute(2, 0, 1).contiguous()

    def _check(self, space: str) -> None:
        if self.config.getColorSpace(space) is None:
            names = ", ".join(list(self.config.getColorSpaceNames())[:12])
            raise BadInput(f"ocio {self.file} has no colour space {space} (it has {names})")

    def _linear_space(self) -> str:
        """The config's own linear BT.709, else its scene-linear space."""
        for name in LINEAR_709 + REFERENCE:
            if self.config.getColorSpace(name) is not None:
                return name
        raise BadInput(f"ocio {self.file} names no linear space (role scene_linear)")


def pyopencolorio(file: str | Path) -> ModuleType:
    """Import PyOpenColorIO; raises BadInput that names the extra when it is not installed."""
    try:
        import PyOpenColorIO
    except ImportError:
        raise BadInput(f"ocio={file} needs OpenColorIO: {pip_install('ocio')}") from None
    return PyOpenColorIO


def _first(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
