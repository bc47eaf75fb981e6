"""What a picture file says of its numbers: ICC profiles, PNG's chunks, EXIF."""

import io
import struct
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageCms

from bgm.colour import (
    PRIMARIES,
    SRGB,
    Encoding,
    adaptation,
    from_linear,
    named_primaries,
    to_linear,
    to_xyz,
)
from bgm.errors import BadInput

D50 = (0.3457, 0.3585)  # the white that ICC profiles refer to
SAME_CURVE = 0.008  # of codes: a third of what one may see side by side
INTEROPERABILITY = 0xA005  # EXIF; "R03" in it is how cameras say Adobe RGB
# Of ITU-T H.273, which PNG, HEIF and video share.
CICP_PRIMARIES = {1: "bt709", 5: "bt470bg", 6: "smpte170m", 7: "smpte170m", 9: "bt2020"}
CICP_PRIMARIES |= {11: "dcip3", 12: "p3", 22: "bt470bg"}
CICP_TRANSFERS = {1: "bt709", 6: "bt709", 7: "bt709", 11: "bt709", 14: "bt709", 15: "bt709"}
CICP_TRANSFERS |= {4: "gamma2.2", 5: "gamma2.8", 8: "linear", 13: "srgb", 16: "pq", 18: "hlg"}
CICP_UNSAID = (0, 2, 3)  # "unspecified", and reserved ones that some writers mean it by


def encoding_of(image: Image.Image) -> Encoding:
    """The encoding of a picture opened by Pillow; sRGB where the file says nothing."""
    info = image.info
    if icc := info.get("icc_profile"):
        return encoding_of_profile(icc)
    if "srgb" in info:
        return SRGB
    transfer = "srgb"
    if gamma := info.get("gamma"):
        transfer = "srgb" if abs(gamma - 1 / 2.2) < 0.01 else f"gamma{1 / gamma:.4g}"
        transfer = "linear" if abs(gamma - 1) < 0.01 else transfer
    primaries = "bt709"
    if xy := info.get("chromaticity"):  # white, red, green, blue
        primaries = named_primaries([*xy[2:], *xy[:2]])
    if not info.get("gamma") and image.format in ("JPEG", "MPO", "TIFF"):
        interoperability = image.getexif().get_ifd(INTEROPERABILITY)
        if str(interoperability.get(1, "")).startswith("R03"):
            return Encoding("adobergb", "gamma2.2")
    return Encoding(primaries, transfer)


def encoding_of_numbers(path: str | Path) -> Encoding | None:
    """What a file says in numbers of ITU-T H.273; None where it says none.

    A PNG says them in its chunk cICP, HEIC and AVIF in their box colr. Raises BadInput as
    `encoding_of_cicp`, and for a PNG of the narrow range.
    """
    with open(path, "rb") as file:
        start = file.read(1 << 16)
        if start[4:8] == b"ftyp":
            _, found, numbers = start.partition(b"colrnclx")
            known = found and len(numbers) > 3
            return encoding_of_cicp(path, numbers[1], numbers[3]) if known else None
        if not start.startswith(b"\x89PNG\r\n\x1a\n"):
            return None
        file.seek(8)
        while len(head := file.read(8)) == 8 and head[4:] not in (b"IDAT", b"IEND"):
            length = int.from_bytes(head[:4])
            if head[4:] == b"cICP" and length == 4:
                primaries, transfer, _, full = file.read(4)
                if not full:
                    raise BadInput(
                        f"{path} says in its chunk cICP that it is of the narrow range (black at 16"
                        " of 255), expected the full range: write it as such first"
                    )
                return encoding_of_cicp(path, primaries, transfer)
            file.seek(length + 4, 1)  # 4: the checksum
    return None


def encoding_of_cicp(path: object, primaries: int, transfer: int) -> Encoding | None:
    """Of the numbers of ITU-T H.273; None where both are "unspecified".

    Raises BadInput that names the file for numbers that are none of `CICP_PRIMARIES` and
    `CICP_TRANSFERS`, rather than showing wrong colours.
    """
    for what, number, known in (
        ("primaries", primaries, CICP_PRIMARIES),
        ("transfer", transfer, CICP_TRANSFERS),
    ):
        if number not in known and number not in CICP_UNSAID:
            raise BadInput(
                f"{path} is tagged with colour {what} {number} (ITU-T H.273), which is none of "
                f"{', '.join(map(str, known))}: convert it first, as to sRGB"
            )
    if primaries in CICP_UNSAID and transfer in CICP_UNSAID:
        return None
    return Encoding(CICP_PRIMARIES.get(primaries, "bt709"), CICP_TRANSFERS.get(transfer, "srgb"))


@lru_cache(maxsize=16)
def encoding_of_profile(icc: bytes) -> Encoding:
    """Of an ICC profile by matrix and curve; sRGB, and the profile carried, for other kinds.

    One of gray has no colours to carry: the curve that comes nearest to its own.
    """
    try:
        tags = _tags(icc)
        if icc[16:20] == b"GRAY":
            return Encoding("bt709", _transfer(tags[b"kTRC"], most=1.0))
        xyz = np.array([_xyz(tags[name]) for name in (b"rXYZ", b"gXYZ", b"bXYZ")]).T
        transfer = _transfer(tags[b"gTRC"])
    except (KeyError, struct.error, ValueError):
        return Encoding(icc=icc)
    white = PRIMARIES["bt709"][3]
    columns = adaptation(D50, white) @ xyz
    xy = [*(columns[:2] / columns.sum(0)).T.flatten().tolist(), *white]
    return Encoding(named_primaries(xy), transfer, icc)


def has_matrix(icc: bytes) -> bool:
    """Whether a profile is of RGB by matrix and curve, so that numbers can stay as they are."""
    try:
        return {b"rXYZ", b"gTRC"} <= set(_tags(icc)) and icc[16:20] == b"RGB "
    except struct.error:
        return False


def to_srgb(image: Image.Image) -> Image.Image:
    """A picture whose profile is not of RGB by matrix and curve (CMYK, tables), as sRGB."""
    icc = image.info.get("icc_profile")
    if not icc or has_matrix(icc) or image.mode not in ("RGB", "CMYK", "L", "LA", "LAB"):
        return image
    if image.mode == "LA":
        image = image.getchannel("L")
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        target = ImageCms.createProfile("sRGB")
        changed = ImageCms.profileToProfile(image, source, target, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError):  # of another colour space than the picture
        return image
    if changed is None:
        return image
    changed.info.pop("icc_profile", None)
    return changed


def profile_of(encoding: Encoding) -> bytes:
    """An ICC profile that says the encoding: the file's own, else a small one; b"" for sRGB."""
    if encoding.icc or encoding[:2] == SRGB[:2]:
        return encoding.icc
    matrix = adaptation(PRIMARIES["bt709"][3], D50) @ to_xyz(encoding.primaries)
    code = torch.linspace(0, 1, 1024).expand(3, 1, -1)
    # Screens show video's curve as if it were sRGB's, and so does `to_display`.
    curve_of = SRGB if encoding.transfer == "bt709" else encoding
    light = to_linear(code, curve_of)[0, 0].double().numpy()
    levels = np.round(light / light[-1] * 65535).astype(">u2").tobytes()
    curve = b"curv\0\0\0\0" + struct.pack(">I", 1024) + levels
    text = f"{encoding.primaries} {encoding.transfer}".encode("utf-16-be")
    said = b"mluc\0\0\0\0" + struct.pack(">II2s2sII", 1, 12, b"en", b"US", len(text), 28) + text
    tags = {b"desc": said, b"cprt": said, b"wtpt": _pack_xyz([0.9642, 1.0, 0.8249])}
    for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), matrix.T, strict=True):
        tags[name] = _pack_xyz(column)
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    return _profile(tags)


def _profile(tags: dict[bytes, bytes]) -> bytes:
    """An ICC profile of version 4 for a display, of these tags; equal ones are stored once."""
    start, table, data, places = 132 + 12 * len(tags), b"", b"", {}
    for name, tag in tags.items():
        if tag not in places:
            places[tag] = start + len(data)
            data += tag + b"\0" * (-len(tag) % 4)
        table += name + struct.pack(">II", places[tag], len(tag))
    header = struct.pack(
        ">I4sI4s4s4s12s4s4sI4sI8sI12s4s44s",
        *(start + len(data), b"\0" * 4, 0x04300000, b"mntr", b"RGB ", b"XYZ "),
        *(struct.pack(">6H", 2026, 1, 1, 0, 0, 0), b"acsp", b"\0" * 4, 0, b"\0" * 4, 0),
        *(b"\0" * 8, 0, struct.pack(">3i", 63190, 65536, 54061), b"\0" * 4, b"\0" * 44),
    )
    return header + struct.pack(">I", len(tags)) + table + data


def _pack_xyz(xyz: Any) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(float(v) * 65536) for v in xyz))


def _tags(icc: bytes) -> dict[bytes, bytes]:
    (count,) = struct.unpack_from(">I", icc, 128)
    rows = (struct.unpack_from(">4sII", icc, 132 + 12 * i) for i in range(min(count, 100)))
    return {name: icc[offset : offset + size] for name, offset, size in rows}


def _xyz(tag: bytes) -> list[float]:
    return [value / 65536 for value in struct.unpack_from(">3i", tag, 8)]


def _transfer(tag: bytes, most: float = SAME_CURVE) -> str:
    """The name of the curve that comes nearest; ValueError when it is further off than `most`."""
    code = np.linspace(0, 1, 257)
    light = _curve(tag, code)
    gammas = [f"gamma{g / 20:g}" for g in range(20, 57)]
    best, least = "", np.inf
    for name in ["srgb", "linear", *gammas]:
        encoding = Encoding("bt709", name)
        found = from_linear(torch.from_numpy(light).view(1, 1, -1).expand(3, 1, -1), encoding)
        error = float(np.abs(found[0, 0].numpy() - code)[16:].max())
        if error < least - 1e-5:
            best, least = name, error
    if least > most:
        raise ValueError(f"a curve like no other ({best} is {least:.3f} off)")
    return best


def _curve(tag: bytes, code: NDArray[np.float64]) -> NDArray[np.float64]:
    """Light of codes by a "curv" or "para" tag (ICC.1:2022, 10.6 and 10.18)."""
    if tag[:4] == b"curv":
        (count,) = struct.unpack_from(">I", tag, 8)
        if count == 0:
            return code
        values = np.frombuffer(tag, ">u2", count, 12).astype(np.float64)
        if count == 1:
            return code ** (values[0] / 256)
        return np.interp(code, np.linspace(0, 1, count), values / 65535)
    if tag[:4] != b"para":
        raise ValueError(f"a curve of type {tag[:4]!r}")
    (kind,) = struct.unpack_from(">H", tag, 8)
    g, *rest = [v / 65536 for v in struct.unpack_from(f">{(1, 3, 4, 5, 7)[kind]}i", tag, 12)]
    a, b, c, d, e, f = {
        0: lambda: (1, 0, 0, 0, 0, 0),
        1: lambda: (*rest, 0, -rest[1] / rest[0], 0, 0),
        2: lambda: (rest[0], rest[1], 0, -rest[1] / rest[0], rest[2], rest[2]),
        3: lambda: (*rest, 0, 0),
        4: lambda: tuple(rest),
    }[kind]()
    return np.where(code >= d, np.maximum(a * code + b, 0) ** g + e, c * code + f)
