import copy

import pytest
import torch
from safetensors.torch import save_file

from sr_deepfake.super_resolution import networks_old as networks
from sr_deepfake.super_resolution.edsr import architecture
from sr_deepfake.super_resolution.networks_old import PUBLISHED, rcan, rrdb, srvgg, swinir
from sr_deepfake.super_resolution.precision import InFloat32
from sr_deepfake.system.errors import UserError

SWINIR = {"window_size": 8, "img_size": 16, "mlp_ratio": 2}


def make(kind, scale):
    """A small network of basicsr's, and the options with which ours is the same."""
    torch.manual_seed(scale)
    if kind == "rcan":
        original = architecture("rcan_arch", "RCAN")(3, 3, 16, 2, 1, upscale=scale)
        return original, rcan, {"groups": 2, "blocks": 1, "features": 16}
    if kind == "rrdb":
        return architecture("rrdbnet_arch", "RRDBNet")(3, 3, scale, 8, 2), rrdb, {"features": 8}
    if kind == "srvgg":
        return (
            architecture("srvgg_arch", "SRVGGNetCompact")(num_feat=8, num_conv=3, upscale=scale),
            srvgg,
            {"features": 8},
        )
    size = kind.removeprefix("swinir ")
    options = networks._SWINIR_SIZES[size]
    return architecture("swinir_arch", "SwinIR")(upscale=scale, **SWINIR, **options), swinir, {"size": size}


CASES = [
    *(("rcan", scale) for scale in (2, 3, 4)),
    *(("rrdb", scale) for scale in (2, 4)),
    *(("srvgg", scale) for scale in (2, 3, 4)),
    *(("swinir lightweight", scale) for scale in (2, 3, 4)),
    ("swinir medium", 2),
]


@pytest.fixture(scope="module", params=CASES, ids=lambda case: f"{case[0]} x{case[1]}")
def pair(request, tmp_path_factory):
    """basicsr's network and ours with its weights."""
    kind, scale = request.param
    original, factory, options = make(kind, scale)
    path = tmp_path_factory.mktemp("weights") / "weights.pth"
    torch.save({"params": original.state_dict()}, path)
    return original.eval(), factory(scale=scale, weights=str(path), **options), scale


def test_it_computes_what_basicsr_computes(pair):
    original, network, scale = pair
    images = torch.rand(2, 3, 16, 24)
    with torch.no_grad():
        result = network(images.contiguous(memory_format=torch.channels_last))
        torch.testing.assert_close(result, original(images), rtol=0, atol=1e-5)
    assert result.shape == (2, 3, 16 * scale, 24 * scale)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (7, 9), (17, 8)])
def test_any_size_is_taken(pair, height, width):
    _, network, scale = pair
    with torch.no_grad():
        result = network(torch.rand(1, 3, height, width))
    assert result.shape == (1, 3, height * scale, width * scale)
    assert result.isfinite().all()


def test_it_is_frozen_and_says_its_scale(pair):
    _, network, scale = pair
    assert network.scale == scale
    assert not any(module.training for module in network.modules())
    assert not any(tensor.requires_grad for tensor in network.parameters())
    assert sum(isinstance(module, InFloat32) for module in network.modules()) == 1


def test_autocast_leaves_the_picture_in_float32(pair):
    _, network, _ = pair
    images = torch.rand(1, 3, 16, 16)
    with torch.no_grad():
        exact = network(images)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            fast = network(images)
    assert fast.dtype == torch.float32
    assert not torch.equal(fast, exact)  # bf16 was used
    assert (fast - exact).abs().max() < 0.02 * (1 + exact.abs().max())
    on_the_grid = (
        fast.bfloat16().float() == fast
    )  # a picture that bf16 rounded would be, wherever it is not 0
    assert on_the_grid.float().mean() < 0.1


def test_copies_compute_the_same(pair):
    _, network, _ = pair
    images = torch.rand(1, 3, 8, 8)
    with torch.no_grad():
        assert torch.equal(copy.deepcopy(network)(images), network(images))


@pytest.mark.parametrize("kind", ["rcan", "rrdb", "srvgg", "swinir lightweight"])
def test_weights_of_another_scale_name_both_scales(tmp_path, kind):
    original, factory, options = make(kind, 4)
    path = tmp_path / "x4.safetensors"
    save_file(original.state_dict(), path)
    with pytest.raises(UserError, match=r"enlarges 4 times, but attack\.scale=2; choose attack\.scale=4"):
        factory(scale=2, weights=str(path), **options)


@pytest.mark.parametrize("kind", ["rcan", "rrdb", "srvgg", "swinir lightweight"])
def test_weights_of_another_network_are_refused(tmp_path, kind):
    path = tmp_path / "other.pth"
    other = "edsr_arch", "EDSR"
    torch.save(architecture(*other)(3, 3, 8, 1, 2).state_dict(), path)
    _, factory, options = make(kind, 2)
    with pytest.raises(UserError, match=r"other\.pth does not hold weights of (RCAN|RRDB|SRVGG|SwinIR)"):
        factory(scale=2, weights=str(path), **options)


@pytest.mark.parametrize("factory", [rcan, rrdb, srvgg, swinir])
def test_without_weights_the_address_and_the_place_are_named(tmp_path, factory):
    name = {rcan: "RCAN", rrdb: "RRDB", srvgg: "SRVGG", swinir: "SwinIR medium"}[factory]
    offered = PUBLISHED[name, 2]
    with pytest.raises(UserError) as caught:
        factory(scale=2, cache=str(tmp_path))
    message = str(caught.value)
    assert f"download {offered.url} and put the file at {tmp_path / offered.name}" in message
    assert "sr_model.weights=FILE" in message


def test_a_file_put_into_the_cache_is_taken(tmp_path):
    original, factory, options = make("srvgg", 2)
    torch.save(original.state_dict(), tmp_path / PUBLISHED["SRVGG", 2].name)
    network = factory(scale=2, cache=str(tmp_path), **options)
    images = torch.rand(1, 3, 8, 8)
    with torch.no_grad():
        torch.testing.assert_close(network(images), original(images), rtol=0, atol=1e-5)


def test_scales_that_a_network_does_not_have():
    with pytest.raises(UserError, match="RRDB enlarges 2 or 4 times, not 3 times"):
        rrdb(scale=3)
    with pytest.raises(UserError, match="RCAN enlarges 2, 3 or 4 times, not 8 times"):
        rcan(scale=8)
    with pytest.raises(UserError, match=r"no published weights of SRVGG \(scale 3\).*sr_model\.weights=FILE"):
        srvgg(scale=3)
    with pytest.raises(UserError, match="not 1 times"):
        srvgg(scale=1)
    with pytest.raises(UserError, match=r"sr_model\.size='large' is not a choice"):
        swinir(size="large")


def test_every_published_file_says_its_scale_in_its_name():
    for (_, scale), offered in PUBLISHED.items():
        stem = offered.name.lower()
        assert f"x{scale}" in stem
        assert offered.sha256 in stem
        assert offered.url.startswith("https://")
