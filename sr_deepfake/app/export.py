"""From the configuration to a folder of exported faces."""

from pathlib import Path
from typing import Any

import pandas as pd
from omegaconf import DictConfig

from sr_deepfake.app.build import attack, device
from sr_deepfake.app.configuration import plain
from sr_deepfake.data.export import FACES, export_faces
from sr_deepfake.data.manifest import PRISTINE, SPLITS
from sr_deepfake.system.console import track
from sr_deepfake.system.errors import UserError, choose


def export(cfg: DictConfig, source: Any) -> str:
    """Write the faces of `prepare.export`, clean and attacked, and say where they are.

    Raises:
        UserError: the folder holds something else, or there are no such faces.
    """
    out = Path(str(cfg.prepare.export)).expanduser()
    if out.is_dir() and any(out.iterdir()) and not (out / FACES).is_file():
        raise UserError(
            f"prepare.export={out} is a folder with other things in it; name an empty or a new one"
        )
    split = choose(cfg.prepare.split, [*SPLITS, "all"], "prepare.split")
    methods = plain(cfg.prepare.methods) or list(source.methods)
    faces = source.faces(methods)
    rows = faces.rows[faces.rows["method"].isin([PRISTINE, *methods])]
    rows = rows if split == "all" else rows[rows["split"] == split]
    if rows.empty:
        raise UserError(f"prepare.split={split}: there are no such faces in {faces.folder}")
    made = attack(cfg)
    machine = device(cfg)
    made = None if made is None else made.to(machine)
    name = "none" if made is None else str(made.name)
    rows = pd.DataFrame(rows).reset_index(drop=True)
    written = export_faces(faces, rows, made, name, out, machine)
    count = sum(1 for _ in track(written, len(rows), "Exporting faces", "faces", cfg.prepare.progress))
    return (
        f"{count:,} faces of {faces.name} ({split}), attack {name}: {out / FACES}. Fill in its columns score and "
        "score_attacked, and `python -m sr_deepfake.report scores=FILE` makes the tables"
    )
