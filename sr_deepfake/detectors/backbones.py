"""Backbones of timm with one output."""

from collections.abc import Mapping
from typing import Any

import timm
from torch import nn

from sr_deepfake.system.errors import UserError


def build_backbone(name: str, image_size: int) -> nn.Module:
    """Build a backbone with random weights that gives one logit a face.

    >>> import torch
    >>> build_backbone("resnet18", 64)(torch.zeros(2, 3, 64, 64)).shape
    torch.Size([2, 1])
    """
    backbone = create(name, image_size, pretrained=False)
    fresh_classifier(backbone)
    return backbone


def fresh_classifier(backbone: nn.Module) -> None:
    """Start the last layer as torch does: timm's EfficientNets start it in [-1, 1], and the loss at 3 instead of 0.7."""
    for layer in map(backbone.get_submodule, classifier_names(backbone)):
        if isinstance(layer, nn.Linear):
            layer.reset_parameters()


def create(
    name: str, image_size: int | None, pretrained: bool, classes: int = 1, overlay: Mapping[str, Any] | None = None
) -> nn.Module:
    """Build a model of timm for an input side."""
    require_model(name)
    config = timm.get_pretrained_cfg(name)
    # Swin and its kin are built for one input size; convolutional networks take any.
    fixed = config is not None and config.fixed_input_size and image_size not in (None, config.input_size[-1])
    options: dict[str, Any] = {"img_size": image_size} if fixed else {}
    model: nn.Module = timm.create_model(
        name, pretrained=pretrained, num_classes=classes, pretrained_cfg_overlay=dict(overlay or {}), **options
    )
    return model


def require_model(name: str) -> None:
    """See that timm knows a model."""
    if not timm.is_model(name):
        raise UserError(
            f"timm knows no model named {name!r} (model.backbone). `python -c 'import timm; print(timm.list_models())'` "
            "lists them"
        )


def classifier_names(backbone: nn.Module) -> list[str]:
    """Names of the last layer, or layers."""
    config: Any = backbone.pretrained_cfg
    names = config.get("classifier") or ()
    return [names] if isinstance(names, str) else list(names)
