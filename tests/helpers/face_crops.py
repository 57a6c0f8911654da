"""Face crops of noise, for what needs a data set."""

import hashlib
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from sr_deepfake.data.manifest import read_manifest, video_table, write_manifest, write_videos


def write_faces(
    folder: Path, per_class: dict[str, int], method: str = "FaceSwap", sides: tuple[int, ...] = (48, 72), seed: int = 0
) -> pd.DataFrame:
    """Write face crops of noise and their manifest; fakes carry a reddish patch, so that a network can learn."""
    rng = np.random.default_rng(seed)
    rows, videos = [], []
    for split, count in per_class.items():
        for label in (0, 1):
            for index in range(count):
                name = "pristine" if label == 0 else method
                stem = f"{index:03d}" if label == 0 else f"{index:03d}_{index + 1:03d}"
                video = f"{name}/{split}{stem}"
                side = sides[index % len(sides)]
                face = rng.normal(128, 12, (side, side, 3))
                if label:
                    face[side // 4 : side // 2, side // 4 : side // 2, 2] += 60
                path = folder / video / "0000.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                cv2.imwrite(str(path), face.clip(0, 255).astype(np.uint8))
                rows.append(
                    {
                        "face_id": f"{video}/0000", "video_id": video, "frame": 0, "side": side,
                        "path": path.relative_to(folder).as_posix(), "box_left": 0.0, "box_top": 0.0,
                        "box_right": float(side), "box_bottom": float(side), "crop_left": 0, "crop_top": 0,
                        "frame_width": side, "frame_height": side, "probability": 1.0,
                        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
                    }
                )  # fmt: skip
                people = {"target": f"{split}{index:03d}", "source": f"{split}{index + 1:03d}" if label else ""}
                videos.append(
                    {"video_id": video, "path": path, "split": split, **people, "cluster": f"{split}{index // 2}"}
                )
    write_manifest(rows, folder / "faces.parquet")
    write_videos(video_table(videos), folder / "videos.csv")
    return read_manifest(folder)
