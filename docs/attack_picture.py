"""Make docs/attack.png: a generated face clean, with the bicubic control, with EDSR, and four times the differences.

Usage: python docs/attack_picture.py
"""

from pathlib import Path

import av
import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

import sr_deepfake
from sr_deepfake.attacks.super_resolution import SuperResolutionAttack
from sr_deepfake.super_resolution.edsr import edsr
from sr_deepfake.super_resolution.interpolation import Interpolation

CLIP = Path(sr_deepfake.__file__).parent / "data" / "sample" / "assets" / "identities" / "030.mp4"
SIDE, AMPLIFIED = 192, 4
LABEL = 22  # px


def main() -> None:
    """Attack a face and write the picture."""
    with av.open(str(CLIP)) as container:
        frame = next(container.decode(video=0)).to_ndarray(format="rgb24")
    top, left = ((length - SIDE) // 2 for length in frame.shape[:2])
    crop = frame[top : top + SIDE, left : left + SIDE]
    face = torch.from_numpy(crop.transpose(2, 0, 1).copy())[None].float() / 255
    bicubic, sr = (SuperResolutionAttack(network)(face) for network in (Interpolation(), edsr()))
    grey = torch.full_like(face, 0.5)
    columns = {
        "clean": face,
        "bicubic": bicubic,
        "EDSR": sr,
        f"bicubic - clean, x {AMPLIFIED}": grey + AMPLIFIED * (bicubic - face),
        f"EDSR - clean, x {AMPLIFIED}": grey + AMPLIFIED * (sr - face),
    }
    sheet = Image.new("RGB", (SIDE * len(columns), SIDE + LABEL), "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(13)
    for index, (label, picture) in enumerate(columns.items()):
        levels = (picture[0].clamp(0, 1) * 255).round().byte().numpy().transpose(1, 2, 0)
        sheet.paste(Image.fromarray(np.ascontiguousarray(levels)), (index * SIDE, LABEL))
        draw.text((index * SIDE + SIDE / 2, LABEL / 2), label, "black", font, anchor="mm")
    sheet.save(Path(__file__).with_name("attack.png"), optimize=True)


if __name__ == "__main__":
    main()
