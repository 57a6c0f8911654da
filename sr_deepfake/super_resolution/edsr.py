"""EDSR, the paper's super-resolution network (Lim et al., CVPR Workshops 2017), from basicsr."""

from typing import Any

import torch
from torch import nn

from sr_deepfake.errors import UserError
from sr_deepfake.super_resolution.basicsr_compat import architecture
from sr_deepfake.super_resolution.precision import InFloat32
from sr_deepfake.super_resolution.weights import find_weights, load_weights

SCALES = (2, 3, 4)  # what EDSR's authors trained
BASELINE = (16, 64)  # blocks and features of EDSR-baseline, the paper's network


def edsr(
    scale: int = 2, blocks: int = 16, features: int = 64, res_scale: float = 1.0, weights: str | None = None
) -> nn.Module:
    """Build EDSR with its weights, frozen and in evaluation mode.

    The network takes B×3×h×w RGB in [0, 1] and returns B×3×Kh×Kw around [0, 1], not clipped. Its
    attribute `scale` is K. It may be run inside `torch.autocast`: the last convolution and what follows it
    stay in float32.

    Args:
        scale: K, 2, 3 or 4.
        blocks: residual blocks (EDSR-baseline: 16).
        features: channels of the features (EDSR-baseline: 64).
        res_scale: what a block's residual is multiplied by (EDSR-baseline: 1).
        weights: a file in basicsr's tensor names, safetensors or PyTorch, any float format; None takes the
            file that comes with the package (EDSR-baseline, K = 2).

    Raises:
        UserError: the scale is not one of EDSR's, there are no weights, or the file does not hold this
            network's.

    Example:
        >>> network = edsr()
        >>> network.scale, network(torch.full((1, 3, 12, 12), 0.5)).shape
        (2, torch.Size([1, 3, 24, 24]))
    """
    if scale not in SCALES:
        raise UserError(f"EDSR enlarges 2, 3 or 4 times, not {scale} times; choose attack.scale from these")
    name = f"EDSR ({blocks} blocks, {features} features, scale {scale})"
    size = "baseline" if (blocks, features) == BASELINE else f"{blocks}x{features}"
    path = find_weights(weights, f"edsr_{size}_x{scale}.safetensors", name)
    network: nn.Module = architecture("edsr_arch", "EDSR")(
        num_in_ch=3, num_out_ch=3, num_feat=features, num_block=blocks, upscale=scale, res_scale=res_scale
    )
    load_weights(network, path, name)
    _prepare(network)
    network.scale = scale  # type: ignore[assignment]
    return network


def _prepare(network: Any) -> None:
    # basicsr converts `mean` anew and stores it in every forward pass. A buffer moves with the network.
    mean = network.mean
    del network.mean
    network.register_buffer("mean", mean, persistent=False)
    network.conv_last = InFloat32(network.conv_last)
    network.to(memory_format=torch.channels_last).requires_grad_(False).eval()
