"""Weights of somebody else's training: of a published detector, recognised by its tensors, or for a backbone of timm."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from sr_deepfake.detectors.backbones import classifier_names, create
from sr_deepfake.detectors.external.detector import Opened, detector_file
from sr_deepfake.detectors.external.families import Family, recognised
from sr_deepfake.system.checkpoints import read_tensors, spellings
from sr_deepfake.system.errors import UserError
from sr_deepfake.system.files import file_digest

# Tensors that have no part in a score: counters, and what belongs to a loss or to metrics.
_IDLE = re.compile(
    r"(.*\.)?(num_batches_tracked|position_ids|total_ops|total_params|pos_weight)$|(loss\w*|criterion|\w*_metrics)\."
)


def open_checkpoint(path: str, size: int | None, backbone: str | None = None) -> Opened:
    """Open a file of weights (PyTorch's or safetensors) with a head of one or two numbers.

    The file is data: no code in it is run. Wrappers (`state_dict`, `model`, …) and prefixes (`module.`, `_orig_mod.`,
    `backbone.`, `model.`, …) are looked through. A file that fits in part is refused.

    Args:
        path: the file.
        size: input side in pixels; None: the one that the detector or the backbone is known for.
        backbone: name of the timm model, such as "xception" or "vit_base_patch16_224"; None: a published detector, which is
            recognised by its tensors (see `families`).
    """
    file = detector_file(path)
    tensors = read_tensors(file, "model.path")
    if backbone is None:
        return _published(file, tensors, size)
    model = create(backbone, size, pretrained=False)
    state = fitted(tensors, model, file)
    classes = _classes(len(next(state[f"{name}.weight"] for name in classifier_names(model))), file)
    model = create(backbone, size, pretrained=False, classes=classes)
    _load(model, state, file, backbone)
    config: Any = model.pretrained_cfg
    facts = {"size": size or config["input_size"][-1], "mean": config["mean"], "std": config["std"]}
    return Opened(model, file_digest(file), facts, "timm")


def _published(file: Path, tensors: Mapping[str, Tensor], size: int | None) -> Opened:
    found = recognised(tensors)
    if found is None:
        raise UserError(
            f"{file} is no file of a published detector that is known (its tensors are called {_some(list(tensors))}). "
            "model.backbone=NAME says which network of timm it is for"
        )
    family, state = found
    rows, columns = tensors_of_head(tensors, family).shape
    model = create(family.backbone, size or family.facts["size"], pretrained=False, classes=_classes(rows, file))
    whom = f"{family.name}, {family.backbone} of timm with {rows}×{columns} numbers at its end"
    wanted = model.state_dict()
    absent = [name for name in wanted if name not in state and not _IDLE.match(name)]
    left = [name for name in state if name not in wanted and not _IDLE.match(name)]
    if absent or left:
        lacks = f"lacks {len(absent)} tensors ({_some(absent)})" if absent else ""
        more = f"has {len(left)} tensors that this network does not have ({_some(left)})" if left else ""
        words = " and ".join(filter(None, [lacks, more]))
        other = "; model=deepfakebench model.repo=CLONE model.detector=NAME may read it" * (
            "DeepfakeBench" in family.name
        )
        raise UserError(
            f"{file} looks like {family.name}, but {words}: it is of another network, with wrong scores{other}"
        )
    _load(model, {name: state.get(name, value) for name, value in wanted.items()}, file, whom)
    family.adapt(model)
    read = {"range": 1, "channels": "rgb", "output": "logit" if rows == 1 else "logits2"}
    facts = {**family.facts, **read, "size": size or family.facts["size"]}
    note = f"recognised as {whom}" + (f"; it was trained on {family.faces}" if family.faces else "")
    return Opened(model, file_digest(file), facts, family.name, note=note)


def tensors_of_head(tensors: Mapping[str, Tensor], family: Family) -> Tensor:
    """The weight of a family's last layer."""
    return next(tensor for name, tensor in tensors.items() if name.removeprefix("module.") == family.head[0])


def _classes(rows: int, file: Path) -> int:
    if rows not in (1, 2):
        raise UserError(f"{file} has a head of {rows} classes; a detector has one number, or two")
    return rows


def _load(model: nn.Module, state: Mapping[str, Tensor], file: Path, whom: str) -> None:
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise UserError(f"{file} does not fit {whom} ({' '.join(str(error).split())[:300]})") from error


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")


def matched(state: Mapping[str, Tensor], model: nn.Module) -> tuple[dict[str, Tensor], list[str], list[str]]:
    """The tensors by the model's names, the names that are absent, and those that are left over."""
    wanted = model.state_dict()
    best = max(spellings(state), key=lambda names: len(names.keys() & wanted.keys()))
    absent = [name for name in wanted if name not in best and not _IDLE.match(name)]
    left = [name for name in best if name not in wanted and not _IDLE.match(name)]
    return {name: best.get(name, value) for name, value in wanted.items()}, absent, left


def fitted(state: Mapping[str, Tensor], model: nn.Module, file: Path) -> dict[str, Tensor]:
    """The tensors by the model's names; all of them, and no others."""
    wanted = model.state_dict()
    best: dict[str, Tensor] = {}
    left: list[str] = []
    for candidate in spellings(state):
        found = {name: tensor for name, tensor in candidate.items() if name in wanted}
        if len(found) > len(best):
            rest = {name: tensor for name, tensor in candidate.items() if name not in wanted}
            head = _renamed_head(rest, model, found)
            best = found | head
            used = {id(tensor) for tensor in head.values()}
            left = [name for name, tensor in rest.items() if id(tensor) not in used and not _IDLE.match(name)]
    missing = [name for name in wanted if name not in best and not _IDLE.match(name)]
    if missing:
        raise UserError(
            f"{file} lacks {len(missing)} of {len(wanted)} tensors of the backbone ({_some(missing)}); its own are called "
            f"{_some(list(state))}. Is model.backbone the right one? "
            "`python -c 'import timm; print(timm.list_models())'` lists all"
        )
    if left:
        raise UserError(
            f"{file} has {len(left)} tensors that the backbone does not have ({_some(left)}): it is of another network, and "
            "would give wrong scores"
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
