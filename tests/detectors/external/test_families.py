"""Published layouts with random weights: the answers are those of the original classes, where PyPI has them."""

import pickle
import re
from functools import partial

import pytest
import timm
import torch
from torch import nn

from sr_deepfake.detectors.external.checkpoint import open_checkpoint
from sr_deepfake.detectors.external.detector import ExternalDetector
from sr_deepfake.detectors.external.families import FAMILIES, recognised
from sr_deepfake.system.errors import UserError

ROWS = 2


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


class Wrapped(nn.Module):
    """A network within another, under a name."""

    def __init__(self, **parts):
        super().__init__()
        for name, part in parts.items():
            setattr(self, name, part)


def efficientnet(name="efficientnet-b4", **options):
    module = pytest.importorskip("efficientnet_pytorch")
    return randomised(module.EfficientNet.from_name(name, **options))


def xception(classes=2):
    module = pytest.importorskip("pretrainedmodels")
    network = module.models.xception(num_classes=1000, pretrained=None)
    network.last_linear = nn.Linear(2048, classes)
    return randomised(network)


@torch.no_grad()
def test_sbi(tmp_path):
    theirs = efficientnet(num_classes=2)
    found = opened(tmp_path, {"model": Wrapped(net=theirs).state_dict()})
    assert_equal(found.network.eval()(faces(380)), theirs(faces(380)), 1e-4)
    assert found.note.startswith("recognised as Self-Blended Images (SBI), tf_efficientnet_b4")
    assert (found.facts["size"], found.facts["mean"], found.facts["output"], found.facts["fake_index"]) == (
        380, (0, 0, 0), "logits2", 1,
    )  # fmt: skip


@torch.no_grad()
@pytest.mark.parametrize("wrapper", ["net", pytest.param(None, marks=pytest.mark.nightly)])
def test_polimis_efficientnet_pads_by_its_input(tmp_path, wrapper):
    theirs = efficientnet(image_size=None)  # as efficientnet_pytorch 0.6.3 pads
    head = nn.Linear(1792, 1)
    state = Wrapped(efficientnet=theirs, classifier=head).state_dict()
    state = {name: tensor for name, tensor in state.items() if "._fc." not in name}
    found = opened(tmp_path, {wrapper: state} if wrapper else state)
    expected = head(theirs.extract_features(faces(224)).mean((2, 3)))
    assert_equal(found.network.eval()(faces(224)), expected, 1e-4)
    assert found.facts["output"] == "logit"


@torch.no_grad()
def test_deepfakebenchs_efficientnet_has_a_bare_stem_and_pads_as_for_380(tmp_path):
    theirs = efficientnet()
    theirs._conv_stem = nn.Conv2d(3, 48, 3, 2, bias=False)
    head = nn.Linear(1792, 2)
    theirs._fc = nn.Identity()
    found = opened(tmp_path, Wrapped(backbone=Wrapped(efficientnet=theirs, last_layer=head)).state_dict())
    expected = head(theirs.extract_features(faces(256)).mean((2, 3)))
    assert_equal(found.network.eval()(faces(256)), expected, 1e-4)


@torch.no_grad()
@pytest.mark.parametrize(
    ("prefix", "name"), [("backbone", "DeepfakeBench"), ("model", "FaceForensics"), ("xception", "polimi")]
)
def test_xception(tmp_path, prefix, name):
    theirs = xception(1 if prefix == "xception" else 2)
    state = Wrapped(**{prefix: theirs}).state_dict()
    if prefix == "backbone":  # idle layers of DeepfakeBench's class
        state |= {"backbone.adjust_channel.0.weight": torch.ones(512, 2048, 1, 1)}
    found = opened(tmp_path, {f"module.{key}": tensor for key, tensor in state.items()})
    assert name in found.note
    assert_equal(found.network.eval()(faces(160)), theirs(faces(160)), 1e-5)


@torch.no_grad()
def test_a_head_behind_dropout_is_hongguliu_s(tmp_path):
    theirs = xception()
    theirs.last_linear = nn.Sequential(nn.Dropout(0.5), theirs.last_linear)
    found = opened(tmp_path, Wrapped(model=theirs).state_dict())
    assert "HongguLiu" in found.note
    assert_equal(found.network.eval()(faces(160)), theirs.eval()(faces(160)), 1e-5)


class Net(Wrapped):
    """Stands for the class whose code is not there when the pickle is read."""


@torch.no_grad()
@pytest.mark.parametrize("is_zip", [True, False])
def test_faceforensics_pickles_are_read_as_data(tmp_path, monkeypatch, is_zip):
    theirs = xception()
    torch.save(Net(model=theirs), tmp_path / "full_c23.p", _use_new_zipfile_serialization=is_zip)
    monkeypatch.delattr(f"{__name__}.Net")
    monkeypatch.setattr(pickle, "_getattribute", lambda *_: pytest.fail("a class was looked up"), raising=False)
    found = open_checkpoint(str(tmp_path / "full_c23.p"), None)
    assert "FaceForensics++" in found.note
    assert found.facts["crop_margin"] == 0.15
    assert_equal(found.network.eval()(faces(160)), theirs(faces(160)), 1e-5)


def vision(large):
    transformers = pytest.importorskip("transformers")
    sizes = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096}
    small = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072}
    config = transformers.CLIPVisionConfig(patch_size=14 if large else 16, **(sizes if large else small))
    return randomised(
        transformers.CLIPVisionModel(config).vision_model
        if hasattr(transformers.CLIPVisionModel(config), "vision_model")
        else transformers.CLIPVisionModel(config)
    )


@torch.no_grad()
@pytest.mark.nightly
@pytest.mark.parametrize("large", [False, True])
def test_clip(tmp_path, large):
    theirs, head = vision(large), nn.Linear(1024 if large else 768, 2)
    state = Wrapped(backbone=theirs, head=head).state_dict()
    state |= {"backbone.embeddings.position_ids": torch.arange(197)[None]}  # older transformers saved them
    found = opened(tmp_path, state)
    expected = head(theirs(faces(224)).pooler_output)
    assert_equal(found.network.eval()(faces(224)), expected, 1e-4)


@torch.no_grad()
@pytest.mark.nightly
def test_effort_s_layers_are_put_together(tmp_path):
    theirs, head = vision(True), nn.Linear(1024, 2)
    expected = head(theirs(faces(224)).pooler_output)
    state = {}
    for name, tensor in Wrapped(backbone=theirs, head=head).state_dict().items():
        if "self_attn" in name and name.endswith(".weight"):
            part = torch.randn(1024, 1) * 0.01
            stem = name.removesuffix("weight")
            state |= {
                f"{stem}weight_main": tensor - part @ part.T,
                f"{stem}U_residual": part,
                f"{stem}V_residual": part.T,
            }
            state[f"{stem}S_residual"] = torch.ones(1)
        else:
            state[name] = tensor
    found = opened(tmp_path, {f"module.{name}": tensor.contiguous() for name, tensor in state.items()})
    assert "Effort" in found.note
    assert_equal(found.network.eval()(faces(224)), expected, 1e-3)


@torch.no_grad()
def test_networks_of_timm_and_torchvision_under_other_names(tmp_path):
    theirs = randomised(timm.create_model("resnet34", num_classes=2))
    numbers = {"conv1": "0", "bn1": "1", "layer1": "4", "layer2": "5", "layer3": "6", "layer4": "7"}
    state = {}
    for name, tensor in theirs.state_dict().items():
        first, _, rest = name.partition(".")
        state[f"backbone.resnet.{numbers[first]}.{rest}" if first in numbers else f"backbone.{name}"] = tensor
    found = opened(tmp_path, state)
    assert "CNN-Aug" in found.note
    assert torch.equal(found.network.eval()(faces(128)), theirs(faces(128)))
    theirs = randomised(timm.create_model("resnet50", num_classes=1))
    found = opened(tmp_path, {"model": theirs.state_dict(), "total_steps": 3})
    assert "CNNDetection" in found.note
    assert torch.equal(found.network.eval()(faces(128)), theirs(faces(128)))


@torch.no_grad()
@pytest.mark.nightly
def test_the_winner_of_the_dfdc(tmp_path):
    theirs = randomised(timm.create_model("tf_efficientnet_b7", num_classes=1))
    state = {
        f"module.{name.replace('classifier', 'fc') if 'classifier' in name else f'encoder.{name}'}": tensor
        for name, tensor in theirs.state_dict().items()
    }
    state |= {"module.encoder.classifier.weight": torch.zeros(1000, 2560)}
    found = opened(tmp_path, {"state_dict": state, "epoch": 4})
    assert found.facts["crop_margin"] == pytest.approx(1 / 3)
    assert torch.equal(found.network.eval()(faces(96)), theirs(faces(96)))


def test_a_file_that_fits_in_part_is_refused(tmp_path):
    state = Wrapped(backbone=timm.create_model("legacy_xception", num_classes=2)).state_dict()
    state = {name.replace("backbone.fc.", "backbone.last_linear."): tensor for name, tensor in state.items()}
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
    assert recognised({}) is None


def test_the_margin_of_its_faces_is_cut_or_the_command_is_named(tmp_path, caplog):
    state = Wrapped(model=timm.create_model("legacy_xception", num_classes=2)).state_dict()
    state = {re.sub(r"model\.fc\.", "model.last_linear.", name): tensor for name, tensor in state.items()}
    torch.save(state, tmp_path / "full.pth")
    detector = ExternalDetector(partial(open_checkpoint), str(tmp_path / "full.pth"), "full")
    assert detector.report["crop_margin"] == "0.15 (Xception of FaceForensics++)"
    detector.expect_margin(0.3)
    assert detector.kept == pytest.approx(1.3 / 1.6)
    with pytest.raises(
        UserError, match=r"prepare extraction\.margin=0\.15 .*model\.crop_margin=0\.1 scores them as they are"
    ):
        detector.expect_margin(0.1)
    detector.expect_margin(None)
    assert "that of these faces is unknown" in caplog.text


@pytest.mark.nightly
@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_a_partial_file_of_each_family_ends_in_one_line(tmp_path, family):
    name, columns = family.head
    with pytest.raises(UserError, match=r"looks like .* lacks \d+ tensors") as error:
        opened(tmp_path, {name: torch.zeros(2, columns), family.sign: torch.zeros(1)})
    assert "\n" not in str(error.value)
