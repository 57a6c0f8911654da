"""The defence that the paper names as future work: attacked faces among those that a detector is trained on."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from torch import Tensor

# Sets the choice apart from the augmentation, which is drawn from (seed, epoch, index).
_STREAM = 1


@dataclass(frozen=True)
class Defence:
    """Replaces a training face by its attacked self with some probability, anew in every epoch.

    Args:
        probability: of a face, pristine or fake, to be attacked.
        attacked: a face (uint8 3×S×S, RGB) → its attacked self, of the same shape and type. Loading processes
            call it, so it should look up what was computed before.

    Raises:
        ValueError: the probability is not in [0, 1].

    Example:
        >>> import torch
        >>> defence = Defence(0.5, lambda face: 255 - face)
        >>> face = torch.zeros(3, 2, 2, dtype=torch.uint8)
        >>> [int(defence(face, seed=0, epoch=epoch, index=7).max()) for epoch in range(6)]
        [0, 255, 255, 255, 255, 0]
    """

    probability: float
    attacked: Callable[[Tensor], Tensor]

    def __post_init__(self) -> None:
        if not 0 <= self.probability <= 1:
            raise ValueError(f"the probability of the defence lies in [0, 1], got {self.probability}")

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
        if np.random.default_rng([seed, epoch, index, _STREAM]).random() < self.probability:
            return self.attacked(face)
        return face
