"""Detectors of a clone of DeepfakeBench: the own code of one detector and its network is run, without files and downloads."""

import contextlib
import importlib.util
import logging
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import torch
import yaml
from torch import Tensor, nn

from sr_deepfake.detectors.external.checkpoint import matched
from sr_deepfake.detectors.external.clone import Stubs, imported, missing
from sr_deepfake.detectors.external.opened import Opened, detector_file
from sr_deepfake.system.checkpoints import read_tensors
from sr_deepfake.system.errors import UserError, last_line
from sr_deepfake.system.files import file_digest

_REFUSED = {
    "lrl": "it takes a second input, of its own making (idct)",
    "sta_clip": "its package does not import it",
    "timesformer": "it has no configuration",
}
_TASKS = ["FF-F2F", "FF-DF", "FF-FS", "FF-NT"]  # that ucf was published for: its head depends on their number
_VISION = {  # of CLIP, whose files are not there
    "base-patch16": {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072,
                     "patch_size": 16, "projection_dim": 512},
    "large-patch14": {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096,
                      "patch_size": 14, "projection_dim": 768},
}  # fmt: skip
_lock = threading.Lock()  # modules and the working folder are the process's


def open_deepfakebench(
    path: str, size: int | None = None, repo: str | None = None, detector: str | None = None
) -> Opened:
    """Open an image detector of DeepfakeBench by the code of the user's own clone. That code is run."""
    file = detector_file(path)
    if not repo or not detector:
        raise UserError("model=deepfakebench needs model.repo=CLONE and model.detector=NAME, as ucf")
    clone = Path(repo).expanduser().absolute()
    settings, config = _settings(clone, detector)
    stubs = Stubs(missing(clone / "training"))
    with _lock, imported(clone, stubs) as (registry, executed), _without_downloads(clone):
        try:
            model = registry[settings["model_name"]](settings)
        except Exception as error:  # of the clone's code: any class
            raise UserError(
                f"{detector} of {clone} cannot be built{stubs.needed()} ({type(error).__name__}: {error})"
            ) from error
        files = executed()
    state, absent, left = matched(read_tensors(file, "model.path"), model)
    if absent or left:
        what = f"lacks {', '.join(absent[:3])}" if absent else f"has {', '.join(left[:3])} left over"
        raise UserError(f"{file} is no file of {detector}: it {what}{stubs.needed()}")
    model.load_state_dict(state)
    if detector == "multi_attention":
        model.batch_cnt = 10**9  # its last head answers late in a training, and the count is not in the file
    facts = {
        "size": size or settings["resolution"], "mean": settings["mean"], "std": settings["std"], "output": "logit",
        "fake_index": 1, "range": 1, "channels": "rgb",
    }  # fmt: skip
    note = f"{detector} of DeepfakeBench, trained on faces that it aligned (data=deepfakebench)"
    batch = 1 if detector == "sia" else None  # whose scores depend on the other faces of a batch
    return Opened(_Answers(model.eval()), file_digest(file, config, *files), facts, config.name, batch, note=note)


class _Answers(nn.Module):
    """The detector's classes as one logit of fake: of class 1 against all others."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, faces: Tensor) -> Tensor:
        grown = {name: len(value) for name, value in vars(self.model).items() if isinstance(value, list)}
        labels = torch.zeros(len(faces), device=faces.device).long()
        data = {"image": faces, "label": labels, "mask": None, "landmark": None}
        classes: Tensor = self.model(data, inference=True)["cls"].float()
        for name, length in grown.items():  # what it collects for its own metrics
            del getattr(self.model, name)[length:]
        if bool((classes >= 0).all()) and torch.allclose(classes.sum(1), torch.ones_like(classes[:, 0]), atol=1e-4):
            classes = classes.clamp_min(1e-12).log()  # probabilities already
        others = [number for number in range(classes.shape[1]) if number != 1]
        return classes[:, 1] - classes[:, others].logsumexp(1)


def _settings(clone: Path, detector: str) -> tuple[dict[str, Any], Path]:
    """The configuration of a detector, by its file's name or else by the model's."""
    folder = clone / "training" / "config"
    files = sorted((folder / "detector").glob("*.yaml"))
    if not files:
        raise UserError(f"model.repo={clone}: there is no training/config/detector; it names a clone of DeepfakeBench")
    try:
        found = {file: yaml.safe_load(file.read_text(encoding="utf-8")) for file in files}
    except (yaml.YAMLError, OSError) as error:
        raise UserError(f"model.repo={clone}: its configurations cannot be read ({last_line(error)})") from error
    fitting = [file for file in files if file.stem == detector]
    fitting += [file for file in files if found[file].get("model_name") == detector]
    if reason := _REFUSED.get(detector):
        raise UserError(f"model.detector={detector} is not supported: {reason}")
    if not fitting:
        raise UserError(f"model.detector={detector}: {clone} has {', '.join(file.stem for file in files)}")
    settings = found[fitting[0]]
    if settings.get("video_mode"):
        raise UserError(f"model.detector={detector} scores clips of {settings.get('clip_size')} frames, not faces")
    test = folder / "test_config.yaml"
    settings |= (yaml.safe_load(test.read_text(encoding="utf-8")) or {}) if test.is_file() else {}
    settings.setdefault("ddp", False)  # which its program for training sets
    return settings | ({"train_dataset": _TASKS} if settings["model_name"] == "ucf" else {}), fitting[0]


class _File(dict[str, Any]):
    """What a constructor finds in place of a file of weights: Xception's first layer, which some of them widen."""

    def __init__(self) -> None:
        super().__init__({"conv1.weight": torch.zeros(32, 3, 3, 3)})

    def __missing__(self, name: str) -> Any:
        return _File()

    def __delitem__(self, name: str) -> None:
        self.pop(name, None)


@contextlib.contextmanager
def _without_downloads(clone: Path) -> Iterator[None]:
    """Constructors build networks with random weights, whatever files and downloads they ask for."""

    def nothing(*arguments: Any, **named: Any) -> Any:
        return _File()

    def fits(*arguments: Any, **named: Any) -> Any:
        return torch.nn.modules.module._IncompatibleKeys([], [])

    def zeros(matrix: Tensor, full_matrices: bool = True) -> Any:
        rows, columns = matrix.shape
        least = min(rows, columns)
        wide = (rows, columns) if full_matrices else (least, least)
        return torch.zeros(rows, wide[0]), torch.zeros(least), torch.zeros(wide[1], columns)

    replaced: list[tuple[str, Any]] = [
        ("torch.load", nothing), ("torch.hub.load_state_dict_from_url", nothing), ("torch.hub.load", nothing),
        ("torch.utils.model_zoo.load_url", nothing), ("torch.nn.Module.load_state_dict", fits), ("torch.linalg.svd", zeros),
        ("torch.nn.Module.cuda", lambda self, *arguments: self), ("torch.Tensor.cuda", lambda self, *arguments: self),
        ("torchvision.models._api.load_state_dict_from_url", nothing), ("timm.models._builder.load_pretrained", nothing),
        ("efficientnet_pytorch.model.load_pretrained_weights", nothing), ("transformers.CLIPModel.from_pretrained", _clip),
        ("transformers.AutoProcessor.from_pretrained", nothing),
    ]  # fmt: skip
    folder, level = os.getcwd(), logging.root.manager.disable
    with contextlib.ExitStack() as stack:
        for name, value in replaced:
            if importlib.util.find_spec(name.partition(".")[0]) is not None:
                stack.enter_context(mock.patch(name, value))
        stack.callback(os.chdir, folder)
        stack.callback(logging.disable, level)
        os.chdir(clone)
        logging.disable(logging.CRITICAL)
        yield


def _clip(name: str, *arguments: Any, **named: Any) -> nn.Module:
    """CLIP of a name, with random weights."""
    import transformers

    vision: dict[str, Any] = _VISION["large-patch14" if "large-patch14" in str(name) else "base-patch16"]
    text = {"num_hidden_layers": 1, "projection_dim": vision["projection_dim"]}
    model: nn.Module = transformers.CLIPModel(transformers.CLIPConfig(vision_config=vision, text_config=text))
    return model
