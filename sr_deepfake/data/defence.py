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
    """Replaces a training face by its attacked self with some probability, drawn again in every epoch.

    Args:
        probability: of a face, pristine or fake, to be attacked; above 0 and at most 1.
        attack: what attacks them.
        cache: folder where each attacked face is kept: the training only reads them.

    Raises:
        UserError: the probability is not in (0, 1].

    Example:
        >>> import tempfile
        >>> from sr_deepfake.attacks.base import Identity
        >>> Defence(0.5, Identity("none"), tempfile.mkdtemp()).name
        'none p=0.5'
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
        """Attack all training faces that are not kept yet.

        Args:
            batches: of all training faces, at their own size.
            device: where they are attacked.
        """
        self.attack.to(device)
        for batch in tqdm(batches, desc="Attacking training faces", unit="batch", disable=None, leave=False):
            self.attack(batch.faces.to(device))
        self.attack.to("cpu")  # the device is the training's
        self._recall = self.attack.recall(device)

    def __call__(self, face: Tensor, *, seed: int, epoch: int, index: int) -> Tensor:
        """Return the face or its attacked self.

        The choice depends on `seed`, `epoch` and `index` alone. It takes nothing from the augmentation's random
        numbers: with and without the defence, a face is augmented in the same way.

        Args:
            face: uint8 tensor of shape 3×S×S, RGB.
            seed: of the training.
            epoch: from 0.
            index: of the face in the training set.
        """
        if np.random.default_rng([seed, epoch, index, _STREAM]).random() >= self.probability:
            return face
        if self._recall is None:
            raise ValueError("`prepare` has to attack the training faces first")
        return self._recall(face)
