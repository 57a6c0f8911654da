"""basicsr, importable beside a current torchvision and Python, and its networks made ready for use.

This is the only place that imports it.

basicsr 1.4.2 (2022) imports `torchvision.transforms.functional_tensor`, which torchvision 0.17 renamed, and
`distutils`, which Python 3.12 dropped. It also imports its training code along with a network, so it is
loaded only when asked for.
"""

import importlib
import importlib.util
import sys
from typing import Any

import torch
from torch import Tensor, nn

from sr_deepfake.super_resolution.precision import InFloat32

_OLD_NAME = "torchvision.transforms.functional_tensor"
_NEW_NAME = "torchvision.transforms._functional_tensor"


def architecture(module: str, name: str) -> Any:
    """Return a network class of basicsr.

    Args:
        module: the module below `basicsr.archs`, for example `"edsr_arch"`.
        name: the class in it, for example `"EDSR"`.

    Example:
        >>> architecture("edsr_arch", "EDSR").__name__
        'EDSR'
    """
    _restore_what_basicsr_expects()
    return getattr(importlib.import_module(f"basicsr.archs.{module}"), name)


def adapt(network: nn.Module, name: str, scale: int, last: str) -> nn.Module:
    """Make a network of basicsr ready for use, in place.

    Its mean moves with the network, its last convolution stays in float32 inside `torch.autocast`, its
    memory format is channels-last, and its attributes are `name` and `scale`, which
    is K.

    Args:
        network: a network of `architecture`, with its weights in it if it is to have any.
        name: short, for the names of attacks.
        scale: K.
        last: name of its last convolution.

    Example:
        >>> network = architecture("srvgg_arch", "SRVGGNetCompact")(num_feat=4, num_conv=1, upscale=2)
        >>> adapt(network, "srvgg", scale=2, last="body.4").body[4]
        InFloat32(
          (layer): Conv2d(4, 12, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))
        )
    """
    mean = getattr(network, "mean", None)
    if mean is not None:
        # basicsr converts `mean` anew and stores it in every forward pass. A buffer moves with the network.
        del network.mean
        network.register_buffer("mean", mean, persistent=False)
    network.set_submodule(last, InFloat32(network.get_submodule(last)))
    network.name, network.scale = name, scale  # type: ignore[assignment]
    return network.to(memory_format=torch.channels_last)


def basicsr_state(network: nn.Module) -> dict[str, Tensor]:
    """Return a network's tensors under basicsr's names, as a file of weights holds them.

    Args:
        network: one that `adapt` has been applied to.

    Returns:
        Name → tensor, detached and contiguous (a copy, where the network is channels-last).

    Example:
        >>> network = architecture("srvgg_arch", "SRVGGNetCompact")(num_feat=4, num_conv=1, upscale=2)
        >>> list(basicsr_state(adapt(network, "srvgg", scale=2, last="body.4")))[-2:]
        ['body.4.weight', 'body.4.bias']
    """
    names = {
        f"{name}.layer.": f"{name}."
        for name, module in network.named_modules()
        if isinstance(module, InFloat32)
    }
    state = {}
    for name, tensor in network.state_dict().items():
        for ours, theirs in names.items():
            name = name.replace(ours, theirs) if name.startswith(ours) else name
        state[name] = tensor.detach().contiguous()
    return state


def _restore_what_basicsr_expects() -> None:
    if _OLD_NAME not in sys.modules and importlib.util.find_spec(_OLD_NAME) is None:
        sys.modules[_OLD_NAME] = importlib.import_module(_NEW_NAME)
    if "distutils" not in sys.modules and importlib.util.find_spec("distutils") is None:
        importlib.import_module("setuptools")  # it brings a `distutils` of its own along
