"""EDSR, the paper's super-resolution network (Lim et al., CVPR Workshops 2017), from basicsr."""

import importlib
import importlib.util
import sys
from typing import Any

import torch
from torch import Tensor, nn

from sr_deepfake.super_resolution.precision import InFloat32
from sr_deepfake.super_resolution.weights import CACHE, find_weights, load_weights
from sr_deepfake.system.errors import UserError

BASELINE = (16, 64)  # blocks and features of EDSR-baseline, the paper's network
LARGE = (32, 256)
# The authors' files carry the start of their SHA-256 in the name. Of torchSR's copies, which the paper's code used, no
# hash is known: the network's shapes are checked, and the results' names carry the digits of what was used.
_SITE = "https://cv.snu.ac.kr/research/EDSR/models"
_TORCHSR = "https://github.com/Coloquinte/torchSR/releases/download/v1.0.3"
PUBLISHED = {
    (*BASELINE, 2): [f"{_SITE}/edsr_baseline_x2-1bc95232.pt", f"{_TORCHSR}/edsr64_x2.pt"],
    (*BASELINE, 3): [f"{_SITE}/edsr_baseline_x3-abf2a44e.pt", f"{_TORCHSR}/edsr64_x3.pt"],
    (*BASELINE, 4): [f"{_SITE}/edsr_baseline_x4-6b446fab.pt", f"{_TORCHSR}/edsr64_x4.pt"],
    (*LARGE, 2): [f"{_SITE}/edsr_x2-0edfb8a3.pt"],
    (*LARGE, 3): [f"{_SITE}/edsr_x3-ea3ef2c6.pt"],
    (*LARGE, 4): [f"{_SITE}/edsr_x4-4f62e9ef.pt"],
}
_OLD_NAME = "torchvision.transforms.functional_tensor"


def basicsr_edsr() -> Any:
    """Basicsr's class of EDSR."""
    if _OLD_NAME not in sys.modules and importlib.util.find_spec(_OLD_NAME) is None:
        sys.modules[_OLD_NAME] = importlib.import_module("torchvision.transforms._functional_tensor")
    if "distutils" not in sys.modules and importlib.util.find_spec("distutils") is None:
        importlib.import_module("setuptools")  # it brings a `distutils` of its own along
    return importlib.import_module("basicsr.archs.edsr_arch").EDSR


def basicsr_state(network: nn.Module) -> dict[str, Tensor]:
    """The tensors of `edsr` or `edsr_network` under basicsr's names, as a file of weights holds them."""
    return {
        name.replace("conv_last.layer.", "conv_last."): tensor.detach().contiguous()
        for name, tensor in network.state_dict().items()
    }


def edsr(
    scale: int = 2,
    blocks: int = 16,
    features: int = 64,
    res_scale: float = 1.0,
    weights: str | None = None,
    cache: str = CACHE,
) -> nn.Module:
    """Build EDSR with its weights, frozen and in evaluation mode.

    The network takes B×3×h×w RGB in [0, 1] and returns B×3×Kh×Kw around [0, 1], not clipped. Its
    attributes are `name` and `scale`, which is K. It may be run inside `torch.autocast`: the last convolution and
    what follows it stay in float32.

    Args:
        scale: K, 2, 3 or 4.
        blocks: residual blocks (EDSR-baseline: 16, EDSR: 32).
        features: channels of the features (EDSR-baseline: 64, EDSR: 256).
        res_scale: what a block's residual is multiplied by (EDSR-baseline: 1, EDSR: 0.1).
        weights: a file, safetensors or PyTorch, in basicsr's tensor names or those of EDSR-PyTorch and torchSR,
            any float format. None takes the file that comes with the package (EDSR-baseline, K = 2), else
            the authors', downloaded once; `"official"` takes the authors' in any case, or torchSR's copy where their
            server does not answer; `"torchsr"` the copy first.
        cache: folder of downloaded files.

    Raises:
        UserError: the scale is not one of EDSR's, there are no weights, or the file does not hold this
            network's.

    Example:
        >>> import torch
        >>> network = edsr()
        >>> network.scale, network(torch.full((1, 3, 12, 12), 0.5)).shape
        (2, torch.Size([1, 3, 24, 24]))
    """
    name = f"EDSR ({blocks} blocks, {features} features, scale {scale})"
    size = {BASELINE: "baseline", LARGE: "large"}.get((blocks, features), f"{blocks}x{features}")
    network = edsr_network(scale, blocks, features, res_scale)
    path = find_weights(
        weights, f"edsr_{size}_x{scale}.safetensors", name, PUBLISHED.get((blocks, features, scale), ()), cache
    )
    load_weights(network, path, name)
    network.conv_last = InFloat32(network.conv_last)
    built: nn.Module = network.requires_grad_(False).eval()
    return built


def edsr_network(scale: int = 2, blocks: int = 16, features: int = 64, res_scale: float = 1.0) -> Any:
    """Basicsr's EDSR with random weights, channels-last, with `name` and `scale`; `edsr` is the one with weights."""
    if scale not in (2, 3, 4):  # what EDSR's authors trained
        raise UserError(
            f"EDSR enlarges 2, 3 or 4 times, not {scale} times; choose attack.scale from these, or sr_model.scale alone"
        )
    network = basicsr_edsr()(
        num_in_ch=3, num_out_ch=3, num_feat=features, num_block=blocks, upscale=scale, res_scale=res_scale
    )
    # basicsr converts `mean` and stores it in every forward pass. A buffer moves with the network.
    mean = network.mean
    del network.mean
    network.register_buffer("mean", mean, persistent=False)
    network.name = {BASELINE: "edsr", LARGE: "edsr_large"}.get((blocks, features), f"edsr_{blocks}x{features}")
    network.scale = scale
    return network.to(memory_format=torch.channels_last)
