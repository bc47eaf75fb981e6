"""What is in a picture file and not in the picture that is read of it, for whoever is to say so."""

from pathlib import Path

from bgm.pictures.channels import is_alpha
from bgm.pictures.deep import deep_bits, deep_channels, deep_overscan, is_deep
from bgm.pictures.reading import open_image

SAMPLES_PER_PIXEL = 277  # of a TIFF
ALPHA_BANDS = ("A", "a", "X")  # of Pillow: straight, premultiplied, of no meaning
HIGH_BITDEPTH = 0x40  # in the third byte of AVIF's box av1C


def dropped(path: str | Path) -> list[str]:
    """Sentences about what reading this picture leaves out, by its header; mostly none.

    Raises BadInput as `open_image`.
    """
    sentences = []
    if is_deep(path):
        read, others = deep_channels(path)
        alpha = any(is_alpha(name) for name in others)
        others = [name for name in others if not is_alpha(name)]
        if others:
            some = ", ".join(others[:6]) + (", ..." if len(others) > 6 else "")
            sentences.append(f"its colours are {', '.join(read)}, left out are {some}")
        bits, kept = deep_bits(path)
        if bits > kept:
            sentences.append(f"its {bits} bits a channel are read with {kept}")
        outside, start = deep_overscan(path)
        if outside:
            sentences.append(f"{outside} pixels outside its display window are left out (overscan)")
        if start != (0, 0):
            sentences.append(f"its display window begins at {start}, which is taken as (0, 0)")
    else:
        with open_image(path) as image:
            alpha, avif = image.has_transparency_data, image.format == "AVIF"
            samples = getattr(image, "tag_v2", {}).get(SAMPLES_PER_PIXEL, 0)
            colours = len(image.getbands()) - (image.getbands()[-1] in ALPHA_BANDS)
        if (others := samples - colours - alpha) > 0:
            share = f"{others} of {samples}"
            sentences.append(f"channels beside its colours and alpha are left out ({share})")
        if avif and _is_high_avif(path):
            sentences.append("an AVIF of more than 8 bits is read with 8: a 16-bit PNG keeps them")
    if alpha:
        sentences.append("its alpha channel is not looked at, colours are taken as they are")
    return sentences


def _is_high_avif(path: str | Path) -> bool:
    with open(path, "rb") as file:
        _, found, box = file.read(1 << 16).partition(b"av1C")
    return bool(found) and len(box) > 2 and bool(box[2] & HIGH_BITDEPTH)
