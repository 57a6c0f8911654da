"""Random weights of the real architectures; what their own programs compute is written down by hand."""

import sys

import pytest
import torch
from spandrel.architectures.Compact import Compact
from spandrel.architectures.DnCNN import DnCNN
from spandrel.architectures.GFPGAN import GFPGAN
from spandrel.architectures.RestoreFormer import RestoreFormer

from sr_deepfake.super_resolution.restoration import SIDE, restoration_network
from sr_deepfake.system.errors import MissingWeightsError, UserError


def gfpgan():
    return GFPGAN(out_size=512, channel_multiplier=2, input_is_latent=True, different_w=True, narrow=1, sft_half=True)


def codeformer():
    return pytest.importorskip("spandrel_extra_arches.architectures.CodeFormer").CodeFormer()


NETWORKS = {"gfpgan": gfpgan, "restoreformer": lambda: RestoreFormer(ch=32), "codeformer": codeformer}


def saved(network, path):
    torch.save({"params_ema": network.state_dict()}, path)
    return str(path)


@pytest.mark.nightly
@pytest.mark.parametrize("name", NETWORKS)
def test_it_calls_the_network_as_its_own_program_does(name, tmp_path):
    torch.manual_seed(0)
    theirs = NETWORKS[name]().eval()
    network = restoration_network(saved(theirs, tmp_path / "weights.pth"))
    assert network.name == name
    assert not any(
        tensor.requires_grad or module.training for module in network.modules() for tensor in module.parameters()
    )
    faces = torch.rand(1 if name == "codeformer" else 2, 3, SIDE, SIDE)
    options = {"randomize_noise": False} if name == "gfpgan" else {}
    with torch.no_grad():
        restored = network(faces)  # a batch: no face looks at its neighbours
        # GFPGANer, RestoreFormer's and CodeFormer's inference: normalised by 0.5 and 0.5, read back from [-1, 1].
        expected = (theirs((faces[-1:] - 0.5) / 0.5, **options)[0] + 1) / 2
    torch.testing.assert_close(restored[-1:], expected, rtol=0, atol=1e-4 * float(expected.abs().max()))


def test_files_that_restore_no_faces_are_refused(tmp_path):
    path = saved(Compact(num_feat=8, num_conv=2, upscale=2), tmp_path / "x2.pth")
    with pytest.raises(UserError, match=r"Compact, enlarges pictures: sr_model=spandrel"):
        restoration_network(path)
    path = saved(DnCNN(in_nc=3, out_nc=3, nc=8, nb=4), tmp_path / "denoise.pth")
    with pytest.raises(UserError, match=r"sr_model\.weights=.*DnCNN, restores no faces"):
        restoration_network(path)


def test_without_a_file_the_option_is_named():
    with pytest.raises(MissingWeightsError, match=r"attack=restoration .*sr_model\.weights=FILE"):
        restoration_network()


def test_codeformer_without_its_package_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "spandrel_extra_arches", None)  # as if it were not installed
    state = {"position_emb": torch.zeros(2, 2), "idx_pred_layer.1.weight": torch.zeros(2, 2)}
    torch.save(state, tmp_path / "codeformer.pth")
    with pytest.raises(UserError, match="pip install spandrel_extra_arches"):
        restoration_network(str(tmp_path / "codeformer.pth"))
