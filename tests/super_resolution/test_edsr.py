import copy
import subprocess
import sys
import threading

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from sr_deepfake.super_resolution.edsr import basicsr_edsr, basicsr_state, edsr, edsr_network
from sr_deepfake.super_resolution.precision import InFloat32
from sr_deepfake.super_resolution.weights import find_weights
from sr_deepfake.system.errors import UserError

BUNDLED = find_weights(None, "edsr_baseline_x2.safetensors", "EDSR")


@pytest.fixture(scope="module")
def network():
    return edsr()


def small_weights(path, scale=2):
    torch.manual_seed(0)
    original = basicsr_edsr()(3, 3, 4, 1, scale)
    save_file(original.state_dict(), path)
    return original.eval()


def test_it_is_frozen_float32_and_says_its_scale(network):
    assert network.scale == 2
    assert not network.training
    assert {tensor.dtype for tensor in network.parameters()} == {torch.float32}
    assert not any(tensor.requires_grad for tensor in network.parameters())
    assert sum(tensor.numel() for tensor in network.parameters()) == 1_369_859


def test_it_computes_what_basicsr_computes(network):
    original = basicsr_edsr()(3, 3, 64, 16, 2).eval()
    original.load_state_dict({name: tensor.float() for name, tensor in load_file(BUNDLED).items()})
    torch.manual_seed(0)
    images = torch.rand(2, 3, 20, 28)
    with torch.no_grad():
        torch.testing.assert_close(network(images), original(images), rtol=0, atol=2e-5)


def test_the_bundled_weights_enlarge_better_than_bicubic():
    from skimage import data

    photo = torch.from_numpy(data.astronaut()[128:256, 160:288].copy()).permute(2, 0, 1)[None].float() / 255
    small = torch.nn.functional.interpolate(photo, scale_factor=0.5, mode="bicubic", antialias=True).clamp(0, 1)
    bicubic = torch.nn.functional.interpolate(small, scale_factor=2, mode="bicubic")
    with torch.no_grad():
        gain = ((bicubic - photo) ** 2).mean() / ((edsr()(small) - photo) ** 2).mean()
    assert 10 * torch.log10(gain) > 0.5  # dB


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_other_sizes_need_a_file_and_take_it(tmp_path, scale):
    path = tmp_path / "own.safetensors"
    original = small_weights(path, scale)
    network = edsr(scale=scale, blocks=1, features=4, weights=str(path))
    images = torch.rand(1, 3, 7, 9)
    with torch.no_grad():
        assert network(images).shape == (1, 3, 7 * scale, 9 * scale)
        torch.testing.assert_close(network(images), original(images), rtol=0, atol=1e-5)


def test_sizes_without_published_weights_say_so():
    with pytest.raises(UserError, match=r"EDSR \(8 blocks, 64 features, scale 2\).*sr_model\.weights=FILE"):
        edsr(blocks=8)
    with pytest.raises(UserError, match="2, 3 or 4 times, not 5 times"):
        edsr(scale=5)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ({"scale": 2, "weights": "official"}, "edsr_baseline_x2-1bc95232.pt"),
        ({"scale": 3}, "edsr_baseline_x3-abf2a44e.pt"),
        ({"scale": 4}, "edsr_baseline_x4-6b446fab.pt"),
        ({"scale": 2, "blocks": 32, "features": 256}, "edsr_x2-0edfb8a3.pt"),
        ({"scale": 3, "blocks": 32, "features": 256}, "edsr_x3-ea3ef2c6.pt"),
        ({"scale": 4, "blocks": 32, "features": 256}, "edsr_x4-4f62e9ef.pt"),
    ],
)
def test_the_authors_files_are_asked_for_by_their_names_and_hashes(monkeypatch, tmp_path, kind, name):
    asked = []
    monkeypatch.setattr(torch.hub, "download_url_to_file", lambda *call, progress: asked.append(call))
    edsr_file = tmp_path / name
    with pytest.raises(UserError, match="the file cannot be read"):  # nothing was downloaded
        edsr(**kind, cache=str(tmp_path))
    assert asked == [
        (f"https://cv.snu.ac.kr/research/EDSR/models/{name}", str(edsr_file), name[:-3].rpartition("-")[2])
    ]


def test_a_network_to_train_has_random_weights_and_basicsrs_names():
    torch.manual_seed(0)
    network = edsr_network(scale=3, blocks=2, features=8, res_scale=0.5)
    original = basicsr_edsr()(3, 3, 8, 2, 3, 0.5)
    assert list(basicsr_state(network)) == list(original.state_dict())
    original.load_state_dict(basicsr_state(network))
    images = torch.rand(1, 3, 8, 8)
    torch.testing.assert_close(network(images), original(images), rtol=0, atol=1e-5)
    assert all(tensor.requires_grad for tensor in network.parameters())
    network(images).sum().backward()
    assert all(tensor.grad.isfinite().all() for tensor in network.parameters())
    with torch.no_grad():  # what was trained is what is stored
        network.conv_last.bias.fill_(7)
    assert basicsr_state(network)["conv_last.bias"].tolist() == [7, 7, 7]


def test_autocast_leaves_the_last_layer_in_float32(network):
    images = torch.rand(1, 3, 16, 16)
    with torch.no_grad():
        exact = network(images)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            fast = network(images)
    assert fast.dtype == torch.float32
    assert not torch.equal(fast, exact)  # bf16 was used,
    assert (fast != fast.bfloat16().float()).double().mean() > 0.9  # but not for the picture
    assert (fast - exact).abs().max() * 255 < 2  # on noise; photos are closer


def test_a_layer_in_float32_is_not_rounded_by_autocast():
    layer, values = nn.Conv2d(4, 3, 3), torch.rand(1, 4, 8, 8)
    exact = layer(values)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(InFloat32(layer)(values), exact)
        assert layer(values).dtype == torch.bfloat16  # the rest of the region is as it was


def test_memory_format_and_copies_change_nothing(network):
    images = torch.rand(2, 3, 16, 16)
    with torch.no_grad():
        plain = network(images)
        last = network(images.contiguous(memory_format=torch.channels_last))
        copied = copy.deepcopy(network)(images)
    torch.testing.assert_close(last, plain, rtol=0, atol=1e-5)
    assert torch.equal(copied, plain)


def test_a_forward_pass_leaves_the_network_as_it_was(network):
    before = network.mean
    with torch.inference_mode():
        network(torch.rand(1, 3, 8, 8))
    assert network.mean is before
    assert not network.mean.is_inference()
    assert network.to(torch.float64).mean.dtype == torch.float64
    network.to(torch.float32)


def test_threads_get_the_same_result(network):
    images = torch.rand(1, 3, 16, 16)
    results = []

    def run():
        with torch.inference_mode():
            results.append(network(images))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    assert all(torch.equal(result, results[0]) for result in results)


@pytest.mark.nightly  # half a minute of imports
def test_it_works_in_a_fresh_process_and_imports_nothing_early():
    code = (
        "import sys; from sr_deepfake.super_resolution.edsr import basicsr_edsr; "
        "assert 'basicsr' not in sys.modules; "
        "basicsr_edsr(); basicsr_edsr()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
