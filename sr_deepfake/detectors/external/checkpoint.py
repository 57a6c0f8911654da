"""Weights of somebody else's training, for a backbone of timm."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from sr_deepfake.detectors.backbones import classifier_names, create
from sr_deepfake.detectors.external.detector import Opened, detector_file
from sr_deepfake.system.checkpoints import read_tensors, spellings
from sr_deepfake.system.errors import UserError
from sr_deepfake.system.files import file_digest


def open_checkpoint(path: str, size: int | None, backbone: str) -> Opened:
    """Open a file of weights (PyTorch's or safetensors) for a backbone of timm with a head of one or two numbers.

    The file is data: no code in it is run. Wrappers (`state_dict`, `model`, …) and prefixes (`module.`, `_orig_mod.`,
    `backbone.`, `model.`, …) are looked through.

    Args:
        path: the file.
        size: input side in pixels; None: the one that the backbone is known for.
        backbone: name of the timm model, such as "xception" or "vit_base_patch16_224".
    """
    file = detector_file(path)
    model = create(backbone, size, pretrained=False)
    state = fitted(read_tensors(file, "model.path"), model, file)
    head = next(state[f"{name}.weight"] for name in classifier_names(model))
    if len(head) not in (1, 2):
        raise UserError(f"{file} has a head of {len(head)} classes; a detector has one number, or two")
    model = create(backbone, size, pretrained=False, classes=len(head))
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise UserError(f"{file} does not fit {backbone} ({' '.join(str(error).split())[:300]})") from error
    config: Any = model.pretrained_cfg
    facts = {"size": size or config["input_size"][-1], "mean": config["mean"], "std": config["std"]}
    return Opened(model, file_digest(file), facts, "timm")


def fitted(state: Mapping[str, Tensor], model: nn.Module, file: Path) -> dict[str, Tensor]:
    """The tensors by the model's names."""
    wanted = model.state_dict()
    best: dict[str, Tensor] = {}
    for candidate in spellings(state):
        found = {name: tensor for name, tensor in candidate.items() if name in wanted}
        if len(found) > len(best):
            rest = {name: tensor for name, tensor in candidate.items() if name not in wanted}
            best = found | _renamed_head(rest, model, found)
    # Counters of batches are no weights.
    missing = [name for name in wanted if name not in best and not name.endswith("num_batches_tracked")]
    if missing:
        some = ", ".join(missing[:3]) + (", …" if len(missing) > 3 else "")
        raise UserError(
            f"{file} lacks {len(missing)} of {len(wanted)} tensors of the backbone ({some}); its own are called "
            f"{', '.join(list(state)[:3])}, …. Is model.backbone the right one? "
            "`python -c 'import timm; print(timm.list_models())'` lists all"
        )
    return {name: best.get(name, value) for name, value in wanted.items()}


def _renamed_head(rest: Mapping[str, Tensor], model: nn.Module, found: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The last layer, where the file calls it something else and only one layer can be it."""
    wanted, renamed = model.state_dict(), {}
    for name in classifier_names(model):
        width = wanted[f"{name}.weight"].shape[-1]
        weights = [key for key, tensor in rest.items() if key.endswith(".weight") and tensor.ndim == 2]
        fitting = [key.removesuffix(".weight") for key in weights if rest[key].shape[1] == width]
        if f"{name}.weight" not in found and len(fitting) == 1:
            for part in ("weight", "bias"):
                if f"{fitting[0]}.{part}" in rest:
                    renamed[f"{name}.{part}"] = rest[f"{fitting[0]}.{part}"]
    return renamed
