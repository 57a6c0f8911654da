"""Image classifiers of Hugging Face's transformers: a folder, or a name on the hub."""

import json
import re
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from sr_deepfake.detectors.external.opened import Opened
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
_RESAMPLES = {3: "bicubic", 2: "bilinear"}  # Pillow's numbers


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
    try:
        model = AutoModelForImageClassification.from_pretrained(
            str(folder), local_files_only=True, trust_remote_code=False, attn_implementation="eager"
        )
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        reason = str(error).strip().split("\n")[0]
        raise UserError(f"{folder} holds no image classifier of transformers ({reason})") from error
    labels = {int(number): str(name) for number, name in model.config.id2label.items()}
    facts = _input(folder, config)
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
    without = "a folder without a processor's file: mean 0 and standard deviation 1 are assumed"
    note = "" if {"mean", "std"} <= facts.keys() else without
    files = [folder / "config.json", *sorted(file for kind in _WEIGHTS for file in folder.glob(kind))]
    network = _Logits(model, real[0] if len(labels) > 2 else None)
    return Opened(network, file_digest(*files), facts, "its processor, id2label", unclear=unclear, note=note)


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


def _input(folder: Path, config: dict[str, Any]) -> dict[str, Any]:
    """Side, mean and standard deviation of the processor's file, or of timm's part of config.json, for pixels in [0, 1]."""
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
    whole = _side(found.get("size"))
    if side := cut or whole or _side(config.get("image_size")):
        facts["size"] = side
    crop = cut / whole if cut and whole else float(found.get("crop_pct") or 1.0)
    if crop < 1:
        facts["crop"] = crop
    if (_RESAMPLES.get(found["resample"]) if "resample" in found else own.get("interpolation")) == "bicubic":
        facts["resize"] = "bicubic"
    if found.get("do_normalize", True) and {"image_mean", "image_std"} <= found.keys():
        facts |= {"mean": _three(found["image_mean"]), "std": _three(found["image_std"])}
    factor = found.get("rescale_factor")
    if found.get("do_rescale") is False:
        facts["range"] = 255
    elif isinstance(factor, int | float) and abs(factor * 255 - 1) > 1e-3:
        facts = {"mean": [0.0] * 3, "std": [1.0] * 3, **facts}
        # x · 255 · factor − mean is what x − mean / (255 · factor) is, by that factor.
        facts |= {name: [value / (255 * factor) for value in facts[name]] for name in ("mean", "std")}
    if found.get("do_flip_channel_order"):
        facts["channels"] = "bgr"
    return facts


def _names_code(config: Any) -> bool:
    """Whether a configuration, or one in it, names code: of its own, or kernels of a repository."""
    if isinstance(config, dict):
        attention = [config.get(name) for name in ("attn_implementation", "_attn_implementation")]
        kernels = any("/" in str(name) for name in attention if name)
        return "auto_map" in config or kernels or any(map(_names_code, config.values()))
    return isinstance(config, list) and any(map(_names_code, config))


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
