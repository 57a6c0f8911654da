"""A detector as `train` stores it, with random weights."""

from pathlib import Path

import lightning
import torch

from sr_deepfake.detectors.checkpoints import BEST
from sr_deepfake.detectors.detector import Detector
from sr_deepfake.detectors.store import FINISHED, DetectorStore, Recipe
from sr_deepfake.files import write_json


def stored_detector(root: Path) -> Path:
    """Write it below a folder, and return its own."""
    torch.manual_seed(0)
    recipe = Recipe(
        "tiny", "test_resnet", "random", "FaceSwap", {"name": "quick"}, {"name": "none"}, 0, "32-true"
    )
    with DetectorStore(root).claim(recipe) as folder:
        trainer = lightning.Trainer(accelerator="cpu", logger=False, enable_checkpointing=False)
        trainer.strategy.connect(Detector("test_resnet", image_size=48))
        trainer.save_checkpoint(folder / BEST, weights_only=False)
        write_json(folder / FINISHED, {})
    return folder
