"""Published layouts with random weights: the answers are those of the original classes, where PyPI has them."""

import pickle

import pytest
import timm
import torch
from torch import nn

from sr_deepfake.detectors.external.checkpoint import open_checkpoint
from sr_deepfake.detectors.external.families import FAMILIES
from sr_deepfake.system.errors import UserError


def randomised(network):
    """Weights that make answers differ from face to face; statistics of batches that are not those of a new network."""
    generator = torch.Generator().manual_seed(1)
    for name, tensor in network.state_dict().items():
        if name.endswith(("running_mean", "running_var")):
            tensor.copy_(torch.rand(tensor.shape, generator=generator) * 0.2 + (0.9 if name.endswith("var") else -0.1))
        elif tensor.ndim == 1 and name.endswith("bias"):
            tensor.copy_(torch.randn(tensor.shape, generator=generator) * 0.05)
    return network.eval()


def faces(side, count=2):
    rows = torch.linspace(-1, 1, side)
    waves = [torch.sin(9 * (i + 1) * rows[:, None] + i) * torch.cos(7 * rows[None] - i) for i in range(3 * count)]
    return torch.stack(waves).view(count, 3, side, side)


def opened(tmp_path, content, **options):
    path = tmp_path / "published.pth"
    torch.save(content, path)
    return open_checkpoint(str(path), None, **options)


def assert_equal(ours, theirs, tolerance):
    """To a part of the spread of the answers."""
    assert (ours - theirs).abs().max() <= tolerance * max(1e-3, float((theirs - theirs.mean(0)).abs().max()))


OF_SBI = {"size": 380, "mean": (0, 0, 0), "output": "logits2", "fake_index": 1}


def efficientnet(name="efficientnet-b4", **options):
    module = pytest.importorskip("efficientnet_pytorch")
    return randomised(module.EfficientNet.from_name(name, **options))


def xception(classes=2):
    module = pytest.importorskip("pretrainedmodels")
    return randomised(module.models.xception(num_classes=classes, pretrained=None))


# Each gives the content of a file, the original network, and the side of its faces.


def sbi():
    theirs = efficientnet(num_classes=2)
    return {"model": nn.ModuleDict({"net": theirs}).state_dict()}, theirs, 380


def polimis_efficientnet():
    """It pads by its input."""
    theirs, head = efficientnet(image_size=None), nn.Linear(1792, 1)  # as efficientnet_pytorch 0.6.3 pads
    state = nn.ModuleDict({"efficientnet": theirs, "classifier": head}).state_dict()
    state = {name: tensor for name, tensor in state.items() if "._fc." not in name}
    return {"net": state}, lambda faces: head(theirs.extract_features(faces).mean((2, 3))), 224


def deepfakebenchs_efficientnet():
    """Its stem is bare, and it pads as for 380 px."""
    theirs, head = efficientnet(), nn.Linear(1792, 2)
    theirs._conv_stem = nn.Conv2d(3, 48, 3, 2, bias=False)
    theirs._fc = nn.Identity()
    state = nn.ModuleDict({"backbone": nn.ModuleDict({"efficientnet": theirs, "last_layer": head})}).state_dict()
    return state, lambda faces: head(theirs.extract_features(faces).mean((2, 3))), 256


def parallel(prefix, classes=2):
    """Xception as data-parallel training saves it."""
    theirs = xception(classes)
    state = nn.ModuleDict({prefix: theirs}).state_dict()
    if prefix == "backbone":  # idle layers of DeepfakeBench's class
        state["backbone.adjust_channel.0.weight"] = torch.ones(512, 2048, 1, 1)
    return {f"module.{name}": tensor for name, tensor in state.items()}, theirs, 96


def hongguliu():
    """Its head is behind dropout."""
    theirs = xception()
    theirs.last_linear = nn.Sequential(nn.Dropout(0.5), theirs.last_linear)
    return nn.ModuleDict({"model": theirs}).state_dict(), theirs.eval(), 96


def cnn_aug():
    theirs = randomised(timm.create_model("resnet34", num_classes=2))
    numbers = {"conv1": "0", "bn1": "1", "layer1": "4", "layer2": "5", "layer3": "6", "layer4": "7"}
    state = {}
    for name, tensor in theirs.state_dict().items():
        first, _, rest = name.partition(".")
        state[f"backbone.resnet.{numbers[first]}.{rest}" if first in numbers else f"backbone.{name}"] = tensor
    return state, theirs, 128


def cnn_detection():
    theirs = randomised(timm.create_model("resnet50", num_classes=1))
    return {"model": theirs.state_dict(), "total_steps": 3}, theirs, 128


def dfdc():
    theirs = randomised(timm.create_model("tf_efficientnet_b7", num_classes=1))
    state = {"module.encoder.classifier.weight": torch.zeros(1000, 2560)}
    for name, tensor in theirs.state_dict().items():
        state[f"module.{name.replace('classifier', 'fc') if 'classifier' in name else f'encoder.{name}'}"] = tensor
    return {"state_dict": state, "epoch": 4}, theirs, 96


def clip(large):
    transformers = pytest.importorskip("transformers")
    sizes = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096}
    config = transformers.CLIPVisionConfig(**(sizes | {"patch_size": 14} if large else {"patch_size": 16}))
    model = transformers.CLIPVisionModel(config)
    theirs, head = randomised(getattr(model, "vision_model", model)), nn.Linear(config.hidden_size, 2)
    state = nn.ModuleDict({"backbone": theirs, "head": head}).state_dict()
    state |= {"backbone.embeddings.position_ids": torch.arange(197)[None]}  # older transformers saved them
    return state, lambda faces: head(theirs(faces).pooler_output), 224


def effort():
    """Its layers are in parts, which are put together."""
    whole, theirs, side = clip(large=True)
    state = {}
    for name, tensor in whole.items():
        if "self_attn" in name and name.endswith(".weight"):
            part, stem = torch.randn(1024, 1) * 0.01, f"module.{name.removesuffix('weight')}"
            state |= {f"{stem}weight_main": tensor - part @ part.T, f"{stem}S_residual": torch.ones(1)}
            state |= {f"{stem}U_residual": part, f"{stem}V_residual": part.T.contiguous()}
        else:
            state[f"module.{name}"] = tensor
    return state, theirs, side


def nightly(*values):
    return pytest.param(*values, marks=pytest.mark.nightly)


@torch.no_grad()
@pytest.mark.parametrize(
    ("make", "name", "facts", "tolerance"),
    [
        (sbi, "Self-Blended Images (SBI), tf_efficientnet_b4", OF_SBI, 1e-4),
        (polimis_efficientnet, "EfficientNet-B4 of polimi", {"output": "logit"}, 1e-4),
        (deepfakebenchs_efficientnet, "EfficientNet-B4 of DeepfakeBench", {"size": 256}, 1e-4),
        (lambda: parallel("backbone"), "Xception of DeepfakeBench", {}, 1e-5),
        (lambda: parallel("model"), "Xception of FaceForensics++", {}, 1e-5),
        (lambda: parallel("xception", 1), "Xception of polimi", {"output": "logit"}, 1e-5),
        (hongguliu, "Xception of HongguLiu", {}, 1e-5),
        (cnn_aug, "CNN-Aug", {}, 0),
        (cnn_detection, "CNNDetection", {"output": "logit"}, 0),
        nightly(dfdc, "the winner of the DFDC", {"crop_margin": pytest.approx(1 / 3)}, 0),
        nightly(lambda: clip(False), "CLIP B/16", {}, 1e-4),
        nightly(lambda: clip(True), "CLIP L/14", {}, 1e-4),
        nightly(effort, "Effort", {}, 1e-3),
    ],
)
def test_answers_are_those_of_the_original_class(tmp_path, make, name, facts, tolerance):
    content, theirs, side = make()
    found = opened(tmp_path, content)
    assert found.note.startswith(f"recognised as {name}")
    assert {key: found.facts[key] for key in facts} == facts
    assert_equal(found.network.eval()(faces(side)), theirs(faces(side)), tolerance)


class Net(nn.ModuleDict):
    """Stands for the class whose code is not there when the pickle is read."""


@torch.no_grad()
@pytest.mark.parametrize("is_zip", [True, False])
def test_faceforensics_pickles_are_read_as_data(tmp_path, monkeypatch, is_zip):
    theirs = xception()
    torch.save(Net({"model": theirs}), tmp_path / "full_c23.p", _use_new_zipfile_serialization=is_zip)
    monkeypatch.delattr(f"{__name__}.Net")
    monkeypatch.setattr(pickle, "_getattribute", lambda *_: pytest.fail("a class was looked up"), raising=False)
    found = open_checkpoint(str(tmp_path / "full_c23.p"), None)
    assert (found.source, found.facts["crop_margin"]) == ("Xception of FaceForensics++", 0.15)
    assert_equal(found.network.eval()(faces(96)), theirs(faces(96)), 1e-5)


def test_a_file_that_fits_in_part_is_refused(tmp_path):
    state = timm.create_model("legacy_xception", num_classes=2).state_dict()
    state = {f"backbone.{name.replace('fc.', 'last_linear.')}": tensor for name, tensor in state.items()}
    mapped = state | {"backbone.map.last_linear.weight": torch.ones(1, 728, 1, 1)}
    with pytest.raises(
        UserError, match=r"looks like Xception of DeepfakeBench .* has 1 tensors .*map\.last_linear\.weight"
    ):
        opened(tmp_path, mapped)
    with pytest.raises(UserError, match=r"has 1 tensors that the backbone does not have \(map\.last_linear\.weight\)"):
        opened(tmp_path, mapped, backbone="legacy_xception")
    del state["backbone.bn4.weight"]
    with pytest.raises(UserError, match=r"lacks 1 tensors \(bn4\.weight\): it is of another network"):
        opened(tmp_path, state)


def test_an_unknown_file_asks_for_the_backbone(tmp_path):
    with pytest.raises(UserError, match=r"no file of a published detector .*model\.backbone=NAME"):
        opened(tmp_path, timm.create_model("resnet18", num_classes=2).state_dict())


def test_every_family_names_what_its_faces_are():
    assert len({family.name for family in FAMILIES}) == len(FAMILIES)
    for family in FAMILIES:
        assert {"size", "mean", "std"} <= family.facts.keys()
        assert family.faces or "crop_margin" in family.facts
        assert timm.is_model(family.backbone)


@pytest.mark.nightly
@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_a_partial_file_of_each_family_ends_in_one_line(tmp_path, family):
    name, columns = family.head
    with pytest.raises(UserError, match=r"looks like .* lacks \d+ tensors") as error:
        opened(tmp_path, {name: torch.zeros(2, columns), family.sign: torch.zeros(1)})
    assert "\n" not in str(error.value)
