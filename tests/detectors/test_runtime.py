import pytest
import torch
from lightning.pytorch.strategies import DDPStrategy

from sr_deepfake.detectors import runtime
from sr_deepfake.detectors.runtime import choose_runtime
from sr_deepfake.errors import UserError


@pytest.fixture
def gpu(monkeypatch):
    """A machine that says it has a GPU, of a given name, capability and bf16."""

    def pretend(name, capability, bf16):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda: name)
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)
        monkeypatch.setattr(
            torch.cuda, "is_bf16_supported", lambda including_emulation=True: bf16 or including_emulation
        )

    return pretend


@pytest.mark.parametrize(
    ("name", "capability", "bf16", "precision"),
    [
        ("Tesla T4", (7, 5), False, "16-mixed"),
        ("NVIDIA H100", (9, 0), True, "bf16-mixed"),
        ("Tesla P100", (6, 0), False, "32-true"),
    ],
)
def test_gpus(gpu, name, capability, bf16, precision):
    gpu(name, capability, bf16)
    chosen = choose_runtime()
    assert (chosen.accelerator, chosen.precision, chosen.device.type) == ("gpu", precision, "cuda")
    assert name in str(chosen)


@pytest.mark.parametrize(("bf16", "precision"), [(True, "bf16-mixed"), (False, "32-true")])
def test_cpus(monkeypatch, bf16, precision):
    monkeypatch.setattr(runtime, "cpu_has_bf16", lambda: bf16)
    chosen = choose_runtime("cpu")
    assert chosen.precision == precision
    assert "bf16" in str(chosen)


def test_what_is_asked_for_is_taken():
    chosen = choose_runtime("cpu", "bf16-mixed", False, 3)
    assert (chosen.precision, chosen.channels_last, chosen.workers) == ("bf16-mixed", False, 3)


def test_autocast_runs_in_the_precision():
    with choose_runtime("cpu", "bf16-mixed").autocast():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.bfloat16
    with choose_runtime("cpu", "32").autocast():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32


def test_a_missing_device_names_the_alternative(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match="trainer=cpu"):
        choose_runtime("gpu")


@pytest.mark.parametrize("workers", [-1, "many", 1.5])
def test_workers_are_a_number(workers):
    with pytest.raises(UserError, match=r"trainer\.workers"):
        choose_runtime("cpu", workers=workers)


def test_ddp_takes_all_gpus_of_the_machine_or_as_many_as_asked_for(gpu, monkeypatch):
    gpu("NVIDIA H100", (9, 0), True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    assert choose_runtime("gpu", devices="auto").devices == 4
    chosen = choose_runtime("gpu", devices=2)
    assert (chosen.devices, chosen.backend) == (2, "nccl")
    assert str(chosen).startswith("2 × cuda")
    assert isinstance(chosen.strategy(), DDPStrategy)
    with pytest.raises(UserError, match=r"finds 4 CUDA device\(s\) here. Use trainer.devices=4"):
        choose_runtime("gpu", devices=8)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(UserError, match="needs two or more; torch finds 1 here"):
        choose_runtime("gpu", devices="auto")


def test_one_device_trains_without_ddp():
    assert choose_runtime("cpu").strategy() == "auto"
    with pytest.raises(UserError, match="needs two or more"):
        choose_runtime("cpu", devices="auto")


@pytest.mark.parametrize("devices", [0, -1, "many", 1.5, True, [0, 1]])
def test_devices_are_a_number(devices):
    with pytest.raises(UserError, match=r"trainer\.devices"):
        choose_runtime("cpu", devices=devices)


def test_loading_processes_are_for_the_cores_that_a_queue_gives(monkeypatch):
    monkeypatch.setattr(runtime.os, "sched_getaffinity", lambda pid: set(range(16)), raising=False)
    assert choose_runtime("cpu").workers == 4
    assert choose_runtime("cpu", devices=4).workers == 1
