"""Image classifiers of Hugging Face's transformers: a folder, or a name on the hub."""

import json
import pickle
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sr_deepfake.detectors.external.opened import Opened
from sr_deepfake.system.checkpoints import refuse_no_weights
from sr_deepfake.system.errors import UserError
from sr_deepfake.system.files import file_digest

# Words of labels, as people write them.
FAKE = {
    "fake", "deepfake", "deepfakes", "ai", "artificial", "synthetic", "generated", "spoof", "forged", "forgery",
    "manipulated", "gan", "tampered",
}  # fmt: skip
REAL = {
    "real", "realism", "pristine", "human", "live", "bonafide", "bona", "authentic", "original", "genuine", "natural",
}  # fmt: skip
_WEIGHTS = ("*.safetensors", "*.bin")
_PROCESSORS = ("preprocessor_config.json", "processor_config.json")
_RESAMPLES = ("nearest", "lanczos", "bilinear", "bicubic", "box", "hamming")  # by Pillow's numbers


def open_huggingface(path: str, size: int | None = None, download: bool = False) -> Opened:
    """Open an image classifier of transformers: a folder of `save_pretrained`, or a name on the hub such as "owner/model"."""
    folder = _folder(path, download)
    try:
        from transformers import AutoModelForImageClassification
    except ImportError as error:
        raise UserError(f"model=huggingface requires transformers ({error}): pip install transformers") from None
    config = _json(folder / "config.json")
    if _names_code(config):
        raise UserError(f"{folder}: its config.json names code of its own, which is not run; model=python can run it")
    weights = sorted(file for kind in _WEIGHTS for file in folder.glob(kind))
    for file in sorted(folder.glob(_WEIGHTS[0])) or weights:  # what is read
        refuse_no_weights(file, "model.path")
    try:
        model, loaded = AutoModelForImageClassification.from_pretrained(
            str(folder), local_files_only=True, trust_remote_code=False, attn_implementation="eager",
            output_loading_info=True,
        )  # fmt: skip
    except pickle.UnpicklingError:
        raise UserError(f"{folder}: its weights hold code, which is not run; save them as safetensors") from None
    except Exception as error:  # whatever a damaged file makes its readers do
        reason = str(error).strip().split("\n")[0]
        raise UserError(f"{folder} holds no image classifier of transformers ({reason})") from error
    if loaded["missing_keys"]:  # transformers goes on, with random numbers
        raise UserError(f"{folder}: its weights do not fit its config.json: no {_listed(loaded['missing_keys'])}")
    model = model.to(torch.float32)  # whatever the file's format
    labels = {int(number): str(name) for number, name in model.config.id2label.items()}
    if sorted(labels) != list(range(len(labels))):
        raise UserError(f"{folder}: id2label of its config.json numbers the classes {sorted(labels)}, not from 0 on")
    facts, notes = _input(folder, config)
    if loaded["unexpected_keys"]:
        notes.append(f"a model that does not use all of its weights: not {_listed(loaded['unexpected_keys'])}")
    listed = ", ".join(f"{number}: {name!r}" for number, name in sorted(labels.items()))
    fake, real = _fake_and_real(labels)
    found, unclear = fake_label(labels), ""
    if len(labels) > 2:
        if len(real) != 1 or len(fake) != len(labels) - 1:
            raise UserError(
                f"{folder} has {len(labels)} classes ({listed}); a detector has one of real faces, and all others of fakes"
            )
        facts |= {"output": "logit", "fake_index": 1}
    elif len(labels) == 1:
        facts["fake_index"] = 0 if real else 1
    elif found is not None:
        facts["fake_index"] = found
    else:
        unclear = f"its labels ({listed}) do not say which one is fake"
    network = _Logits(model, real[0] if len(labels) > 2 else None)
    digest = file_digest(folder / "config.json", *weights)
    return Opened(network, digest, facts, "its processor, id2label", unclear=unclear, note="; ".join(notes))


def fake_label(labels: dict[int, str]) -> int | None:
    """Which of two labels is *fake*, by their words; None where they do not say.

    >>> fake_label({0: "Realism", 1: "Deepfake"}), fake_label({0: "ai_generated", 1: "human"})
    (1, 0)
    >>> fake_label({0: "LABEL_0", 1: "LABEL_1"}) is None
    True
    """
    fake, real = _fake_and_real(labels)
    if len(fake) == 1 and len(real) <= 1:
        return fake[0]
    return 1 - real[0] if len(real) == 1 and not fake else None


def _fake_and_real(labels: dict[int, str]) -> tuple[list[int], list[int]]:
    """The labels with words of fakes alone, and those with words of real faces alone."""
    words = {number: set(re.split(r"[^a-z]+", name.lower())) for number, name in labels.items()}
    fake = [number for number, found in words.items() if found & FAKE and not found & REAL]
    real = [number for number, found in words.items() if found & REAL and not found & FAKE]
    return fake, real


class _Logits(nn.Module):
    """The model's logits; of one class of real faces among several, one logit of all others together."""

    def __init__(self, model: nn.Module, real: int | None) -> None:
        super().__init__()
        self.model, self.real = model, real

    def forward(self, faces: Tensor) -> Tensor:
        logits: Tensor = self.model(pixel_values=faces).logits
        if self.real is None:
            return logits
        others = [number for number in range(logits.shape[1]) if number != self.real]
        return logits[:, others].logsumexp(1) - logits[:, self.real]


def _folder(path: str, download: bool) -> Path:
    folder = Path(path).expanduser()
    if (folder / "config.json").is_file():
        return folder
    if folder.is_dir():
        raise UserError(f"model.path={path}: the folder has no config.json, which save_pretrained writes")
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", path):
        raise UserError(f"model.path={path} is neither a folder nor a name on the hub such as owner/model")
    import huggingface_hub

    try:
        patterns = ["*.json", *_WEIGHTS]
        return Path(huggingface_hub.snapshot_download(path, local_files_only=not download, allow_patterns=patterns))
    except Exception as error:  # the hub's own classes, and those of the network
        what = "is not in the hub's cache; model.download=true fetches it"
        if download:
            what = "cannot be fetched ({})".format(str(error).strip().split("\n")[0])
        raise UserError(f"model.path={path} {what}") from error


def _input(folder: Path, config: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """What the processor's file, or timm's part of config.json, says of the input, for pixels in [0, 1]; and notes."""
    file = next((folder / name for name in _PROCESSORS if (folder / name).is_file()), None)
    found = _json(file) if file else {}
    found = found.get("image_processor", found)  # transformers 5 keeps all processors of a model in one file
    own = config.get("pretrained_cfg") or {}
    if own and "image_mean" not in found:
        size = (own.get("input_size") or [None])[-1]
        names = {"image_mean": "mean", "image_std": "std", "crop_pct": "crop_pct"}
        found |= {"size": size} | {name: own[key] for name, key in names.items() if own.get(key) is not None}
    facts: dict[str, Any] = {}
    # A part that is cut out of a larger picture is what the network gets.
    cut = _side(found.get("crop_size")) if found.get("do_center_crop") else None
    whole, kind = _side(found.get("size")), str(found.get("image_processor_type"))
    if side := cut or whole or _side(config.get("image_size")):
        facts["size"] = side
    crop = cut / whole if cut and whole else float(found.get("crop_pct") or 1.0)
    if kind.startswith("Levit"):  # which resizes to more than is written
        crop *= 224 / 256
    if crop < 1 and not (kind.startswith("ConvNext") and whole and whole >= 384):  # which cuts smaller ones alone
        facts["crop"] = crop
    notes, number = [], found.get("resample")
    resize = _RESAMPLES[number] if number in range(len(_RESAMPLES)) else own.get("interpolation")
    if resize == "bicubic":
        facts["resize"] = "bicubic"
    elif resize not in (None, "bilinear"):
        notes.append(f"a model whose faces were resized by {resize}: bilinear is used")
    normalised = found.get("do_normalize", True)
    if normalised and None not in (found.get("image_mean"), found.get("image_std")):
        facts |= {"mean": _three(found["image_mean"]), "std": _three(found["image_std"])}
    elif normalised:
        where = "a folder whose processor's file says no mean" if file else "a folder without a processor's file"
        notes.append(f"{where}: mean 0 and standard deviation 1 are assumed")
    factor = found.get("rescale_factor")
    if found.get("do_rescale") is False:
        facts["range"] = 255
    elif isinstance(factor, int | float) and abs(factor * 255 - 1) > 1e-3:
        facts = {"mean": [0.0] * 3, "std": [1.0] * 3, **facts}
        # x · 255 · factor − mean is what x − mean / (255 · factor) is, by that factor.
        facts |= {name: [value / (255 * factor) for value in facts[name]] for name in ("mean", "std")}
    if found.get("do_flip_channel_order"):
        facts["channels"] = "bgr"
    return facts, notes


def _names_code(config: Any) -> bool:
    """Whether a configuration, or one in it, names code: of its own, or kernels of a repository."""
    if isinstance(config, dict):
        attention = [config.get(name) for name in ("attn_implementation", "_attn_implementation")]
        kernels = any("/" in str(name) for name in attention if name)
        return "auto_map" in config or kernels or any(map(_names_code, config.values()))
    return isinstance(config, list) and any(map(_names_code, config))


def _listed(names: Collection[str]) -> str:
    return ", ".join(sorted(names)[:3]) + (f" and {len(names) - 3} others" if len(names) > 3 else "")


def _side(size: Any) -> int | None:
    if isinstance(size, dict):
        size = size.get("height") or size.get("shortest_edge")
    return int(size) if isinstance(size, int | float) and size >= 1 else None


def _three(numbers: Any) -> list[float]:
    return [float(number) for number in numbers] if isinstance(numbers, list) else [float(numbers)] * 3


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({error})") from error
    if not isinstance(content, dict):
        raise UserError(f"{path} holds no settings")
    return content
