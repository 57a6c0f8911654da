"""Any published super-resolution network that spandrel knows, from its file alone."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sr_deepfake.super_resolution.precision import InFloat32
from sr_deepfake.super_resolution.weights import OPTION, check_finite, find_weights, read_weights
from sr_deepfake.system.checkpoints import spellings
from sr_deepfake.system.errors import MissingWeightsError, UserError

# These choose their layers by the first picture of a batch, which the trial may miss.
_BY_THE_FIRST = ("SeemoRe",)
_log = logging.getLogger(__name__)


def from_checkpoint(weights: str | None = None) -> nn.Module:
    """Build the network that a file of weights belongs to; the file tells which one and its scale.

    Known are the networks of spandrel: ESRGAN and Real-ESRGAN, SwinIR, Swin2SR, HAT, DAT, RGT, GRL, OmniSR, SPAN
    and others. EDSR is not among them: `sr_model=edsr` reads its files.

    Args:
        weights: safetensors, or a PyTorch file of tensors only. It is read by `read_weights`: nothing in it is
            ever run.

    Returns:
        B×3×h×w RGB in [0, 1] → B×3×Kh×Kw, for any h and w, not clipped; frozen, in evaluation mode, with the
        attributes `name` and `scale`, which is K. Inside `torch.autocast` its last convolution stays in float32, and
        so does all of it where the network does not bear autocast's number format.

    Raises:
        UserError: in one line: there is no file, or it holds no super-resolution network for RGB pictures that
            spandrel knows.

    Example:
        >>> import tempfile
        >>> from spandrel.architectures.Compact import Compact
        >>> file = tempfile.NamedTemporaryFile(suffix=".pth")
        >>> torch.save(Compact(num_feat=4, num_conv=2, upscale=3).state_dict(), file.name)
        >>> network = from_checkpoint(file.name)
        >>> network.scale, network(torch.rand(1, 3, 5, 7)).shape
        (3, torch.Size([1, 3, 15, 21]))
    """
    if weights is None:
        raise MissingWeightsError(
            f"sr_model=spandrel builds the network that a file holds; name the file with {OPTION}"
        )
    path = find_weights(weights, "", "a network that spandrel knows")
    state = read_weights(path)
    check_finite(state, path)
    found = recognised(state, path)
    name = found.architecture.name
    if found.purpose == "FaceSR":
        raise refused(path, f"its network, {name}, restores faces, which attack=restoration does")
    if found.purpose != "SR" or found.scale < 2:
        why = f"its network, {name}, does not enlarge pictures (purpose {found.purpose}, {found.scale}x)"
        raise refused(path, why)
    sizes = found.size_requirements
    # The descriptor's own call would also clip, and give tensors of inference mode.
    core = Called(found.model, found._call_fn, found.supports_bfloat16, found.supports_half)
    network = Padded(core, found.scale, sizes.multiple_of, max(1, sizes.minimum), sizes.square)
    network.name = found.architecture.id.lower()
    network.eval()
    try:
        last = last_convolutions(network)
        if found.architecture.id not in _BY_THE_FIRST and takes_batches(network):
            core.run_at_once()
    except RuntimeError as error:
        raise refused(path, f"its network, {name}, fails ({first_line(error)})") from None
    for layer in last:
        network.set_submodule(layer, InFloat32(network.get_submodule(layer)))
    _log.info("%s holds %s, which enlarges %d times", path, found.architecture.name, found.scale)
    return network.requires_grad_(False).eval()


class Called(nn.Module):
    """A network of spandrel, called as its architecture asks, in a number format that it bears.

    Args:
        network: the network itself.
        call: how it is called: (network, images) → images.
        bears_bf16: whether it computes properly in bf16; otherwise it is kept out of autocast to it.
        bears_fp16: the same for fp16.
    """

    def __init__(
        self,
        network: nn.Module,
        call: Callable[[nn.Module, Tensor], Tensor],
        bears_bf16: bool,
        bears_fp16: bool,
    ) -> None:
        super().__init__()
        self.network = network
        self.call = call
        self.bears = {torch.bfloat16: bears_bf16, torch.float16: bears_fp16}
        self._at_once = False  # spandrel promises a result for one picture alone

    def run_at_once(self, at_once: bool = True) -> None:
        """Give the network whole batches, or one picture after the other."""
        self._at_once = at_once

    def forward(self, images: Tensor) -> Tensor:
        """Enlarge B×3×h×w in [0, 1] to B×3×Kh×Kw; h and w suit the network."""
        kind = images.device.type
        fast = torch.is_autocast_enabled(kind) and self.bears.get(torch.get_autocast_dtype(kind), False)
        # RCAN changes the picture that it is given, and not all code can do with channels-last tensors, hence copies.
        parts = images.split(max(1, len(images)) if self._at_once else 1)
        copies = (part.clone(memory_format=torch.contiguous_format) for part in parts)
        with torch.autocast(kind, enabled=fast):
            return torch.cat([self.call(self.network, copy) for copy in copies])


def last_convolutions(network: nn.Module) -> list[str]:
    """Return the names of the layers, at the end of a network's run, that make the picture.

    These are the last convolution (or linear layer) that combines features and those after it that only
    change the picture's colours, as RCAN's mean shift does.

    Args:
        network: takes B×3×h×w for any h and w.

    Example:
        >>> last_convolutions(nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 3, 3), nn.Conv2d(3, 3, 1)))
        ['1', '2']
    """
    names: dict[nn.Module, str] = {
        module: name
        for name, module in network.named_modules()
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear)
    }
    ran: list[Any] = []
    hooks = [layer.register_forward_hook(lambda module, *_: ran.append(module)) for layer in names]
    try:
        with torch.no_grad():
            network(torch.full((1, 3, 16, 16), 0.5))
    finally:
        for hook in hooks:
            hook.remove()
    first = max((index for index, layer in enumerate(ran) if layer.weight.shape[1] != 3), default=0)
    return list(dict.fromkeys(names[layer] for layer in ran[first:]))


def takes_batches(network: nn.Module) -> bool:
    """Whether a network makes of each picture of a batch what it makes of that picture alone.

    Args:
        network: takes B×3×h×w for any h and w. It is tried on noise, a dark and a bright picture.

    Example:
        >>> takes_batches(nn.Identity()), takes_batches(nn.BatchNorm2d(3).train())
        (True, False)
    """
    core = getattr(network, "network", network)
    noise = torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    pictures = torch.stack([noise[0], 0.2 * noise[1], 0.2 * noise[2] + 0.8])
    with torch.no_grad():
        alone = torch.cat([network(picture) for picture in pictures.split(1)])
        if isinstance(core, Called):
            core.run_at_once()
        try:
            together = network(pictures)
        except RuntimeError:
            return False
        finally:
            if isinstance(core, Called):
                core.run_at_once(False)
    return torch.allclose(together, alone, rtol=1e-3, atol=1e-4 * max(1.0, float(alone.abs().max())))


def recognised(state: dict[str, Tensor], path: Path) -> Any:
    """What spandrel makes of a file: a descriptor of the network, RGB → RGB, that holds its weights.

    Args:
        state: tensors by name.
        path: where they are from, for messages.

    Raises:
        UserError: it knows no such network, or this is not one from RGB to RGB.
    """
    from spandrel import (
        ImageModelDescriptor,
        ModelLoader,
        UnsupportedModelError,
    )  # it loads 40 networks' code

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
    name = found.architecture.name
    if not isinstance(found, ImageModelDescriptor):
        raise refused(path, f"its network, {name}, makes no picture of a picture (purpose {found.purpose})")
    if (found.input_channels, found.output_channels) != (3, 3):
        why = f"its network, {name}, makes {found.output_channels} channels of {found.input_channels}, not RGB of RGB"
        raise refused(path, why)
    return found


def refused(path: Path, why: str) -> UserError:
    """The error of a file that is not used."""
    return UserError(f"{path} cannot be used: {why}; name another file with {OPTION}")


def first_line(error: Exception) -> str:
    """What an error says, in a line."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


class Padded(nn.Module):
    """A network that asks for particular sides, made to take any.

    The picture is continued at the right and the bottom by its mirror image, as SwinIR's own test program
    does; what the network makes of that is cut off.

    Args:
        network: B×3×h×w → B×3×Kh×Kw for sides that suit it.
        scale: K.
        multiple: what it asks the sides to be a multiple of, in pixels.
        minimum: the smallest side that it takes, in pixels.
        square: whether it takes squares only.

    Example:
        >>> from sr_deepfake.super_resolution.interpolation import Interpolation
        >>> Padded(Interpolation(scale=2), scale=2, multiple=8)(torch.rand(1, 3, 5, 9)).shape
        torch.Size([1, 3, 10, 18])
    """

    def __init__(
        self, network: nn.Module, scale: int, multiple: int = 1, minimum: int = 1, square: bool = False
    ) -> None:
        super().__init__()
        self.network = network
        self.name = getattr(network, "name", type(network).__name__.lower())
        self.scale = scale
        self.multiple = multiple
        self.minimum = minimum
        self.square = square

    def forward(self, images: Tensor) -> Tensor:
        """Enlarge.

        Args:
            images: float tensor of shape B×3×h×w, in [0, 1].

        Returns:
            B×3×Kh×Kw.
        """
        height, width = images.shape[-2:]
        padded_height, padded_width = (self._suitable(side) for side in (height, width))
        if self.square:
            padded_height = padded_width = max(padded_height, padded_width)
        images = _continued(_continued(images, padded_height, dim=2), padded_width, dim=3)
        result: Tensor = self.network(images)
        return result[..., : height * self.scale, : width * self.scale]

    def _suitable(self, side: int) -> int:
        side = max(side, self.minimum)
        return side + -side % self.multiple


def _continued(images: Tensor, length: int, dim: int) -> Tensor:
    """Continue pictures along a dimension by their mirror image, and that by its own, up to `length`."""
    given = images.shape[dim]
    if length == given:
        return images
    index = torch.arange(length, device=images.device) % (2 * given)
    return images.index_select(dim, torch.minimum(index, 2 * given - 1 - index))
