import pytest
import timm
import torch
from hypothesis import given
from hypothesis import strategies as st
from timm.layers import DropPath
from torch import nn
from torch.nn import functional as F

from sr_deepfake.detectors.whole_batch import WholeBatch, synchronise_batch_norm
from sr_deepfake.errors import UserError


def by_ranks(network, faces, ranks):
    """What several ranks make of a batch, each of its own faces, put together."""
    together = torch.empty_like(faces)
    for rank in range(ranks):
        torch.manual_seed(7)
        own = faces[rank::ranks].clone()
        with WholeBatch(rank, ranks, len(own)):
            together[rank::ranks] = network(own)
    return together


def by_one(network, faces):
    torch.manual_seed(7)
    return network(faces.clone())


NETWORKS = {
    "dropout": nn.Dropout(0.3),
    "dropout in place": nn.Dropout(0.3, inplace=True),
    "stochastic depth": DropPath(0.4),
    "several": nn.Sequential(nn.Dropout(0.1), DropPath(0.5), nn.GELU(), nn.Dropout(0.6)),
    "none": nn.Sequential(nn.Dropout(0.0), DropPath(0.0), nn.Dropout(1.0)),
    "parts of faces": lambda x: F.dropout(x.reshape(-1, 2), 0.5).reshape(x.shape),  # as a window's attention
}


@pytest.mark.parametrize("name", NETWORKS)
@given(ranks=st.sampled_from([1, 2, 4]), own=st.integers(1, 4))
def test_ranks_drop_what_one_process_drops(name, ranks, own):
    faces = torch.randn(ranks * own, 6)
    assert torch.equal(by_ranks(NETWORKS[name], faces, ranks), by_one(NETWORKS[name], faces))


def test_nothing_is_dropped_in_validation():
    faces = torch.randn(4, 6)
    assert torch.equal(by_ranks(nn.Dropout(0.5).eval(), faces, 2), faces)


def test_a_backbone_with_stochastic_depth_learns_the_same():
    """Gradients too: those of the ranks, averaged, are those of one process."""
    torch.manual_seed(0)
    network = timm.create_model("test_convnext", num_classes=1, drop_path_rate=0.5, drop_rate=0.5).train()
    faces = torch.rand(8, 3, 48, 48)

    def gradient(own, rank, ranks):
        network.zero_grad()
        torch.manual_seed(3)
        with WholeBatch(rank, ranks, len(own)):
            network(own).square().mean().backward()
        return torch.cat([parameter.grad.flatten() for parameter in network.parameters()])

    whole = gradient(faces, 0, 1)
    mean = (gradient(faces[0::2], 0, 2) + gradient(faces[1::2], 1, 2)) / 2
    torch.testing.assert_close(mean, whole, rtol=1e-4, atol=1e-6)
    assert whole.abs().max() > 0


@pytest.mark.parametrize("name", ["test_resnet", "test_efficientnet"])
def test_synchronised_batch_normalisation_keeps_names_and_activations(name):
    torch.manual_seed(0)
    backbone = timm.create_model(name, num_classes=1).eval()
    faces = torch.rand(2, 3, 48, 48)
    before, names = backbone(faces), list(backbone.state_dict())
    changed = synchronise_batch_norm(backbone, torch.device("cuda")).eval()
    assert any(isinstance(module, nn.SyncBatchNorm) for module in changed.modules())
    assert list(changed.state_dict()) == names
    torch.testing.assert_close(changed(faces), before)


def test_without_a_gpu_only_other_normalisations_are_synchronised():
    vit = timm.create_model("test_vit", num_classes=1)
    assert synchronise_batch_norm(vit, torch.device("cpu")) is vit
    with pytest.raises(UserError, match=r"batch normalisation.*trainer=cpu"):
        synchronise_batch_norm(timm.create_model("test_resnet"), torch.device("cpu"))
