"""A picture of the sample: people in rows, the pristine clip and the five forgeries in columns.

python -m sr_deepfake.data.sample.contact_sheet docs/sample_contact_sheet.jpg
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from sr_deepfake.data.sample.forgeries import FORGERIES, forge
from sr_deepfake.data.sample.people import Frames, Pair, draw_pairs, identity_table, read_identity

TILE = 216
MARGIN = 20  # above and left of the tiles, for labels
FRAME = 5


def contact_sheet(pairs: Sequence[Pair]) -> Frames:
    """Draw one row a pair (target, source): source, target, then the target forged by each method."""
    titles = ("source", "target (pristine)", *FORGERIES)
    corner = np.full((MARGIN, MARGIN, 3), 255, dtype=np.uint8)
    rows = [np.concatenate([corner, *map(_label, titles)], axis=1)]
    for target, source in pairs:
        frames, others = read_identity(target), read_identity(source)
        ours, theirs = (identity_table().landmarks_of(name) for name in (target, source))
        made = [forge(method, frames, ours, others, theirs) for method in FORGERIES]
        tiles = [
            cv2.resize(clip[FRAME], (TILE, TILE), interpolation=cv2.INTER_AREA) for clip in (others, frames, *made)
        ]
        rows.append(np.concatenate([np.rot90(_label(f"{target}_{source}")), *tiles], axis=1))
    return np.concatenate(rows)


def _label(text: str) -> Frames:
    strip = np.full((MARGIN, TILE, 3), 255, dtype=np.uint8)
    cv2.putText(strip, text, (4, MARGIN - 6), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (0, 0, 0), 1, cv2.LINE_AA)
    return strip


def main(path: Path) -> None:
    """Write the sheet of six test pairs, every second one the other way round."""
    pairs = draw_pairs()["test"][::2]
    sheet = contact_sheet([pair if row % 2 else pair[::-1] for row, pair in enumerate(pairs)])
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 82]):
        raise OSError(f"{path} could not be written.")
    print(path)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m sr_deepfake.data.sample.contact_sheet FILE.jpg")
    main(Path(sys.argv[1]))
