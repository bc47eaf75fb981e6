"""PNG files whose bytes depend on nothing but their pixels: a deflate encoder of our own.

zlib promises what a stream unpacks to, not its bytes: zlib-ng, other versions and other processors
pack differently. Here rows are filtered by Paeth's predictor and coded by Huffman's method, without
matches: for pictures about the size and time of zlib at level 3, for flat mattes larger.
"""

import heapq
import struct
import zlib

import numpy as np
from numpy.typing import NDArray

BLOCK = 1 << 20  # bytes that share a Huffman code
END = 256  # the symbol that ends a block
SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOUR = {1: 0, 3: 2, 4: 6}  # channels -> colour type


def png(x: NDArray[np.uint8]) -> bytes:
    """The file of (H, W) or (H, W, C), C = 1, 3 or 4, uint8, W, H >= 1."""
    x = x[..., None] if x.ndim == 2 else x
    H, W, C = x.shape
    header = struct.pack(">IIBBBBB", W, H, 8, COLOUR[C], 0, 0, 0)
    rows = filtered(x)
    packed = b"\x78\x01" + deflate(rows) + struct.pack(">I", zlib.adler32(rows))
    parts = ((b"IHDR", header), (b"IDAT", packed), (b"IEND", b""))
    return SIGNATURE + b"".join(_chunk(kind, body) for kind, body in parts)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def filtered(x: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """What Paeth's predictor leaves of (H, W, C), each row led by the filter's number: flat."""
    H, W, C = x.shape
    framed = np.zeros((H + 1, W + 1, C), np.int16)
    framed[1:, 1:] = x
    left, up, corner = framed[1:, :-1], framed[:-1, 1:], framed[:-1, :-1]
    near_left, near_up = np.abs(up - corner), np.abs(left - corner)
    near_corner = np.abs(left + up - 2 * corner)
    first = (near_left <= near_up) & (near_left <= near_corner)
    guess = np.where(first, left, np.where(near_up <= near_corner, up, corner))
    rows = np.empty((H, 1 + W * C), np.uint8)
    rows[:, 0] = 4
    rows[:, 1:] = (framed[1:, 1:] - guess).astype(np.uint8).reshape(H, -1)
    return rows.reshape(-1)


def deflate(data: NDArray[np.uint8]) -> bytes:
    """Pack flat uint8 into a deflate stream (RFC 1951) of literals under dynamic Huffman codes."""
    out, carry, held = [], 0, 0  # the bits that do not fill a byte yet, and how many they are
    for start in range(0, max(len(data), 1), BLOCK):
        block = data[start : start + BLOCK]
        lengths = code_lengths(np.bincount(block, minlength=257))
        codes = _codes(lengths)
        head = [(carry, held), *_header(lengths, start + BLOCK >= len(data))]
        symbols = np.append(block.astype(np.int64), END)
        values = np.concatenate([np.array([v for v, _ in head], np.uint64), codes[symbols]])
        widths = np.concatenate([np.array([n for _, n in head]), lengths[symbols]])
        packed, bits = _pack(values, widths)
        out.append(packed[: bits // 8])
        held = bits % 8
        carry = packed[bits // 8] if held else 0
    return b"".join(out) + (bytes([carry]) if held else b"")


def code_lengths(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Huffman code lengths, at most 14 bits, of 256 literals and END; 0 for what does not occur.

    A symbol's share is taken to be 1/1024 at least: with 257 of them no code is then deeper than 14
    (Katona and Nemetz 1976), and deflate allows 15.
    """
    counts = counts.copy()
    counts[END] = 1
    least = -(-int(counts.sum()) // 1024)
    heap = [(max(int(n), least), s, (s,)) for s, n in enumerate(counts) if n]
    lengths = np.zeros(257, np.int64)
    heapq.heapify(heap)
    while len(heap) > 1:  # ties go to the smaller symbol, so that there is one answer
        one, other = heapq.heappop(heap), heapq.heappop(heap)
        members = one[2] + other[2]
        lengths[list(members)] += 1
        heapq.heappush(heap, (one[0] + other[0], min(one[1], other[1]), members))
    return lengths


def _codes(lengths: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Canonical codes for lengths, first bit lowest."""
    codes, code = np.zeros(len(lengths), np.uint64), 0
    for width in range(1, 16):
        for symbol in np.flatnonzero(lengths == width):
            codes[symbol] = _reversed(code, width)
            code += 1
        code <<= 1
    return codes


def _reversed(code: int, width: int) -> int:
    return int(f"{code:0{width}b}"[::-1], 2)


def _header(lengths: NDArray[np.int64], last: bool) -> list[tuple[int, int]]:
    """(value, bits) that announce a block: every code length is written in four bits."""
    sizes = [0 if symbol > 15 else 4 for symbol in
             (16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15)]  # fmt: skip
    start = [(int(last), 1), (2, 2), (0, 5), (0, 5), (15, 4), *((size, 3) for size in sizes)]
    no_distance = 0
    return start + [(_reversed(int(n), 4), 4) for n in (*lengths, no_distance)]


def _pack(values: NDArray[np.uint64], widths: NDArray[np.int64]) -> tuple[bytes, int]:
    """Lay values of so many bits (15 at most) end to end, low bits first: bytes, number of bits."""
    ends = np.cumsum(widths)
    at = ends - widths
    word, inside = at >> 6, (at & 63).astype(np.uint64)
    first = np.flatnonzero(np.diff(word, prepend=-1))  # the first value that begins in each word
    out = np.zeros(int(ends[-1] >> 6) + 1, np.uint64)
    out[word[first]] = np.bitwise_or.reduceat(values << inside, first)
    over = np.flatnonzero((at & 63) + widths > 64)  # these go on in the next word
    out[word[over] + 1] |= values[over] >> (np.uint64(64) - inside[over])
    return out.astype("<u8").tobytes(), int(ends[-1])
