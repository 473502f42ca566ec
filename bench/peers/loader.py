"""Samples a second of torch.utils.data.DataLoader over h5py, on a shard set: loader.py DIR BATCH
WORKERS.

One dataset a shard file, opened on first use in each worker (as the h5py documentation asks),
shuffled, default collation; the first epoch warms up, two more are timed.  Prints one number.
"""
import glob
import sys
import time

import h5py
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset


class Shards(Dataset):
    def __init__(self, folder):
        self.files = sorted(glob.glob(folder + "/shard-*.h5"))
        counts = []
        for name in self.files:
            with h5py.File(name, "r") as f:
                counts.append(len(f["x"]))
        self.first = np.concatenate([[0], np.cumsum(counts)])
        self.open = {}

    def __len__(self):
        return int(self.first[-1])

    def __getitem__(self, i):
        k = int(np.searchsorted(self.first, i, side="right")) - 1
        if k not in self.open:
            f = h5py.File(self.files[k], "r")
            self.open[k] = (f["x"], f["y"][:])
        x, y = self.open[k]
        row = i - int(self.first[k])
        return torch.from_numpy(x[row]), int(y[row])


def main():
    folder, batch, workers = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    torch.set_num_threads(1)
    loader = DataLoader(Shards(folder), batch_size=batch, shuffle=True, num_workers=workers,
                        persistent_workers=workers > 0, drop_last=False)
    n, start = 0, 0.0
    for epoch in range(3):
        if epoch == 1:
            start = time.perf_counter()
        for x, _ in loader:
            n += len(x) if epoch else 0
    print(n / (time.perf_counter() - start))


if __name__ == "__main__":
    main()
