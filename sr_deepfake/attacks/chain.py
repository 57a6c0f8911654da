"""Several attacks, one after the other."""

from torch import Tensor, nn

from sr_deepfake.attacks.base import Attack, attacked, check_faces
from sr_deepfake.system.errors import UserError


class ChainAttack(Attack):
    """Gives the faces to each attack in turn; what one returns is what the next one gets.

    Args:
        attacks: in order, each under a name of its own; None (which is what `attack=none` builds) is left out.

    Raises:
        UserError: there is no attack.

    Example:
        >>> from sr_deepfake.attacks import BlurAttack, JpegAttack
        >>> both = ChainAttack(first=BlurAttack(sigma=1.0), second=JpegAttack(quality=50))
        >>> both.name
        'blur-s1+jpeg-q50'
    """

    def __init__(self, **attacks: Attack | None) -> None:
        super().__init__()
        present = [attack for attack in attacks.values() if attack is not None]
        if not present:
            raise UserError("attack=chain: it holds no attack; attack=none is the choice for that")
        self.attacks = nn.ModuleList(present)
        for name in ("reads_labels", "couples_faces"):
            setattr(self, name, any(getattr(attack, name) for attack in present))
        self.fakes_only = all(attack.fakes_only for attack in present)
        self.kind = "+".join(attack.name for attack in present)

    def forward(self, faces: Tensor, labels: Tensor | None = None) -> Tensor:
        """Attack `faces` (float32, B×3×S×S in [0, 1]); returns the same shape, on the grid k/255.

        Args:
            faces: the faces.
            labels: B numbers, for attacks that read them; 1 is fake. None: they are not known.

        Raises:
            ValueError: `faces` has another shape, type or range.
        """
        check_faces(faces)
        for attack in self.attacks:
            faces = attacked(attack, faces, labels)
        return faces
