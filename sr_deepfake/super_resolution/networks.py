"""Any published super-resolution network that spandrel knows, from its file alone."""

import logging
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sr_deepfake.super_resolution.precision import InFloat32
from sr_deepfake.super_resolution.weights import OPTION, check_finite, refused
from sr_deepfake.system.checkpoints import read_tensors, spellings
from sr_deepfake.system.errors import MissingWeightsError

# These choose their layers by the first picture of a batch, which the trial may miss.
_BY_THE_FIRST = ("SeemoRe",)
_log = logging.getLogger(__name__)


def from_checkpoint(weights: str | None = None) -> nn.Module:
    """Build the network that a file of weights belongs to; the file tells which one and its scale.

    Known are the networks of spandrel: ESRGAN and Real-ESRGAN, SwinIR, Swin2SR, HAT, DAT, RGT, GRL, OmniSR, SPAN
    and others. EDSR is not among them: `sr_model=edsr` reads its files. Nothing in a file is ever run.

    The network gives B×3×Kh×Kw in [0, 1] for RGB B×3×h×w in [0, 1]. It is frozen, in evaluation mode, and has the attributes
    `name` and `scale`, which is K. Inside `torch.autocast` its last convolution stays in float32, and so does all of it where
    the network does not bear autocast's number format.
    """
    if weights is None:
        raise MissingWeightsError(f"sr_model=spandrel builds the network that a file holds: name it with {OPTION}=FILE")
    path = Path(weights).expanduser()
    found = recognised(path)
    name = found.architecture.name
    if found.purpose == "FaceSR":
        raise refused(path, f"its network, {name}, restores faces: attack=restoration is for it")
    if found.purpose != "SR" or found.scale < 2:
        raise refused(path, f"its network, {name}, does not enlarge pictures ({found.purpose}, {found.scale}x)")
    network = SpandrelNetwork(found)
    try:
        for layer in last_convolutions(network):
            network.set_submodule(layer, InFloat32(network.get_submodule(layer)))
        network.in_batches = found.architecture.id not in _BY_THE_FIRST and takes_batches(network)
    except RuntimeError as error:
        raise refused(path, f"its network, {name}, fails ({first_line(error)})") from None
    _log.info("%s holds %s, which enlarges %d times", path, name, found.scale)
    return network.eval()


class SpandrelNetwork(nn.Module):
    """A network that spandrel recognised, called as spandrel calls it, in a number format that it bears."""

    def __init__(self, found: Any) -> None:
        super().__init__()
        self.descriptor = found
        self.network = found.model  # the same object: it moves with this module
        self.name, self.scale = found.architecture.id.lower(), found.scale
        self.bears = {torch.bfloat16: found.supports_bfloat16, torch.float16: found.supports_half}
        self.in_batches = False  # spandrel promises a result for one picture alone
        self.requires_grad_(False).eval()

    def forward(self, images: Tensor) -> Tensor:
        """Enlarge B×3×h×w in [0, 1] to B×3×Kh×Kw."""
        kind = images.device.type
        fast = torch.is_autocast_enabled(kind) and self.bears.get(torch.get_autocast_dtype(kind), False)
        # RCAN changes the picture that it is given, and not all code can do with channels-last tensors, hence copies.
        parts = images.split(max(1, len(images)) if self.in_batches else 1)
        copies = (part.clone(memory_format=torch.contiguous_format) for part in parts)
        with torch.autocast(kind, enabled=fast):
            return torch.cat([self.answer(copy) for copy in copies])

    def answer(self, images: Tensor) -> Tensor:
        """What the network makes of pictures that it may keep."""
        result: Tensor = self.descriptor(images)
        return result


def last_convolutions(network: nn.Module) -> list[str]:
    """Names of the layers at the end of a network's run that make the picture."""
    kinds = nn.Conv2d | nn.ConvTranspose2d | nn.Linear
    names: dict[Any, str] = {layer: name for name, layer in network.named_modules() if isinstance(layer, kinds)}
    ran: list[Any] = []
    hooks = [layer.register_forward_hook(lambda layer, *_: ran.append(layer)) for layer in names]
    try:
        with torch.no_grad():
            network(torch.full((1, 3, 16, 16), 0.5))
    finally:
        for hook in hooks:
            hook.remove()
    first = max((index for index, layer in enumerate(ran) if layer.weight.shape[1] != 3), default=0)
    return list(dict.fromkeys(names[layer] for layer in ran[first:]))


def takes_batches(network: SpandrelNetwork) -> bool:
    """Whether a network makes of each picture of a batch (noise, dark, bright) what it makes of that picture alone."""
    noise = torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    pictures = torch.stack([noise[0], 0.2 * noise[1], 0.2 * noise[2] + 0.8])
    with torch.no_grad():
        alone = torch.cat([network.answer(picture.clone()) for picture in pictures.split(1)])
        try:
            together = network.answer(pictures)
        except RuntimeError:
            return False
    return torch.allclose(together, alone, rtol=1e-3, atol=1e-4)


def recognised(path: Path) -> Any:
    """What spandrel makes of a file: a descriptor of a network, RGB → RGB, that holds its weights."""
    from spandrel import ImageModelDescriptor, ModelLoader, UnsupportedModelError  # it loads 40 networks' code

    state = read_tensors(path, OPTION)
    check_finite(state, path)
    found, reason = None, "spandrel does not know the network that it belongs to"
    for names in spellings(state):
        try:
            found = ModelLoader().load_from_state_dict(names)
            break
        except UnsupportedModelError:
            continue
        except Exception as error:  # a network's own code, run on tensors that resemble its own
            reason = f"spandrel cannot build its network ({first_line(error)})"
    if found is None:
        raise refused(path, reason)
    name, channels = found.architecture.name, (found.input_channels, found.output_channels)
    if not isinstance(found, ImageModelDescriptor) or channels != (3, 3):
        raise refused(path, f"its network, {name}, makes no RGB of RGB ({found.purpose}, channels {channels})")
    return found


def first_line(error: Exception) -> str:
    """What an error says, in a line."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
