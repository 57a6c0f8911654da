"""Face crops on disk as data sets: shuffled and augmented for training, in batches of one side for scoring."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from sr_deepfake.data.augmentation import Augmentation
from sr_deepfake.data.images import read_face, resize_faces

# A batch of scoring holds at most so many pixels, of crops and of the detector's input, and so many faces.
MAX_PIXELS = 32 * 224 * 224
MAX_FACES = 64


@dataclass(frozen=True)
class FaceBatch:
    """Faces of one side with their rows of the manifest."""

    faces: Tensor  # float32 B×3×S×S, RGB in [0, 1]
    labels: Tensor  # float32 B; 1 is fake
    rows: pd.DataFrame  # the B rows of the manifest, in the same order
    attacked: Tensor | None = None  # the same faces after the attack, B×3×S×S

    def to(self, device: torch.device | str) -> "FaceBatch":
        """The batch with its faces and labels on a device (Lightning cannot move the parts of a frozen dataclass)."""
        return replace(self, faces=self.faces.to(device), labels=self.labels.to(device))

    def pin_memory(self) -> "FaceBatch":
        """The batch in memory that a GPU can copy from on its own."""
        return replace(self, faces=self.faces.pin_memory(), labels=self.labels.pin_memory())


class TrainingFaces(Dataset[tuple[Tensor, ...]]):
    """Faces for training: attacked as the defence wants, resized, then augmented."""

    def __init__(
        self,
        rows: pd.DataFrame,
        folder: Path,
        size: int,
        augmentation: Augmentation,
        seed: int,
        defence: Callable[..., Tensor] | None = None,
        on_device: bool = False,
        resize: str = "bilinear",
    ) -> None:
        self.paths = [str(path) for path in rows["path"]]
        self.labels = rows["label"].to_numpy(dtype=np.float32)
        self.folder = folder
        self.size, self.resize = size, resize
        self.augmentation, self.on_device = augmentation, on_device
        self.seed = seed
        self.defence = defence

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, key: tuple[int, int]) -> tuple[Tensor, ...]:
        """Return one face (float32 3×S×S, RGB in [0, 1]) and its label (float32 scalar)."""
        epoch, index = key
        face = clean = read_face(self.folder / self.paths[index])
        if self.defence is not None:  # at the face's own size, where the attack acts
            face = self.defence(face, seed=self.seed, epoch=epoch, index=index)
        small = resize_faces(face[None].float() / 255, self.size, self.resize, attacked=face is not clean)[0]
        resized = (small * 255).round().to(torch.uint8)
        label = torch.tensor(self.labels[index])
        resized, drawn = self.augmentation.draw(resized, seed=self.seed, epoch=epoch, index=index)
        if self.on_device:
            return resized, label, drawn
        return self.augmentation(resized[None], drawn[None])[0], label


class EpochSampler(Sampler[tuple[int, int]]):
    """A shuffle of `length` faces that depends on the seed and the epoch alone; yields `(epoch, index)`."""

    def __init__(self, length: int, seed: int, used: int | None = None, share: tuple[int, int] = (0, 1)) -> None:
        self.length, self.used = length, length if used is None else used
        self.seed, self.epoch = seed, 0
        self.share = share

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch of the next pass (the training loop calls this, after a resumption too)."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(range(self.used)[self.share[0] :: self.share[1]])

    def __iter__(self) -> Iterator[tuple[int, int]]:
        order = np.random.default_rng([self.seed, self.epoch]).permutation(self.length)
        own = order[: self.used][self.share[0] :: self.share[1]]
        return iter([(self.epoch, int(index)) for index in own])


class SideBatches(Sampler[list[int]]):
    """Batches of faces of one side, in a fixed order, bounded in memory whatever the side.

    Where labels are given, a batch is of one class: the pristine faces of all forgery methods then make the same batches.

    >>> list(SideBatches([96, 48, 96, 48, 48], max_pixels=96 * 96, max_faces=2))
    [[1, 3], [4], [0], [2]]
    >>> list(SideBatches([48, 48, 48], labels=[0, 1, 0]))
    [[0, 2], [1]]
    """

    def __init__(
        self,
        sides: list[int],
        input_side: int = 1,
        max_pixels: int = MAX_PIXELS,
        max_faces: int = MAX_FACES,
        labels: list[int] | None = None,
    ) -> None:
        self.batches: list[list[int]] = []
        kinds = list(zip(sides, labels or [0] * len(sides), strict=True))
        for side in sorted(set(sides)):
            count = max(1, min(max_faces, max_pixels // max(side, input_side) ** 2))
            of_class = []
            for kind in sorted({kind for kind in kinds if kind[0] == side}):
                members = [index for index, other in enumerate(kinds) if other == kind]
                of_class.append([members[start : start + count] for start in range(0, len(members), count)])
            # In turn, so that a part of the batches has both classes.
            self.batches += [batch for turn in itertools.zip_longest(*of_class) for batch in turn if batch]

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[list[int]]:
        return iter(self.batches)


class StoredFaces(Dataset[FaceBatch]):
    """Whole batches of faces as they are on disk, to be scored."""

    def __init__(self, rows: pd.DataFrame, folder: Path, side: int | None = None) -> None:
        self.rows = rows.reset_index(drop=True)
        if side is not None:
            self.rows["side"] = side
        self.folder = folder

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, indices: list[int]) -> FaceBatch:
        """Read the faces of some rows, which are all of one side."""
        rows = self.rows.iloc[indices]
        side = int(rows["side"].iloc[0])
        read = (read_face(self.folder / str(path))[None].float() / 255 for path in rows["path"])
        faces = torch.cat([resize_faces(face, side, "authors") for face in read])
        return FaceBatch(faces, torch.tensor(rows["label"].to_numpy(dtype=np.float32)), rows)
