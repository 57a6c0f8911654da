import copy

import torch
from torch import nn

from sr_deepfake.super_resolution.precision import InFloat32


def test_a_layer_in_float32_is_not_rounded_by_autocast():
    torch.manual_seed(0)
    layer = nn.Conv2d(4, 3, 3)
    values = torch.rand(1, 4, 8, 8)
    exact = layer(values)
    kept = InFloat32(layer)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert layer(values).dtype == torch.bfloat16
        assert torch.equal(kept(values), exact)
        assert torch.equal(copy.deepcopy(kept)(values), exact)
        assert layer(values).dtype == torch.bfloat16  # the rest of the region is as it was
