"""`trainer.deterministic=true` needs a GPU to fail; what would fail there can be seen from the operations of a step."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from sr_deepfake.data.augmentation import Augmentation
from sr_deepfake.detectors import Detector

# What torch.use_deterministic_algorithms lists as without a deterministic form on CUDA, as operations of ATen.
WITHOUT = {
    "_adaptive_avg_pool2d_backward", "_adaptive_avg_pool3d_backward", "_ctc_loss_backward",
    "_upsample_bicubic2d_aa_backward", "_upsample_bilinear2d_aa_backward", "adaptive_max_pool2d_backward",
    "adaptive_max_pool3d_backward", "avg_pool3d_backward", "bincount", "fractional_max_pool2d_backward",
    "fractional_max_pool3d_backward", "grid_sampler_2d_backward", "grid_sampler_3d_backward", "histc", "kthvalue",
    "max_unpool2d", "max_unpool3d", "median", "nll_loss2d_backward", "nll_loss2d_forward", "put", "put_",
    "reflection_pad1d_backward", "reflection_pad2d_backward", "reflection_pad3d_backward", "scatter_reduce",
    "upsample_bicubic2d_backward", "upsample_bilinear2d_backward", "upsample_linear1d_backward",
    "upsample_trilinear3d_backward",
}  # fmt: skip


class Recorder(TorchDispatchMode):
    """The names of all operations that run inside."""

    def __init__(self):
        super().__init__()
        self.names = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.names.add(func._schema.name.partition("::")[2])
        return func(*args, **(kwargs or {}))


def step(module, faces):
    with Recorder() as recorder:
        module(faces).sum().backward()
    return recorder.names


@pytest.mark.parametrize(
    ("backbone", "side"),
    [
        ("resnet50.tv2_in1k", 64),
        ("swin_tiny_patch4_window7_224.ms_in1k", 224),
        ("legacy_xception.tf_in1k", 96),
        ("tf_efficientnet_lite0.in1k", 64),
    ],
)
def test_the_models_train_without_operations_that_have_no_deterministic_form(backbone, side):
    detector = Detector(backbone, image_size=side)
    augmentation = Augmentation({"noise": 1.0, "flip": 1.0, "grey": 1.0, "affine": 1.0})
    faces = torch.randint(0, 256, (2, 3, side, side), dtype=torch.uint8)
    drawn = torch.stack([augmentation.draw(face, seed=0, epoch=0, index=0)[1] for face in faces])
    names = step(lambda images: detector(augmentation(images, drawn)), faces)
    assert any(name.endswith("_backward") for name in names)
    assert not names & WITHOUT


def test_a_layer_without_one_would_be_seen():
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.AdaptiveAvgPool2d(2))
    assert step(network, torch.rand(1, 3, 16, 16)) & WITHOUT
