"""Near-duplicates among hundreds of thousands of pictures, by perceptual hash."""

import numpy as np

BITS = 3  # of 64 that may differ
LEVELS = 4.0  # of 255: mean difference of thumbnails that look the same
NEIGHBOURS = 16  # in sorted order that are compared: more only where many look the same


def find_near_duplicates(hashes: np.ndarray, thumbs: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Pairs (n, 2) of indices i < j whose pictures look the same, but for those of one group.

    hashes: (N,) uint64 dHashes; thumbs: (N, 8, 8, 3) uint8; groups: (N,) clips, whose frames look
    like each other and should. Two hashes with at most 3 different bits share one of 4 bands of 16
    bits (pigeonhole), so that sorting by each band brings them together: N log N instead of N^2.
    Of many with one band the nearest in order are compared: they are found, if not in all their
    pairs.
    """
    _, kept = np.unique(np.stack([groups.astype(np.uint64), hashes]), axis=1, return_index=True)
    hashes, thumbs, groups = hashes[kept], thumbs[kept], groups[kept]
    found: set[tuple[int, int]] = set()
    for band in range(4):
        turned = (hashes << np.uint64(16 * band)) | (hashes >> np.uint64((64 - 16 * band) % 64))
        order = np.argsort(turned, kind="stable")
        first = turned[order] >> np.uint64(48)
        for lag in range(1, min(NEIGHBOURS, len(order) - 1) + 1):
            a, b = order[:-lag], order[lag:]
            near = (first[lag:] == first[:-lag]) & (groups[a] != groups[b])
            near &= np.bitwise_count(hashes[a] ^ hashes[b]) <= BITS
            a, b = a[near], b[near]
            off = np.abs(thumbs[a].astype(np.int16) - thumbs[b]).mean(axis=(1, 2, 3))
            pairs = np.sort(kept[np.stack([a, b], axis=1)[off <= LEVELS]], axis=1)
            found.update(map(tuple, pairs.tolist()))
    return np.array(sorted(found), np.int64).reshape(-1, 2)
