"""Published detectors, recognised by their tensors: their names by timm's, and what their authors' programs give them."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor, nn

Tensors = Mapping[str, Tensor]
Rename = tuple[tuple[str, str], ...]  # regular expressions, and what takes their place, one after the other

IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
HALF = {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}
PLAIN = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}
CLIP = {"mean": (0.48145466, 0.4578275, 0.40821073), "std": (0.26862954, 0.26130258, 0.27577711)}
ALIGNED = "faces that DeepfakeBench aligned (data=deepfakebench); on others scores are not what its authors measured"

_XCEPTION: Rename = ((r"^(backbone|model|xception)\.", ""), (r"^last_linear(\.1)?\.", "fc."))
_RESNET34: Rename = (
    (r"^backbone\.(resnet\.)?", ""), (r"^0\.", "conv1."), (r"^1\.", "bn1."), (r"^4\.", "layer1."), (r"^5\.", "layer2."),
    (r"^6\.", "layer3."), (r"^7\.", "layer4."),
)  # fmt: skip
_DFDC: Rename = ((r"^encoder\.", ""), (r"^fc\.", "classifier."))
_EFFICIENTNET: Rename = (
    (r"^(net|efficientnet|backbone\.efficientnet)\.", ""), (r"^(backbone\.last_layer|_fc)\.", "classifier."),
    (r"^_conv_stem\.", "conv_stem."), (r"^_bn0\.", "bn1."), (r"^_conv_head\.", "conv_head."), (r"^_bn1\.", "bn2."),
    (r"\._se_(reduce|expand)\.", r".se.conv_\1."),
)  # fmt: skip
_VISION: Rename = (
    (r"^backbone\.", ""), (r"^embeddings\.class_embedding$", "cls_token"),
    (r"^embeddings\.patch_embedding\.", "patch_embed.proj."), (r"^embeddings\.position_embedding\.weight$", "pos_embed"),
    (r"^pre_layrnorm\.", "norm_pre."),
    (r"^post_layernorm\.", "norm."), (r"^encoder\.layers\.", "blocks."), (r"\.layer_norm([12])\.", r".norm\1."),
    (r"\.self_attn\.out_proj\.", ".attn.proj."), (r"\.self_attn\.", ".attn."),
)  # fmt: skip
# Layers of a block of EfficientNet: those of the first stage have no expansion.
_FIRST = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
_OTHERS = {
    "_expand_conv": "conv_pw", "_bn0": "bn1", "_depthwise_conv": "conv_dw", "_bn1": "bn2", "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}  # fmt: skip
_B4 = (2, 4, 4, 6, 6, 8, 2)  # blocks of each stage


@dataclass(frozen=True)
class Family:
    """A family of published files."""

    name: str  # as people know it
    backbone: str  # of timm
    head: tuple[str, int]  # name of the last layer's weight in the file, and its number of columns
    sign: str  # a further tensor that its files have
    rename: Rename  # from its names to timm's
    facts: Mapping[str, Any]  # what the detector expects, see `Opened.facts`
    idle: str = "$^"  # pattern of tensors that have no part in the score
    faces: str = ""  # what faces it wants, in words; "" where a margin says it
    finish: Callable[[dict[str, Tensor]], dict[str, Tensor]] = dict  # what else is done to the tensors, by timm's names
    adapt: Callable[[nn.Module], None] | None = None  # what else is done to the network, once it has its weights

    def fits(self, state: Tensors) -> bool:
        """Whether tensors are those of a file of this family."""
        name, columns = self.head
        return name in state and self.sign in state and state[name].shape[1:] == (columns,)

    def renamed(self, state: Tensors) -> dict[str, Tensor]:
        """The tensors by timm's names, without idle ones."""
        found = {}
        for name, tensor in state.items():
            if not re.match(self.idle, name):
                for pattern, replacement in self.rename:
                    name = re.sub(pattern, replacement, name)
                found[name] = tensor
        return self.finish(found)


def in_stages(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """EfficientNet-B4's blocks, which efficientnet_pytorch counts through, by stage."""
    ends = list(accumulate(_B4))

    def place(match: re.Match[str]) -> str:
        number = int(match[1])
        stage = next((i for i, end in enumerate(ends) if number < end), len(ends))
        layers = _FIRST if stage == 0 else _OTHERS
        return f"blocks.{stage}.{number - (0, *ends)[stage]}.{layers.get(match[2], match[2])}."

    return {re.sub(r"^_blocks\.(\d+)\.(\w+)\.", place, name): tensor for name, tensor in state.items()}


def joined(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """CLIP's queries, keys and values as one layer; Effort's layers, which it keeps in parts, put together."""
    found = dict(state)
    for name in [name.removesuffix(".weight_main") for name in state if name.endswith(".weight_main")]:
        parts = [f"{name}.{part}_residual" for part in "USV"]
        if found.keys() >= set(parts):  # else it is a part of a file, and named as such
            u, s, v = map(found.pop, parts)
            found[f"{name}.weight"] = found.pop(f"{name}.weight_main") + u @ torch.diag(s) @ v
    for name in [name.removesuffix("q_proj.weight") for name in found if name.endswith("q_proj.weight")]:
        for part in ("weight", "bias"):
            parts = [f"{name}{letter}_proj.{part}" for letter in "qkv"]
            if found.keys() >= set(parts):
                found[f"{name}qkv.{part}"] = torch.cat([found.pop(each) for each in parts])
    for name, axes in (("cls_token", 3), ("pos_embed", 3)):
        while name in found and found[name].ndim < axes:
            found[name] = found[name][None]
    return found


def padded_by_hand(network: nn.Module) -> None:
    """Pad strided convolutions as DeepfakeBench's EfficientNet-B4 does: the first not at all.

    The others as efficientnet_pytorch does since 0.7: as for an image of 380 px, whatever the input's side is.
    """
    at = 380
    for name, layer in list(network.named_modules()):
        if not isinstance(layer, nn.Conv2d) or layer.stride[0] == 1:
            continue
        kernel, stride = layer.kernel_size[0], layer.stride[0]
        steps = math.ceil(at / stride)
        total = 0 if at == 380 else max((steps - 1) * stride + kernel - at, 0)
        at = steps
        plain = nn.Conv2d(
            layer.in_channels, layer.out_channels, kernel, stride, groups=layer.groups, bias=layer.bias is not None
        )
        plain.load_state_dict(layer.state_dict())
        network.set_submodule(name, nn.Sequential(nn.ZeroPad2d((total // 2, total - total // 2) * 2), plain))


_IS_B4: dict[str, Any] = {"backbone": "tf_efficientnet_b4", "rename": _EFFICIENTNET, "finish": in_stages}
_IS_CLIP: dict[str, Any] = {"rename": _VISION, "finish": joined, "idle": r".*position_ids$", "faces": ALIGNED}
_B16, _L14 = "vit_base_patch16_clip_quickgelu_224", "vit_large_patch14_clip_quickgelu_224"
_SQUARE = "a square about the face's box"
_FIRST_BLOCK = "block1.rep.0.conv1.weight"
FAMILIES = (
    Family(
        "Self-Blended Images (SBI)", head=("net._fc.weight", 1792), sign="net._conv_stem.weight",
        facts={"size": 380, **PLAIN, "crop_margin": 0.125}, **_IS_B4,
    ),
    Family(
        "EfficientNet-B4 of polimi (icpr2020dfdc)", head=("classifier.weight", 1792), sign="efficientnet._conv_stem.weight",
        facts={"size": 224, **IMAGENET}, faces=_SQUARE, **_IS_B4,
    ),
    Family(
        "EfficientNet-B4 of DeepfakeBench", head=("backbone.last_layer.weight", 1792),
        sign="backbone.efficientnet._conv_stem.weight", facts={"size": 256, **HALF}, faces=ALIGNED, adapt=padded_by_hand,
        **_IS_B4,
    ),
    Family(
        "the winner of the DFDC (selimsef)", "tf_efficientnet_b7", ("fc.weight", 2560), "encoder.conv_stem.weight", _DFDC,
        {"size": 380, **IMAGENET, "crop_margin": 1 / 3}, idle=r"encoder\.classifier\.",
    ),
    Family(
        "Xception of DeepfakeBench (xception, core, fwa, rfm)", "legacy_xception", ("backbone.last_linear.weight", 2048),
        f"backbone.{_FIRST_BLOCK}", _XCEPTION, {"size": 256, **HALF}, r"backbone\.adjust_channel\.", ALIGNED,
    ),
    Family(
        "Xception of FaceForensics++", "legacy_xception", ("model.last_linear.weight", 2048), f"model.{_FIRST_BLOCK}",
        _XCEPTION, {"size": 299, **HALF, "crop_margin": 0.15},
    ),
    Family(
        "Xception of HongguLiu (Deepfake-Detection)", "legacy_xception", ("model.last_linear.1.weight", 2048),
        f"model.{_FIRST_BLOCK}", _XCEPTION, {"size": 299, **HALF, "crop_margin": 0.15},
    ),
    Family(
        "Xception of polimi (icpr2020dfdc)", "legacy_xception", ("xception.last_linear.weight", 2048),
        f"xception.{_FIRST_BLOCK}", _XCEPTION, {"size": 224, **IMAGENET}, faces=_SQUARE,
    ),
    Family(
        "CNN-Aug (ResNet-34) of DeepfakeBench", "resnet34", ("backbone.fc.weight", 512), "backbone.resnet.0.weight",
        _RESNET34, {"size": 256, **HALF}, faces=ALIGNED,
    ),
    Family(
        "CNNDetection (Wang et al., 2020)", "resnet50", ("fc.weight", 2048), "layer4.2.conv3.weight", (),
        {"size": 224, **IMAGENET}, faces="whole pictures of generators, not faces",
    ),
    Family(
        "Effort (CLIP L/14)", _L14, ("head.weight", 1024), "backbone.encoder.layers.0.self_attn.q_proj.weight_main",
        facts={"size": 224, **CLIP}, **_IS_CLIP,
    ),
    Family(
        "CLIP L/14 of DF40", _L14, ("head.weight", 1024), "backbone.embeddings.class_embedding",
        facts={"size": 224, **HALF}, **_IS_CLIP,
    ),
    Family(
        "CLIP B/16 of DeepfakeBench", _B16, ("head.weight", 768), "backbone.embeddings.class_embedding",
        facts={"size": 224, **HALF}, **_IS_CLIP,
    ),
)  # fmt: skip
