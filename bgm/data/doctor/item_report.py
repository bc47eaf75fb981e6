"""One item looked at closely: whether it can be read, its sizes, its alpha, what it looks like."""

import hashlib
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image
from torch.utils.data import Dataset

from bgm.data.doctor.inventory import Part
from bgm.errors import BadInput
from bgm.pictures import Member, picture_size, read_picture

SMALL = 64  # pixels a side: enough to see what lies outside a subject
DRAFT = 256  # pixels: JPEG colours are decoded no larger than needed


class Look(NamedTuple):
    """What was seen of one item."""

    part: int  # which of the parts
    name: str  # the file that is named when something is wrong
    stem: str
    broken: str = ""  # the sentence of what cannot be read or does not fit
    code: str = "broken"  # or "sizes", "no alpha"
    size: tuple[int, int] = (0, 0)  # (H, W)
    mode: str = ""  # Pillow's mode of the alpha file, "L" where it is as it should be
    alpha_name: str = ""  # the file that alpha is in
    alpha: np.ndarray | None = None  # (256,) pixels of each value
    jpeg_alpha: bool = False
    outside: str = ""  # "black", "white" or "flat" where one colour fills all of alpha 0
    thumb: np.ndarray | None = None  # (8, 8, 3) uint8
    twin: int = 0  # dHash, 64 bits: near-duplicates differ in few of them
    digest: bytes = b""  # of the bytes of the file


class Looks(Dataset[Look]):
    """Looks at chosen items of parts; item -> Look, raises nothing that a file can cause."""

    def __init__(self, parts: list[Part], limit: int | None = None) -> None:
        self.parts = parts
        self.chosen = [(n, i) for n, part in enumerate(parts) for i in spread(len(part), limit)]

    def __len__(self) -> int:
        return len(self.chosen)

    def __getitem__(self, index: int) -> Look:
        number, item = self.chosen[index]
        return look(number, self.parts[number], item)


def spread(length: int, limit: int | None) -> list[int]:
    """At most limit indices, evenly over range(length); all of them for None."""
    most = length if limit is None else min(length, limit)
    return sorted({int(i) for i in np.linspace(0, length - 1, most)}) if length else []


def look(number: int, part: Part, item: int) -> Look:
    """Look at one item of a part."""
    if part.clips is not None:
        name = part.clips.name(item)
        return _look_at_frame(Look(number, f"{part.root}: {name}", name), part, item)
    files = {kind: paths[item] for kind, paths in part.files.items()}
    main = next(iter(files.values()))
    seen = Look(number, str(main), part.stems[item])
    try:
        return _look_at_files(seen, part.role, files)
    except BadInput as error:
        return seen._replace(broken=str(error))


def _look_at_frame(seen: Look, part: Part, item: int) -> Look:
    try:
        frame = part.clips.frame(item)
    except BadInput as error:
        return seen._replace(broken=str(error))
    alpha = frame.getchannel("A")
    histogram = np.array(alpha.histogram(), np.uint32)
    seen = seen._replace(alpha_name=seen.name, alpha=histogram, jpeg_alpha=True, mode="L")
    return _with_likeness(seen, frame.convert("RGB"), alpha, frame.tobytes())


def _look_at_files(seen: Look, role: str, files: dict) -> Look:
    main = next(iter(files.values()))
    sizes = {path: picture_size(path) for path in files.values()}
    if len(set(sizes.values())) > 1:
        said = ", ".join(f"{path} is {W}x{H}" for path, (H, W) in sizes.items())
        return seen._replace(broken=f"sizes differ: {said}", code="sizes")
    raw = {kind: _bytes(path) for kind, path in files.items()}
    seen = seen._replace(size=next(iter(sizes.values())))
    pha, colour = None, _open(raw.pop(next(iter(files))), main)
    if "rgba" in files:
        if not colour.has_transparency_data:
            said = f"{main} has no alpha channel (mode {colour.mode})"
            return seen._replace(broken=said, code="no alpha")
        pha, mode = colour.convert("RGBA").getchannel("A"), "L"
    for kind, content in raw.items():
        image = _open(content, files[kind])
        if kind == "pha":
            mode = _mode(image)
            pha = read_gray(image)
    if pha is not None:
        jpeg = str(files.get("pha", "")).lower().endswith((".jpg", ".jpeg"))
        histogram = np.array(pha.histogram(), np.uint32)
        name = str(files.get("pha", main))
        seen = seen._replace(alpha_name=name, alpha=histogram, jpeg_alpha=jpeg, mode=mode)
    shown = pha if role == "subjects" else None
    return _with_likeness(seen, colour.convert("RGB"), shown, _bytes(main))


def _open(content: bytes, path: str | Member) -> Image.Image:
    """Decode all of a file: what is cut off shows at its end only."""
    try:
        image = Image.open(BytesIO(content))
        if image.format == "JPEG" and image.mode == "RGB":
            image.draft("RGB", (DRAFT, DRAFT))  # entropy decoding still goes to the end
        image.load()
    except Exception:
        read_picture(path)  # it has the sentence for every way a file can be broken
        raise BadInput(f"picture {path} is broken or truncated") from None
    return image


def _bytes(path: str | Member) -> bytes:
    try:
        return path.open().read() if isinstance(path, Member) else Path(path).read_bytes()
    except OSError as error:
        raise BadInput(f"{path} cannot be read ({error.strerror or error})") from None


def _mode(image: Image.Image) -> str:
    """ "L" for a gray picture however stored, "RGB" for a coloured one, "A" with its own alpha."""
    if image.has_transparency_data:
        return "A"
    if image.mode in ("1", "L", "P", "RGB"):
        rgb = np.asarray(image.convert("RGB").resize((SMALL, SMALL), Image.Resampling.NEAREST))
        return "RGB" if np.ptp(rgb.astype(int), axis=2).max() > 8 else "L"
    return "L" if image.mode.startswith("I") else image.mode


def read_gray(image: Image.Image) -> Image.Image:
    """The picture in mode "L", 16 bits scaled."""
    if image.mode.startswith("I"):
        return Image.fromarray((np.asarray(image) // 257).astype(np.uint8))
    return image.convert("L")


def _with_likeness(
    seen: Look, colour: Image.Image, alpha: Image.Image | None, content: bytes
) -> Look:
    """Add what is outside the subject, the fingerprints and the thumbnail."""
    if alpha is not None:
        size = (SMALL, max(1, SMALL * alpha.size[1] // alpha.size[0]))
        small, shown = colour.resize(size, Image.Resampling.BOX), alpha.resize(size, 4)
        clear = np.asarray(alpha.resize(size, Image.Resampling.BOX)) == 0
        seen = seen._replace(outside=_flat(np.asarray(small)[clear], clear.size))
        colour = Image.composite(small, Image.new("RGB", size, (128, 128, 128)), shown)
    gray = np.asarray(colour.convert("L").resize((9, 8), Image.Resampling.BOX)).astype(int)
    bits = np.packbits(gray[:, 1:] > gray[:, :-1])
    return seen._replace(
        size=seen.size if seen.size != (0, 0) else alpha.size[::-1],
        thumb=np.array(colour.resize((8, 8), Image.Resampling.BOX)),
        twin=int.from_bytes(bits.tobytes(), "big"),
        digest=hashlib.blake2b(content, digest_size=16).digest(),
    )


def _flat(outside: np.ndarray, pixels: int) -> str:
    if len(outside) < 0.02 * pixels:
        return ""
    middle = np.median(outside, axis=0)
    if np.percentile(np.abs(outside - middle), 95) > 4:
        return ""
    return "black" if middle.max() <= 8 else "white" if middle.min() >= 247 else "flat"
