"""Print how many procedural samples a second one thread makes, size by size."""

import argparse
import time

import torch

from bgm.data.procedural import Procedural


def main(sizes: list[int], batch: int) -> None:
    torch.set_num_threads(1)
    for size in sizes:
        dataset = Procedural(size, length=10_000, seed=0)
        dataset.__getitems__([0])  # warm up
        rounds = max(1, 512 // size)
        start = time.process_time()
        for k in range(rounds):
            dataset.__getitems__(list(range(k * batch, (k + 1) * batch)))
        seconds = time.process_time() - start
        print(f"{size:5d} px  batch {batch}  {rounds * batch / seconds:7.1f} samples/s")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", type=int, nargs="*", default=[64, 128, 256, 512], help="pixels")
    parser.add_argument("--batch", type=int, default=16)
    given = parser.parse_args()
    main(given.sizes, given.batch)
