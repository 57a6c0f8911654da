import functools
import hashlib
import http.server
import logging
import pickle
import re
import socket
import threading

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from sr_deepfake.super_resolution import weights as weights_module
from sr_deepfake.super_resolution.edsr import basicsr_state, edsr, edsr_network
from sr_deepfake.super_resolution.weights import find_weights, load_weights
from sr_deepfake.system.errors import MissingWeightsError, UserError

UNREADABLE = "neither a whole safetensors file nor a PyTorch file|PyTorch file is damaged|holds no named tensors"


def make_network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 3, 3))


@pytest.fixture
def state():
    torch.manual_seed(1)
    return {name: torch.randn_like(tensor) for name, tensor in make_network().state_dict().items()}


def load(path):
    network = make_network()
    load_weights(network, path, "the test's network")
    return network


def refusal(path):
    """The message that a file is refused with: one line that names the file and the option."""
    with pytest.raises(UserError) as caught:
        load(path)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"sr_model.weights={path}: ")
    return message


LAYOUTS = {
    "safetensors": lambda state: state,
    "bare": lambda state: state,
    "legacy": lambda state: state,
    "params": lambda state: {"params": state},
    "params_ema": lambda state: {"params": {name: tensor * 0 for name, tensor in state.items()}, "params_ema": state},
    "state_dict": lambda state: {"params": {}, "state_dict": state, "epoch": 3},
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    "prefix", ["", "module.", "_orig_mod.", "module._orig_mod.", "model.", "generator.", "netG.", "netG.module."]
)
def test_every_layout_is_read_whatever_the_file_is_called_and_prefixes_are_dropped(tmp_path, state, layout, prefix):
    path = tmp_path / "weights.bin"
    named = {f"{prefix}{name}": tensor for name, tensor in state.items()}
    named |= {"n_averaged": torch.tensor(5)} if prefix == "module." else {}
    content = LAYOUTS[layout](named)
    if layout == "safetensors":
        save_file(content, path)
    else:
        torch.save(content, path, _use_new_zipfile_serialization=layout != "legacy")
    for name, tensor in load(path).state_dict().items():
        assert torch.equal(tensor, state[name])


def test_the_network_keeps_its_number_format(tmp_path, state):
    path = tmp_path / "half.pt"
    torch.save({name: tensor.half() for name, tensor in state.items()}, path)
    network = load(path)
    assert network[0].weight.dtype == torch.float32
    assert torch.equal(network[0].weight, state["0.weight"].half().float())


def test_a_missing_file_is_named_with_the_option(tmp_path):
    path = tmp_path / "not_here.pth"
    with pytest.raises(UserError, match=r"sr_model\.weights=.*not_here\.pth: there is no such file"):
        edsr(weights=str(path))
    with pytest.raises(UserError, match="there is no such file"):
        find_weights(str(tmp_path), "any", "EDSR")


def test_files_that_are_no_weights(tmp_path):
    path = tmp_path / "file.pth"
    for content in (b"", b"\x00" * 100, b"\x80", b"\x80\x02}", b"PK\x03\x04", b"\xff" * 64):
        path.write_bytes(content)
        assert re.search(UNREADABLE, refusal(path))
    for thing in ([1, 2], torch.zeros(3), {"a": 1}, {}, {"params": {}}):
        torch.save(thing, path)
        assert re.search(UNREADABLE, refusal(path))


@pytest.mark.parametrize("kind", ["safetensors", "zip", "legacy"])
def test_truncated_files(tmp_path, state, kind):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    if kind == "safetensors":
        save_file(state, whole)
    else:
        torch.save(state, whole, _use_new_zipfile_serialization=kind == "zip")
    content = whole.read_bytes()
    for length in range(1, len(content), max(1, len(content) // 40)):
        cut.write_bytes(content[:length])
        assert re.search(f"{UNREADABLE}|holds code", refusal(cut))  # half a pickle may look like code


class Code:
    """A pickle of it runs a command when it is loaded carelessly."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return (exec, (f"open({str(self.marker)!r}, 'w').close()",))


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("kind", ["zip", "legacy", "pickle"])
def test_code_in_a_file_is_refused_and_never_run(tmp_path, state, kind):
    marker, path = tmp_path / "was_run", tmp_path / "evil.pth"
    if kind == "pickle":
        path.write_bytes(pickle.dumps(Code(marker)))
        pickle.loads(path.read_bytes())  # noqa: S301 - to show that the file is dangerous
        assert marker.exists()
        marker.unlink()
    else:
        torch.save(state | {"code": Code(marker)}, path, _use_new_zipfile_serialization=kind == "zip")
    message = refusal(path)
    assert not marker.exists()
    if kind != "pickle":
        assert "holds code" in message


def test_what_a_download_left_instead_is_named(tmp_path):
    path = tmp_path / "file.pth"
    for content, words in (
        (b"<html>404</html>", "a web page"),
        (b"\n<!DOCTYPE html><html>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 7\n", "a pointer of Git LFS"),
    ):
        path.write_bytes(content)
        assert words in refusal(path)


def test_weights_of_another_network_are_named(tmp_path, state):
    path = tmp_path / "other.safetensors"
    save_file({name: tensor for name, tensor in state.items() if name != "1.weight"}, path)
    words = "its tensor '1.weight' is missing (sr_model=spandrel reads other networks)"
    assert f"does not hold the test's network: {words}" in refusal(path)
    save_file(state | {"2.weight": torch.zeros(1)}, path)
    assert "a tensor '2.weight' that the network has not" in refusal(path)
    save_file(state | {"1.bias": torch.zeros(5)}, path)
    assert "'1.bias' has shape (5,) instead of (3,)" in refusal(path)
    save_file(state | {"1.bias": torch.zeros(3, dtype=torch.int64)}, path)
    assert "'1.bias' is torch.int64" in refusal(path)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_numbers_that_are_none_are_refused_and_leave_the_network_as_it_was(tmp_path, state, value):
    path, network = tmp_path / "damaged.pt", make_network()
    state["1.weight"][0, 0, 0, 0] = value
    torch.save(state, path)
    with pytest.raises(UserError, match=r"its tensor '1\.weight' holds NaN or infinite numbers"):
        load_weights(network, path, "it")
    for name, tensor in make_network().state_dict().items():
        assert torch.equal(network.state_dict()[name], tensor)


def test_weights_of_another_scale_name_both_scales(tmp_path):
    path = tmp_path / "x3.safetensors"
    save_file(basicsr_state(edsr_network(scale=3, blocks=1, features=4)), path)
    with pytest.raises(UserError, match=r"enlarges 3 times; choose attack\.scale=3, not 2") as caught:
        edsr(scale=2, blocks=1, features=4, weights=str(path))
    assert str(path) in str(caught.value)


CONTENT = b"weights"
DIGITS = hashlib.sha256(CONTENT).hexdigest()[:8]


@pytest.fixture
def published(tmp_path):
    """A folder that stands for a site: the file with its hash in the name, a copy, and half a file."""
    folder = tmp_path / "site"
    folder.mkdir()
    for name, content in ((f"net_x2-{DIGITS}.pt", CONTENT), ("copy.pt", CONTENT), (f"cut-{DIGITS}.pt", CONTENT[:3])):
        (folder / name).write_bytes(content)
    return folder


def test_the_order_in_which_weights_are_looked_for(published, tmp_path, caplog):
    files = [published / f"net_x2-{DIGITS}.pt", published / "copy.pt"]
    urls = [file.as_uri() for file in files]
    bundled, own = "edsr_baseline_x2.safetensors", tmp_path / "own.pth"
    own.write_bytes(b"")
    find = functools.partial(find_weights, network="it", urls=urls, cache=tmp_path / "deep" / "cache")
    with caplog.at_level(logging.INFO):
        assert find(str(own), bundled) == own
        assert find(None, bundled).parent.name == "weights"
        assert find(None, "none.safetensors").read_bytes() == CONTENT
        files[0].unlink()  # downloaded once
        assert find("official", bundled).name == f"net_x2-{DIGITS}.pt"
        assert find("torchsr", bundled).name == "copy.pt"
    assert [record.getMessage().rpartition("(")[2] for record in caplog.records] == [
        "sr_model.weights)",
        "in the package)",
        *2 * [f"published at {urls[0]})"],
        f"published at {urls[1]})",
    ]


@pytest.mark.parametrize(
    ("url", "why"),
    [
        (f"{{site}}/cut-{DIGITS}.pt", "invalid hash value"),
        ("{site}/missing.pt", "No such file"),
        ("http://127.0.0.1:port/net.pt", "nonnumeric port"),
    ],
)
def test_the_next_offer_is_taken_where_the_first_cannot_be_had(published, tmp_path, caplog, url, why):
    first, cache = url.format(site=published.as_uri()), tmp_path / "cache"
    find = functools.partial(find_weights, "official", "none", "it", cache=cache)
    with pytest.raises(MissingWeightsError) as caught:
        find(urls=[first])
    message = str(caught.value)
    assert why in message
    assert f"{first} could not be downloaded" in message
    assert f"put the file at {cache / url.rpartition('/')[2]} or name it with sr_model.weights=FILE" in message
    assert list(cache.iterdir()) == []  # nothing half-done takes the place
    assert find(urls=[first, (published / "copy.pt").as_uri()]) == cache / "copy.pt"
    assert "could not be downloaded" in caplog.text


def test_no_network_and_a_server_that_says_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(weights_module, "TIMEOUT", 0.2)
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{mute.getsockname()[1]}/file.pt"
        with pytest.raises(MissingWeightsError, match="refused"):
            find_weights(None, "none", "it", [url], tmp_path)
        mute.listen()
        weights_module._download.cache_clear()
        with pytest.raises(MissingWeightsError, match="timed out"):
            find_weights(None, "none", "it", [url], tmp_path)


def test_a_page_of_a_server_that_has_no_such_file_is_no_weights(published, tmp_path):
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=published)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        site = f"http://127.0.0.1:{server.server_port}"
        with pytest.raises(MissingWeightsError, match=r"missing\.pt could not be downloaded \(HTTP Error 404"):
            find_weights(None, "none", "it", [f"{site}/missing.pt"], tmp_path)
        assert find_weights(None, "none", "it", [f"{site}/copy.pt"], tmp_path).read_bytes() == CONTENT
        server.shutdown()
    assert [file.name for file in tmp_path.glob("*.pt")] == ["copy.pt"]


def test_a_cache_that_cannot_be_written(published, tmp_path):
    (tmp_path / "cache").write_text("a file where the folder would be")
    with pytest.raises(MissingWeightsError, match=r"exists.*put the file at .*sr_model\.weights=FILE"):
        find_weights(None, "none", "it", [(published / "copy.pt").as_uri()], tmp_path / "cache")


def test_the_cache_may_be_below_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "net.pt").write_bytes(b"weights")
    found = find_weights(None, "none", "it", ["https://example.org/net.pt"], "~/cache")
    assert found == tmp_path / "cache" / "net.pt"


def test_the_bundled_file_is_small_whole_and_has_its_card():
    path = find_weights(None, "edsr_baseline_x2.safetensors", "EDSR")
    assert path.stat().st_size <= 3_000_000
    assert all(tensor.isfinite().all() for tensor in load_file(path).values())
    assert path.name in (path.parent / "README.md").read_text(encoding="utf-8")
