"""Speed and memory of the super-resolution attack, with the bundled EDSR-baseline ×2.

    python benchmarks/attack.py                    on the CPU, with all of its cores
    python benchmarks/attack.py --device cuda      on a GPU, with the fraction of its measured fp16 or bf16 rate

The references run in the same process, in turn with the project's attack: one face at a time, in float32; once with the
network built for every face, as scripts do that attack a file a call, and once with the network kept. The ceiling is the
rate of a large matrix product in the attack's number format. First faces of one side, then of 96 to 480 px.
"""

import argparse
import resource
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor

from sr_deepfake.attacks.super_resolution import SuperResolutionAttack
from sr_deepfake.data.faces import SideBatches
from sr_deepfake.data.sample.people import ASSETS, read_clip
from sr_deepfake.super_resolution.edsr import basicsr_edsr, edsr
from sr_deepfake.super_resolution.weights import find_weights
from sr_deepfake.system.hardware import fast_dtype

Picture = NDArray[np.uint8]
SCALE, BLOCKS, FEATURES = 2, 16, 64
# Multiplications of EDSR-baseline ×2 for one pixel of the low resolution: first layer, blocks and the layer after
# them, the layer that enlarges, and the last layer at four pixels.
PRODUCTS = 9 * (3 * 64 + 33 * 64 * 64 + 64 * 256 + 4 * 64 * 3)


def people() -> list[Picture]:
    """A frame of each person of the embedded sample, RGB."""
    return [read_clip(file)[0] for file in sorted((ASSETS / "identities").glob("*.mp4"))]


def faces_of(pictures: list[Picture], side: int, count: int, device: torch.device) -> Tensor:
    """`count` faces of one side, as attacks take them."""
    resized = [cv2.resize(pictures[i % len(pictures)], (side, side)) for i in range(count)]
    return torch.from_numpy(np.stack(resized).transpose(0, 3, 1, 2).copy()).float().div(255).to(device)


def build_reference(device: torch.device) -> torch.nn.Module:
    """EDSR as basicsr builds it, weights read from the file."""
    network: torch.nn.Module = basicsr_edsr()(3, 3, FEATURES, BLOCKS, SCALE)
    weights = load_file(find_weights(None, "edsr_baseline_x2.safetensors", "EDSR"))
    network.load_state_dict({name: tensor.float() for name, tensor in weights.items()})
    return network.eval().to(device)


def one_by_one(faces: Tensor, network: Callable[[], torch.nn.Module]) -> list[Picture]:
    """The reference: each face on its own; `network` gives the network for a face."""
    results = []
    with torch.no_grad():
        for face in faces.cpu():
            picture = (face * 255).round().byte().permute(1, 2, 0).numpy()
            side = picture.shape[0] // SCALE
            small = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)
            tensor = torch.from_numpy(small).permute(2, 0, 1)[None].contiguous().float().div(255)
            large = network()(tensor.to(faces.device))[0]
            results.append((large * 255).clamp(0, 255).round().byte().permute(1, 2, 0).cpu().numpy())
    return results


def seconds(run: Callable[[], Any], device: torch.device) -> float:
    """How long a call takes."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    start = time.perf_counter()
    run()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - start


def product_rate(device: torch.device, side: int) -> float:
    """Multiplications a second of a large matrix product, in the format that the attack computes in."""
    first, second = (torch.randn(side, side, device=device).to(fast_dtype(device)) for _ in range(2))
    times = 4 if device.type == "cpu" else 40

    def multiply() -> None:
        for _ in range(times):
            first @ second

    return times * side**3 / min(seconds(multiply, device) for _ in range(3))


def one_side(attack: SuperResolutionAttack, faces: Tensor, rounds: int, product_side: int) -> tuple[float, float]:
    """Print the first table; return seconds a pixel and what is reached of the product's rate."""
    device = faces.device
    count, side = len(faces), faces.shape[-1]
    kept = build_reference(device)
    few = faces[: max(1, count // 2)]
    rebuilt_times, kept_times, ours_times, shares = [], [], [], []
    attack(faces[:1]), one_by_one(faces[:1], lambda: kept)  # warm
    for _ in range(rounds):
        rebuilt_times.append(seconds(lambda: one_by_one(few, lambda: build_reference(device)), device) / len(few))
        kept_times.append(seconds(lambda: one_by_one(few, lambda: kept), device) / len(few))
        ours_times.append(seconds(lambda: attack(faces), device) / count)
        rate = PRODUCTS * (side / SCALE) ** 2 / ours_times[-1]
        shares.append(rate / product_rate(device, product_side))
    ours = statistics.median(ours_times)
    ratios = [
        statistics.median(theirs / mine for theirs, mine in zip(times, ours_times, strict=True))
        for times in (rebuilt_times, kept_times)
    ]
    share = statistics.median(shares)
    print(f"{count} faces of {side} px, {attack.extra_repr()}, median of {rounds} rounds")
    print(f"  reference, network built for every face  {statistics.median(rebuilt_times) * 1000:8.1f} ms a face")
    print(f"  reference, network kept                  {statistics.median(kept_times) * 1000:8.1f} ms a face")
    print(f"  this project                             {ours * 1000:8.1f} ms a face")
    print(f"  ratios                                   {ratios[0]:8.2f} and {ratios[1]:.2f}")
    name = str(fast_dtype(device)).removeprefix("torch.")
    print(f"  of the rate of a {name} matrix product {share:12.1%}")
    return ours / side**2, share


def mixed_batches(pictures: list[Picture], sides: list[int], device: torch.device) -> Iterator[Tensor]:
    """Batches as evaluation makes them: of one side, of a bounded number of pixels."""
    for members in SideBatches(sides, max_faces=len(sides)):
        yield faces_of(pictures, sides[members[0]], len(members), device)


def mixed_sides(attack: SuperResolutionAttack, pictures: list[Picture], count: int, device: torch.device) -> float:
    """Print the second table; return seconds a pixel."""
    random = np.random.default_rng(0)
    sides = [int(side) for side in random.integers(96 // 24, 480 // 24 + 1, count) * 24]
    total = 0.0
    for faces in mixed_batches(pictures, sides, device):
        total += seconds(lambda faces=faces: attack(faces), device)  # type: ignore[misc]
    pixels = sum(side**2 for side in sides)
    print(f"{count} faces of 96 to 480 px: {count / total:.1f} faces/s, {pixels / total / 1e6:.2f} megapixels/s")
    return total / pixels


def peak_memory(device: torch.device) -> float:
    """The most memory that the process has held so far, in GiB: resident, or of the GPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**30
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main() -> None:
    """Measure and print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of torch, on a CPU")
    parser.add_argument("--side", type=int, default=224)
    parser.add_argument("--count", type=int, default=16, help="faces of one side")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--mixed", type=int, default=2000, help="faces of mixed sides; 0 leaves them out")
    parser.add_argument("--compile", action="store_true", help="as attack.compile=true does")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    cv2.setNumThreads(arguments.threads)
    device = torch.device(arguments.device)
    if device.type == "cuda":
        if not torch.cuda.is_available():
            raise SystemExit("--device cuda: torch finds no CUDA device here")
        print(torch.cuda.get_device_name(device))
    pictures = people()
    attack = SuperResolutionAttack(edsr(SCALE), SCALE, compile=arguments.compile).to(device)
    mixed = None
    if arguments.mixed:  # first, while the process has held nothing of the references
        attack(faces_of(pictures, 96, 1, device))
        before = peak_memory(device)
        mixed = mixed_sides(attack, pictures, arguments.mixed, device)
        print(f"  the process grew by {peak_memory(device) - before:.2f} GiB")
    faces = faces_of(pictures, arguments.side, arguments.count, device)
    single, _ = one_side(attack, faces, arguments.rounds, 2048 if device.type == "cpu" else 8192)
    if mixed is not None:
        print(f"Rate a pixel, mixed sides against one side: {single / mixed:.1%}")


if __name__ == "__main__":
    main()
