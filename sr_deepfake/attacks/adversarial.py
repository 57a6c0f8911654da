"""Attacks that follow the gradients of a surrogate, a detector that the attacker has: PGD and StatAttack."""

import hashlib
import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sr_deepfake.attacks.base import GROUP, Attack, check_faces, from_levels, number, whole_number
from sr_deepfake.attacks.fingerprint import weights_digits
from sr_deepfake.system.errors import UserError
from sr_deepfake.system.hardware import exact_float32

_DEGREE = 11  # of the exposure's polynomial: 78 coefficients


class _GradientAttack(Attack):
    """An attack that follows the gradients of a surrogate."""

    reads_labels = True

    def __init__(self, surrogate: nn.Module) -> None:
        super().__init__()
        self.surrogate = surrogate.requires_grad_(False).eval()


def _gradients(loss: Tensor, parameters: Sequence[Tensor], answer: Tensor) -> tuple[Tensor, ...]:
    """The gradients of a loss, which depends on a network's answer; a network that passes none is refused."""
    if not answer.requires_grad:
        raise UserError(
            "attack.surrogate: no gradient reaches the faces through this detector. A detector that was trained here with "
            "protocol.resize=bilinear serves"
        )
    return torch.autograd.grad(loss, parameters)


class PGDAttack(_GradientAttack):
    """Projected gradient descent within ± `eps` grey levels (Madry et al., 2018): white box where the surrogate is the victim.

    Each step moves every pixel by `step_size` grey levels along the sign of the gradient of the surrogate's binary
    cross-entropy with the true label, from a random start that the face's own pixels decide. (The sign is taken of the logit's
    gradient, which is the same and does not vanish where the surrogate is sure.)

    The surrogate gives logits of *fake* for faces in [0, 1]; `step_size=None` is a quarter of `eps`.
    """

    kind = "pgd"

    def __init__(
        self, surrogate: nn.Module, eps: int = 2, steps: int = 10, step_size: float | None = None, seed: int = 0
    ) -> None:
        super().__init__(surrogate)
        self.eps = whole_number(eps, "attack.eps", 1, 255)
        self.steps = whole_number(steps, "attack.steps", 1, 10_000)
        self.step_size = self.eps / 4 if step_size is None else number(step_size, "attack.step_size", 0, 255)
        self.seed = whole_number(seed, "attack.seed", 0, 2**63 - 1)
        self.strength = f"eps{self.eps}"
        usual = (10, self.eps / 4, 0)
        own = "" if (self.steps, self.step_size, self.seed) == usual else f"n{steps}a{self.step_size:g}s{seed}"
        self.variant = "-".join(filter(None, [own, weights_digits(surrogate)]))

    def forward(self, faces: Tensor, labels: Tensor | None = None) -> Tensor:
        """Attack `faces` (float32, B×3×S×S in [0, 1]) with labels (1: fake); without, the surrogate says what they are."""
        check_faces(faces)
        with torch.inference_mode(False), torch.enable_grad(), exact_float32(faces.device.type):
            fake = self.surrogate(faces.clone()) > 0 if labels is None else labels.to(faces.device) > 0.5
            parts = [self._attack(face.clone(), own) for face, own in zip(faces.split(1), fake.split(1), strict=True)]
        return torch.cat(parts) if parts else faces.clone()

    def _attack(self, face: Tensor, fake: Tensor) -> Tensor:
        levels = (face * 255).round()
        low, high = (levels - self.eps).clamp(min=0), (levels + self.eps).clamp(max=255)
        identity = f"{self.seed} {tuple(levels.shape)}".encode() + levels.byte().cpu().numpy().tobytes()
        generator = torch.Generator().manual_seed(int.from_bytes(hashlib.sha256(identity).digest()[:8]) >> 1)
        start = (torch.rand(levels.shape, generator=generator) * 2 - 1) * self.eps
        moved = (levels + start.to(face.device)).clamp(low, high)
        for _ in range(self.steps):
            moved = moved.detach().requires_grad_()
            logits = self.surrogate(moved / 255)
            (gradient,) = _gradients(logits.sum(), [moved], logits)
            step = gradient.sign() * self.step_size * torch.where(fake, -1.0, 1.0).view(-1, 1, 1, 1)
            moved = (moved + step).clamp(low, high)
        rounded = moved.detach().round().clamp(low, high)
        return from_levels(rounded)


class StatAttack(_GradientAttack):
    """Makes fakes statistically alike to pristine faces, as a surrogate sees them (Hou et al., CVPR 2023: StatAttack).

    Exposure, blur and noise of each fake are moved in ten sign steps so that the maximum mean discrepancy of the surrogate's
    features between fakes and pristine guides falls. Fakes alone are changed: where all faces are attacked, pristine ones stay
    as they are. Faces of a batch are changed in groups of 20, so that each depends on the others: they are not cached.
    Numbers are those of the published code; its text was not at hand (docs/adversarial.md).

    The surrogate has a method `features`: B×3×S×S faces in [0, 1] → B×D. Each guide is 1×3×S×S, of any side.
    """

    kind = "statattack"
    couples_faces = True
    fakes_only = True

    guides: Tensor

    def __init__(self, surrogate: nn.Module, guides: Sequence[Tensor], steps: int = 10) -> None:
        super().__init__(surrogate)
        if not guides:
            raise UserError("attack=statattack: there are no pristine faces for training to guide it")
        self.steps = whole_number(steps, "attack.steps", 1, 10_000)
        with torch.no_grad():
            self.register_buffer("guides", torch.cat([self._features(softened(guide)) for guide in guides]))
        self.strength = f"n{self.steps}"
        self.variant = weights_digits(self)

    def _features(self, faces: Tensor) -> Tensor:
        found: Tensor = self.surrogate.features(faces)  # type: ignore[operator]  # a method, as `__init__` says
        return found

    def forward(self, faces: Tensor, labels: Tensor | None = None) -> Tensor:
        """Attack `faces` (float32, B×3×S×S in [0, 1]) with labels (1: fake); without, all are fakes."""
        check_faces(faces)
        fakes = torch.arange(len(faces)) if labels is None else (labels > 0.5).nonzero().flatten()
        with torch.inference_mode(False), torch.enable_grad(), exact_float32(faces.device.type):
            result = faces.clone()
            for group in fakes.split(GROUP):
                if len(group):
                    result[group] = self._attack(softened(faces[group].clone()))
        return result

    def _attack(self, faces: Tensor) -> Tensor:
        count, _, height, width = faces.shape
        parameters = {
            "curve": faces.new_zeros(count, (_DEGREE + 1) * (_DEGREE + 2) // 2),
            "flow": faces.new_zeros(count, 2, max(1, height // 8), max(1, width // 8)),
            "sharpness": faces.new_full((count, 3, height, width), 100 / math.sqrt(3 * height * width)),
            "noise": faces.new_zeros(faces.shape),
        }
        steps = {"curve": 0.1, "flow": 0.001, "sharpness": 0.1, "noise": 1 / 255}
        momentum = {name: torch.zeros_like(values) for name, values in parameters.items()}
        guides = self.guides.clone()
        for _ in range(self.steps):
            values = {name: each.detach().requires_grad_() for name, each in parameters.items()}
            exposure, changed = _changed(faces, **values)
            flow = values["flow"]
            bends = sum((flow.diff(dim=dim) ** 2).sum() for dim in (2, 3))
            features = self._features(changed)
            loss = 10 * mmd(features, guides)
            loss = loss + 10 * (exposure**2).sum() / (height * width) + 10 / 64 * bends
            found = _gradients(loss, list(values.values()), features)
            for (name, each), gradient in zip(values.items(), found, strict=True):
                size = gradient.abs().flatten(1).sum(1).clamp(min=1e-12).view(-1, *[1] * (each.ndim - 1))
                momentum[name] = momentum[name] + gradient / size
                parameters[name] = each.detach() - steps[name] * momentum[name].sign()
            parameters["noise"] = parameters["noise"].clamp(-4 / 255, 4 / 255)
        return from_levels((_changed(faces, **parameters)[1].detach() * 255).round())


def softened(faces: Tensor) -> Tensor:
    """Faces blurred by a 5×5 Gaussian of 0.6 px, as the published loader does; StatAttack's control is this alone."""
    line = torch.exp(-((torch.arange(5.0, device=faces.device) - 2) ** 2) / (2 * 0.6**2))
    line = line / line.sum()
    weights = (line[:, None] * line).expand(3, 1, 5, 5)
    return F.conv2d(F.pad(faces, (2, 2, 2, 2), mode="reflect"), weights, groups=3).clamp(0, 1)


def mmd(first: Tensor, second: Tensor) -> Tensor:
    """Maximum mean discrepancy of two sets of features, B×D and C×D, over five Gaussian-like kernels."""
    every = torch.cat([first, second])
    squared = ((every[:, None] - every[None]) ** 2).sum(2)
    count = len(every)
    spread = (squared.detach().sum() / (count * (count - 1))).clamp(min=1e-12)
    kernel = torch.stack([torch.exp(-squared / (spread * 2**power / 4)) for power in range(5)]).sum(0)
    n = len(first)
    return kernel[:n, :n].mean() + kernel[n:, n:].mean() - 2 * kernel[:n, n:].mean()


def _changed(faces: Tensor, curve: Tensor, flow: Tensor, sharpness: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
    """The exposure's logarithm, B×1×H×W, and the faces after exposure, blur and noise."""
    height, width = faces.shape[-2:]
    rows, columns = (torch.linspace(-1, 1, side, device=faces.device) for side in (height, width))
    grid = torch.stack(torch.meshgrid(columns, rows, indexing="xy"))
    moved = F.interpolate(flow, size=(height, width), mode="bilinear", align_corners=False).clamp(-1, 1)
    u, v = (grid + moved).clamp(-1, 1).unbind(1)
    powers = [(t, n - t) for n in range(_DEGREE + 1) for t in range(n + 1)]
    terms = torch.stack([u**t * v**each for t, each in powers], dim=1)
    exposure = (terms * curve[:, :, None, None]).sum(1, keepdim=True)
    lit = faces * exposure.exp()  # exp(log x + B)
    sides = [(y, x) for y in range(3) for x in range(3)]
    padded = F.pad(lit, (1, 1, 1, 1), mode="reflect")
    weights = [torch.exp(-((y - 1) ** 2 + (x - 1) ** 2) * sharpness**2 / 2) for y, x in sides]
    shifted = [padded[..., y : y + height, x : x + width] for y, x in sides]
    blurred = sum(w * s for w, s in zip(weights, shifted, strict=True)) / sum(weights)
    bound = 60 / 255
    return exposure, (blurred + noise).clamp(faces - bound, faces + bound).clamp(0, 1)
