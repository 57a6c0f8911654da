"""The LightningDataModule: faces for training, validation and test, attacked as whole batches on the device."""

import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

import lightning
import pandas as pd
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from sr_deepfake.attacks.base import GROUP, attacked
from sr_deepfake.data.augmentation import Augmentation
from sr_deepfake.data.defence import Defence
from sr_deepfake.data.faces import EpochSampler, FaceBatch, SideBatches, StoredFaces, TrainingFaces
from sr_deepfake.data.images import RESIZES
from sr_deepfake.data.manifest import FaceSet
from sr_deepfake.system.errors import UserError, choose
from sr_deepfake.system.hardware import helpful_workers


class Source(Protocol):
    """Source of faces: a `DataSet`, `DeepfakeBench`, or one of your own."""

    name: str  # of the data set

    @property
    def methods(self) -> Sequence[str]:
        """Its forgery methods."""

    def faces(self, methods: list[str]) -> FaceSet:
        """The faces of pristine videos and of some forgery methods, made now where the source makes them itself."""


class FaceDataModule(lightning.LightningDataModule):
    """Faces of a data set: pristine ones and those of one forgery method.

    Training batches are B×3×S×S float32 faces in [0, 1] of the detector's input side and B labels (1 is fake).
    Validation and test batches are `FaceBatch`es of faces at their own size. While the trainer tests, `attack` is
    applied to the whole batch once it is on the device (the paper's section 3: after the training, a black box).

    Give the Trainer `use_distributed_sampler=False`: with several devices each has its share of every training batch.

    Args:
        source: of the faces.
        forgery: the method whose fakes are trained on, and whose validation faces choose an epoch and a threshold; None:
            the source's first.
        tested_on: the method whose fakes are tested; None: the same.
        frames: at most so many faces a video; None: all.
        image_size: the detector's input side, in pixels: training faces are resized to it.
        resize: how; see `resize_faces`.
        test_side: side in pixels that test faces are resized to (INTER_AREA) before anything else, as in the published
            correlation; None: their own.
        batch_size: training faces a step, over all devices. A last smaller batch is left out.
        augmentation: settings of `Augmentation`; None: no augmentation.
        augment_on: "loader": face by face, where they are loaded; "device": whole batches; "auto": on a GPU there, else
            where they are loaded.
        defence: puts attacked faces among the training faces.
        attack: B×3×S×S faces → attacked faces of the same shape; None: the test scores clean faces only. May be set at
            any time before the test.
        seed: of shuffle, augmentation and defence.
        workers: processes that load faces, for each device; 0: this one loads; None: as many as help.

    Raises:
        UserError: an option makes no sense.
    """

    def __init__(
        self,
        source: Source,
        forgery: str | None = None,
        tested_on: str | None = None,
        frames: int | None = None,
        image_size: int = 224,
        resize: str = "bilinear",
        test_side: int | None = None,
        batch_size: int = 32,
        augmentation: Mapping[str, Any] | None = None,
        augment_on: str = "auto",
        defence: Defence | None = None,
        attack: nn.Module | None = None,
        seed: int = 0,
        workers: int | None = None,
    ) -> None:
        super().__init__()
        if workers is not None and (not isinstance(workers, int) or workers < 0):
            raise UserError(
                f"data.workers must be a number of processes (0: load in this one) or null, not {workers!r}"
            )
        limits = {
            "protocol.batch_size": (batch_size, 1), "seed": (seed, 0), "data.test_side": (test_side or 7, 7),
            "protocol.frames": (1 if frames is None else frames, 1), "protocol.image_size": (image_size, 7),
        }  # fmt: skip
        for option, (value, least) in limits.items():
            if not isinstance(value, int) or not least <= value < 2**32:
                raise UserError(f"{option} must be an integer ≥ {least} (and < 2³²), not {value}")
        self.source = source
        self.forgery = forgery or str(source.methods[0])
        self.tested_on = tested_on or self.forgery
        self.test_side, self.frames, self.image_size = test_side, frames, image_size
        self.resize = choose(resize, RESIZES, "protocol.resize")
        self.batch_size = batch_size
        self.augmentation = Augmentation(augmentation or {})
        self.augment_on = choose(augment_on, ["auto", "loader", "device"], "data.augment_on")
        self.defence, self.attack = defence, attack
        self.seed, self.workers = seed, workers
        self._faces: FaceSet | None = None

    def prepare_data(self) -> None:
        """Make the faces, where the source makes them itself; otherwise its error names the command that does."""
        self.faces  # noqa: B018  # found once

    @property
    def faces(self) -> FaceSet:
        """All faces of the data set that were asked for."""
        if self._faces is None:
            self._faces = self.source.faces(list(dict.fromkeys([self.forgery, self.tested_on])))
        return self._faces

    def rows(self, split: str) -> pd.DataFrame:
        """The manifest's rows of "train", "val" or "test": pristine faces and those of one method.

        Raises:
            UserError: either class is missing.
        """
        return self.faces.of(split, self.tested_on if split == "test" else self.forgery, self.frames)

    @property
    def margin(self) -> float | None:
        """Margin about the face's box, as a part of the box on each side; None: it is not known."""
        return self.faces.margin

    @property
    def pos_weight(self) -> float:
        """Pristine faces a fake in the training set: the weight of the fakes in the loss."""
        labels = self.rows("train")["label"]
        return float((labels == 0).sum() / (labels == 1).sum())

    def setup(self, stage: str) -> None:
        """Before a training, see that it can be shared by the devices, and attack the faces that its defence needs."""
        if stage == "fit":
            self.check_devices(self._share[0])
            if self.defence is not None:
                self.defence.prepare(self._loader(self.rows("train")), self._device)

    def check_devices(self, devices: int) -> None:
        """See that each device gets the same number of faces of a training batch, and some faces for validation."""
        batch = min(self.batch_size, len(self.rows("train")))
        if batch % devices:
            fitting = ", ".join(str(count) for count in range(1, min(batch, 64) + 1) if batch % count == 0)
            raise UserError(
                f"trainer.devices={devices} does not divide a batch of {batch} faces (protocol.batch_size, or all "
                f"training faces where they are fewer); {fitting} do"
            )
        if len(self.rows("val")) < devices:
            raise UserError(f"trainer.devices={devices} are more than the {len(self.rows('val'))} faces for validation")

    def train_dataloader(self) -> "DataLoader[tuple[Tensor, ...]]":
        """Shuffled again every epoch, augmented; the batches are the same for any number of workers."""
        rows = self.rows("train")
        ranks, rank = self._share
        batch = min(self.batch_size, len(rows))
        on_device = self.augment_on == "device" or (self.augment_on == "auto" and self._device.type == "cuda")
        own = (self.faces.folder, self.image_size, self.augmentation, self.seed)
        faces = TrainingFaces(rows, *own, self.defence, on_device, self.resize)
        sampler = EpochSampler(len(faces), self.seed, len(faces) // batch * batch, (rank, ranks))
        return DataLoader(faces, batch_size=batch // ranks, sampler=sampler, **self._options)

    def val_dataloader(self) -> "DataLoader[FaceBatch]":
        """Every face once, at its own size, in batches of one side."""
        ranks, rank = self._share
        return self._loader(self.rows("val").iloc[rank::ranks])

    def test_dataloader(self) -> "DataLoader[FaceBatch]":
        """As `val_dataloader`, in batches of one class; of `test_side`, where there is one."""
        return self._loader(self.rows("test"), self.test_side, by_class=True)

    def predict_dataloader(self) -> "DataLoader[FaceBatch]":
        """The faces for validation, all of them: what a threshold is chosen on."""
        return self._loader(self.rows("val"), by_class=True)

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        """Move a batch; what was drawn for an augmentation on the device stays, since it is read on the CPU."""
        if isinstance(batch, FaceBatch) or len(batch) == 2:
            return super().transfer_batch_to_device(batch, device, dataloader_idx)
        faces, labels, drawn = batch
        return faces.to(device, non_blocking=True), labels.to(device, non_blocking=True), drawn

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        """On the device: augment a training batch, attack a test batch."""
        if not isinstance(batch, FaceBatch):
            faces, labels, *drawn = batch
            return (self.augmentation(faces, *drawn), labels) if drawn else batch
        if self.attack is None or not (self.trainer and self.trainer.testing):
            return batch
        with torch.inference_mode(False):  # weights that were moved in it have no gradients, which some attacks follow
            attack = self.attack.to(batch.faces.device)
        return replace(batch, attacked=attacked(attack, batch.faces, batch.labels))

    def _loader(self, rows: pd.DataFrame, side: int | None = None, by_class: bool = False) -> "DataLoader[FaceBatch]":
        faces = StoredFaces(rows, self.faces.folder, side)
        labels = [int(label) for label in rows["label"]] if by_class else None
        # Groups of faces that an attack changes together must not depend on the detector.
        coupled = by_class and getattr(self.attack, "couples_faces", False)
        most = {"max_faces": GROUP} if coupled else {"input_side": self.image_size}
        batches = SideBatches([int(own) for own in faces.rows["side"]], labels=labels, **most)
        return DataLoader(faces, batch_size=None, sampler=batches, **self._options)

    @property
    def _device(self) -> torch.device:
        return self.trainer.strategy.root_device if self.trainer else torch.device("cpu")

    @property
    def _share(self) -> tuple[int, int]:
        """Number of processes that train together, and which of them this is."""
        return (self.trainer.world_size, self.trainer.global_rank) if self.trainer else (1, 0)

    @property
    def _options(self) -> dict[str, Any]:
        workers = helpful_workers(self._device.type, self._share[0]) if self.workers is None else self.workers
        return {
            "num_workers": workers,
            # By name: in a process of joblib's launcher the default one cannot start any.
            "multiprocessing_context": None if not workers else "fork" if sys.platform == "linux" else "spawn",
            "worker_init_fn": _leave_signals_to_the_program,
            "persistent_workers": workers > 0,
            "pin_memory": self._device.type == "cuda",
        }


def _leave_signals_to_the_program(worker: int) -> None:
    """A queue warns all processes of a job before it ends it; a copy of the program's answer is not wanted here."""
    for number in (signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)
