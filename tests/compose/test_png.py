"""PNG files of our own: what any reader unpacks, and the very same bytes for ever."""

import hashlib
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from bgm.compose.png import code_lengths, png
from tests.compose.pictures import matte, pattern, picture


def unpacked(data):
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from([0, 3, 4]), st.integers(0, 9))
def test_a_reader_finds_the_same_pixels(H, W, channels, seed):
    rng = np.random.default_rng(seed)
    levels = rng.choice([1, 2, 7, 256])
    shape = (H, W, channels) if channels else (H, W)
    x = rng.integers(0, levels, shape).astype(np.uint8)
    assert np.array_equal(unpacked(png(x)), x)


@pytest.mark.parametrize("block", [1, 100, 1000])
def test_many_blocks_join_at_any_bit(monkeypatch, block):
    monkeypatch.setattr("bgm.compose.png.BLOCK", block)
    x = picture(1, (13, 17, 3))
    assert np.array_equal(unpacked(png(x)), x)


def test_bytes_are_pinned():
    """A change of these hashes changes every composed benchmark: it wants a new FORMAT."""
    found = [hashlib.sha256(png(pattern(shape))).hexdigest()[:16] for shape in PINNED]
    assert found == list(PINNED.values())


PINNED = {
    (31, 45, 3): "98c56a4a27ee51b2",
    (9, 8): "4f23ad2aaa818a81",
    (64, 64): "9e16b7071c50612b",
}


@pytest.mark.parametrize("growth", [1.0, 1.618, 3.0])
def test_codes_are_complete_and_short_enough(growth):
    """Fibonacci counts make the deepest Huffman trees; deflate allows 15 bits."""
    counts = np.array([int(min(growth**n, 1e12)) for n in range(256)] + [0])
    lengths = code_lengths(counts)
    assert lengths.min() > 0
    assert lengths.max() <= 15
    assert sum(2.0**-n for n in lengths) == 1


def test_it_packs():
    x = matte((200, 300))
    assert len(png(x)) < x.size / 4
    smooth = np.add.outer(np.arange(200), np.arange(300)).astype(np.uint8)
    assert len(png(smooth)) < smooth.size / 6
