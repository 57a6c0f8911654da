"""DeepFakeDetection (Google), which comes with FaceForensics++.

    <root>/original_sequences/actors/{raw|c0|c23|c40}/videos/NN__scene.mp4
    <root>/manipulated_sequences/DeepFakeDetection/{raw|c0|c23|c40}/videos/AA_BB__scene__HASH.mp4

It has no official split: all of it is a test set, for detectors that were trained on other data.
"""

from pathlib import Path

import pandas as pd

from sr_deepfake.data.extraction.video import is_video
from sr_deepfake.data.manifest import PRISTINE, DataNotFoundError, video_table

METHOD = "DeepFakeDetection"


def videos(root: Path, compression: str = "c23") -> pd.DataFrame:
    """List all videos of a compression level: "raw" (= "c0"), "c23" or "c40"."""
    levels = {compression, {"raw": "c0", "c0": "raw"}.get(compression, compression)}
    rows: list[dict[str, object]] = []
    for method, sequence in ((PRISTINE, "original_sequences/actors"), (METHOD, f"manipulated_sequences/{METHOD}")):
        folders = [root / sequence / level / "videos" for level in sorted(levels)]
        paths = sorted(path for folder in folders for path in folder.glob("[!.]*") if is_video(path))
        if not paths:
            raise DataNotFoundError(f"{folders[0]} holds no video (data.root=, data.compression={compression})")
        for path in paths:
            target, _, source = path.stem.partition("__")[0].partition("_")
            video = {"video_id": f"{method}/{path.stem}", "target": target, "source": source}
            rows.append({**video, "path": path, "split": "test"})
    return video_table(rows)
