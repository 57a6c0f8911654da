"""Lightning against a bare loop: a step of training by `trainer.fit`.

python benchmarks/training.py [--device cuda] [--batch 32] [--models resnet50]
"""

import argparse
import logging
import statistics
import time
import warnings
from functools import partial
from itertools import pairwise
from typing import Any

import lightning
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

from sr_deepfake.detectors import Detector
from sr_deepfake.system.hardware import precision

MODELS = ("resnet50", "swin_small_patch4_window7_224", "legacy_xception")
SIDE = 224
DTYPES = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16, "32-true": torch.float32}


class OneBatch(Dataset[tuple[Tensor, Tensor]]):
    """The same batch, again and again."""

    def __init__(self, count: int, batch: int) -> None:
        random = torch.Generator().manual_seed(0)
        self.count = count
        self.faces = torch.rand(batch, 3, SIDE, SIDE, generator=random)
        self.labels = (torch.arange(batch) % 2).float()

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """Return the batch."""
        return self.faces, self.labels


class Steps(lightning.Callback):
    """Notes when each step of training ends."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def on_train_batch_end(self, trainer: lightning.Trainer, *arguments: Any) -> None:
        """Note the time, once the device is done."""
        self.ends.append(now(trainer.strategy.root_device))


def now(device: torch.device) -> float:
    """The time, once a device is done."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def between(ends: list[float]) -> float:
    """Median seconds a step, the first two left out."""
    return statistics.median(after - before for before, after in pairwise(ends[1:]))


def bare_steps(backbone: str, batches: OneBatch, device: torch.device, number: str) -> float:
    """Seconds a step of a plain loop."""
    torch.manual_seed(0)
    network = Detector(backbone, image_size=SIDE).to(device).train()
    optimizer = torch.optim.SGD(network.backbone.parameters(), lr=0.01)
    scaler = torch.amp.GradScaler(device.type, enabled=number == "16-mixed")
    ends = []
    for _ in range(len(batches)):
        faces, labels = (tensor.to(device) for tensor in batches[0])
        optimizer.zero_grad()
        with torch.autocast(device.type, DTYPES[number], enabled=number != "32-true"):
            prepared = network.face_input(faces).contiguous(memory_format=torch.channels_last)
            loss = F.binary_cross_entropy_with_logits(network.backbone(prepared).squeeze(1).float(), labels)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        ends.append(now(device))
    return between(ends)


def lightning_steps(backbone: str, batches: OneBatch, accelerator: str, number: Any) -> float:
    """Seconds a step of `trainer.fit`."""
    torch.manual_seed(0)
    steps = Steps()
    parts = ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary")
    quiet: dict[str, Any] = dict.fromkeys(parts, False)
    trainer = lightning.Trainer(
        accelerator=accelerator, devices=1, precision=number, callbacks=[steps], max_epochs=1, **quiet
    )
    detector = Detector(backbone, image_size=SIDE, optimizer=partial(torch.optim.SGD, lr=0.01))
    trainer.fit(detector, DataLoader(batches, batch_size=None))
    return between(steps.ends)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--models", nargs="+", default=MODELS)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore")
    device = torch.device(arguments.device)
    kind = {"cuda": "gpu"}.get(device.type, device.type)
    number = precision(kind)
    print(f"Training on {device.type} in {number}, batches of {arguments.batch} faces of {SIDE} px:")
    batches = OneBatch(arguments.steps, arguments.batch)
    for backbone in arguments.models:
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats()
        pairs = [
            (bare_steps(backbone, batches, device, number), lightning_steps(backbone, batches, kind, number))
            for _ in range(arguments.rounds)
        ]
        ratio = statistics.median(bare / ours for bare, ours in pairs)
        rate = arguments.batch / statistics.median(ours for _, ours in pairs)
        memory = f", {torch.cuda.max_memory_allocated() / 2**30:.1f} GiB" if device.type == "cuda" else ""
        print(f"  {backbone:32} {rate:7.1f} faces/s, {100 * ratio:5.1f} % of a bare loop's rate{memory}")


if __name__ == "__main__":
    main()
