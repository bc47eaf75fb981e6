"""One item examined: whether it can be read, its sizes, its alpha, what it looks like."""

import hashlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image
from torch.utils.data import Dataset

from bgm.data.doctor.inventory import Part
from bgm.data.folders import spread_indices
from bgm.errors import BadInput
from bgm.pictures import File, Member, open_image, picture_size, to_mode

SMALL = 64  # pixels a side: enough to see colours in an alpha file
DRAFT = 256  # pixels: JPEG colours are decoded no larger than needed
NONE = np.zeros(256, np.int64)


class ItemReport(NamedTuple):
    """What was seen of one item."""

    part: int  # which of the parts
    name: str  # the file that is named when something is wrong
    stem: str
    broken: str = ""  # the sentence of what cannot be read or does not fit
    code: str = "broken"  # or "sizes", "no alpha"
    size: tuple[int, int] = (0, 0)  # (H, W)
    mode: str = ""  # Pillow's mode of the alpha file, "L" where it is as it should be
    alpha_name: str = ""  # the file that alpha is in
    alpha: np.ndarray = NONE  # (256,) pixels of each value; all 0 where alpha was not read
    inverted: bool = False  # alpha is high along the border and low in the middle
    jpeg_alpha: bool = False
    thumb: np.ndarray | None = None  # (8, 8, 3) uint8
    dhash: int = 0  # dHash, 64 bits: near-duplicates differ in few of them
    digest: bytes = b""  # of the bytes of the file


class ItemReports(Dataset[ItemReport]):
    """Chosen items of parts -> ItemReport; raises nothing that a file can cause."""

    def __init__(self, parts: list[Part], limit: int | None = None) -> None:
        self.parts = parts
        self.chosen = [
            (n, i) for n, part in enumerate(parts) for i in spread_indices(len(part), limit)
        ]

    def __len__(self) -> int:
        return len(self.chosen)

    def __getitem__(self, index: int) -> ItemReport:
        number, item = self.chosen[index]
        return inspect_item(number, self.parts[number], item)


def inspect_item(number: int, part: Part, item: int) -> ItemReport:
    """Examine one item of a part."""
    stem = part.name(item)
    files = {kind: paths[item] for kind, paths in part.files.items()}
    name = str(next(iter(files.values()))) if files else f"{part.root}: {stem}"
    report = ItemReport(number, name, stem)
    try:
        if part.source is not None:
            return _inspect_picture(report, part.source.open(item))
        return _inspect_files(report, part.role, files)
    except BadInput as error:
        return report._replace(broken=str(error))


def _inspect_picture(report: ItemReport, picture: Image.Image) -> ItemReport:
    """A picture that is in no picture file: a frame of a clip, a background made by a program."""
    colour, content = picture.convert("RGB"), picture.tobytes()
    report = report._replace(size=picture.size[::-1])
    if picture.mode != "RGBA":
        return _with_fingerprints(report, colour, None, content)
    alpha = picture.getchannel("A")
    report = report._replace(alpha_name=report.name, jpeg_alpha=True, mode="L")
    return _with_fingerprints(_with_alpha(report, alpha), colour, alpha, content)


def _with_alpha(report: ItemReport, alpha: Image.Image) -> ItemReport:
    """Add the histogram of alpha ("L"), and whether it looks inverted."""
    x = np.asarray(alpha.resize((16, 16), Image.Resampling.BOX)).astype(float) / 255
    border = np.concatenate([x[0], x[:, 0], x[:, -1]]).mean()  # subjects touch the lower one
    return report._replace(
        alpha=np.array(alpha.histogram(), np.uint32),
        inverted=bool(border > 0.6 and x[4:12, 4:12].mean() < border - 0.4),
    )


def _inspect_files(report: ItemReport, role: str, files: dict) -> ItemReport:
    main = next(iter(files.values()))
    sizes = {path: picture_size(path) for path in files.values()}
    if len(set(sizes.values())) > 1:
        sentence = ", ".join(f"{path} is {W}x{H}" for path, (H, W) in sizes.items())
        return report._replace(broken=f"sizes differ: {sentence}", code="sizes")
    report = report._replace(size=next(iter(sizes.values())))
    colour, *others = (_decoded(path) for path in files.values())
    pha = None
    if "rgba" in files:
        if not colour.has_transparency_data:
            sentence = f"{main} has no alpha channel (mode {colour.mode})"
            return report._replace(broken=sentence, code="no alpha")
        pha, mode = colour.convert("RGBA").getchannel("A"), "L"
    for kind, image in zip(list(files)[1:], others, strict=True):
        if kind == "pha":
            mode = _mode(image)
            pha = to_mode(image, "L")
    if pha is not None:
        jpeg = str(files.get("pha", "")).lower().endswith((".jpg", ".jpeg"))
        name = str(files.get("pha", main))
        report = _with_alpha(report._replace(alpha_name=name, jpeg_alpha=jpeg, mode=mode), pha)
    shown = pha if role == "subjects" else None
    return _with_fingerprints(report, colour.convert("RGB"), shown, _bytes(main))


def _decoded(path: File) -> Image.Image:
    """All of a file: what is cut off shows at its end only."""
    with open_image(path) as image:
        if image.format == "JPEG" and image.mode == "RGB":
            image.draft("RGB", (DRAFT, DRAFT))  # entropy decoding still goes to the end
        image.load()
        return image


def _bytes(path: File) -> bytes:
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


def _with_fingerprints(
    report: ItemReport, colour: Image.Image, alpha: Image.Image | None, content: bytes
) -> ItemReport:
    """Add the fingerprints and the thumbnail, on gray where it is a subject."""
    if alpha is not None:
        size = (SMALL, max(1, SMALL * alpha.size[1] // alpha.size[0]))
        small, shown = (x.resize(size, Image.Resampling.BOX) for x in (colour, alpha))
        colour = Image.composite(small, Image.new("RGB", size, (128, 128, 128)), shown)
    gray = np.asarray(colour.convert("L").resize((9, 8), Image.Resampling.BOX)).astype(int)
    bits = np.packbits(gray[:, 1:] > gray[:, :-1])
    return report._replace(
        thumb=np.array(colour.resize((8, 8), Image.Resampling.BOX)),
        dhash=int.from_bytes(bits.tobytes(), "big"),
        digest=hashlib.blake2b(content, digest_size=16).digest(),
    )
