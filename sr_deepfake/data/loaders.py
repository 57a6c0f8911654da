"""Face crops on disk → batches: shuffled and augmented for training, one side a batch for evaluation."""

import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from sr_deepfake.data.augmentation import Augmentation
from sr_deepfake.data.defence import Defence
from sr_deepfake.data.device_augmentation import DeviceAugmentation
from sr_deepfake.data.images import read_face, resize_faces

# A batch of evaluation holds at most this many pixels, whatever its faces' side: memory stays bounded.
MAX_PIXELS = 32 * 224 * 224


@dataclass(frozen=True)
class FaceBatch:
    """Faces of one side with their rows of the manifest.

    Attributes:
        faces: float32 tensor of shape B×3×S×S, RGB in [0, 1].
        labels: float32 tensor of shape B; 1 is fake.
        rows: the B rows of the manifest, in the same order.
    """

    faces: Tensor
    labels: Tensor
    rows: pd.DataFrame

    def to(self, device: torch.device | str, non_blocking: bool = False) -> "FaceBatch":
        """The batch with its faces and labels on a device."""
        return FaceBatch(
            self.faces.to(device, non_blocking=non_blocking),
            self.labels.to(device, non_blocking=non_blocking),
            self.rows,
        )


class TrainingFaces(Dataset[tuple[Tensor, ...]]):
    """Faces for training: attacked as the defence wants, resized, then augmented.

    An item's key is `(epoch, index)`: defence and augmentation depend on the seed, the epoch and the index alone,
    so the number of workers, an interruption and the order of loading change nothing.
    """

    def __init__(
        self,
        rows: pd.DataFrame,
        folder: Path,
        size: int,
        augmentation: Augmentation | DeviceAugmentation,
        seed: int,
        defence: Defence | None = None,
    ) -> None:
        self.paths = [str(path) for path in rows["path"]]
        self.labels = rows["label"].to_numpy(dtype=np.float32)
        self.folder = folder
        self.size = size
        self.augmentation = augmentation
        self.seed = seed
        self.defence = defence

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, key: tuple[int, int]) -> tuple[Tensor, ...]:
        """Return one face (float32 3×S×S, RGB in [0, 1]) and its label (float32 scalar).

        For an augmentation on the device: the face (uint8), its label, and what is to happen to it.
        """
        epoch, index = key
        face = read_face(self.folder / self.paths[index])
        if self.defence is not None:  # at the face's own size, where the attack acts
            face = self.defence(face, seed=self.seed, epoch=epoch, index=index)
        resized = resize_faces(face[None].float(), self.size)[0].round().clamp(0, 255).to(torch.uint8)
        label = torch.tensor(self.labels[index])
        if isinstance(self.augmentation, DeviceAugmentation):
            resized, drawn = self.augmentation.draw(resized, seed=self.seed, epoch=epoch, index=index)
            return resized, label, drawn
        augmented = self.augmentation(resized, np.random.default_rng([self.seed, epoch, index]))
        return augmented.float() / 255, label


class EpochSampler(Sampler[tuple[int, int]]):
    """A shuffle of `length` faces that depends on the seed and the epoch alone; yields `(epoch, index)`.

    Args:
        length: number of faces.
        seed: of the shuffle.
        used: how many of the shuffled faces are taken; None: all.
        share: `(i, n)`: of those, every n-th one from the i-th on, for process i of n. Their batches, put together,
            are those of one process, if n divides `used` and the size of its batches.

    Example:
        >>> sampler = EpochSampler(3, seed=0)
        >>> first = list(sampler); sampler.set_epoch(1); second = list(sampler)
        >>> sorted(first), sorted(second)
        ([(0, 0), (0, 1), (0, 2)], [(1, 0), (1, 1), (1, 2)])
    """

    def __init__(
        self, length: int, seed: int, used: int | None = None, share: tuple[int, int] = (0, 1)
    ) -> None:
        self.length = length
        self.seed = seed
        self.epoch = 0
        self.used = length if used is None else used
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
    """Batches of faces of one side, each of at most `max_pixels` pixels, in a fixed order.

    Example:
        >>> list(SideBatches([96, 48, 96, 48], max_pixels=96 * 96))
        [[1, 3], [0], [2]]
    """

    def __init__(self, sides: list[int], max_pixels: int = MAX_PIXELS) -> None:
        self.batches: list[list[int]] = []
        for side in sorted(set(sides)):
            members = [index for index, other in enumerate(sides) if other == side]
            count = max(1, max_pixels // side**2)
            self.batches += [members[start : start + count] for start in range(0, len(members), count)]

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[list[int]]:
        return iter(self.batches)


class _StoredFaces(Dataset[int]):
    """Whole batches of faces as they lie on disk."""

    def __init__(self, rows: pd.DataFrame, folder: Path) -> None:
        self.rows = rows.reset_index(drop=True)
        self.folder = folder

    def __len__(self) -> int:
        return len(self.rows)

    def __getitems__(self, indices: list[int]) -> FaceBatch:
        rows = self.rows.iloc[indices]
        faces = torch.stack([read_face(self.folder / str(path)) for path in rows["path"]])
        labels = torch.tensor(rows["label"].to_numpy(dtype=np.float32))
        return FaceBatch(faces.float() / 255, labels, rows)


def _as_is(batch: FaceBatch) -> FaceBatch:
    return batch


def _leave_signals_to_the_program(worker: int) -> None:
    """A queue warns all processes of a job before it ends it; a copy of the program's answer is not wanted here."""
    for number in (signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)


def training_loader(
    rows: pd.DataFrame,
    folder: Path,
    *,
    size: int,
    augmentation: Augmentation | DeviceAugmentation,
    batch_size: int,
    seed: int = 0,
    workers: int = 0,
    defence: Defence | None = None,
    share: tuple[int, int] = (0, 1),
) -> "DataLoader[tuple[Tensor, ...]]":
    """Batches for training: B×3×size×size faces in [0, 1] and B labels, shuffled anew every epoch.

    Args:
        rows: the manifest's rows to train on.
        folder: the manifest's folder.
        size: the detector's input side, in pixels.
        augmentation: what happens to each face. One on the device gets whole batches later: these are B×3×size×size
            uint8 faces, B labels, and what was drawn for each face.
        batch_size: faces a batch; a last smaller batch is left out (a batch of one breaks batch normalisation).
        seed: of the shuffle, the augmentation and the defence.
        workers: processes that load; 0 loads in this one. The batches are the same for any number.
        defence: puts attacked faces among the others.
        share: `(i, n)`: of each batch the part of process i of n, which must divide it.
    """
    dataset = TrainingFaces(rows, folder, size, augmentation, seed, defence)
    whole = min(batch_size, len(dataset))
    if whole % share[1]:
        raise ValueError(f"{share[1]} processes cannot have equal parts of a batch of {whole} faces")
    sampler = EpochSampler(len(dataset), seed, len(dataset) // whole * whole, share)
    return DataLoader(
        dataset,
        batch_size=whole // share[1],
        sampler=sampler,  # its keys are (epoch, index)
        num_workers=workers,
        worker_init_fn=_leave_signals_to_the_program,
        persistent_workers=workers > 0,
        pin_memory=torch.cuda.is_available(),
    )


def face_loader(
    rows: pd.DataFrame, folder: Path, *, workers: int = 0, max_pixels: int = MAX_PIXELS
) -> "DataLoader[FaceBatch]":
    """`FaceBatch`es for evaluation: every face once, at its own size, one side a batch.

    Args:
        rows: the manifest's rows to go through.
        folder: the manifest's folder.
        workers: processes that load; 0 loads in this one.
        max_pixels: the most pixels of a batch (at least one face is in it).
    """
    dataset = _StoredFaces(rows, folder)
    return DataLoader(
        dataset,  # type: ignore[arg-type]  # __getitems__ gives whole batches
        batch_sampler=SideBatches([int(side) for side in rows["side"]], max_pixels),
        collate_fn=_as_is,  # type: ignore[arg-type]  # what it gets is a batch already
        num_workers=workers,
        worker_init_fn=_leave_signals_to_the_program,
    )
