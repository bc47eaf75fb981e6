"""A sheet of small pictures to look at."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

GROUNDS = ((0.82, 0.8, 0.78), (0.35, 0.55, 0.42), (0.16, 0.17, 0.2))  # one after the other


def write_sheet(path: Path, files: Sequence[Path], tile: int = 192, columns: int = 8) -> None:
    """Lay RGBA files over plain grounds, scaled to tile pixels, side by side, as one JPEG."""
    tiles = []
    for number, file in enumerate(files):
        bgra: Any = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
        if bgra is None:  # gone or broken since
            continue
        if bgra.ndim == 2:
            bgra = np.dstack([bgra] * 3)
        if bgra.shape[2] == 3:
            bgra = np.dstack([bgra, np.full(bgra.shape[:2], np.iinfo(bgra.dtype).max, bgra.dtype)])
        rgba = bgra[..., [2, 1, 0, 3]].astype(np.float32) / np.iinfo(bgra.dtype).max
        alpha = rgba[..., 3:]
        laid = rgba[..., :3] * alpha + np.array(GROUNDS[number % 3]) * (1 - alpha)
        scale = tile / max(laid.shape[:2])
        size = [max(1, round(n * scale)) for n in laid.shape[1::-1]]
        small = cv2.resize(laid, size, interpolation=cv2.INTER_AREA)
        square = np.ones((tile, tile, 3), np.float32)
        square[: small.shape[0], : small.shape[1]] = small
        tiles.append(square)
    tiles += [np.ones((tile, tile, 3), np.float32)] * (-len(tiles) % columns)
    rows = [np.hstack(tiles[i : i + columns]) for i in range(0, len(tiles), columns)]
    sheet = (np.vstack(rows)[..., ::-1] * 255).round().astype(np.uint8)
    cv2.imwrite(str(path), sheet, [cv2.IMWRITE_JPEG_QUALITY, 90])
