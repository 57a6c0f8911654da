"""The people of the sample: the pictures that the package ships, and how they are paired."""

import functools
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from sr_deepfake.data.sample.geometry import Points, head_yaw

Frames = NDArray[np.uint8]

ASSETS = Path(__file__).parent / "assets"
UNITS_PER_PIXEL = 16  # landmarks are stored in sixteenths of a pixel


@dataclass(frozen=True)
class IdentityTable:
    """All people, known before a clip is decoded."""

    names: tuple[str, ...]
    sizes: NDArray[np.int64]  # side of each person's square clip, px
    landmarks: Points  # of person, frame, point: `I×N×P×2`, (x, y) in pixels

    def landmarks_of(self, name: str) -> Points:
        """Landmarks of one person's clip, `N×P×2`."""
        return np.asarray(self.landmarks[self.names.index(name)])


@functools.cache
def identity_table() -> IdentityTable:
    """Read the packaged landmarks.

    >>> table = identity_table()
    >>> table.landmarks.shape, sorted(set(table.sizes.tolist()))
    ((96, 10, 209, 2), [240, 304, 368])
    """
    with np.load(ASSETS / "landmarks.npz", allow_pickle=False) as stored:
        differences, sizes = stored["points"], stored["sizes"]
    # Stored as (frame, axis, person, point), each frame as its difference from the one before: it packs better.
    points = np.cumsum(differences.astype(np.int32), axis=0).transpose(2, 0, 3, 1) / UNITS_PER_PIXEL
    points -= 0.5  # MediaPipe counts from the image's corner, OpenCV from the first pixel's centre
    names = tuple(f"{number:03d}" for number in range(len(points)))
    return IdentityTable(names, sizes.astype(np.int64), points)


def read_identity(name: str) -> Frames:
    """Decode one person's clip."""
    return read_clip(ASSETS / "identities" / f"{name}.mp4")


def read_clip(path: Path) -> Frames:
    """Decode all frames of a video, on one thread: uint8 RGB, `N×H×W×3`."""
    with av.open(str(path)) as container:
        container.streams.video[0].thread_type = "NONE"
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


PAIRS_PER_SPLIT = {"train": 30, "val": 6, "test": 12}
SEED = 20261123

Pair = tuple[str, str]


def draw_pairs() -> dict[str, list[Pair]]:
    """Draw the pairs of each split: always the same ones."""
    table = identity_table()
    yaw = [head_yaw(points) for points in table.landmarks]
    rng = np.random.default_rng(SEED)
    sizes = np.unique(table.sizes)
    pairs: dict[str, list[Pair]] = {split: [] for split in PAIRS_PER_SPLIT}
    for size in sizes:
        people = rng.permutation(np.flatnonzero(table.sizes == size)).tolist()
        for split, count in PAIRS_PER_SPLIT.items():
            share = 2 * count // len(sizes)
            chosen, people = sorted(people[:share], key=yaw.__getitem__), people[share:]
            # Neighbours in the order of a number are the pairing with the least difference.
            for a, b in zip(chosen[::2], chosen[1::2], strict=True):
                pairs[split].append((table.names[min(a, b)], table.names[max(a, b)]))
    return {split: sorted(chosen) for split, chosen in pairs.items()}
