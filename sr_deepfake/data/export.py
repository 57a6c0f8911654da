"""Faces, clean and attacked, as a folder of PNG files with a list, for programs that only read folders."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import torch
from torch import Tensor

from sr_deepfake.data.faces import SideBatches, StoredFaces
from sr_deepfake.data.manifest import FaceSet
from sr_deepfake.system.files import write_csv

FACES, EXPORT = "faces.csv", ".export"  # the second marks a folder that is being filled
COLUMNS = (
    "face", "video", "label", "method", "split", "target", "source", "side", "data", "attack", "clean", "attacked", "score",
    "score_attacked",
)  # fmt: skip


def export_faces(
    faces: FaceSet,
    rows: pd.DataFrame,
    attack: Callable[[Tensor], Tensor] | None,
    name: str,
    out: Path,
    device: torch.device,
) -> Iterator[str]:
    """Write faces and the list `faces.csv`, whose empty columns `score` and `score_attacked` are for another program."""
    listed: list[Sequence[object]] = []
    out.mkdir(parents=True, exist_ok=True)
    if (out / FACES).is_file() or (out / EXPORT).is_file():  # what an earlier export wrote goes
        for folder in ("clean", "attacked"):
            shutil.rmtree(out / folder, ignore_errors=True)
        (out / FACES).unlink(missing_ok=True)
    (out / EXPORT).touch()
    stored = StoredFaces(rows, faces.folder)
    for batch in map(stored.__getitem__, SideBatches([int(side) for side in rows["side"]])):
        with torch.no_grad():
            attacked = None if attack is None else attack(batch.faces.to(device)).cpu()
        for index, row in enumerate(batch.rows.itertuples()):
            file = f"{row.face_id}.png"
            paths = [f"clean/{file}", "" if attacked is None else f"attacked/{file}"]
            _write(out / paths[0], batch.faces[index])
            if attacked is not None:
                _write(out / paths[1], attacked[index])
            facts = (row.face_id, row.video_id, row.label, row.method, row.split, row.target, row.source, row.side)
            listed.append((*facts, faces.name, name, *paths, "", ""))
            yield str(row.face_id)
    write_csv(out / FACES, COLUMNS, sorted(listed, key=lambda row: str(row[0])))
    (out / EXPORT).unlink()


def _write(path: Path, face: Tensor) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    levels = (face * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    _, png = cv2.imencode(".png", np.ascontiguousarray(levels[:, :, ::-1]))
    path.write_bytes(png.tobytes())
