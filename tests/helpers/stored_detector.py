"""A detector as `train` stores it, with random weights."""

from pathlib import Path

import lightning
import torch

from sr_deepfake.detectors import Detector
from sr_deepfake.detectors.callbacks import BEST
from sr_deepfake.detectors.recipe import Recipe
from sr_deepfake.detectors.registry import claim, finish


def stored_detector(root: Path, seed: int = 0) -> Path:
    """Write it below a folder, and return its own."""
    torch.manual_seed(seed)
    training = {"model": {"weights": "random"}, "seeds": [0, 0]}
    recipe = Recipe(model="tiny", forgery="FaceSwap", protocol={"name": "quick"}, training=training)
    folder = root / recipe.name
    with claim(folder, recipe):
        trainer = lightning.Trainer(accelerator="cpu", logger=False, enable_checkpointing=False)
        trainer.strategy.connect(Detector("test_resnet", image_size=48))
        trainer.save_checkpoint(folder / BEST, weights_only=False)
        finish(folder)
    return folder
