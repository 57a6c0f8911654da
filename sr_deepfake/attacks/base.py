"""Base classes of attacks, what they share, and the attacks that hold others or do nothing."""

import hashlib
import inspect
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from sr_deepfake.system.errors import UserError

# Number formats that a network of an attack can compute in.
DTYPES = {"float32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
GROUP = 20  # faces that an attack which couples them changes together, at most
Picture = npt.NDArray[Any]  # H×W×3, RGB


class Attack(nn.Module):
    """Faces → attacked faces; an `nn.Module` that names itself.

    `forward` takes float32 faces of shape B×3×S×S (RGB in [0, 1]) and returns new ones of the same shape, on the 8-bit
    grid k/255, without gradient. What becomes of a face depends on no other face of its batch.

    Attributes:
        kind: what it is, whatever its strength, such as "jpeg" or "sr-edsr".
        strength: how strong it is, such as "q35" or "x2"; "" where it has none.
        variant: everything else that changes faces, such as the weights; "" where there is nothing.
        reads_labels: whether it takes the faces' labels too, or None: `forward(faces, labels)`.
        couples_faces: whether what becomes of a face depends on the others of its batch; such faces are not kept.
        fakes_only: whether it leaves pristine faces as they are.

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
    reads_labels: bool = False
    couples_faces: bool = False
    fakes_only: bool = False

    @property
    def name(self) -> str:
        """Its name in tables and folders: two attacks that change faces differently have different ones."""
        return "-".join(part for part in (self.kind, self.strength, self.variant) if part)

    def extra_repr(self) -> str:
        """The constructor's plain values, in the module's printed form."""
        options, values = inspect.signature(type(self)).parameters, vars(self)
        return ", ".join(f"{name}={values[name]!r}" for name in options if name in values)


def attacked(attack: nn.Module, faces: Tensor, labels: Tensor | None) -> Tensor:
    """Give faces to an attack, with their labels where it reads them."""
    found: Tensor = attack(faces, labels) if getattr(attack, "reads_labels", False) else attack(faces)
    return found


def check_faces(faces: Tensor) -> None:
    """Refuse what is no batch of faces: float32, B×3×H×W, in [0, 1]; B may be 0."""
    if faces.ndim != 4 or faces.shape[1] != 3 or 0 in faces.shape[2:]:
        raise ValueError(f"faces have the shape B×3×S×S, not {'×'.join(map(str, faces.shape))}")
    if faces.dtype != torch.float32:
        raise ValueError(f"faces are float32 in [0, 1], not {faces.dtype}")
    if faces.numel():
        low, high = (float(value) for value in faces.detach().aminmax())
        if not (low >= 0 and high <= 1):
            raise ValueError(f"faces lie in [0, 1], these in [{low:g}, {high:g}]")


def from_levels(levels: Tensor) -> Tensor:
    """Grey levels as values in [0, 1], k/255 to the last bit: by a number, a GPU would multiply with 1/255."""
    return levels / levels.new_tensor(255.0)


def as_pictures(levels: Tensor) -> Picture:
    """B×3×H×W whole numbers in [0, 255], on any device, as B×H×W×3 in memory."""
    pictures: Picture = levels.detach().to(torch.uint8).cpu().permute(0, 2, 3, 1).contiguous().numpy()
    return pictures


def as_faces(pictures: Picture, device: torch.device) -> Tensor:
    """B×H×W×3 grey levels as faces on a device."""
    return from_levels(torch.from_numpy(pictures).permute(0, 3, 1, 2).contiguous().float()).to(device)


def in_chunks(faces: Tensor, count: int, attack: Callable[[Tensor], Tensor]) -> Tensor:
    """Attack faces, `count` at a time: `attack` gives their grey levels."""
    check_faces(faces)
    if len(faces) == 0:
        return faces.clone()
    return from_levels(torch.cat([attack(chunk) for chunk in faces.split(count)])).contiguous()


def own_generator(picture: Picture, seed: str = "") -> np.random.Generator:
    """Random numbers that a picture's pixels alone decide, and a seed."""
    identity = f"{seed}{picture.shape}".encode() + picture.tobytes()
    return np.random.Generator(np.random.PCG64(int.from_bytes(hashlib.sha256(identity).digest(), "big")))


class PictureAttack(Attack):
    """An attack that changes faces one by one, as the 8-bit pictures that they are on disk, on the CPU."""

    def forward(self, faces: Tensor) -> Tensor:
        """Attack `faces` (float32, B×3×S×S in [0, 1]); returns the same shape, on the grid k/255."""
        check_faces(faces)
        pictures = as_pictures((faces * 255).round())
        changed = np.empty_like(pictures)
        for picture, result in zip(pictures, changed, strict=True):
            result[:] = np.rint(self.change(picture)).clip(0, 255)
        return as_faces(changed, faces.device)

    def change(self, picture: Picture) -> Picture:
        """Attack a face: uint8 RGB, H×W×3; returns grey levels of the same shape and any type."""
        raise NotImplementedError(f"{type(self).__name__} lacks `change`")


def whole_number(value: Any, option: str, low: int, high: int) -> int:
    """Return `value`, a whole number in [`low`, `high`]; the error names the option."""
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise UserError(f"{option} must be an integer from {low} to {high}, not {value}")
    return value


def number(value: Any, option: str, above: float, high: float) -> float:
    """Return `value`, a number greater than `above` and not greater than `high`."""
    known = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not known or not above < value <= high:
        raise UserError(f"{option} must be > {above:g} and ≤ {high:g}, not {value}")
    return float(value)


class Identity(Attack):
    """Returns the faces unchanged; the control for `resize="authors"`, which resizes attacked faces in another way."""

    def __init__(self, kind: str = "resampling") -> None:
        super().__init__()
        self.kind = kind

    def forward(self, faces: Tensor) -> Tensor:
        """Return `faces` (B×3×S×S in [0, 1])."""
        return faces


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
        self.reads_labels = any(attack.reads_labels for attack in present)
        self.couples_faces = any(attack.couples_faces for attack in present)
        self.fakes_only = all(attack.fakes_only for attack in present)
        self.kind = "+".join(attack.name for attack in present)

    def forward(self, faces: Tensor, labels: Tensor | None = None) -> Tensor:
        """Attack `faces` (float32, B×3×S×S in [0, 1]) with labels (1: fake), for attacks that read them."""
        check_faces(faces)
        for attack in self.attacks:
            faces = attacked(attack, faces, labels)
        return faces
