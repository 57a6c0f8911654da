"""A miniature clone with DeepfakeBench's interfaces: what of it is run, what is not, and what stays behind."""

import logging
import os
import sys
import textwrap

import pytest
import torch

from sr_deepfake.detectors.external.deepfakebench import open_deepfakebench
from sr_deepfake.detectors.external.detector import ExternalDetector
from sr_deepfake.system.errors import UserError

NETWORK = """
    import torch
    from torch import nn
    from metrics.registry import BACKBONE

    @BACKBONE.register_module(module_name="tiny")
    class Tiny(nn.Module):
        def __init__(self, config):
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3)
            self.fc = nn.Linear(4, config["num_classes"])

        def forward(self, faces):
            return self.fc(self.conv(faces).mean((2, 3)))
    """
DETECTOR = """
    import logging
    from abc import ABC
    import numpy as np
    import torch
    from torch.utils.tensorboard import SummaryWriter
    from detectors import DETECTOR
    from loss import LOSSFUNC
    from networks import BACKBONE
    from metrics.base_metrics_class import calculate_metrics_for_train
    from no_such_package.losses import Loss
    from .base_detector import AbstractDetector

    logger = logging.getLogger(__name__)

    @DETECTOR.register_module(module_name="{name}")
    class Detector(AbstractDetector):
        def __init__(self, config):
            super().__init__()
            self.backbone = BACKBONE[config["backbone_name"]](config["backbone_config"])
            state = torch.load(config["pretrained"])
            self.backbone.load_state_dict({{k: v for k, v in state.items() if "fc" not in k}}, False)
            self.loss = LOSSFUNC["cross_entropy"]()
            self.prob, self.label = [], []
            print("Load pretrained model successfully!")
            logger.error("Load pretrained model successfully!")
            {more}

        def forward(self, data, inference=False):
            cls = self.backbone(data["image"]){after}
            self.prob.append(cls)
            self.label.append(data["label"])
            return {{"cls": cls}}
    """
YAML = """
    model_name: {name}
    backbone_name: tiny
    backbone_config: {{num_classes: {classes}}}
    pretrained: ./training/pretrained/none.pth
    resolution: 48
    mean: [0.5, 0.5, 0.5]
    std: [0.25, 0.25, 0.25]
    """
FAILS = "raise ImportError('the whole package is imported')"
BASE = "from torch import nn\n\nclass AbstractDetector(nn.Module):\n    pass\n"


def add(clone, name, more="", after="", classes=2, extra=""):
    files = {
        f"config/detector/{name}.yaml": textwrap.dedent(YAML).format(name=name, classes=classes) + extra,
        f"detectors/{name}_detector.py": textwrap.dedent(DETECTOR).format(name=name, more=more, after=after),
    }
    for path, text in files.items():
        (clone / "training" / path).write_text(text, encoding="utf-8")


@pytest.fixture
def clone(tmp_path):
    root = tmp_path / "clone"
    for folder in ("config/detector", "detectors", "networks", "metrics", "loss"):
        (root / "training" / folder).mkdir(parents=True)
        (root / "training" / folder / "__init__.py").write_text(FAILS)
    (root / "training/config/test_config.yaml").write_text("label_dict: {FF-DF: 1}\n")
    (root / "training/networks/tiny.py").write_text(textwrap.dedent(NETWORK))
    (root / "training/detectors/base_detector.py").write_text(BASE)
    (root / "training/detectors/other_detector.py").write_text(FAILS)
    add(root, "mini")
    return root


@pytest.fixture
def weights(tmp_path):
    """As its trainer saves them, in DDP; and the network that they are of."""
    torch.manual_seed(3)
    network = torch.nn.ModuleDict({"conv": torch.nn.Conv2d(3, 4, 3), "fc": torch.nn.Linear(4, 2)})
    state = {f"module.backbone.{name}": tensor for name, tensor in network.state_dict().items()}
    torch.save(state, tmp_path / "mini.pth")

    def classes(faces):
        return network["fc"](network["conv"](faces).mean((2, 3)))

    return str(tmp_path / "mini.pth"), classes


def detector(path, clone, name="mini", **options):
    return ExternalDetector(open_deepfakebench, path, name, repo=str(clone), detector=name, **options)


@torch.no_grad()
def test_only_what_is_needed_is_run_and_nothing_stays(clone, weights, capsys, caplog):
    path, classes = weights
    modules, folder = dict(sys.modules), os.getcwd()
    found = detector(path, clone)
    faces = (torch.rand(5, 3, 48, 48) * 255).round() / 255
    expected = classes((faces - 0.5) / 0.25).double()
    torch.testing.assert_close(found(faces), expected[:, 1] - expected[:, 0], atol=1e-5, rtol=0)
    replaced = {name for name in modules if sys.modules.get(name) is not modules[name]}
    assert not {name for name in replaced if not name.startswith("transformers")}  # which replaces itself
    assert not {"detectors", "networks", "metrics", "no_such_package"} & {name.split(".")[0] for name in sys.modules}
    assert os.getcwd() == folder
    assert torch.load.__module__ == "torch.serialization"
    assert (capsys.readouterr().out, caplog.text, logging.root.manager.disable) == ("", "", 0)
    assert found.network.model.prob == []  # what it collects does not grow
    assert found.report["size"] == "48 (mini.yaml)"
    assert "aligned" in found.note


def test_what_the_answer_depends_on_is_its_identity(clone, weights):
    first = detector(weights[0], clone).identity["digest"]
    (clone / "training/networks/tiny.py").write_text(textwrap.dedent(NETWORK) + "# another\n")
    assert detector(weights[0], clone).identity["digest"] != first
    (clone / "training/networks/tiny.py").write_text(textwrap.dedent(NETWORK))
    (clone / "training/detectors/other_detector.py").write_text("pass")
    assert detector(weights[0], clone).identity["digest"] == first


@torch.no_grad()
def test_probabilities_are_read_as_such_and_three_classes_against_fake(clone, weights, tmp_path):
    path, _ = weights
    add(clone, "probs", after=".softmax(1)")
    faces = torch.rand(4, 3, 48, 48)
    torch.testing.assert_close(detector(path, clone, "probs")(faces), detector(path, clone)(faces), atol=1e-4, rtol=0)
    add(clone, "three", classes=3)
    head = {"module.backbone.fc.weight": torch.randn(3, 4), "module.backbone.fc.bias": torch.randn(3)}
    torch.save(torch.load(path) | head, tmp_path / "three.pth")
    found = detector(str(tmp_path / "three.pth"), clone, "three")
    cls = found.network.model({"image": found.face_input(faces), "label": torch.zeros(4)}, inference=True)["cls"]
    expected = cls.double().softmax(1)[:, 1]
    torch.testing.assert_close(found.score(faces), expected, atol=1e-5, rtol=0)


@torch.no_grad()
def test_a_detector_that_looks_at_its_batch_gets_one_face(clone, weights):
    add(clone, "sia", after=" * (1 + data['image'].shape[0])")
    found = detector(weights[0], clone, "sia")
    assert found.batch == 1
    faces = torch.rand(3, 3, 48, 48)
    assert torch.equal(found(faces), torch.cat([found(face[None]) for face in faces]))


def test_a_package_that_is_called_and_missing_is_named(clone, weights):
    add(clone, "needs", more="self.layer = Loss(config)")
    torch.save(torch.load(weights[0]) | {"module.layer.weight": torch.ones(2)}, weights[0])
    needs = "it needs no_such_package: pip install no_such_package"
    with pytest.raises(UserError, match=rf"has layer\.weight left over; {needs}"):
        detector(weights[0], clone, "needs")
    add(clone, "breaks", more="raise RuntimeError('no GPU')")
    with pytest.raises(UserError, match=r"breaks of .* cannot be built \(RuntimeError: no GPU\)"):
        detector(weights[0], clone, "breaks")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("clips", "scores clips of 8 frames, not faces"),
        ("lrl", "takes a second input"),
        ("nowhere", r"model\.detector=nowhere: .* has clips, mini"),
    ],
)
def test_what_is_no_image_detector_is_refused(clone, weights, name, message):
    add(clone, "clips", extra="video_mode: True\nclip_size: 8\n")
    with pytest.raises(UserError, match=message):
        detector(weights[0], clone, name)


def test_what_is_not_typed_or_no_clone_is_named(clone, weights, tmp_path):
    with pytest.raises(UserError, match=r"model\.repo=CLONE and model\.detector=NAME"):
        ExternalDetector(open_deepfakebench, weights[0], "mini")
    with pytest.raises(UserError, match=r"no training/config/detector"):
        detector(weights[0], tmp_path / "elsewhere")
    torch.save({"other.weight": torch.ones(2)}, tmp_path / "other.pth")
    with pytest.raises(UserError, match=r"is no file of mini: it lacks backbone\.conv\.weight"):
        detector(str(tmp_path / "other.pth"), clone)
