import builtins
import io
from functools import cache
from unittest.mock import Mock

import pytest
import torch

from sr_deepfake.system import hardware
from sr_deepfake.system.errors import UserError
from sr_deepfake.system.hardware import cpu_has_bf16, exact_float32, fast_dtype, precision, torch_device, unusable_gpu


@pytest.mark.parametrize("asked", ["torch", "the system"])  # an older torch leaves it to the system
@pytest.mark.parametrize(
    ("flags", "expected"),
    [("avx512_bf16 vnni", True), ("amx_bf16", True), ("sve_bf16", True), ("avx2 avx512f avx512_f", False)],
)
def test_a_processor_has_bf16_by_its_instructions(monkeypatch, asked, flags, expected):
    if asked == "torch":
        known = dict.fromkeys(flags.split(), True)
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": False} | known, raising=False)
    else:
        monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
        monkeypatch.setattr(builtins, "open", lambda *names, **options: io.StringIO(f"flags : {flags}\n"))
    assert cpu_has_bf16.__wrapped__() is expected  # not what was found before


@pytest.fixture
def nvidia(tmp_path, monkeypatch):
    """The root of a machine with an NVIDIA device that torch cannot use."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev" / "nvidia0").touch()
    return tmp_path


def test_a_torch_without_cuda_or_what_the_driver_says_is_the_reason(nvidia, monkeypatch):
    too_old = RuntimeError("The NVIDIA driver on your system is too old (found version 10020).\nUpdate it.")
    monkeypatch.setattr(torch.cuda, "init", Mock(side_effect=too_old))
    monkeypatch.setattr(torch.version, "cuda", None)
    assert "built without CUDA" in unusable_gpu(nvidia)
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    assert unusable_gpu(nvidia).startswith("The NVIDIA driver on your system is too old (found version 10020) (torch")


@pytest.mark.parametrize("hidden", ["", "-1"])
def test_a_device_that_is_hidden_or_absent_or_of_use_is_nothing_to_tell(nvidia, tmp_path, monkeypatch, hidden):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
    assert unusable_gpu(nvidia) is None
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert unusable_gpu(tmp_path / "nothing") is None
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert unusable_gpu(nvidia) is None


def test_it_is_a_warning_where_the_best_device_is_taken_and_part_of_the_error_where_it_is_asked_for(
    nvidia, monkeypatch, caplog
):
    monkeypatch.setattr(torch.version, "cuda", None)
    monkeypatch.setattr(hardware, "unusable_gpu", lambda: unusable_gpu(nvidia))
    monkeypatch.setattr(hardware, "_warn_of_unusable_gpu", cache(hardware._warn_of_unusable_gpu.__wrapped__))
    for _ in range(2):
        assert hardware.best_accelerator() in ("cpu", "mps")
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "torch cannot use it, and the CPU is taken: torch" in caplog.text
    with pytest.raises(UserError, match=r"prepare\.device=gpu, but .* built without CUDA.* Use prepare\.device=auto"):
        torch_device("gpu", "prepare.device")


def test_exact_float32_keeps_all_bits_inside_autocast_and_restores_what_was_set():
    left, right = torch.rand(64, 64), torch.rand(64, 64)
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert (left @ right).dtype == torch.bfloat16
        with exact_float32("cpu"):
            product = left @ right
            assert not torch.backends.cudnn.allow_tf32
            assert not torch.backends.cuda.matmul.allow_tf32
    torch.testing.assert_close(product.double(), left.double() @ right.double(), rtol=1e-5, atol=1e-5)
    assert (torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32) == before


@pytest.mark.parametrize(
    ("accelerator", "capability", "bf16", "expected", "name"),
    [
        ("cpu", None, True, torch.bfloat16, "bf16-mixed"),
        ("cpu", None, False, torch.float32, "32-true"),
        ("gpu", (6, 1), False, torch.float32, "32-true"),  # before Volta, fp16 is slower than float32
        ("gpu", (7, 5), False, torch.float16, "16-mixed"),
        ("gpu", (8, 0), True, torch.bfloat16, "bf16-mixed"),
        ("mps", None, True, torch.float32, "32-true"),
    ],
)
def test_trainings_and_attacks_are_fast_in_the_same_format(monkeypatch, accelerator, capability, bf16, expected, name):
    monkeypatch.setattr(hardware, "cpu_has_bf16", lambda: bf16)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: bf16)
    assert fast_dtype(torch.device("cuda" if accelerator == "gpu" else accelerator)) == expected
    assert precision(accelerator) == name
