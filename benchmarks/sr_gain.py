"""What weights of EDSR gain over bicubic enlargement, in dB of PSNR.

    python benchmarks/sr_gain.py                                 the bundled weights on three photos of scikit-image
    python benchmarks/sr_gain.py --weights FILE --pictures DIR   other weights, and on pictures of one's own too

Centre crops of 256 px are scaled down by antialiased bicubic interpolation and enlarged again, by the network and by
bicubic interpolation; both are compared with the crop as 8-bit RGB.
"""

import argparse
from pathlib import Path

import numpy as np
import skimage.data
import torch
from skimage.metrics import peak_signal_noise_ratio
from torch import nn

from sr_deepfake.super_resolution.edsr import edsr
from sr_deepfake.super_resolution.training.photos import (
    Picture,
    bicubic_enlarged,
    centre_crop,
    find_photos,
    low_resolution,
    read_photo,
)

SIDE = 256
PHOTOS = ("astronaut", "chelsea", "coffee")


def enlarged(network: nn.Module, small: Picture) -> Picture:
    """The network's picture, 8 bits, computed in float32."""
    with torch.inference_mode():
        result = network(torch.from_numpy(small.transpose(2, 0, 1).copy())[None].float() / 255)[0]
    picture: Picture = (result * 255).round().clamp(0, 255).byte().numpy().transpose(1, 2, 0)
    return picture


def measure(network: nn.Module, picture: Picture, scale: int) -> tuple[float, float]:
    """PSNR in dB of bicubic interpolation and of the network."""
    large = centre_crop(picture, SIDE, scale)
    small = low_resolution(large, scale)
    bicubic, ours = bicubic_enlarged(small, scale), enlarged(network, small)
    return (
        float(peak_signal_noise_ratio(large, bicubic, data_range=255)),
        float(peak_signal_noise_ratio(large, ours, data_range=255)),
    )


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--weights", help="a file of EDSR's weights (default: the bundled ones)")
    parser.add_argument("--scale", type=int, default=2)
    parser.add_argument("--blocks", type=int, default=16)
    parser.add_argument("--features", type=int, default=64)
    parser.add_argument("--pictures", type=Path, help="a folder of pictures to measure on as well")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    network = edsr(arguments.scale, arguments.blocks, arguments.features, weights=arguments.weights)
    sets = {"scikit-image": {name: np.asarray(getattr(skimage.data, name)()) for name in PHOTOS}}
    if arguments.pictures is not None:
        files = find_photos(arguments.pictures, "--pictures")[0]
        sets[str(arguments.pictures)] = {file.name: read_photo(file) for file in files}
    print(f"{'':24}{'bicubic':>9}{'network':>9}{'gain':>8}   dB")
    for title, pictures in sets.items():
        rows = {name: measure(network, picture, arguments.scale) for name, picture in pictures.items()}
        if len(rows) <= len(PHOTOS):
            for name, (bicubic, ours) in rows.items():
                print(f"{name[:23]:24}{bicubic:9.2f}{ours:9.2f}{ours - bicubic:+8.2f}")
        bicubic, ours = (sum(values) / len(rows) for values in zip(*rows.values(), strict=True))
        print(f"{f'mean of {len(rows)}':24}{bicubic:9.2f}{ours:9.2f}{ours - bicubic:+8.2f}   {title}")


if __name__ == "__main__":
    main()
