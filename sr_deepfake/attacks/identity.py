"""No attack: the faces as they are."""

from torch import Tensor, nn


class Identity(nn.Module):
    """Returns the faces unchanged; an attack's place for a clean run.

    Example:
        >>> import torch
        >>> faces = torch.rand(1, 3, 24, 24)
        >>> Identity()(faces) is faces
        True
    """

    def forward(self, faces: Tensor) -> Tensor:
        """Return `faces` (B×3×S×S in [0, 1])."""
        return faces
