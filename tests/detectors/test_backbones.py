import pytest
import torch

from sr_deepfake.detectors.backbones import build_backbone, build_classifier
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


@pytest.mark.parametrize("classes", [1, 2])
def test_a_classifier_has_so_many_numbers_and_the_side_it_is_known_for(classes):
    network, names = build_classifier("test_vit", classes, None)
    assert names == ["head"]
    assert network.eval()(torch.rand(1, 3, 160, 160)).shape == (1, classes)
