"""What every attack is: a transform of faces that says its own name."""

from torch import nn


class Attack(nn.Module):
    """Faces → attacked faces; an `nn.Module` that names itself.

    `forward` takes float32 faces of shape B×3×S×S (RGB in [0, 1]) and returns new ones of the same shape, on the 8-bit
    grid k/255, without gradient. What becomes of a face depends on no other face of its batch.

    Attributes:
        kind: what it is, whatever its strength, such as "jpeg" or "sr-edsr".
        strength: how strong it is, such as "q35" or "x2"; "" where it has none.
        variant: everything else that changes faces, such as the weights; "" where there is nothing.

    Example:
        >>> class Negative(Attack):
        ...     kind = "negative"
        ...     def forward(self, faces):
        ...         return 1 - faces
        >>> Negative().name
        'negative'
    """

    kind: str
    strength: str = ""
    variant: str = ""

    @property
    def name(self) -> str:
        """Its name in tables and folders: two attacks that change faces differently have different ones."""
        return "-".join(part for part in (self.kind, self.strength, self.variant) if part)
