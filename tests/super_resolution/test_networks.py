import copy
import logging
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import save_file
from spandrel import ModelLoader
from spandrel.architectures.Compact import Compact
from spandrel.architectures.DnCNN import DnCNN
from spandrel.architectures.ESRGAN import ESRGAN
from spandrel.architectures.RCAN import RCAN
from spandrel.architectures.SeemoRe import SeemoRe
from spandrel.architectures.SwinIR import SwinIR
from torch import nn

from sr_deepfake.attacks.super_resolution import SuperResolutionAttack
from sr_deepfake.super_resolution.edsr import basicsr_state, edsr_network
from sr_deepfake.super_resolution.networks import SpandrelNetwork, from_checkpoint, last_convolutions, takes_batches
from sr_deepfake.system.errors import UserError

NETWORKS = {
    "compact": lambda: Compact(num_feat=8, num_conv=2, upscale=3),
    "esrgan x2": lambda: ESRGAN(in_nc=12, num_filters=8, num_blocks=1, scale=4),
    "rcan": lambda: RCAN(scale=2, n_resgroups=2, n_resblocks=2, n_feats=16),
    "seemore": lambda: SeemoRe(),
    "swinir": lambda: SwinIR(
        upscale=2, img_size=64, window_size=8, embed_dim=12, depths=[2, 2], num_heads=[2, 2], mlp_ratio=2,
        upsampler="pixelshuffle",
    ),
}  # fmt: skip
SCALES = {"compact": 3, "esrgan x2": 2, "rcan": 2, "seemore": 4, "swinir": 2}


def saved(network, path):
    torch.save({"params_ema": network.state_dict()}, path)
    return str(path)


@pytest.fixture(scope="module", params=NETWORKS)
def checkpoint(request, tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "weights.pth"
    return saved(NETWORKS[request.param](), path), SCALES[request.param]


@pytest.mark.parametrize(("height", "width"), [(16, 24), (7, 9), (1, 2)])
def test_it_computes_what_spandrel_computes(checkpoint, height, width):
    path, scale = checkpoint
    network = from_checkpoint(path)
    assert network.scale == scale
    theirs = ModelLoader().load_from_file(path).eval()
    images = torch.rand(2, 3, height, width)
    with torch.no_grad():
        ours = network(images.contiguous(memory_format=torch.channels_last))
    assert ours.shape == (2, 3, height * scale, width * scale)
    expected = torch.cat([theirs(image) for image in images.split(1)])
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-5)
    assert not ours.is_inference()


def test_no_picture_depends_on_its_neighbours_or_is_changed(checkpoint):
    network = from_checkpoint(checkpoint[0])
    images = torch.rand(3, 3, 16, 16)
    before = images.clone()
    with torch.no_grad():
        alone = torch.cat([network(image[None]) for image in images])
        torch.testing.assert_close(network(images), alone, rtol=0, atol=1e-5 * float(alone.abs().max()))
    assert torch.equal(images, before)


def test_it_is_frozen_and_the_picture_stays_in_float32(checkpoint):
    network = from_checkpoint(checkpoint[0])
    assert not any(module.training for module in network.modules())
    assert not any(tensor.requires_grad for tensor in network.parameters())
    images = torch.rand(1, 3, 16, 16)
    with torch.no_grad():
        exact = network(images)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            fast = network(images)
    assert not fast.is_inference()
    assert fast.dtype == torch.float32
    assert not torch.equal(fast, exact)
    inside = fast[(fast > 0) & (fast < 1)]
    on_the_grid = inside.bfloat16().float() == inside  # a picture that bf16 rounded would be
    assert on_the_grid.float().mean() < 0.1
    assert torch.equal(copy.deepcopy(network)(images), exact)


def test_it_works_as_an_attack(tmp_path):
    network = from_checkpoint(saved(NETWORKS["compact"](), tmp_path / "x3.pth"))
    faces = torch.rand(2, 3, 25, 25)
    assert SuperResolutionAttack(network, scale=3)(faces).shape == faces.shape


class Described(SimpleNamespace):
    """A network as spandrel would describe it."""

    def __call__(self, images):
        return self.called(images)


def described(called, bears=True):
    return SpandrelNetwork(
        Described(
            called=called,
            model=nn.Identity(),
            architecture=SimpleNamespace(id="Any"),
            scale=1,
            supports_bfloat16=bears,
            supports_half=False,
        )
    )


def test_batches_go_through_at_once_where_no_picture_looks_at_another(checkpoint):
    network = from_checkpoint(checkpoint[0])
    assert network.in_batches is ("seemore" not in network.name)


def test_a_network_that_mixes_pictures_is_found_out():
    assert takes_batches(described(lambda images: images * 2))
    assert not takes_batches(described(lambda images: images + 0.01 * images.mean(0, keepdim=True)))
    assert not takes_batches(described(lambda images: images.view(1, 3, 16, 16)))


def test_any_layout_that_is_read_safely(tmp_path, caplog):
    state = NETWORKS["compact"]().state_dict()
    save_file(state, tmp_path / "a.safetensors")
    torch.save({"state_dict": {f"module.{name}": tensor for name, tensor in state.items()}}, tmp_path / "b.ckpt")
    images = torch.rand(1, 3, 8, 8)
    with torch.no_grad(), caplog.at_level(logging.INFO):
        first, second = (from_checkpoint(str(tmp_path / name))(images) for name in ("a.safetensors", "b.ckpt"))
    assert torch.equal(first, second)
    assert "Compact, which enlarges 3 times" in caplog.text


def refusal(path):
    with pytest.raises(UserError) as caught:
        from_checkpoint(str(path))
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"sr_model.weights={path}: ")
    return message


def test_networks_that_do_not_fit_are_refused(tmp_path):
    path = tmp_path / "weights.pth"
    saved(DnCNN(in_nc=3, out_nc=3, nc=8, nb=4), path)
    assert "DnCNN, does not enlarge pictures (Restoration, 1x)" in refusal(path)
    saved(Compact(num_feat=8, num_conv=2, upscale=1), path)
    assert "does not enlarge pictures" in refusal(path)
    saved(Compact(num_in_ch=1, num_out_ch=1, num_feat=8, num_conv=2, upscale=2), path)
    assert "makes no RGB of RGB (SR, channels (1, 1))" in refusal(path)
    torch.save(basicsr_state(edsr_network(blocks=1, features=4)), path)
    assert "spandrel does not know the network" in refusal(path)


def test_damaged_weights_are_refused(tmp_path):
    path = tmp_path / "weights.pth"
    state = NETWORKS["compact"]().state_dict()
    torch.save(state | {"body.2.bias": torch.zeros(5)}, path)
    assert "spandrel cannot build its network" in refusal(path)
    state["body.0.bias"][0] = float("nan")
    torch.save(state, path)
    assert "holds NaN" in refusal(path)


def test_without_a_file_the_option_is_named(tmp_path):
    with pytest.raises(UserError, match=r"sr_model=spandrel.*sr_model\.weights=FILE"):
        from_checkpoint()
    with pytest.raises(UserError, match=r"sr_model\.weights=.*nothing\.pth: the file cannot be read"):
        from_checkpoint(str(tmp_path / "nothing.pth"))


@pytest.mark.parametrize(("bears", "expected"), [(True, torch.bfloat16), (False, torch.float32)])
def test_a_number_format_that_a_network_does_not_bear_is_not_used(bears, expected):
    network = described(nn.Conv2d(3, 3, 1), bears)
    images = torch.rand(2, 3, 4, 4)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert network(images).dtype == expected
    with torch.autocast("cpu", dtype=torch.float16):
        assert network(images).dtype == torch.float32
    assert network(images).dtype == torch.float32


def test_the_last_layers_are_those_that_run_last():
    class Backwards(nn.Module):
        def __init__(self):
            super().__init__()
            self.colours = nn.Conv2d(3, 3, 1)
            self.last = nn.Conv2d(8, 3, 3, padding=1)
            self.first = nn.Conv2d(3, 8, 3, padding=1)

        def forward(self, images):
            return self.colours(self.last(self.first(self.colours(images))))

    assert last_convolutions(Backwards()) == ["last", "colours"]
