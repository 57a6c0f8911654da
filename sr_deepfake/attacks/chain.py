"""Several attacks, one after the other."""

from collections.abc import Iterable

from torch import Tensor, nn

from sr_deepfake.attacks.faces import check_faces
from sr_deepfake.errors import UserError


class ChainAttack(nn.Module):
    """Gives the faces to each attack in turn; what one returns is what the next one gets.

    Args:
        attacks: in order; None (which is what `attack=none` builds) is no attack and is left out.

    Raises:
        UserError: there is no attack.

    Example:
        >>> import torch
        >>> from sr_deepfake.attacks.blur import BlurAttack
        >>> from sr_deepfake.attacks.jpeg import JpegAttack
        >>> faces = torch.rand(2, 3, 24, 24)
        >>> both = ChainAttack([BlurAttack(1.0), JpegAttack(50)])(faces)
        >>> torch.equal(both, JpegAttack(50)(BlurAttack(1.0)(faces)))
        True
    """

    def __init__(self, attacks: Iterable[nn.Module | None]) -> None:
        super().__init__()
        self.attacks = nn.ModuleList(attack for attack in attacks if attack is not None)
        if len(self.attacks) == 0:
            raise UserError("attack=chain: its list holds no attack; attack=none is the choice for that")

    def forward(self, faces: Tensor) -> Tensor:
        """Attack `faces` (float32, B×3×S×S in [0, 1]); returns the same shape, on the grid k/255.

        Raises:
            ValueError: `faces` has another shape, type or range.
        """
        check_faces(faces)
        for attack in self.attacks:
            faces = attack(faces)
        return faces
