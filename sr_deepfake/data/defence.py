"""The defence that the paper names as future work: attacked faces among those that a detector is trained on."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from sr_deepfake.attacks.base import Attack
from sr_deepfake.attacks.cache import CachedAttack, Recall
from sr_deepfake.data.faces import FaceBatch
from sr_deepfake.system.errors import UserError

# Sets the choice apart from the augmentation, which is drawn from (seed, epoch, index).
_STREAM = 1


class Defence:
    """Replaces a training face, pristine or fake, by its attacked self with some probability, drawn again in every epoch.

    Attacked faces are kept in the folder `cache`: the training only reads them.
    """

    def __init__(self, probability: float, attack: Attack, cache: str | Path) -> None:
        if not 0 < probability <= 1:
            raise UserError(
                f"defence.probability must be above 0 and at most 1, not {probability}; defence=none trains without attacked "
                "faces"
            )
        if attack.couples_faces or attack.reads_labels:
            raise UserError(f"defence: {attack.name} reads labels or couples faces, and cannot be kept for a training")
        self.probability = float(probability)
        self.attack = CachedAttack(attack, Path(cache).expanduser())
        self._recall: Recall | None = None

    @property
    def name(self) -> str:
        """Its name in tables."""
        return f"{self.attack.name} p={self.probability:g}"

    def describe(self, device: torch.device) -> dict[str, Any]:
        """Facts that a training with it depends on: names, probability, and the attack's fingerprint on a device."""
        place = self.attack.place(device).name
        return {"name": self.name, "probability": self.probability, "attack_name": self.attack.name, "attack": place}

    def prepare(self, batches: Iterable[FaceBatch], device: torch.device) -> None:
        """Attack all training faces, at their own size, that are not kept yet."""
        self.attack.to(device)
        for batch in tqdm(batches, desc="Attacking training faces", unit="batch", disable=None, leave=False):
            self.attack(batch.faces.to(device))
        self.attack.to("cpu")  # the device is the training's
        self._recall = self.attack.recall(device)

    def __call__(self, face: Tensor, *, seed: int, epoch: int, index: int) -> Tensor:
        """Return the face (uint8 3×S×S, RGB) or its attacked self, by a choice that depends on the three numbers alone.

        It takes nothing from the augmentation's random numbers: with and without the defence, a face is augmented in the
        same way.
        """
        if np.random.default_rng([seed, epoch, index, _STREAM]).random() >= self.probability:
            return face
        if self._recall is None:
            raise ValueError("`prepare` has to attack the training faces first")
        return self._recall(face)
