"""Backbones of timm with one output."""

from collections.abc import Mapping
from typing import Any

import timm
from torch import Tensor, nn

from sr_deepfake.system.errors import UserError, nearest


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
        >>> import torch
        >>> build_backbone("resnet18", 64)(torch.zeros(2, 3, 64, 64)).shape
        torch.Size([2, 1])
    """
    backbone = create(name, image_size, pretrained=False)
    for classifier in map(backbone.get_submodule, classifier_names(backbone)):
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
    backbone = create(name, side, pretrained=False, classes=classes)
    return backbone, classifier_names(backbone)


def create(
    name: str, image_size: int, pretrained: bool, classes: int = 1, overlay: Mapping[str, str] | None = None
) -> nn.Module:
    """Build a model of timm for an input side.

    Args:
        name: of it.
        image_size: px.
        pretrained: with weights, which timm downloads.
        classes: numbers that it gives.
        overlay: of its pretrained configuration, such as `file`.

    Raises:
        UserError: timm knows no such model.
    """
    reason = unknown(name)
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


def unknown(name: str) -> str | None:
    """What to say where timm knows no such model; None where it does."""
    if timm.is_model(name):
        return None
    return (
        f"timm knows no model named {name!r}.{nearest(name, timm.list_models())} "
        "`python -c 'import timm; print(timm.list_models())'` lists them (model.backbone=...)"
    )


def classifier_names(backbone: nn.Module) -> list[str]:
    """Names of the last layer, or layers."""
    config: Any = backbone.pretrained_cfg
    names = config.get("classifier") or ()
    return [names] if isinstance(names, str) else list(names)


def without_classifier(backbone: nn.Module) -> dict[str, Tensor]:
    """A model's tensors, less those of its last layer."""
    classifier = tuple(f"{name}." for name in classifier_names(backbone))
    return {name: tensor for name, tensor in backbone.state_dict().items() if not name.startswith(classifier)}
