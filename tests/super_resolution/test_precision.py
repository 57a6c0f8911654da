import copy

import pytest
import torch
from torch import nn

from sr_deepfake import hardware
from sr_deepfake.super_resolution.precision import InFloat32, fast_dtype


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        ({"avx512_bf16": True}, torch.bfloat16),
        ({"amx_bf16": True, "avx512_bf16": False}, torch.bfloat16),
        ({"sve_bf16": True}, torch.bfloat16),
        ({"avx2": True, "avx512_f": True}, torch.float32),
    ],
)
def test_cpus(monkeypatch, capabilities, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    hardware.cpu_has_bf16.cache_clear()
    assert fast_dtype(torch.device("cpu")) == expected
    hardware.cpu_has_bf16.cache_clear()


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
