import copy

import pytest
import torch
from torch import nn

from sr_deepfake.super_resolution import precision
from sr_deepfake.super_resolution.precision import InFloat32, fast_dtype


@pytest.mark.parametrize(("bf16", "expected"), [(True, torch.bfloat16), (False, torch.float32)])
def test_cpus(monkeypatch, bf16, expected):
    monkeypatch.setattr(precision, "cpu_has_bf16", lambda: bf16)
    assert fast_dtype(torch.device("cpu")) == expected


@pytest.mark.parametrize(
    ("capability", "expected"),
    [((7, 5), torch.float16), ((8, 0), torch.bfloat16), ((9, 0), torch.bfloat16)],
)
def test_cuda_devices(monkeypatch, capability, expected):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert fast_dtype(torch.device("cuda", 0)) == expected


def test_other_devices_compute_in_float32():
    assert fast_dtype(torch.device("mps")) == torch.float32


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
