"""Picture files: find them by relative stem, read them of any kind, write them."""

from bgm.pictures.deep import finite, is_deep
from bgm.pictures.dropped import dropped
from bgm.pictures.encoded import encoded, read_encoded
from bgm.pictures.finding import (
    COMMON,
    EXTENSIONS,
    HIDDEN,
    RAW,
    ZIPPED,
    File,
    Member,
    by_stem,
    find_pictures,
    one_size,
    other_files,
    pair_by_stem,
    read_bytes,
    some_pictures,
    walk_files,
)
from bgm.pictures.reading import (
    CLASSES,
    check_mattes,
    needs_openimageio,
    open_image,
    open_picture,
    picture_size,
    pixel_aspect,
    read_picture,
    to_mode,
    to_tensor,
)
from bgm.pictures.size_limit import LIMIT_KEY, limit_megapixels
from bgm.pictures.writing import COMPRESSIONS, to_image, to_uint8, write_deep, write_png
