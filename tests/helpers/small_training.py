"""Trainings of a tiny network on small face crops, in Lightning's own terms."""

from functools import partial

import lightning
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint

from sr_deepfake.data import FaceDataModule
from sr_deepfake.data.manifest import FaceSet, read_manifest
from sr_deepfake.detectors import Detector
from sr_deepfake.detectors.callbacks import Resumption, WholeFiles


class Crops:
    """A source of faces that lie in a folder."""

    name = "crops"
    methods = ("FaceSwap",)

    def __init__(self, folder):
        self.folder = folder

    def faces(self, methods):
        return FaceSet(self.name, self.folder, read_manifest(self.folder))


def tiny_data(folder, **options):
    settings = {"forgery": "FaceSwap", "image_size": 48, "batch_size": 8, "workers": 0}
    return FaceDataModule(Crops(folder), **(settings | options))


def tiny_detector(seed=0, **options):
    torch.manual_seed(seed)
    optimizer = partial(torch.optim.AdamW, lr=2e-3, weight_decay=0.01)
    scheduler = partial(torch.optim.lr_scheduler.CosineAnnealingLR, eta_min=2e-5)
    return Detector("test_resnet", image_size=48, optimizer=optimizer, scheduler=scheduler, **options)


def tiny_trainer(folder=None, callbacks=(), patience=5, checkpoint=ModelCheckpoint, stopping=EarlyStopping, **options):
    """A trainer that keeps `best.ckpt` and `last.ckpt` in a folder; None: it keeps nothing."""
    keeping = []
    if folder is not None:
        best = checkpoint(folder, "best", "val/loss", enable_version_counter=False)
        last = ModelCheckpoint(folder, "last", enable_version_counter=False)
        keeping = [best, last, stopping("val/loss", patience=patience), Resumption(0)]
    settings = {
        "accelerator": "cpu", "logger": False, "max_epochs": 3, "enable_progress_bar": False, "num_sanity_val_steps": 0,
        "enable_model_summary": False, "use_distributed_sampler": False, "enable_checkpointing": folder is not None,
    }  # fmt: skip
    return lightning.Trainer(callbacks=[*keeping, *callbacks], plugins=[WholeFiles()], **(settings | options))


def fit(folder, data, detector=None, **options):
    """Train, or go on where a training in the folder was interrupted; returns the trainer."""
    trainer = tiny_trainer(folder, **options)
    last = folder / "last.ckpt"
    trainer.fit(
        detector or tiny_detector(), datamodule=data, ckpt_path=last if last.exists() else None, weights_only=True
    )
    return trainer


def weights(folder, name="best.ckpt"):
    return torch.load(folder / name, weights_only=True)["state_dict"]


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(tensor, other[name]) for name, tensor in one.items())
