"""Train EDSR on photos: how the packaged weights were made (sr_deepfake/super_resolution/weights/README.md says on what).

    python tools/train_edsr.py out.safetensors --photos data/photos data/faces --validation data/held_out
    python tools/train_edsr.py mine.safetensors --photos my/faces --validation my/held_out --init out.safetensors --steps 2000

The low resolution is made by antialiased bicubic down-scaling. Every 250 steps the running average of the weights is validated,
and written when its PSNR is the best so far. Use the result with sr_model.weights=FILE.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageOps
from safetensors.torch import save_file
from timm.optim import Muon
from torch import Tensor, nn
from torchmetrics.functional.image import peak_signal_noise_ratio
from tqdm import tqdm

from sr_deepfake.super_resolution.edsr import basicsr_state, edsr, edsr_network
from sr_deepfake.super_resolution.precision import InFloat32
from sr_deepfake.system.hardware import fast_dtype
from sr_deepfake.system.photos import PHOTO_SUFFIXES

MAX_SIDE = 1600  # px; larger photos are scaled down to it first, since what a camera writes is soft at its own size
SIZES = (1.0, 0.5)  # fractions of its size at which each photo is taken
PATCH = 48  # px, of the low resolution
DETAIL = 2  # the most detailed of so many random patches is taken: much of many photos is plain
BATCH, CHECK, AVERAGE = 16, 250, 0.999
RATE, WARMUP, LAST = 5e-4, 100, 0.01  # learning rate, steps to it, fraction of it at the end

Pair = tuple[np.ndarray, np.ndarray]  # uint8 RGB, small and large


def read_pairs(folder: Path, scale: int, sizes: tuple[float, ...] = SIZES) -> list[Pair]:
    """Every photo of a folder at each size, with its low resolution."""
    pairs = []
    for path in sorted(path for path in folder.rglob("*") if path.suffix.lower() in PHOTO_SUFFIXES):
        photo = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
        for size in sizes:
            factor = size * min(1.0, MAX_SIDE / max(photo.size))
            width, height = (max(1, round(side * factor)) // scale * scale for side in photo.size)
            if min(width, height) >= PATCH * scale:
                large = photo.resize((width, height), Image.Resampling.LANCZOS)
                small = large.resize((width // scale, height // scale), Image.Resampling.BICUBIC)
                pairs.append((np.asarray(small), np.asarray(large)))
    if not pairs:
        raise SystemExit(f"error: {folder} has no photo of at least {PATCH * scale} px")
    return pairs


def draw_patch(folders: list[list[Pair]], scale: int, random: np.random.Generator) -> Pair:
    """A patch and its low resolution; each folder gives the same share."""
    pairs = folders[random.integers(len(folders))]
    small, large = pairs[random.integers(len(pairs))]
    corners = [[random.integers(side - PATCH + 1) for side in small.shape[:2]] for _ in range(DETAIL)]

    def detail(corner: list[int]) -> float:
        top, left = corner
        green = small[top : top + PATCH, left : left + PATCH, 1].astype(np.int16)
        return float(np.abs(np.diff(green, axis=0)).mean() + np.abs(np.diff(green, axis=1)).mean())

    top, left = max(corners, key=detail)
    turns, mirrored = (
        random.integers(4),
        random.integers(2),
    )  # the eight orientations of a square, EDSR's augmentation
    patches = []
    for picture, k in ((small, 1), (large, scale)):
        patch = np.rot90(picture[top * k : (top + PATCH) * k, left * k : (left + PATCH) * k], int(turns))
        patches.append(np.ascontiguousarray(patch[:, ::-1] if mirrored else patch))
    return patches[0], patches[1]


def as_input(pictures: list[np.ndarray], device: torch.device) -> Tensor:
    """Pictures of one size as B×3×H×W in [0, 1]."""
    stacked = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).to(device)
    return (stacked.float() / 255).contiguous(memory_format=torch.channels_last)


@torch.no_grad()
def validate(network: nn.Module, pairs: list[Pair], device: torch.device) -> float:
    """Mean PSNR in dB over the middle of each photo, at most 256 px a side."""
    found = []
    for small, large in pairs:
        k = large.shape[0] // small.shape[0]
        height, width = (min(side, 256 // k) for side in small.shape[:2])
        top, left = (small.shape[0] - height) // 2, (small.shape[1] - width) // 2
        part = small[top : top + height, left : left + width]
        whole = large[top * k : (top + height) * k, left * k : (left + width) * k]
        enlarged = (network(as_input([part], device)).float() * 255).round().clamp(0, 255)
        found.append(peak_signal_noise_ratio(enlarged, as_input([whole], device) * 255, data_range=255.0))
    return float(torch.stack(found).mean())


def optimiser_of(network: nn.Module) -> torch.optim.Optimizer:
    """Muon (Jordan et al., 2024) for the layers inside; the first and last one, and biases, are left to Adam.

    In 240 steps from given weights Muon gained 0.5 dB, Adam 0.08 dB.
    """
    inner: list[Tensor] = []
    outer: list[Tensor] = []
    for tensor in network.parameters():
        (inner if tensor.ndim == 4 and 3 not in tensor.shape[:2] else outer).append(tensor)
    groups: list[dict[str, Any]] = [{"params": inner}, {"params": outer, "use_fallback": True}]
    return Muon(groups, lr=RATE, nesterov=True, fallback_lr_scale=0.3, betas=(0.9, 0.999))


def main() -> None:
    """Train, validate, keep the best."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="the weights, in half precision, by basicsr's names")
    parser.add_argument("--photos", type=Path, nargs="+", required=True, help="folders; each gives the same share")
    parser.add_argument("--validation", type=Path, nargs="+", required=True, help="folders that choose the weights")
    parser.add_argument("--init", help="file of weights to start from, or bundled; default: random ones")
    parser.add_argument("--scale", type=int, default=2)
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.manual_seed(arguments.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    folders = [read_pairs(folder, arguments.scale) for folder in arguments.photos]
    held_out = [pair for folder in arguments.validation for pair in read_pairs(folder, arguments.scale, (1.0,))]
    start = None if arguments.init == "bundled" else arguments.init
    if arguments.init is None:
        network = edsr_network(arguments.scale)
        network.conv_last = InFloat32(network.conv_last)
    else:
        network = edsr(arguments.scale, weights=start)
    network = network.to(device, memory_format=torch.channels_last).requires_grad_(True).train()
    optimiser, random = optimiser_of(network), np.random.default_rng(arguments.seed)
    warmup = min(WARMUP, arguments.steps // 2)
    rise = torch.optim.lr_scheduler.LinearLR(optimiser, 1 / (warmup + 1), total_iters=warmup)
    fall = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, arguments.steps - warmup, RATE * LAST)
    schedule = torch.optim.lr_scheduler.SequentialLR(optimiser, [rise, fall], [warmup])
    averaged = torch.optim.swa_utils.AveragedModel(
        network, avg_fn=lambda old, new, age: old.lerp(new, 1 - min(AVERAGE, (1 + int(age)) / (10 + int(age))))
    )
    best, fast = float("-inf"), fast_dtype(device)
    for step in (bar := tqdm(range(1, arguments.steps + 1), unit="step")):
        small, large = zip(*(draw_patch(folders, arguments.scale, random) for _ in range(BATCH)), strict=True)
        with torch.autocast(device.type, dtype=fast, enabled=fast != torch.float32):
            loss = F.l1_loss(network(as_input(list(small), device)).float(), as_input(list(large), device))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        averaged.update_parameters(network)
        if step % CHECK == 0 or step == arguments.steps:
            psnr = validate(averaged.module, held_out, device)
            bar.set_postfix(loss=f"{float(loss.detach()):.4f}", psnr=f"{psnr:.2f} dB")
            if psnr > best:
                best = psnr
                save_file(
                    {name: value.half().cpu() for name, value in basicsr_state(averaged.module).items()}, arguments.out
                )
    print(f"Weights: {arguments.out} ({best:.2f} dB on {len(held_out)} held-out photos)")


if __name__ == "__main__":
    main()
