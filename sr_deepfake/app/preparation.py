"""From the configuration to faces that other programs read, and to weights for machines without a network."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from huggingface_hub import constants
from hydra.core.hydra_config import HydraConfig
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig

from sr_deepfake.app import build
from sr_deepfake.app.configuration import plain
from sr_deepfake.app.sweep import as_user_error
from sr_deepfake.attacks.polisher import fit_polisher
from sr_deepfake.data.export import EXPORT, FACES, export_faces
from sr_deepfake.data.images import read_face
from sr_deepfake.data.manifest import PRISTINE, SPLITS, select
from sr_deepfake.data.module import Source
from sr_deepfake.detectors.pretrained import pretrained_backbone
from sr_deepfake.super_resolution.restoration import restoration_network
from sr_deepfake.system.console import track
from sr_deepfake.system.errors import UserError, choose


def export(cfg: DictConfig, source: Source) -> str:
    """Write the faces of `prepare.export`, clean and attacked; return where they are, in words."""
    out = Path(str(cfg.prepare.export)).expanduser()
    if out.is_dir() and any(out.iterdir()) and not any((out / name).is_file() for name in (FACES, EXPORT)):
        raise UserError(f"prepare.export={out} is a folder with other files in it; name an empty or a new one")
    split = choose(cfg.prepare.split, [*SPLITS, "all"], "prepare.split")
    methods = plain(cfg.prepare.methods) or list(source.methods)
    faces = source.faces(methods)
    rows = faces.rows[faces.rows["method"].isin([PRISTINE, *methods])]
    rows = rows if split == "all" else rows[rows["split"] == split]
    if rows.empty:
        raise UserError(f"prepare.split={split}: there are no such faces in {faces.folder}")
    machine, attack = build.device(cfg), build.attack(cfg)
    name = "none" if attack is None else str(attack.name)
    rows = pd.DataFrame(rows).reset_index(drop=True)
    written = export_faces(faces, rows, None if attack is None else attack.to(machine), name, out, machine)
    count = sum(1 for _ in track(written, len(rows), "Exporting faces", "faces", cfg.prepare.progress))
    return (
        f"{count:,} faces of {faces.name} ({split}), attack {name}: {out / FACES}. Fill in its columns score and "
        "score_attacked, and `python -m sr_deepfake.report scores=FILE` makes the tables"
    )


def fit(cfg: DictConfig, source: Source) -> str:
    """Fit FakePolisher to the pristine faces for training; return what was written, in words."""
    faces = source.faces(plain(cfg.prepare.methods) or list(source.methods)[:1])
    rows = select(faces.rows, "train", [PRISTINE])

    def read(place: int) -> npt.NDArray[np.uint8]:
        return read_face(faces.folder / str(rows["path"].iloc[place])).permute(1, 2, 0).numpy()

    own = cfg.prepare
    path = Path(str(own.polisher)).expanduser()
    return fit_polisher(read, len(rows), own.polisher_kind, path, own.polisher_side, own.polisher_components, cfg.seed)


def fetch_weights(cfg: DictConfig) -> str:
    """Fetch the ImageNet weights of the model and the weights of the SR network of this job."""
    found, failed = [], []
    model = plain(cfg.model)
    if "backbone" in model and "image_size" in model:
        try:
            name, side = str(model["backbone"]), int(model["image_size"])
            found.append(f"{name}: {pretrained_backbone(name, 'true', side, model.get('weights'))[1]}")
        except UserError as error:
            failed.append(str(error))
    choices = HydraConfig.get().runtime.choices
    try:
        if choices.get("attack") == "restoration":
            found.append(f"{restoration_network(cfg.sr_model.weights).name}: {cfg.sr_model.weights}")
        elif choices.get("attack") == "sr":
            network = instantiate(cfg.sr_model)
            found.append(f"{network.name}, K = {network.scale}: weights of sr_model.weights={cfg.sr_model.weights}")
    except (InstantiationException, UserError) as error:
        failed.append(str(as_user_error(error, Path(cfg.paths.outputs)) or error))
    if failed:
        raise UserError("; ".join(failed))
    folders = f"timm's in {constants.HF_HUB_CACHE}, SR networks' in {cfg.paths.cache}/weights"
    return "\n".join([*found, f"Give a machine without a network these folders: {folders}"])
