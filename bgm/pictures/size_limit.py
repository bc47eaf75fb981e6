"""How large a picture may be: a small file can ask for more memory than there is."""

import math
import os

from PIL import Image

from bgm.errors import BadInput
from bgm.pictures.finding import File

LIMIT_KEY = "BGM_MAX_MEGAPIXELS"  # an environment variable, as workers inherit it


def limit_megapixels(most: object) -> None:
    """Refuse pictures of more than `most` megapixels, here and in workers; None changes nothing.

    Raises BadInput for what is no number above 0.
    """
    if most is None:
        return
    try:
        number = float(str(most))
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise BadInput(f"max_megapixels is {most}, expected a number above 0 (such as 400)")
    os.environ[LIMIT_KEY] = f"{number:g}"
    Image.MAX_IMAGE_PIXELS = int(number * 1e6 / 2)  # Pillow refuses twice as many


def take_limit() -> None:
    """The limit of the environment, which a worker inherits."""
    if (most := os.environ.get(LIMIT_KEY)) is not None:
        try:
            limit_megapixels(most)
        except BadInput as error:
            sentence = str(error).replace("max_megapixels is", f"{LIMIT_KEY} is")
            raise BadInput(sentence) from None


def too_large(path: File, found: float, most: float) -> BadInput:
    """What to raise for a picture of `found` megapixels where `most` are allowed."""
    return BadInput(
        f"{path} has {found:.4g} megapixels, more than {most:.4g} are not allowed:"
        f" max_megapixels={math.ceil(found)} allows them"
    )


def check_pixels(path: File, pixels: int) -> None:
    """Raise BadInput for a picture of too many pixels."""
    take_limit()
    if Image.MAX_IMAGE_PIXELS is not None and pixels > 2 * Image.MAX_IMAGE_PIXELS:
        raise too_large(path, pixels / 1e6, 2 * Image.MAX_IMAGE_PIXELS / 1e6)
