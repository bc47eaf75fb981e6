"""Random numbers that are the same everywhere: SHA-256 for choices, Philox's integers for noise."""

import hashlib

import numpy as np
from numpy.typing import NDArray


def hash_key(*parts: int | str) -> int:
    """A 128-bit number that is a function of its parts: SHA-256 of their names, 16 bytes of it."""
    text = "/".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big")


def random_integer(low: int, high: int, *parts: int | str) -> int:
    """An integer in low..high, both included; high - low far below 2**64, so that no bias shows."""
    return low + (hash_key(*parts) * (high - low + 1) >> 128)


def shuffled_numbers(n: int, *parts: int | str) -> list[int]:
    """The numbers 0 .. n - 1 in random order (Fisher and Yates, from the end)."""
    order = list(range(n))
    for last in range(n - 1, 0, -1):
        other = random_integer(0, last, *parts, last)
        order[last], order[other] = order[other], order[last]
    return order


def random_words(stream: int, shape: tuple[int, ...]) -> NDArray[np.uint16]:
    """Uniform 16-bit numbers: Philox4x64-10 with key `stream` (< 2**128), low words first.

    numpy promises the raw integers of its bit generators for all versions and machines, which it
    does not for floats and for distributions. Source: Salmon et al. 2011.
    """
    n = int(np.prod(shape))
    raw = np.random.Philox(key=stream).random_raw(-(-n // 4))
    parts = [(raw >> np.uint64(shift)).astype(np.uint16) for shift in (0, 16, 32, 48)]
    return np.stack(parts, axis=1).reshape(-1)[:n].reshape(shape)
