"""The pictures of a report's examples: the face crops, and what the attack makes of them."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hydra
import numpy as np
import pandas as pd
import torch
from omegaconf import OmegaConf
from torch import Tensor, nn

from sr_deepfake.app.configuration import checked
from sr_deepfake.data.images import read_face
from sr_deepfake.data.manifest import MANIFEST, FaceSet, fingerprint, read_manifest
from sr_deepfake.experiment.provenance import PROVENANCE
from sr_deepfake.experiment.results import Result, read_result
from sr_deepfake.metrics.similarity import ssim
from sr_deepfake.reporting.examples import KINDS, Example, Picture, example_of, turned_faces
from sr_deepfake.super_resolution.weights import without_downloads
from sr_deepfake.system.errors import UserError

# How far the SSIM of a face attacked now may be from the stored one: arithmetic differs between machines by less.
_SSIM_TOLERANCE = 0.002


class Illustrator:
    """Finds the pictures of faces that an attack turned; faces and attacks are found once each. Nothing is written."""

    def __init__(self) -> None:
        self._faces: dict[str, Any] = {}
        self._attacks: dict[str, Any] = {}

    def of_folder(self, folder: Path, count: int) -> tuple[list[Example], list[str]]:
        """As `of`, for a folder of results."""
        try:
            return self.of(read_result(folder), count)
        except UserError as error:
            return [], [str(error)]

    def of(self, result: Result, count: int) -> tuple[list[Example], list[str]]:
        """Find examples.

        Args:
            result: whose.
            count: examples of each kind, at most.

        Returns:
            The examples; and a sentence where their pictures are not to be had.
        """
        examples: list[Example] = []
        notes: list[str] = []
        for kind in KINDS if count > 0 and result.is_attacked else ():
            for turned in turned_faces(result.predictions, kind, count):
                try:
                    clean, attacked = self._pictures(result, turned.face_id, turned.ssim)
                except UserError as error:
                    note = f"{result.name}: examples are left out, since {error}"
                    notes += [note] if note not in notes else []
                    break
                examples.append(example_of(result, turned, clean, attacked))
        return examples, notes

    def _pictures(self, result: Result, face_id: str, expected: float) -> tuple[Picture, Picture]:
        """A face clean and attacked.

        Raises:
            UserError: either is not to be had, or is not what was scored.
        """
        told, run = result.provenance.get("data"), result.run
        described = [str(result.outputs), told, run.get("test_faces"), run.get("frames"), result.tested_on]
        faces: _Faces = _once(self._faces, described, lambda: _Faces(result))
        attack: nn.Module = _once(self._attacks, result.config.get("attack"), lambda: _attack_of(result))
        clean = faces.face(face_id)
        # On the device that made the scored face, if it is here: another rounds in another way.
        machine = torch.device("cuda" if run.get("device") == "cuda" and torch.cuda.is_available() else "cpu")
        with torch.no_grad():
            attacked = attack.to(machine)(clean[None].to(machine).float() / 255)[0].cpu()
        found = float(ssim(clean[None].float() / 255, attacked[None]))
        if not abs(found - expected) <= _SSIM_TOLERANCE:
            raise UserError(
                f"the attack makes another face of {face_id} now (SSIM {found:.4f}, then {expected:.4f}); other "
                "weights are found, perhaps: evaluate.force=true scores the faces as they are attacked now"
            )
        return _picture(clean), _picture((attacked * 255).round().to(torch.uint8))


def _once(made: dict[str, Any], described: Any, make: Callable[[], Any]) -> Any:
    """Make a thing once; what went wrong the first time goes wrong again."""
    key = json.dumps(described, sort_keys=True, default=str)
    if key not in made:
        try:
            made[key] = make()
        except UserError as error:
            made[key] = error
    if isinstance(made[key], UserError):
        raise made[key]
    return made[key]


def _picture(face: Tensor) -> Picture:
    return np.ascontiguousarray(face.permute(1, 2, 0).numpy())


class _Faces:
    """The test faces of results.

    Args:
        result: the results.

    Raises:
        UserError: the faces are gone, or others than those that were tested.
    """

    def __init__(self, result: Result) -> None:
        self.folder = _faces_folder(result)
        frames = result.run.get("frames")
        faces = FaceSet(result.data, self.folder, read_manifest(self.folder))
        rows = faces.of("test", result.tested_on, frames if isinstance(frames, int) else None)
        if fingerprint(rows) != result.run.get("test_faces"):
            raise UserError(f"the faces in {self.folder} are not those that were tested")
        self.paths = pd.Series(rows["path"].to_numpy(), index=rows["face_id"])

    def face(self, face_id: str) -> Tensor:
        """Read a face, 3×S×S uint8.

        Raises:
            UserError: the manifest does not have it, or names a file outside its folder.
        """
        if face_id not in self.paths:
            raise UserError(f"the face {face_id} is not in {self.folder / MANIFEST}")
        path = self.folder / str(self.paths[face_id])
        if not path.resolve().is_relative_to(self.folder.resolve()):
            raise UserError(f"{self.folder / MANIFEST} names a file outside its folder: {path}")
        return read_face(path)


def _faces_folder(result: Result) -> Path:
    """Locate the faces: where the results say, or where the outputs were moved as a whole."""
    told = result.provenance.get("data")
    folder, outputs = (told.get(name) if isinstance(told, dict) else None for name in ("folder", "outputs"))
    if not isinstance(folder, str) or not isinstance(outputs, str):
        raise UserError(f"{PROVENANCE}, which tells where the faces are, is missing or damaged")
    moved = result.outputs / os.path.relpath(folder, outputs)
    candidates = [moved, Path(folder)] if Path(folder).is_relative_to(outputs) else [Path(folder)]
    for candidate in candidates:
        if (candidate / MANIFEST).is_file():
            return candidate
    raise UserError(f"the face crops are gone: there is no {Path(folder) / MANIFEST}")


def _attack_of(result: Result) -> nn.Module:
    """Build the attack of results; weights that are not here are not downloaded.

    Raises:
        UserError: it is not one that `conf/` names, or cannot be built.
    """
    settings = result.config.get("attack")
    if not isinstance(settings, dict) or "_target_" not in settings:
        raise UserError(f"{PROVENANCE}, which tells the attack, is missing or damaged")
    safe = checked(settings, PROVENANCE, "attack", "sr_model")
    try:
        with without_downloads():
            attack: nn.Module = hydra.utils.instantiate(OmegaConf.create(safe))
    except hydra.errors.InstantiationException as error:
        if isinstance(error.__cause__, UserError):  # which Hydra wraps
            raise error.__cause__ from None
        raise UserError(f"its attack cannot be built ({str(error).splitlines()[0]})") from error
    return attack
