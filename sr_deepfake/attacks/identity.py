"""No attack: the faces as they are."""

from torch import Tensor

from sr_deepfake.attacks.base import Attack


class Identity(Attack):
    """Returns the faces unchanged; an attack's place for a clean run.

    Example:
        >>> import torch
        >>> faces = torch.rand(1, 3, 24, 24)
        >>> Identity()(faces) is faces
        True
    """

    kind = "none"

    def forward(self, faces: Tensor) -> Tensor:
        """Return `faces` (B×3×S×S in [0, 1])."""
        return faces
