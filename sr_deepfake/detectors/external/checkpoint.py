"""Weights of somebody else's training, for a backbone of timm."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
from torch import Tensor, nn

from sr_deepfake.detectors.backbones import build_classifier
from sr_deepfake.detectors.external.base import ExternalDetector, Opened
from sr_deepfake.detectors.external.files import detector_file, digest_of
from sr_deepfake.system.checkpoints import load_pytorch, spellings, unwrapped
from sr_deepfake.system.errors import UserError


class CheckpointDetector(ExternalDetector):
    """A file of weights (PyTorch's or safetensors) for a backbone of timm, with a head of one or two numbers.

    The file is data: no code in it is run. Wrappers (`state_dict`, `model`, …) and prefixes (`module.`, `_orig_mod.`,
    `backbone.`, `model.`, …) are looked through.

    Args:
        path: the file.
        backbone: name of the timm model, such as "xception" or "vit_base_patch16_224".
        **options: see `ExternalDetector`.
    """

    def __init__(self, path: str, backbone: str, **options: Any) -> None:
        self.backbone = backbone
        super().__init__(path, **options)

    def open(self, path: str) -> Opened:
        """Build the backbone, and fill it."""
        file = detector_file(path)
        state = bare(read_weights(file))
        size = self.size_typed
        model, names = build_classifier(self.backbone, 1, size)
        state = fitted(state, model, names, file)
        head = next(state[f"{name}.weight"] for name in names)
        if len(head) not in (1, 2):
            raise UserError(f"{file} has a head of {len(head)} classes; a detector has one number, or two")
        model, _ = build_classifier(self.backbone, len(head), size)
        try:
            model.load_state_dict(state)
        except RuntimeError as error:
            reason = " ".join(str(error).split())[:300]
            raise UserError(f"{file} does not fit {self.backbone} ({reason})") from error
        config: Any = model.pretrained_cfg
        facts = {"size": size or config["input_size"][-1], "mean": config["mean"], "std": config["std"]}
        return Opened(model, digest_of([file]), facts, "timm")


def read_weights(file: Path) -> Mapping[str, Any]:
    """The content of a file of weights, read as data.

    Raises:
        UserError: it is no such file, or holds code.
    """
    try:
        if file.suffix == ".safetensors":
            return safetensors.torch.load_file(file)
        content = load_pytorch(file)
    except Exception as error:  # of a pickle that is none: any class
        reason = " ".join(str(error).split("\n")[0].split())
        if "weights_only" in str(error) or "Unsupported global" in str(error):
            reason = "it holds code besides weights, which is not run. Save its state_dict() alone"
        raise UserError(f"{file} cannot be read as weights ({reason})") from error
    if not isinstance(content, Mapping):
        raise UserError(f"{file} holds {type(content).__name__}, not weights by name")
    return content


def bare(content: Mapping[str, Any]) -> dict[str, Tensor]:
    """Tensors by name, without wrappers around them.

    >>> import torch
    >>> list(bare({"epoch": 3, "state_dict": {"module.fc.weight": torch.zeros(1)}}))
    ['module.fc.weight']
    """
    return {str(name): value for name, value in unwrapped(content).items() if isinstance(value, Tensor)}


def fitted(state: Mapping[str, Tensor], model: nn.Module, head: list[str], file: Path) -> dict[str, Tensor]:
    """The tensors by the model's names.

    Args:
        state: by the file's names.
        model: that they are for.
        head: names of its last layer, or layers.
        file: for messages.

    Raises:
        UserError: some are missing.
    """
    wanted = model.state_dict()
    best: dict[str, Tensor] = {}
    for candidate in spellings(state):
        found = {name: tensor for name, tensor in candidate.items() if name in wanted}
        if len(found) > len(best):
            best, rest = found, {name: tensor for name, tensor in candidate.items() if name not in wanted}
            best |= _head_by_another_name(rest, wanted, best, head)
    # Counters of batches are no weights.
    missing = [name for name in wanted if name not in best and not name.endswith("num_batches_tracked")]
    if missing:
        some = ", ".join(missing[:3]) + (", …" if len(missing) > 3 else "")
        theirs = ", ".join(list(state)[:3])
        raise UserError(
            f"{file} lacks {len(missing)} of {len(wanted)} tensors of the backbone ({some}); its own are called "
            f"{theirs}, …. Is model.backbone the right one? `python -c 'import timm; print(timm.list_models())'` lists "
            "all"
        )
    return {name: best.get(name, value) for name, value in wanted.items()}


def _head_by_another_name(
    rest: Mapping[str, Tensor], wanted: Mapping[str, Tensor], found: Mapping[str, Tensor], head: list[str]
) -> dict[str, Tensor]:
    """The last layer, where the file calls it something else and only one layer can be it."""
    renamed: dict[str, Tensor] = {}
    for name in head:
        if f"{name}.weight" in found:
            continue
        width = wanted[f"{name}.weight"].shape[-1]
        fitting = [
            other.removesuffix(".weight")
            for other, tensor in rest.items()
            if other.endswith(".weight") and tensor.ndim == 2 and tensor.shape[1] == width
        ]
        if len(fitting) == 1:
            for part in ("weight", "bias"):
                if f"{fitting[0]}.{part}" in rest:
                    renamed[f"{name}.{part}"] = rest[f"{fitting[0]}.{part}"]
    return renamed
