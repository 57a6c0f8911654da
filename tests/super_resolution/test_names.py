"""Weights in other names give the pictures of the programs that they come from; torchSR is the reference."""

import importlib

import pytest
import torch

from sr_deepfake.super_resolution.edsr import basicsr_edsr, edsr
from sr_deepfake.super_resolution.weights import basicsr_names, scale_of
from sr_deepfake.system.errors import UserError

# torchsr.models.edsr names a function too, which hides the module.
TORCHSR_EDSR = importlib.import_module("torchsr.models.edsr")
MEAN = torch.tensor([0.4488, 0.4371, 0.4040])
TINY = {"blocks": 2, "features": 4, "res_scale": 0.5}


def theirs(blocks=2, features=4, scale=2, res_scale=0.5):
    torch.manual_seed(blocks + scale)
    return TORCHSR_EDSR.EDSR(blocks, features, scale, res_scale).eval()


def without_mean_shift(state):
    return {name: tensor for name, tensor in state.items() if "mean" not in name}


BASELINE = {"blocks": 16, "features": 64, "res_scale": 1.0}
LARGE = {"blocks": 32, "features": 256, "res_scale": 0.1}


@pytest.mark.parametrize(
    ("name", "kind", "scale"),
    [
        ("edsr_baseline", BASELINE, 2),
        ("edsr_baseline", BASELINE, 3),
        ("edsr_baseline", BASELINE, 4),
        ("edsr", LARGE, 2),
    ],
)
def test_edsr_gives_the_pictures_of_torchsr(tmp_path, name, kind, scale):
    path = tmp_path / "torchsr.pt"
    torch.manual_seed(scale)
    reference = getattr(TORCHSR_EDSR, name)(scale, pretrained=False).eval()
    torch.save(reference.state_dict(), path)
    ours = edsr(scale=scale, weights=str(path), **kind)
    path.unlink()  # up to 170 MB
    images = torch.rand(1, 3, 9, 12)
    with torch.no_grad():
        torch.testing.assert_close(ours(images), reference(images), rtol=0, atol=1e-4)


@pytest.mark.parametrize("kind", ["no mean shift", "half", "parallel"])
def test_variants_of_the_layout(tmp_path, kind):
    path = tmp_path / "weights"
    reference = theirs()
    state = reference.state_dict()
    if kind == "no mean shift":
        state = without_mean_shift(state)
    elif kind == "half":
        state = {name: tensor.half() for name, tensor in state.items()}
        reference.load_state_dict(without_mean_shift(state), strict=False)
    else:
        state = {f"module.{name}": tensor for name, tensor in state.items()}
    torch.save(state, path)
    images = torch.rand(1, 3, 8, 8)
    with torch.no_grad():
        torch.testing.assert_close(edsr(**TINY, weights=str(path))(images), reference(images), rtol=0, atol=1e-4)


def test_weights_for_pictures_in_0_to_1_are_scaled(tmp_path):
    path = tmp_path / "rgb_range_1.pt"
    reference = theirs()
    reference.sub_mean.bias.data = -MEAN
    reference.add_mean.bias.data = MEAN.clone()
    for layer in (reference.head[0], reference.tail[1]):
        layer.bias.data.normal_()  # a factor on the biases has to be right too
    torch.save(reference.state_dict(), path)
    images = torch.rand(1, 3, 8, 8)
    with torch.no_grad():
        features = reference.head(reference.sub_mean(images))
        expected = reference.add_mean(reference.tail(reference.body(features) + features))
        torch.testing.assert_close(edsr(**TINY, weights=str(path))(images), expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda state: state["sub_mean.bias"].mul_(0.5),
        lambda state: state["add_mean.bias"].neg_(),
        lambda state: state["add_mean.bias"].copy_(state["add_mean.bias"].flip(0)),
        lambda state: state["sub_mean.weight"].mul_(2),
        lambda state: state.pop("add_mean.bias"),
        lambda state: state.update({"sub_mean.bias": torch.zeros(4)}),
        lambda state: state.update({"sub_mean.bias": -MEAN}),
    ],
)
def test_another_mean_is_refused(tmp_path, spoil):
    path = tmp_path / "weights.pt"
    state = theirs().state_dict()
    spoil(state)
    torch.save(state, path)
    with pytest.raises(UserError, match=r"sr_model\.weights=.*sub_mean and add_mean do not shift by 255"):
        edsr(**TINY, weights=str(path))


def test_two_tensors_of_one_layer_are_refused():
    state = without_mean_shift(theirs().state_dict())
    state["body.7.weight"] = state["body.2.weight"]
    with pytest.raises(ValueError, match="two of its tensors stand for the same layer"):
        basicsr_names(state)


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_the_scale_follows_from_the_shapes(scale):
    assert scale_of(basicsr_edsr()(3, 3, num_feat=4, num_block=1, upscale=scale).state_dict()) == scale


@pytest.mark.parametrize(("name", "shape"), [("fc.weight", (3, 4)), ("upsample.0.weight", (7, 4, 3, 3))])
def test_shapes_that_say_nothing(name, shape):
    assert scale_of({name: torch.zeros(shape)}) is None
