"""Make docs/attack_photo.png: a whole photo of a generated person before and after the attack, and their difference.

Usage: python docs/attack_photo.py
"""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from sr_deepfake.attacks import SuperResolutionAttack
from sr_deepfake.data.extraction.face_detection import FaceDetector
from sr_deepfake.data.sample.people import read_identity
from sr_deepfake.media import attack_image
from sr_deepfake.media.faces import FaceFinder
from sr_deepfake.super_resolution.edsr import edsr

PERSON, AMPLIFIED = "031", 4
GAP, LABEL = 4, 22  # px


def main() -> None:
    """Attack the photo and write the picture."""
    before = read_identity(PERSON)[0]
    finder = FaceFinder(FaceDetector())
    after = attack_image(before, SuperResolutionAttack(edsr()), finder)
    ((crop,),) = (found.crops for found in finder([before]))
    difference = 128 + AMPLIFIED * (after.astype(int) - before.astype(int))
    panels = {
        "before, with the face's square": before,
        "after: the square attacked": after,
        f"after - before, x {AMPLIFIED}": difference.clip(0, 255).astype(np.uint8),
    }
    height, width = before.shape[:2]
    sheet = Image.new("RGB", (len(panels) * (width + GAP) - GAP, height + LABEL), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    for index, (label, panel) in enumerate(panels.items()):
        left = index * (width + GAP)
        sheet.paste(Image.fromarray(panel), (left, LABEL))
        draw.text((left + width / 2, LABEL / 2), label, "black", font, anchor="mm")
    corner = (crop.left - 1, crop.top - 1 + LABEL)
    draw.rectangle((*corner, crop.left + crop.side, crop.top + crop.side + LABEL), outline=(255, 196, 0))
    sheet.save(Path(__file__).with_name("attack_photo.png"), optimize=True)


if __name__ == "__main__":
    main()
