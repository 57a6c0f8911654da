"""Attacks with a trained detector as the surrogate whose gradients they follow: `attack=pgd`, `attack=statattack`."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from sr_deepfake.attacks.adversarial import PGDAttack, StatAttack
from sr_deepfake.data.images import read_face
from sr_deepfake.data.manifest import PRISTINE, select
from sr_deepfake.data.module import Source
from sr_deepfake.detectors.detector import Detector
from sr_deepfake.detectors.registry import load_detector
from sr_deepfake.system.errors import MissingWeightsError, UserError


def surrogate_of(folder: str | None) -> Detector:
    """Load the detector of `attack.surrogate`."""
    if not folder:
        raise MissingWeightsError(
            "attack.surrogate is missing: the folder of a trained detector, as outputs/detectors/NAME"
        )
    found = load_detector(Path(folder).expanduser())
    if not isinstance(found, Detector):
        raise UserError(
            f"attack.surrogate={folder}: an external detector gives no gradients; one that was trained here does"
        )
    return found


def pgd(surrogate: str | None, **options: Any) -> PGDAttack:
    """`attack=pgd`."""
    return PGDAttack(surrogate_of(surrogate), **options)


def stat_attack(
    surrogate: str | None, source: Source | None, guides: int = 20, seed: int = 0, **options: Any
) -> StatAttack:
    """`attack=statattack`: some pristine faces for training are its guides."""
    network = surrogate_of(surrogate)
    if source is None:
        raise UserError(
            "attack=statattack needs pristine faces of a data set: evaluate and train have one, this program does not"
        )
    faces = source.faces([str(source.methods[0])])
    rows = select(faces.rows, "train", [PRISTINE])
    order = np.random.default_rng(seed).permutation(len(rows))[:guides]
    pictures = [read_face(faces.folder / str(rows["path"].iloc[place]))[None].float() / 255 for place in sorted(order)]
    with torch.inference_mode(False):
        return StatAttack(network, pictures, **options)
