import builtins
import io

import pytest
import torch

from sr_deepfake.system.hardware import cpu_has_bf16


@pytest.fixture(autouse=True)
def asked_anew():
    cpu_has_bf16.cache_clear()
    yield
    cpu_has_bf16.cache_clear()


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        ({"avx512_bf16": True}, True),
        ({"amx_bf16": True, "avx512_bf16": False}, True),
        ({"sve_bf16": True}, True),
        ({"avx2": True, "avx512_f": True}, False),
    ],
)
def test_torch_tells_what_the_processor_can_do(monkeypatch, capabilities, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    assert cpu_has_bf16() is expected


@pytest.mark.parametrize(("flags", "expected"), [("avx2 avx512_bf16 vnni", True), ("avx2 avx512f", False)])
def test_an_older_torch_leaves_it_to_the_system(monkeypatch, flags, expected):
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    monkeypatch.setattr(builtins, "open", lambda *names, **options: io.StringIO(f"flags : {flags}\n"))
    assert cpu_has_bf16() is expected
