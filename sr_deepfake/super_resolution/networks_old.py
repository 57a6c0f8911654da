"""RCAN, SwinIR, ESRGAN's RRDBNet and SRVGG from basicsr: other networks for the attack than the paper's.

Each takes B×3×h×w RGB in [0, 1], for any h and w, and returns B×3×Kh×Kw around [0, 1], not clipped. Each is
frozen and in evaluation mode, has K as its attribute `scale`, and may be run inside `torch.autocast`: the last
convolution stays in float32. No weights come with the package. Those that the authors published are named in
`PUBLISHED`: a file with a known hash is downloaded, the others are named in a message.
"""

import re
from pathlib import Path

from torch import Tensor, nn

from sr_deepfake.super_resolution.download import Published
from sr_deepfake.super_resolution.edsr import adapt, architecture
from sr_deepfake.super_resolution.layouts import basicsr_names
from sr_deepfake.super_resolution.networks import Padded
from sr_deepfake.super_resolution.weights import CACHE, fill, find_weights, read_weights
from sr_deepfake.system.errors import UserError, choose

_ESRGAN = "https://github.com/xinntao/Real-ESRGAN/releases/download"
_SWINIR = "https://github.com/JingyunLiang/SwinIR/releases/download/v0.0"
_TORCHSR = (
    "https://github.com/Coloquinte/torchSR/releases/download/v1.0.3"  # copies of the RCAN authors' files
)

# (network, K) → file. RRDB: ESRGAN for K = 4, of which there is no K = 2, so Real-ESRGAN there.
PUBLISHED = {
    **{("RCAN", scale): Published(f"{_TORCHSR}/rcan_x{scale}.pt") for scale in (2, 3, 4)},
    **{
        ("SwinIR medium", scale): Published(f"{_SWINIR}/001_classicalSR_DIV2K_s48w8_SwinIR-M_x{scale}.pth")
        for scale in (2, 3, 4)
    },
    **{
        ("SwinIR lightweight", scale): Published(
            f"{_SWINIR}/002_lightweightSR_DIV2K_s64w8_SwinIR-S_x{scale}.pth"
        )
        for scale in (2, 3, 4)
    },
    ("RRDB", 2): Published(f"{_ESRGAN}/v0.2.1/RealESRGAN_x2plus.pth"),
    ("RRDB", 4): Published(f"{_ESRGAN}/v0.1.1/ESRGAN_SRx4_DF2KOST_official-ff704c30.pth", "ff704c30"),
    ("SRVGG", 2): Published(f"{_ESRGAN}/v0.2.3.0/RealESRGANv2-animevideo-xsx2.pth"),
    ("SRVGG", 4): Published(f"{_ESRGAN}/v0.2.5.0/realesr-general-x4v3.pth"),
}

_SWINIR_SIZES = {
    "medium": {"embed_dim": 180, "depths": [6] * 6, "num_heads": [6] * 6, "upsampler": "pixelshuffle"},
    "lightweight": {
        "embed_dim": 60, "depths": [6] * 4, "num_heads": [6] * 4, "upsampler": "pixelshuffledirect",
    },
}  # fmt: skip
_WINDOW = 8  # px, of SwinIR's attention


def rcan(
    scale: int = 2,
    groups: int = 10,
    blocks: int = 20,
    features: int = 64,
    weights: str | None = None,
    cache: str = CACHE,
) -> nn.Module:
    """Build RCAN (Zhang et al., ECCV 2018) with its weights.

    Args:
        scale: K, 2, 3 or 4.
        groups: residual groups.
        blocks: residual channel attention blocks of a group.
        features: channels of the features.
        weights: a file in basicsr's tensor names or those of EDSR-PyTorch and torchSR; None: the published one.
        cache: folder of downloaded files.

    Raises:
        UserError: the scale is another, there are no weights, or the file does not hold this network's.

    Example:
        >>> rcan(scale=5)
        Traceback (most recent call last):
        sr_deepfake.system.errors.UserError: RCAN enlarges 2, 3 or 4 times, not 5 times; choose attack.scale from these
    """
    _check_scale("RCAN", scale, (2, 3, 4))
    name = f"RCAN ({groups} groups of {blocks} blocks, {features} features, scale {scale})"
    path = _find("RCAN", scale, weights, name, cache)
    network: nn.Module = architecture("rcan_arch", "RCAN")(
        3, 3, num_feat=features, num_group=groups, num_block=blocks, upscale=scale
    )
    fill(network, read_weights(path), path, name)
    return _ready(network, "rcan", scale, last="conv_last")


def swinir(scale: int = 2, size: str = "medium", weights: str | None = None, cache: str = CACHE) -> nn.Module:
    """Build SwinIR (Liang et al., ICCV Workshops 2021) with its weights.

    Args:
        scale: K, 2, 3 or 4.
        size: `"medium"` (the authors' "classical" super resolution) or `"lightweight"`.
        weights: a file in the authors' tensor names, which are basicsr's; None: the published one.
        cache: folder of downloaded files.

    Raises:
        UserError: the scale or the size is another, there are no weights, or the file does not hold this
            network's.

    Example:
        >>> swinir(weights="missing.pth")
        Traceback (most recent call last):
        sr_deepfake.system.errors.UserError: no weights file at missing.pth; ...
    """
    _check_scale("SwinIR", scale, (2, 3, 4))
    size = choose(size, _SWINIR_SIZES, "sr_model.size")
    name = f"SwinIR {size} (scale {scale})"
    path = _find(f"SwinIR {size}", scale, weights, name, cache)
    network: nn.Module = architecture("swinir_arch", "SwinIR")(
        img_size=64, window_size=_WINDOW, mlp_ratio=2, upscale=scale, **_SWINIR_SIZES[size]
    )
    for module in network.modules():  # what follows from the sizes is computed, not read from the file
        for buffer in ("attn_mask", "relative_position_index"):
            if buffer in dict(module.named_buffers(recurse=False)):
                module.register_buffer(buffer, getattr(module, buffer), persistent=False)
    fill(network, read_weights(path), path, name)
    last = "conv_last" if size == "medium" else "upsample.0"
    return Padded(_ready(network, "swinir", scale, last), scale, multiple=_WINDOW).eval()


def rrdb(scale: int = 4, features: int = 64, weights: str | None = None, cache: str = CACHE) -> nn.Module:
    """Build ESRGAN's and Real-ESRGAN's network (Wang et al., ECCV Workshops 2018 and ICCV Workshops 2021).

    Args:
        scale: K, 2 or 4.
        features: channels of the features.
        weights: a file in basicsr's tensor names, with any number of blocks; None: the published one.
        cache: folder of downloaded files.

    Raises:
        UserError: the scale is another, there are no weights, or the file does not hold this network's.

    Example:
        >>> rrdb(scale=3)
        Traceback (most recent call last):
        sr_deepfake.system.errors.UserError: RRDB enlarges 2 or 4 times, not 3 times; choose attack.scale from these
    """
    _check_scale("RRDB", scale, (2, 4))
    path = _find("RRDB", scale, weights, f"RRDB (scale {scale})", cache)
    state = read_weights(path)
    blocks = _count(r"body\.\d+\.rdb1\.conv1\.weight", state) or 23
    name = f"RRDB ({blocks} blocks, {features} features, scale {scale})"
    network: nn.Module = architecture("rrdbnet_arch", "RRDBNet")(
        3, 3, scale=scale, num_feat=features, num_block=blocks
    )
    fill(network, state, path, name)
    network = _ready(network, "rrdb", scale, last="conv_last")
    # For K = 2 it moves 2×2 pixels into the channels first.
    return Padded(network, scale, multiple=2).eval() if scale == 2 else network


def srvgg(scale: int = 4, features: int = 64, weights: str | None = None, cache: str = CACHE) -> nn.Module:
    """Build Real-ESRGAN's small network, SRVGGNetCompact.

    Args:
        scale: K, an integer from 2 on.
        features: channels of the features.
        weights: a file in basicsr's tensor names, with any number of convolutions; None: the published one.
        cache: folder of downloaded files.

    Raises:
        UserError: the scale is below 2, there are no weights, or the file does not hold this network's.

    Example:
        >>> import tempfile, torch
        >>> file = tempfile.NamedTemporaryFile(suffix=".pth")
        >>> small = architecture("srvgg_arch", "SRVGGNetCompact")(num_feat=4, num_conv=2, upscale=3)
        >>> torch.save(small.state_dict(), file.name)
        >>> srvgg(scale=3, features=4, weights=file.name)(torch.rand(1, 3, 5, 7)).shape
        torch.Size([1, 3, 15, 21])
    """
    if scale < 2:
        raise UserError(f"SRVGG enlarges 2 times or more, not {scale} times; choose attack.scale=2 or more")
    path = _find("SRVGG", scale, weights, f"SRVGG (scale {scale})", cache)
    state = read_weights(path)
    # Convolutions are the four-dimensional tensors; the first and the last come on top.
    convs = max(0, sum(tensor.ndim == 4 for tensor in state.values()) - 2) or 32
    name = f"SRVGG ({convs} convolutions, {features} features, scale {scale})"
    network: nn.Module = architecture("srvgg_arch", "SRVGGNetCompact")(
        num_feat=features, num_conv=convs, upscale=scale
    )
    fill(network, state, path, name)
    return _ready(network, "srvgg", scale, last=f"body.{2 * convs + 2}")


def _find(network: str, scale: int, weights: str | None, name: str, cache: str) -> Path:
    bundled = f"{network.lower().replace(' ', '_')}_x{scale}.safetensors"
    return find_weights(weights, bundled, name, PUBLISHED.get((network, scale)), cache)


def _check_scale(network: str, scale: int, scales: tuple[int, ...]) -> None:
    if scale not in scales:
        words = f"{', '.join(map(str, scales[:-1]))} or {scales[-1]}"
        raise UserError(
            f"{network} enlarges {words} times, not {scale} times; choose attack.scale from these"
        )


def _count(pattern: str, state: dict[str, Tensor]) -> int:
    return sum(bool(re.fullmatch(pattern, name)) for name in basicsr_names(state))


def _ready(network: nn.Module, name: str, scale: int, last: str) -> nn.Module:
    return adapt(network, name, scale, last).requires_grad_(False).eval()
