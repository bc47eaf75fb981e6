"""Sizes of pictures come from their headers, EXIF rotation included, wherever it stands."""

import struct
import zlib
from pathlib import Path

import pytest
import torch
from PIL import Image, ImageFile

from bgm.pictures import picture_size, read_picture, write_png

TURNED = Image.Exif()
TURNED[0x0112] = 6


def chunk(kind: bytes, data: bytes) -> bytes:
    checksum = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)


def png_with_late_exif(path: Path) -> None:
    Image.new("RGB", (16, 12)).save(path)
    whole = path.read_bytes()
    end = whole.index(b"IEND") - 4
    exif = TURNED.tobytes().removeprefix(b"Exif\x00\x00")
    path.write_bytes(whole[:end] + chunk(b"eXIf", exif) + whole[end:])


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp"])
def test_turned_pictures_are_as_large_as_they_are_read(tmp_path: Path, name: str) -> None:
    Image.new("RGB", (16, 12)).save(tmp_path / name, exif=TURNED)
    assert picture_size(tmp_path / name) == (16, 12)
    assert read_picture(tmp_path / name).shape[1:] == (16, 12)


def test_exif_behind_the_pixels_of_a_png_counts(tmp_path: Path) -> None:
    png_with_late_exif(tmp_path / "late.png")
    assert picture_size(tmp_path / "late.png") == (16, 12)
    assert read_picture(tmp_path / "late.png").shape[1:] == (16, 12)


def test_no_pixel_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_png(tmp_path / "a.png", torch.rand(3, 300, 200))

    def load(self: ImageFile.ImageFile) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr(ImageFile.ImageFile, "load", load)
    assert picture_size(tmp_path / "a.png") == (300, 200)
