import pytest
import torch

from sr_deepfake.detectors.backbones import build_backbone, classifier_names, create
from sr_deepfake.system.errors import UserError


@pytest.mark.parametrize("name", ["test_resnet", "test_vit"])
def test_a_backbone_gives_one_logit_a_face(name):
    assert build_backbone(name, 160).eval()(torch.rand(2, 3, 160, 160)).shape == (2, 1)


def test_models_of_one_size_are_built_for_another():
    assert build_backbone("swin_tiny_patch4_window7_224", 112).eval()(torch.rand(1, 3, 112, 112)).shape == (1, 1)


def test_an_unknown_model_says_how_to_list_all():
    with pytest.raises(UserError, match=r"'convnext_tinny' \(model\.backbone\).*list_models"):
        build_backbone("convnext_tinny", 224)


@pytest.mark.parametrize("classes", [1, 2])
def test_a_classifier_has_so_many_numbers_and_the_side_it_is_known_for(classes):
    network = create("test_vit", None, pretrained=False, classes=classes)
    assert classifier_names(network) == ["head"]
    assert network.eval()(torch.rand(1, 3, 160, 160)).shape == (1, classes)
