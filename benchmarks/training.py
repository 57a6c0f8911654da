"""Lightning against bare loops: a step of training by `trainer.fit`, and a test with the attack by `trainer.test`.

The references do the same work on the same batches in plain torch (channels_last, autocast): what is compared is what
Lightning, the DataModule and the metrics cost. Both take turns, and medians of the ratios are printed.
Run: python benchmarks/training.py [--device cuda] [--batch 32] [--models resnet50]
"""

import argparse
import logging
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import lightning
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

from sr_deepfake.attacks import SuperResolutionAttack
from sr_deepfake.data import FaceDataModule
from sr_deepfake.data.manifest import SCHEMA, FaceSet, read_manifest, write_manifest
from sr_deepfake.data.sample.people import read_identity
from sr_deepfake.detectors import Detector
from sr_deepfake.detectors.callbacks import PredictionWriter
from sr_deepfake.super_resolution.edsr import edsr
from sr_deepfake.system.hardware import precision

MODELS = ("resnet50", "swin_small_patch4_window7_224", "legacy_xception")
SIDE, FACE_SIDES, FACES = 224, (240, 288), 32
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
        synchronise(trainer.strategy.root_device)
        self.ends.append(time.perf_counter())


class Crops:
    """A source of the faces in a folder."""

    name = "crops"
    methods = ("FaceSwap",)

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def faces(self, methods: list[str]) -> FaceSet:
        """All of them."""
        return FaceSet(self.name, self.folder, read_manifest(self.folder))


def synchronise(device: torch.device) -> None:
    """Wait until a device is done."""
    if device.type == "cuda":
        torch.cuda.synchronize()


def seconds(work: Callable[[], object]) -> float:
    """How long it takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


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
        synchronise(device)
        ends.append(time.perf_counter())
    return between(ends)


def lightning_steps(backbone: str, batches: OneBatch, accelerator: str, number: str) -> float:
    """Seconds a step of `trainer.fit`."""
    torch.manual_seed(0)
    steps = Steps()
    trainer = make_trainer(accelerator, number, [steps], max_epochs=1)
    detector = Detector(backbone, image_size=SIDE, optimizer=partial(torch.optim.SGD, lr=0.01))
    trainer.fit(detector, DataLoader(batches, batch_size=None))
    return between(steps.ends)


def make_trainer(
    accelerator: str, number: Any, callbacks: list[lightning.Callback], **options: Any
) -> lightning.Trainer:
    """A quiet trainer."""
    quiet: dict[str, Any] = dict.fromkeys(("logger", "enable_checkpointing", "enable_progress_bar"), False)
    return lightning.Trainer(
        accelerator=accelerator, devices=1, precision=number, callbacks=callbacks, enable_model_summary=False,
        use_distributed_sampler=False, **quiet, **options,
    )  # fmt: skip


def write_faces(folder: Path) -> None:
    """Generated people as `prepare` keeps faces, with their manifest."""
    rows = []
    for index in range(FACES):
        side = FACE_SIDES[index % len(FACE_SIDES)]
        frame = read_identity(f"{index % 20:03d}")[index // 20]
        picture = cv2.resize(frame[:, :, ::-1], (side, side), interpolation=cv2.INTER_AREA)
        cv2.imwrite(str(folder / f"{index}.png"), picture)
        label = index // len(FACE_SIDES) % 2
        known: dict[str, object] = {
            "face_id": str(index),
            "video_id": str(index),
            "side": side,
            "label": label,
        }
        known |= {"method": "FaceSwap" if label else "pristine", "split": "test", "path": f"{index}.png"}
        rows.append({field.name: "" if field.type == "string" else 0 for field in SCHEMA} | known)
    write_manifest(rows, folder / "faces.parquet")


def bare_test(
    detector: Detector, data: FaceDataModule, attack: SuperResolutionAttack, device: torch.device
) -> None:
    """Score each face clean and attacked in a plain loop."""
    detector.to(device).eval()
    attack.to(device)
    with torch.inference_mode():
        for batch in data.test_dataloader():
            faces = batch.faces.to(device)
            for pictures in (faces, attack(faces)):
                detector(pictures).double().sigmoid().cpu()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--models", nargs="+", default=MODELS)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore")
    device = torch.device(arguments.device)
    accelerator = {"cuda": "gpu"}.get(device.type, device.type)
    number = precision(accelerator)
    print(f"Training on {device.type} in {number}, batches of {arguments.batch} faces of {SIDE} px:")
    batches = OneBatch(arguments.steps, arguments.batch)
    for backbone in arguments.models:
        pairs = []
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats()
        for _ in range(arguments.rounds):
            bare = bare_steps(backbone, batches, device, number)
            pairs.append((bare, lightning_steps(backbone, batches, accelerator, number)))
        ratio = statistics.median(bare / ours for bare, ours in pairs)
        rate = arguments.batch / statistics.median(ours for _, ours in pairs)
        memory = f", {torch.cuda.max_memory_allocated() / 2**30:.1f} GiB" if device.type == "cuda" else ""
        print(f"  {backbone:32} {rate:7.1f} faces/s, {100 * ratio:5.1f} % of a bare loop's rate{memory}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_faces(folder)
        attack = SuperResolutionAttack(edsr())
        data = FaceDataModule(Crops(folder), "FaceSwap", image_size=SIDE, attack=attack, workers=0)
        detector = Detector("resnet50", image_size=SIDE)
        alone = make_trainer(accelerator, number, [])
        writing = make_trainer(accelerator, number, [PredictionWriter(folder / "predictions.parquet")])
        works: dict[str, Callable[[], object]] = {
            "bare": lambda: bare_test(detector, data, attack, device),
            "trainer.test": lambda: alone.test(detector, datamodule=data, verbose=False),
            "with predictions, SSIM and PSNR": lambda: writing.test(detector, datamodule=data, verbose=False),
        }
        times = [{name: seconds(work) for name, work in works.items()} for _ in range(arguments.rounds + 1)][
            1:
        ]
        print(f"Test of ResNet50 with EDSR x2, {FACES} faces of {' and '.join(map(str, FACE_SIDES))} px:")
        for name in works:
            taken = statistics.median(row[name] for row in times)
            ratio = statistics.median(row["bare"] / row[name] for row in times)
            print(
                f"  {name:32} {1000 * taken / FACES:7.1f} ms a face, {100 * ratio:5.1f} % of the bare loop's rate"
            )


if __name__ == "__main__":
    main()
