"""Weights of somebody else's training: of a published detector, recognised by its tensors, or for a backbone of timm."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from sr_deepfake.detectors.external.families import FAMILIES
from sr_deepfake.detectors.external.opened import Opened, detector_file
from sr_deepfake.detectors.pretrained import classifier_names, create
from sr_deepfake.system.checkpoints import read_tensors, spellings
from sr_deepfake.system.errors import UserError
from sr_deepfake.system.files import file_digest

# Tensors that have no part in a score: counters, and what belongs to a loss or to metrics.
_IDLE = re.compile(
    r"(.*\.)?(num_batches_tracked|position_ids|total_ops|total_params|pos_weight)$|(loss\w*|criterion|\w*_metrics)\."
)


def open_checkpoint(path: str, size: int | None, backbone: str | None = None) -> Opened:
    """Open a file of weights with a head of one or two numbers, for a model of timm or (None) of a published detector.

    Wrappers (`state_dict`, `model`, …) and prefixes (`module.`, `_orig_mod.`, `backbone.`, `model.`, …) are looked through. A
    file that fits in part is refused.
    """
    file = detector_file(path)
    tensors = read_tensors(file, "model.path")
    if backbone is None:
        return _published(file, tensors, size)
    model = create(backbone, size, pretrained=False)
    state, absent, left = matched(tensors, model, classifier_names(model))
    if absent:
        raise UserError(
            f"{file} lacks {len(absent)} of {len(state)} tensors of the backbone ({_some(absent)}); its own are called "
            f"{_some(list(tensors))}. Is model.backbone the right one? "
            "`python -c 'import timm; print(timm.list_models())'` lists all"
        )
    if left:
        raise UserError(
            f"{file} has {len(left)} tensors that the backbone does not have ({_some(left)}): it is of another network, and "
            "would give wrong scores"
        )
    classes = _classes(len(next(state[f"{name}.weight"] for name in classifier_names(model))), file)
    model = create(backbone, size, pretrained=False, classes=classes)
    _load(model, state, file, backbone)
    config: Any = model.pretrained_cfg
    facts = {"size": size or config["input_size"][-1], "mean": config["mean"], "std": config["std"]}
    return Opened(model, file_digest(file), facts, "timm")


def _published(file: Path, tensors: Mapping[str, Tensor], size: int | None) -> Opened:
    bare = {name.removeprefix("module."): tensor for name, tensor in tensors.items()}
    family = next((family for family in FAMILIES if family.fits(bare)), None)
    if family is None:
        raise UserError(
            f"{file} is no file of a published detector that is known (its tensors are called {_some(list(tensors))}). "
            "model.backbone=NAME says which network of timm it is for"
        )
    rows, columns = bare[family.head[0]].shape
    size = size or family.facts["size"]
    model = create(family.backbone, size, pretrained=False, classes=_classes(rows, file))
    whom = f"{family.name}, {family.backbone} of timm with {rows}×{columns} numbers at its end"
    state, absent, left = matched(family.renamed(bare), model)
    if absent or left:
        lacks = f"lacks {len(absent)} tensors ({_some(absent)})" if absent else ""
        more = f"has {len(left)} tensors that this network does not have ({_some(left)})" if left else ""
        words = " and ".join(filter(None, [lacks, more]))
        clone = "; model=deepfakebench model.repo=CLONE model.detector=NAME may read it"
        raise UserError(
            f"{file} looks like {family.name}, but {words}: it is of another network, with wrong scores"
            f"{clone if 'DeepfakeBench' in family.name else ''}"
        )
    _load(model, state, file, whom)
    if family.adapt:
        family.adapt(model)
    output = "logit" if rows == 1 else "logits2"
    facts = {**family.facts, "size": size, "range": 1, "channels": "rgb", "fake_index": 1, "output": output}
    note = f"recognised as {whom}" + (f"; it was trained on {family.faces}" if family.faces else "")
    return Opened(model, file_digest(file), facts, family.name, note=note)


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


def matched(
    tensors: Mapping[str, Tensor], model: nn.Module, heads: Sequence[str] = ()
) -> tuple[dict[str, Tensor], list[str], list[str]]:
    """The tensors by the model's names, the names that are absent, and those that are left over."""
    wanted = model.state_dict()
    spelt = [_with_heads(names, wanted, heads) for names in spellings(tensors)]
    best = max(spelt, key=lambda names: len(names.keys() & wanted.keys()))
    absent = [name for name in wanted if name not in best and not _IDLE.match(name)]
    left = [name for name in best if name not in wanted and not _IDLE.match(name)]
    return {name: best.get(name, value) for name, value in wanted.items()}, absent, left


def _with_heads(state: Mapping[str, Tensor], wanted: Mapping[str, Tensor], heads: Sequence[str]) -> dict[str, Tensor]:
    """The last layers by their names, where the file calls one something else and only one layer can be it."""
    renamed = dict(state)
    for head in heads:
        width = wanted[f"{head}.weight"].shape[-1]
        weights = [name for name, tensor in state.items() if name.endswith(".weight") and tensor.ndim == 2]
        fitting = [name for name in weights if name not in wanted and state[name].shape[1] == width]
        if f"{head}.weight" not in state and len(fitting) == 1:
            for part in ("weight", "bias"):
                other = fitting[0].removesuffix("weight") + part
                if other in renamed:
                    renamed[f"{head}.{part}"] = renamed.pop(other)
    return renamed
