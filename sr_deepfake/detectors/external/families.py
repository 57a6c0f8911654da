"""Published detectors whose files are recognised by their tensors: how their names map to timm's, and what they expect.

Facts are from the programs that the authors published with the files; none of them says them in the file itself.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
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
    """A family of published files.

    Attributes:
        name: as people know it.
        backbone: of timm.
        head: name of the last layer's weight in the file, and its number of columns.
        sign: a further tensor that its files have.
        rename: from its names to timm's.
        facts: what the detector expects, see `Opened.facts`.
        idle: pattern of tensors that have no part in the score.
        faces: what faces it wants, in words; "" where a margin says it.
        finish: what else is done to the tensors, by timm's names.
        adapt: what else is done to the network, once it has its weights.
    """

    name: str
    backbone: str
    head: tuple[str, int]
    sign: str
    rename: Rename
    facts: Mapping[str, Any]
    idle: str = "$^"
    faces: str = ""
    finish: Callable[[dict[str, Tensor]], dict[str, Tensor]] = field(default=dict)
    adapt: Callable[[nn.Module], None] = field(default=lambda network: None)

    def fits(self, state: Tensors) -> bool:
        """Whether tensors are those of a file of this family."""
        name, columns = self.head
        return name in state and self.sign in state and state[name].ndim == 2 and state[name].shape[1] == columns

    def renamed(self, state: Tensors) -> dict[str, Tensor]:
        """The tensors by timm's names, without idle ones."""
        found = {}
        for name, tensor in state.items():
            if not re.match(self.idle, name):
                for pattern, replacement in self.rename:
                    name = re.sub(pattern, replacement, name)
                found[name] = tensor
        return self.finish(found)


def recognised(state: Tensors) -> tuple[Family, dict[str, Tensor]] | None:
    """The family of a file, and its tensors by timm's names; None: it is of no family that is known."""
    bare = {name.removeprefix("module."): tensor for name, tensor in state.items()}
    for family in FAMILIES:
        if family.fits(bare):
            return family, family.renamed(bare)
    return None


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


def padded_as_for(side: int, bare_stem: bool) -> Callable[[nn.Module], None]:
    """Pad strided convolutions as efficientnet_pytorch does since 0.7: by one image side, whatever the input's is.

    Args:
        side: that image side, px: 380 for B4.
        bare_stem: the first one is not padded at all, as DeepfakeBench has it.
    """

    def adapt(network: nn.Module) -> None:
        at = side
        strided = [
            (name, layer)
            for name, layer in network.named_modules()
            if isinstance(layer, nn.Conv2d) and layer.stride[0] > 1
        ]
        for number, (name, layer) in enumerate(strided):
            kernel, stride = layer.kernel_size[0], layer.stride[0]
            total = max((-(-at // stride) - 1) * stride + kernel - at, 0)
            at = -(-at // stride)
            before = 0 if number == 0 and bare_stem else total // 2
            after = 0 if number == 0 and bare_stem else total - total // 2
            plain = nn.Conv2d(
                layer.in_channels, layer.out_channels, kernel, stride, groups=layer.groups, bias=layer.bias is not None
            )
            plain.load_state_dict(layer.state_dict())
            parent, _, own = name.rpartition(".")
            setattr(network.get_submodule(parent), own, nn.Sequential(nn.ZeroPad2d((before, after) * 2), plain))

    return adapt


_EFFICIENTNET_PARTS: dict[str, Any] = {"backbone": "tf_efficientnet_b4", "rename": _EFFICIENTNET, "finish": in_stages}
_VISION_L: dict[str, Any] = {"backbone": "vit_large_patch14_clip_quickgelu_224", "rename": _VISION, "finish": joined}
_POSITIONS = r".*position_ids$"
FAMILIES = (
    Family(
        "Self-Blended Images (SBI)", head=("net._fc.weight", 1792), sign="net._conv_stem.weight",
        facts={"size": 380, **PLAIN, "fake_index": 1, "crop_margin": 0.125}, **_EFFICIENTNET_PARTS,
    ),
    Family(
        "EfficientNet-B4 of polimi (icpr2020dfdc)", head=("classifier.weight", 1792), sign="efficientnet._conv_stem.weight",
        facts={"size": 224, **IMAGENET, "fake_index": 1}, faces="a square about the face's box", **_EFFICIENTNET_PARTS,
    ),
    Family(
        "EfficientNet-B4 of DeepfakeBench", head=("backbone.last_layer.weight", 1792),
        sign="backbone.efficientnet._conv_stem.weight", facts={"size": 256, **HALF, "fake_index": 1},
        adapt=padded_as_for(380, bare_stem=True), faces=ALIGNED, **_EFFICIENTNET_PARTS,
    ),
    Family(
        "the winner of the DFDC (selimsef)", "tf_efficientnet_b7", ("fc.weight", 2560), "encoder.conv_stem.weight", _DFDC,
        {"size": 380, **IMAGENET, "fake_index": 1, "crop_margin": 1 / 3}, idle=r"encoder\.classifier\.",
    ),
    Family(
        "Xception of DeepfakeBench (xception, core, fwa, rfm)", "legacy_xception", ("backbone.last_linear.weight", 2048),
        "backbone.block1.rep.0.conv1.weight", _XCEPTION, {"size": 256, **HALF, "fake_index": 1},
        idle=r"backbone\.adjust_channel\.", faces=ALIGNED,
    ),
    Family(
        "Xception of FaceForensics++", "legacy_xception", ("model.last_linear.weight", 2048),
        "model.block1.rep.0.conv1.weight", _XCEPTION, {"size": 299, **HALF, "fake_index": 1, "crop_margin": 0.15},
    ),
    Family(
        "Xception of HongguLiu (Deepfake-Detection)", "legacy_xception", ("model.last_linear.1.weight", 2048),
        "model.block1.rep.0.conv1.weight", _XCEPTION, {"size": 299, **HALF, "fake_index": 1, "crop_margin": 0.15},
    ),
    Family(
        "Xception of polimi (icpr2020dfdc)", "legacy_xception", ("xception.last_linear.weight", 2048),
        "xception.block1.rep.0.conv1.weight", _XCEPTION, {"size": 224, **IMAGENET, "fake_index": 1},
        faces="a square about the face's box",
    ),
    Family(
        "CNN-Aug (ResNet-34) of DeepfakeBench", "resnet34", ("backbone.fc.weight", 512), "backbone.resnet.0.weight",
        _RESNET34, {"size": 256, **HALF, "fake_index": 1}, faces=ALIGNED,
    ),
    Family(
        "CNNDetection (Wang et al., 2020)", "resnet50", ("fc.weight", 2048), "layer4.2.conv3.weight", (),
        {"size": 224, **IMAGENET, "fake_index": 1}, faces="whole pictures of generators, not faces",
    ),
    Family(
        "Effort (CLIP L/14)", head=("head.weight", 1024), sign="backbone.encoder.layers.0.self_attn.q_proj.weight_main",
        facts={"size": 224, **CLIP, "fake_index": 1}, idle=_POSITIONS, faces=ALIGNED, **_VISION_L,
    ),
    Family(
        "CLIP L/14 of DF40", head=("head.weight", 1024), sign="backbone.embeddings.class_embedding",
        facts={"size": 224, **HALF, "fake_index": 1}, idle=_POSITIONS, faces=ALIGNED, **_VISION_L,
    ),
    Family(
        "CLIP B/16 of DeepfakeBench", head=("head.weight", 768), sign="backbone.embeddings.class_embedding",
        facts={"size": 224, **HALF, "fake_index": 1}, idle=_POSITIONS, faces=ALIGNED,
        **_VISION_L | {"backbone": "vit_base_patch16_clip_quickgelu_224"},
    ),
)  # fmt: skip
