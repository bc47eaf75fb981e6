"""Picture files: find them by relative stem, read them of any kind, write them."""

from bgm.pictures.deep import COMPRESSIONS, is_deep, write_deep
from bgm.pictures.encoded import read_encoded
from bgm.pictures.finding import (
    COMMON,
    EXTENSIONS,
    HIDDEN,
    ZIPPED,
    File,
    Member,
    by_stem,
    find_pictures,
    one_size,
    pair_by_stem,
    read_bytes,
    some_pictures,
    walk_files,
)
from bgm.pictures.reading import (
    open_image,
    open_picture,
    picture_size,
    read_picture,
    refuse_zero_one,
    to_mode,
    to_tensor,
)
from bgm.pictures.size_limit import LIMIT_KEY, limit_megapixels
from bgm.pictures.writing import to_image, to_uint8, write_png

__all__ = [
    "COMMON",
    "COMPRESSIONS",
    "EXTENSIONS",
    "HIDDEN",
    "LIMIT_KEY",
    "ZIPPED",
    "File",
    "Member",
    "by_stem",
    "find_pictures",
    "is_deep",
    "limit_megapixels",
    "one_size",
    "open_image",
    "open_picture",
    "pair_by_stem",
    "picture_size",
    "read_bytes",
    "read_encoded",
    "read_picture",
    "refuse_zero_one",
    "some_pictures",
    "to_image",
    "to_mode",
    "to_tensor",
    "to_uint8",
    "walk_files",
    "write_deep",
    "write_png",
]
