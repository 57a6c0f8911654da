"""The defence of the configuration: attacked faces for the training, made before it starts."""

from pathlib import Path
from typing import Any

import hydra
import pandas as pd
from omegaconf import DictConfig
from tqdm import tqdm

from sr_deepfake.assembly import plain, without_files
from sr_deepfake.attacks.cache import CachedAttack
from sr_deepfake.data.defence import Defence
from sr_deepfake.data.loaders import face_loader
from sr_deepfake.detectors.runtime import Runtime
from sr_deepfake.errors import UserError


class Defending:
    """The defence of `defence`: how a recipe tells it, and how the training gets it.

    Args:
        cfg: the configuration.
        machine: device and precision.

    Raises:
        UserError: the probability is not in (0, 1], or no attacked faces are to be kept.
    """

    def __init__(self, cfg: DictConfig, machine: Runtime) -> None:
        self.probability = float(cfg.defence.probability)
        if not 0 < self.probability <= 1:
            raise UserError(
                f"defence.probability={cfg.defence.probability}: it is above 0 and at most 1; defence=none trains "
                "without attacked faces"
            )
        if not cfg.cache.attacked:
            raise UserError(
                f"defence={cfg.defence.name} attacks each training face once and keeps it; "
                "leave out cache.attacked=false"
            )
        self.label = str(cfg.defence.label)
        self.machine = machine
        self.progress = bool(cfg.trainer.progress)
        self.attack = CachedAttack(
            hydra.utils.instantiate(cfg.defence.module),
            Path(cfg.cache.folder).expanduser(),
            without_files(plain(cfg.defence.module)),
        )

    def described(self) -> dict[str, Any]:
        """What the recipe of a detector says of it."""
        return {
            "name": self.label,
            "probability": self.probability,
            "attack": self.attack.place(self.machine.device).name,
        }

    def ready(self, train: pd.DataFrame, folder: Path) -> Defence:
        """Attack all training faces that are not yet, so that the training only reads them.

        Args:
            train: rows of the manifest to train on.
            folder: the manifest's.
        """
        self.attack.to(self.machine.device)
        with tqdm(total=len(train), desc="Attacking", unit="face", disable=not self.progress) as bar:
            for batch in face_loader(train, folder, workers=self.machine.workers):
                self.attack(batch.faces.to(self.machine.device))
                bar.update(len(batch.faces))
        self.attack.to("cpu")  # the device is the training's
        return Defence(self.probability, self.attack.recall(self.machine.device))


def defending(cfg: DictConfig, machine: Runtime) -> Defending | None:
    """The defence of `defence`; None for defence=none."""
    return None if cfg.defence.module is None else Defending(cfg, machine)
