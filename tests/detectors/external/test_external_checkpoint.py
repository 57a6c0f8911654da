import pickle

import pytest
import timm
import torch
from exported import SIDE, ours, scores

from sr_deepfake.detectors.external.checkpoint import open_checkpoint
from sr_deepfake.detectors.external.detector import ExternalDetector
from sr_deepfake.system.errors import UserError


def state(prefix=""):
    return {f"{prefix}{name}": tensor for name, tensor in ours().backbone.state_dict().items()}


def detector(path, backbone="test_resnet", size=SIDE):
    return ExternalDetector(open_checkpoint, str(path), "net", size=size, backbone=backbone)


@pytest.mark.parametrize(
    "content",
    [
        state(),
        {"state_dict": state("module."), "epoch": 3},
        {"model": state("_orig_mod.model.")},
        {"epoch": 1, "model_state_dict": state("module.backbone.")},
        {"net": {"state_dict": state("detector.backbone.")}},
        {"state_dict": state("model.") | {"loss.weight": torch.ones(2)}},
        {"state_dict": ours().state_dict(), "hyper_parameters": {"backbone": "x"}},
        {"state_dict_ema": state(), "state_dict": {name: tensor * 0 for name, tensor in state().items()}},
    ],
    ids=[
        "bare",
        "DataParallel",
        "compiled",
        "of a wrapper",
        "nested",
        "with other tensors",
        "trained here",
        "averaged first",
    ],
)
def test_wrappers_and_prefixes_are_looked_through(tmp_path, content):
    torch.save(content, tmp_path / "net.pth")
    torch.testing.assert_close(scores(detector(tmp_path / "net.pth")), scores(ours()), atol=1e-5, rtol=0)


def test_a_head_of_two_and_one_of_another_name(tmp_path):
    """As DeepfakeBench names it: backbone.last_linear.1.weight."""
    two = state("backbone.")
    weight, bias = two.pop("backbone.fc.weight"), two.pop("backbone.fc.bias")
    for name, values in (("weight", weight), ("bias", bias)):
        two[f"backbone.last_linear.1.{name}"] = torch.cat([-values / 2, values / 2])
    torch.save(two, tmp_path / "net.pth")
    found = detector(tmp_path / "net.pth")
    assert found.output == "logits2"
    torch.testing.assert_close(scores(found), scores(ours()), atol=1e-5, rtol=0)


def test_size_mean_and_deviation_are_timms(tmp_path):
    torch.save(timm.create_model("test_vit", num_classes=1).state_dict(), tmp_path / "vit.pth")
    found = detector(tmp_path / "vit.pth", "test_vit", None)
    config = timm.get_pretrained_cfg("test_vit")
    assert found.report["size"] == f"{config.input_size[-1]} (timm)"
    assert found.report["mean"].endswith("(timm)")


class Code:
    def __reduce__(self):
        return exec, ("open('trap', 'w')",)


@pytest.mark.parametrize("how", ["torch", "pickle"])
def test_code_in_a_file_is_not_run(tmp_path, monkeypatch, how):
    monkeypatch.chdir(tmp_path)
    if how == "torch":
        torch.save({"state_dict": state(), "args": Code()}, "net.pth")
    else:
        (tmp_path / "net.pth").write_bytes(pickle.dumps(Code()))
    with pytest.raises(UserError, match="holds code, which is not run") as error:
        detector("net.pth")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "trap").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (state() | {"fc.weight": torch.ones(7, 96), "fc.bias": torch.ones(7)}, "head of 7 classes"),
        ({"conv1.weight": torch.ones(1)}, r"lacks \d+ of \d+ tensors.*conv1\.weight.*model\.backbone"),
        (state() | {"conv1.0.weight": torch.ones(1, 1, 1, 1)}, "does not fit test_resnet"),
        ([1, 2], "holds no named tensors"),
    ],
    ids=["seven classes", "another backbone", "another shape", "no weights"],
)
def test_what_does_not_fit_is_refused_in_one_line(tmp_path, content, message):
    torch.save(content, tmp_path / "net.pth")
    with pytest.raises(UserError, match=message) as error:
        detector(tmp_path / "net.pth")
    assert "\n" not in str(error.value)


def test_an_unknown_backbone_is_named(tmp_path):
    torch.save(state(), tmp_path / "net.pth")
    with pytest.raises(UserError, match=r"knows no model named 'test_resnett' \(model\.backbone\)"):
        detector(tmp_path / "net.pth", "test_resnett")


@pytest.mark.filterwarnings("ignore")  # torch deprecates scripts
def test_a_program_of_torch_is_sent_to_the_kind_that_opens_it(tmp_path):
    network, inputs = torch.nn.Linear(2, 1), torch.zeros(1, 2)
    torch.jit.save(torch.jit.script(network), tmp_path / "net.pt")
    torch.export.save(torch.export.export(network, (inputs,)), tmp_path / "net.pt2")
    for name in ("net.pt", "net.pt2"):
        with pytest.raises(UserError, match=rf"is a program.*model=torchscript model\.path={tmp_path / name}"):
            detector(tmp_path / name)
